//! ONNX's Attention of projections as contributed ops.

use super::projections::Projection;
use super::{Contributed, Made};
use crate::ir::{Element, Module, OpId, Rewriter, ValueId, microsoft, onnx};
use crate::ops::OpAttributes;
use crate::ops::fold::Tensor;

/// Causal attention with fewer rows is faster as Attention.
pub(super) const FEWEST_ROWS: i64 = 128;
/// The heads of GroupQueryAttention have a multiple of this many features.
const HEAD_UNIT: i64 = 16;

/// What is read of an Attention with heads next to the features, whose attributes contributed ops have too.
struct Attention {
    heads: i64,
    key_heads: i64,
    scale: f64,
    is_causal: bool,
    mask: Option<ValueId>,
    result: ValueId,
}

impl Attention {
    fn read(module: &Module, op: OpId) -> Option<Self> {
        let (operation, attributes) = (module.op(op), OpAttributes::of(module, op));
        let mask = match operation.operands[..] {
            [_, _, _] => None,
            [_, _, _, mask] => Some(mask),
            _ => return None,
        };
        let &[result] = &operation.results[..] else { return None };
        let is_f32 = |value: ValueId| module.tensor(value).is_some_and(|ty| ty.element == Element::F32);
        let is_number =
            mask.is_none_or(|mask| is_f32(mask) && module.tensor(mask).is_some_and(|ty| ty.rank() == 4));
        let is_plain = !attributes.has("softcap") && is_number && is_f32(result);
        is_plain.then_some(Self {
            heads: attributes.integer("q_num_heads").ok()?,
            key_heads: attributes.integer("kv_num_heads").ok()?,
            scale: attributes.float("scale").ok()?,
            is_causal: attributes.integer_or("is_causal", 0).ok()? != 0,
            mask,
            result,
        })
    }
}

/// Positions of queries or keys.
#[derive(PartialEq)]
struct Rotation {
    tables: [ValueId; 2],
    /// The row of the tables for each element of the batch and position; without it, the tables have a batch.
    positions: Option<ValueId>,
    is_interleaved: bool,
}

