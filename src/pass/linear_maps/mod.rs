//! Many small ops that together are one linear map become a product with its matrix.
//!
//! A filter, an associative scan of a linear recurrence and its unrolled steps only add values and multiply them by constants.
//! Each such op is a node of a few elements, whose overhead in a runtime is that of thousands of multiplications. The matrix of
//! the whole is computed in `f64`, and replaces the ops where it is small and they are many.

mod infinite;
mod rows;

use super::Context;
use super::canonicalize::remove_dead;
use crate::ir::{BlockId, Data, Element, Module, OpId, Rewriter, ValueId, onnx};
use crate::source::Source;
use rows::{Row, Rows};
use rustc_hash::{FxHashMap, FxHashSet};

/// Values of more elements are not followed.
const MOST_ELEMENTS: i64 = 1 << 10;
/// Matrices of more elements are not made.
const MOST_PRODUCTS: i64 = 1 << 16;
/// Fewer ops are not replaced.
const FEWEST_OPS: usize = 16;
/// This many multiplications take about as long as a node of few elements.
const PRODUCTS_OF_NODE: i64 = 1 << 12;

/// Runs the pass.
pub(super) fn run(module: &mut Module, cx: &mut Context) {
    // A zero of the matrix times an infinity or NaN is NaN. Weights that stay in files cannot become part of a matrix, and a module
    // that becomes a function keeps its ops.
    if cx.options.strict_nan || cx.options.references_weights || cx.options.keep_functions {
        return;
    }
    let blocks: Vec<BlockId> =
        module.functions().filter_map(|id| module.entry_block(module.function(id).body)).collect();
    let maps: Vec<Map> = blocks.iter().flat_map(|&block| maps(module, cx.source, block)).collect();
    if maps.is_empty() {
        return;
    }
    let mut sinks: FxHashMap<ValueId, (ValueId, Vec<Row>)> = FxHashMap::default();
    for map in maps {
        sinks.extend(map.sinks.into_iter().map(|(sink, rows)| (sink, (map.source, rows))));
    }
    let mut vectors = FxHashMap::default();
    for function in module.functions() {
        Rewriter::new(module).function(function, &mut |rewriter, op| {
            let Some(&result) = rewriter.module.op(op).results.first() else { return true };
            let Some((source, rows)) = sinks.remove(&result) else { return true };
            let Some(product) = product(rewriter, op, source, &rows, &mut vectors) else { return true };
            rewriter.replace(result, product);
            false
        });
    }
    remove_dead(module);
}

/// Values that are linear in another one.
struct Map {
    source: ValueId,
    sinks: Vec<(ValueId, Vec<Row>)>,
}

/// The maps of a block that are better made by a matrix.
fn maps(module: &Module, source: &Source, block: BlockId) -> Vec<Map> {
    let mut sources: FxHashMap<ValueId, ValueId> = FxHashMap::default();
    let mut groups: Vec<(ValueId, Vec<OpId>)> = Vec::new();
    let mut places: FxHashMap<ValueId, usize> = FxHashMap::default();
    let ops = &module.block(block).ops;
    for &op in ops {
        let Some(from) = source_of(module, op, &sources) else { continue };
        sources.insert(module.op(op).results[0], from);
        let place = *places.entry(from).or_insert_with(|| {
            groups.push((from, Vec::new()));
            groups.len() - 1
        });
        groups[place].1.push(op);
    }
    groups.retain(|(from, ops)| ops.len() >= FEWEST_OPS && !infinite::may_be(module, source, *from));
    if groups.is_empty() {
        return Vec::new();
    }
    let read = read_elsewhere(module, ops, &sources);
    groups.into_iter().filter_map(|(from, ops)| map(module, source, from, &ops, &read)).collect()
}

/// The values that something else reads than an op that is linear in the same value.
fn read_elsewhere(
    module: &Module,
    ops: &[OpId],
    sources: &FxHashMap<ValueId, ValueId>,
) -> FxHashSet<ValueId> {
    let mut read = FxHashSet::default();
    for &op in ops {
        let own = module.op(op).results.first().and_then(|result| sources.get(result));
        for &operand in &module.op(op).operands {
            if sources.get(&operand).is_some_and(|source| own != Some(source)) {
                read.insert(operand);
            }
        }
        for inner in module.ops_within(module.op(op).regions.iter().copied()) {
            read.extend(module.op(inner).operands.iter().copied());
        }
    }
    read
}

fn map(
    module: &Module,
    text: &Source,
    source: ValueId,
    ops: &[OpId],
    read: &FxHashSet<ValueId>,
) -> Option<Map> {
    let sinks: Vec<ValueId> =
        ops.iter().map(|&op| module.op(op).results[0]).filter(|result| read.contains(result)).collect();
    let count = |value: ValueId| module.tensor(value).and_then(|ty| ty.count()).unwrap_or(i64::MAX);
    let products = sinks.iter().map(|&sink| count(sink)).fold(0, i64::saturating_add);
    let products = products.saturating_mul(count(source));
    let new = 3 * sinks.len() + usize::try_from(products / PRODUCTS_OF_NODE).ok()?;
    let replaced = ops.iter().filter(|&&op| module.op(op).name != onnx::IDENTITY).count();
    if products > MOST_PRODUCTS || sinks.is_empty() || replaced < FEWEST_OPS.max(2 * new) {
        return None;
    }
    let mut rows = Rows::of(module, text, source)?;
    ops.iter().try_for_each(|&op| rows.follow(op))?;
    let sinks = sinks.into_iter().map(|sink| Some((sink, rows.take(sink)?))).collect::<Option<_>>()?;
    Some(Map { source, sinks })
}