impl Contributed<'_> {
    pub(super) fn attention(&mut self, rewriter: &mut Rewriter, op: OpId) -> Option<()> {
        let attention = Attention::read(rewriter.module, op)?;
        let of_projections = self.of_projections(rewriter, op, &attention);
        let value = of_projections.or_else(|| self.of_rotated(rewriter, op, &attention))?;
        rewriter.replace(attention.result, value);
        Some(())
    }

    /// `Attention` with the weights of queries, keys and values. Its kernel fails without biases.
    fn of_projections(&self, rewriter: &mut Rewriter, op: OpId, attention: &Attention) -> Option<ValueId> {
        let operands: Vec<ValueId> = rewriter.module.op(op).operands.iter().copied().take(3).collect();
        let parts = self.projections(rewriter.module, &operands)?;
        let is_square = parts.iter().all(|part| part.columns == parts[0].columns);
        if !is_square || attention.heads != attention.key_heads {
            return None;
        }
        let bias = self.joined_bias(rewriter, &parts)?;
        let mut read = vec![parts[0].x, Self::joined_matrix(rewriter, &parts)?, bias];
        if let Some(mask) = attention.mask {
            let absent = rewriter.module.absent();
            read.extend([absent, absent, mask]);
        }
        let node = rewriter.create(microsoft::ATTENTION, &read).int("num_heads", attention.heads);
        let node = node.float("scale", attention.scale as f32);
        let node = if attention.is_causal { node.int("unidirectional", 1) } else { node };
        Some(node.like(attention.result))
    }

    /// `GroupQueryAttention` with the tables of the positions, which are those of the rows.
    fn of_rotated(&mut self, rewriter: &mut Rewriter, op: OpId, attention: &Attention) -> Option<ValueId> {
        let module = &*rewriter.module;
        let &[queries, keys, values] = &module.op(op).operands[..] else { return None };
        let (queries, rotation) = self.rotated(module, queries)?;
        let (keys, other) = self.rotated(module, keys)?;
        let parts = self.projections(module, &[queries, keys, values])?;
        let &[batch, rows, _] = &module.tensor(attention.result)?.dims[..] else { return None };
        let (batch, rows) = (batch.known()?, rows.known()?);
        let size = parts[0].columns.checked_div(attention.heads)?;
        let fits = attention.is_causal
            && rotation == other
            && rows >= FEWEST_ROWS
            && batch > 0
            && size % HEAD_UNIT == 0
            && Some(parts[0].columns) == size.checked_mul(attention.heads)
            && parts[1..].iter().all(|part| Some(part.columns) == size.checked_mul(attention.key_heads))
            && self.has_own_positions(module, &rotation, [batch, rows, size / 2]);
        if !fits {
            return None;
        }
        let last = i32::try_from(rows - 1).ok()?;
        let matrix = Self::joined_matrix(rewriter, &parts)?;
        let columns = parts.iter().map(|part| part.columns).sum();
        let product = rewriter.create(onnx::MAT_MUL, &[parts[0].x, matrix]);
        let mut joined = product.out(Element::F32, &[batch, rows, columns]);
        if Self::is_biased(&parts) {
            let bias = self.joined_bias(rewriter, &parts)?;
            joined = rewriter.create(onnx::ADD, &[joined, bias]).like(joined);
        }
        let absent = rewriter.module.absent();
        let mut read = vec![joined, absent, absent, absent, absent];
        read.push(self.numbers(rewriter, Some(batch), last));
        read.push(self.numbers(rewriter, None, last + 1));
        for table in rotation.tables {
            read.push(self.matrix(rewriter, table, size / 2)?);
        }
        let node = rewriter.create(microsoft::GROUP_QUERY_ATTENTION, &read);
        let node = node.int("num_heads", attention.heads).int("kv_num_heads", attention.key_heads);
        let node = node.float("scale", attention.scale as f32).int("do_rotary", 1);
        let node = if rotation.is_interleaved { node.int("rotary_interleaved", 1) } else { node };
        Some(node.like(attention.result))
    }

    /// The three as projections of one value.
    fn projections(&self, module: &Module, values: &[ValueId]) -> Option<Vec<Projection>> {
        let parts: Vec<Projection> =
            values.iter().map(|&value| self.projection(module, value)).collect::<Option<_>>()?;
        let x = parts.first()?.x;
        parts.iter().all(|part| part.x == x).then_some(parts)
    }

    /// What a RotaryEmbedding turns, and how. Its tables are constants with one row for each position.
    fn rotated(&self, module: &Module, value: ValueId) -> Option<(ValueId, Rotation)> {
        let op = module.defined_by(value, onnx::ROTARY_EMBEDDING).filter(|_| self.is_alone(value))?;
        let attributes = OpAttributes::of(module, op);
        let (turned, tables, positions) = match module.op(op).operands[..] {
            [turned, cosines, sines] => (turned, [cosines, sines], None),
            [turned, cosines, sines, positions] => (turned, [cosines, sines], Some(positions)),
            _ => return None,
        };
        let is_whole = attributes.integer_or("rotary_embedding_dim", 0).ok()? == 0
            && tables.iter().all(|&table| module.constant_of(table).is_some());
        let is_interleaved = attributes.integer_or("interleaved", 0).ok()? != 0;
        is_whole.then_some((turned, Rotation { tables, positions, is_interleaved }))
    }

    /// Whether each row has the row of the tables with its own number.
    fn has_own_positions(&self, module: &Module, rotation: &Rotation, sizes: [i64; 3]) -> bool {
        let [batch, rows, pairs] = sizes;
        let table_sizes = |table: ValueId| module.tensor(table).and_then(|ty| ty.sizes());
        let Some(positions) = rotation.positions else {
            return rotation.tables.iter().all(|&table| table_sizes(table) == Some(vec![1, rows, pairs]));
        };
        let is_long = |table: &ValueId| {
            table_sizes(*table).is_some_and(|sizes| sizes.len() == 2 && sizes[0] >= rows && sizes[1] == pairs)
        };
        let positions = module.constant_of(positions).and_then(|id| Tensor::read(module, self.source, id));
        rotation.tables.iter().all(is_long)
            && positions
                .as_ref()
                .and_then(Tensor::view)
                .is_some_and(|numbers| numbers.iter().copied().eq((0..batch).flat_map(|_| 0..rows)))
    }

    /// A table with a row for each position.
    fn matrix(&mut self, rewriter: &mut Rewriter, table: ValueId, pairs: i64) -> Option<ValueId> {
        if rewriter.module.tensor(table)?.rank() == 2 {
            return Some(table);
        }
        if let Some(&made) = self.made.get(&Made::Matrix(table)) {
            return Some(made);
        }
        let module = &mut *rewriter.module;
        let data = module.constant(module.constant_of(table)?).data.clone();
        let rows = module.tensor(table)?.count()?.checked_div(pairs)?;
        let ty = module.tensor_of(Element::F32, &[rows, pairs]);
        let origin = module.defining_op(table)?;
        let made = rewriter.create(onnx::CONSTANT, &[]).at_op(origin).data(ty, data);
        self.made.insert(Made::Matrix(table), made);
        Some(made)
    }

    /// A vector of this many equal numbers, or a scalar.
    fn numbers(&mut self, rewriter: &mut Rewriter, count: Option<i64>, number: i32) -> ValueId {
        *self.made.entry(Made::Numbers(count, number)).or_insert_with(|| {
            let bytes = number.to_le_bytes().repeat(count.map_or(1, |count| count as usize));
            let sizes: Vec<i64> = count.into_iter().collect();
            rewriter.bytes(Element::I32, &sizes, &bytes)
        })
    }
}