/// Whether a value can be in a map.
fn is_small(module: &Module, value: ValueId) -> bool {
    module.tensor(value).is_some_and(|ty| {
        let few = ty.count().is_some_and(|count| (1..=MOST_ELEMENTS).contains(&count));
        few && ty.is_static() && matches!(ty.element, Element::F32 | Element::F64)
    })
}

/// The value in which the result of an op is linear, if its operands are linear in one value.
fn source_of(module: &Module, op: OpId, sources: &FxHashMap<ValueId, ValueId>) -> Option<ValueId> {
    let operation = module.op(op);
    let [result] = operation.results[..] else { return None };
    if !is_small(module, result) {
        return None;
    }
    let mut varying =
        operation.operands.iter().enumerate().filter(|(_, operand)| {
            module.constant_of(**operand).is_none() && module.tensor(**operand).is_some()
        });
    let of = |value: ValueId| {
        let source = sources.get(&value).copied().unwrap_or(value);
        (is_small(module, value) && is_small(module, source)).then_some(source)
    };
    let (first, &value) = varying.next()?;
    let source = of(value)?;
    let others = varying.map(|(_, &other)| of(other)).collect::<Option<Vec<_>>>()?;
    let alone = others.is_empty();
    let fits = match operation.name {
        onnx::ADD | onnx::SUB | onnx::SUM | onnx::CONCAT => true,
        onnx::IDENTITY | onnx::NEG | onnx::TRANSPOSE => true,
        onnx::RESHAPE | onnx::SLICE | onnx::PAD | onnx::EXPAND | onnx::GATHER => first == 0 && alone,
        onnx::DIV => first == 0 && alone,
        onnx::MUL | onnx::MAT_MUL => alone,
        _ => false,
    };
    (fits && others.iter().all(|&other| other == source)).then_some(source)
}

/// Computes the rows of a sink from its source, before the op that computed it. `vectors` are sources as a row of a matrix.
fn product(
    rewriter: &mut Rewriter,
    op: OpId,
    source: ValueId,
    rows: &[Row],
    vectors: &mut FxHashMap<ValueId, ValueId>,
) -> Option<ValueId> {
    let result = rewriter.module.op(op).results[0];
    let element = rewriter.module.tensor(result)?.element;
    let (from, to) = (rewriter.module.tensor(source)?.sizes()?, rewriter.module.tensor(result)?.sizes()?);
    let (width, height) = (from.iter().product::<i64>(), rows.len() as i64);
    let mut matrix = vec![0.0; usize::try_from(width * height).ok()?];
    for (index, row) in rows.iter().enumerate() {
        for &(column, factor) in &row.terms {
            matrix[column as usize * rows.len() + index] = factor;
        }
    }
    let offsets: Vec<f64> = rows.iter().map(|row| row.offset).collect();
    let matrix = constant(rewriter, op, element, &[width, height], &matrix)?;
    let is_flat = from.len() == 1 && to.len() == 1;
    let vector = if is_flat || from[..] == [1, width] {
        source
    } else {
        *vectors.entry(source).or_insert_with(|| reshaped(rewriter, op, source, element, &[1, width]))
    };
    let sizes = if is_flat { vec![height] } else { vec![1, height] };
    let mut product = rewriter.create(onnx::MAT_MUL, &[vector, matrix]).at_op(op).out(element, &sizes);
    if offsets.iter().any(|&offset| offset != 0.0) {
        let offsets = constant(rewriter, op, element, &[height], &offsets)?;
        product = rewriter.create(onnx::ADD, &[product, offsets]).at_op(op).out(element, &sizes);
    }
    if to[..] == sizes[..] { Some(product) } else { Some(reshaped(rewriter, op, product, element, &to)) }
}

fn reshaped(rewriter: &mut Rewriter, op: OpId, value: ValueId, element: Element, sizes: &[i64]) -> ValueId {
    let shape = rewriter.create(onnx::CONSTANT, &[]).at_op(op).integers(sizes);
    rewriter.create(onnx::RESHAPE, &[value, shape]).at_op(op).out(element, sizes)
}

fn constant(
    rewriter: &mut Rewriter,
    op: OpId,
    element: Element,
    sizes: &[i64],
    numbers: &[f64],
) -> Option<ValueId> {
    let mut bytes = Vec::new();
    for &number in numbers {
        match element {
            Element::F32 => bytes.extend((number as f32).to_le_bytes()),
            _ => bytes.extend(number.to_le_bytes()),
        }
    }
    let ty = rewriter.module.tensor_of(element, sizes);
    Some(rewriter.create(onnx::CONSTANT, &[]).at_op(op).data(ty, Data::Bytes(bytes.into())))
}
