//! Common subexpression elimination.

use super::{Nesting, nesting};
use crate::ir::{
    Attribute, Attributes, BlockId, ConstantId, Data, Dim, Element, Module, OpId, OpName, Symbol, TypeId,
    chlo, onnx, provenance, stablehlo,
};
use crate::pass::module_tree::{Paths, times};
use rustc_hash::{FxBuildHasher, FxHashMap};
use std::hash::BuildHasher;
use std::ops::Range;

/// The contents of larger constants are not part of a key.
const COMPARED: usize = 1 << 12;
/// Larger constants are compared by location, not by content. Folded ones are not larger.
const LONGEST: usize = 1 << 18;

/// Room for the pieces of an op; most have fewer.
const PIECES: usize = 12;

/// A component of the key that identifies equal ops.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(in crate::pass) enum Piece {
    Number(u64),
    Symbol(Symbol),
    Type(TypeId),
    Element(Element),
    Constant(ConstantId),
    Size(Dim),
}

impl From<u64> for Piece {
    fn from(number: u64) -> Self {
        Piece::Number(number)
    }
}

/// The ops that can replace later ones.
///
/// An op is visible in its own block and nested ones. If an equal op is in a block that is no longer visible, the
/// later op replaces it: the walk has left that block.
pub(super) struct AvailableOps {
    /// The pieces of all available ops, contiguous: one allocation per op would cost more than the comparisons.
    pieces: Vec<Piece>,
    known: Vec<AvailableOp>,
    /// The last available op for each hash of pieces.
    last: FxHashMap<u64, u32>,
    blocks: Vec<Nesting>,
    owners: Vec<Option<BlockId>>,
    key: Vec<Piece>,
    /// For each op, its module and which application of it, if only ops of the same can be merged: a module's
    /// function must contain the same ops as other instances.
    modules: Option<Vec<(usize, u32)>>,
}

/// An op that can replace later ones.
struct AvailableOp {
    pieces: Range<usize>,
    op: OpId,
    block: BlockId,
    /// The previous op with the same hash.
    before: Option<u32>,
}

impl AvailableOps {
    pub(super) fn new(module: &Module, within_modules: bool) -> Self {
        let (blocks, owners) = nesting(module);
        let count = owners.iter().flatten().count();
        Self {
            pieces: Vec::with_capacity(count * PIECES),
            known: Vec::with_capacity(count),
            last: FxHashMap::with_capacity_and_hasher(count, FxBuildHasher),
            blocks,
            owners,
            key: Vec::new(),
            modules: within_modules.then(|| modules(module)),
        }
    }

    /// An available op equal to `op`, as seen from `at`; if there is none, `op` becomes available.
    pub(super) fn find_or_add(&mut self, module: &Module, op: OpId, at: OpId) -> Option<OpId> {
        if !is_shareable(module, op) {
            return None;
        }
        let block = self.owners.get(at.index()).copied().flatten()?;
        self.key.clear();
        if let Some(modules) = &self.modules
            && module.constant_of(module.op(op).results[0]).is_none()
        {
            let (path, time) = modules.get(at.index()).copied().unwrap_or_default();
            push_number(path, &mut self.key);
            push_number(time as usize, &mut self.key);
        }
        encode(module, op, &mut self.key);
        let long = long_bytes(module, op);
        if let Some((id, bytes)) = long {
            // Tables that each layer computes anew are equal.
            self.key.retain(|&piece| piece != Piece::Constant(id));
            push_number(bytes.len(), &mut self.key);
            self.key.push(Piece::Number(FxBuildHasher.hash_one(bytes)));
        }
        if is_small(module, op)
            && let Some(name) = provenance::weight_name(module, op)
        {
            self.key.push(Piece::Symbol(name));
        }
        let hash = FxBuildHasher.hash_one(&self.key);
        let before = self.last.get(&hash).copied();
        let mut next = before;
        while let Some(index) = next {
            let known = &self.known[index as usize];
            let is_same = self.pieces[known.pieces.clone()] == self.key[..]
                && long.map(|(_, bytes)| bytes) == long_bytes(module, known.op).map(|(_, bytes)| bytes);
            if is_same {
                if self.encloses(known.block, block) {
                    return Some(known.op);
                }
                let known = &mut self.known[index as usize];
                (known.op, known.block) = (op, block);
                return None;
            }
            next = known.before;
        }
        let start = self.pieces.len();
        self.pieces.extend_from_slice(&self.key);
        self.last.insert(hash, self.known.len() as u32);
        self.known.push(AvailableOp { pieces: start..self.pieces.len(), op, block, before });
        None
    }

    fn encloses(&self, outer: BlockId, inner: BlockId) -> bool {
        let (outer, inner) = (self.blocks[outer.index()], self.blocks[inner.index()]);
        outer.first <= inner.first && inner.first < outer.last
    }
}

/// For each op, its module and which application of it.
fn modules(module: &Module) -> Vec<(usize, u32)> {
    let (mut paths, mut modules) = (Paths::new(), vec![(0, 0); module.op_count()]);
    for block in module.blocks_within(module.functions().map(|id| module.function(id).body)) {
        let ops = &module.block(block).ops;
        let within: Vec<_> = ops
            .iter()
            .map(|&op| {
                let is_constant = module.op(op).operands.is_empty() && module.op(op).regions.is_empty();
                (!is_constant).then(|| paths.of(module, op))
            })
            .collect();
        for ((&op, path), time) in ops.iter().zip(&within).zip(times(module, ops, &within)) {
            modules[op.index()] = (path.map_or(0, |path| path.index()), time);
        }
    }
    modules
}

/// Ops with different results each time, or with side effects.
const NOT_SHAREABLE: &[OpName] = &[
    chlo::SCAN,
    onnx::BERNOULLI,
    onnx::DROPOUT,
    onnx::MULTINOMIAL,
    onnx::RANDOM_NORMAL,
    onnx::RANDOM_NORMAL_LIKE,
    onnx::RANDOM_UNIFORM,
    onnx::RANDOM_UNIFORM_LIKE,
    stablehlo::RNG,
];

fn is_shareable(module: &Module, op: OpId) -> bool {
    let operation = module.op(op);
    let name = module.op(op).name;
    operation.regions.is_empty()
        && !operation.results.is_empty()
        && !NOT_SHAREABLE.contains(&name)
        && !name.is_terminator()
        && crate::ops::type_inference::is_pure(module, op)
}

/// Whether an op is a constant that may be duplicated, so that each of several equal weights keeps its name.
fn is_small(module: &Module, op: OpId) -> bool {
    let constant = module.constant_of(module.op(op).results[0]).map(|id| &module.constant(id).data);
    match constant {
        Some(Data::Splat(_)) => true,
        Some(Data::Bytes(bytes)) => bytes.len() <= LONGEST,
        _ => false,
    }
}

/// The elements of a constant that are too long for a key, but not too long to be compared.
fn long_bytes(module: &Module, op: OpId) -> Option<(ConstantId, &[u8])> {
    let id = module.constant_of(*module.op(op).results.first()?)?;
    match &module.constant(id).data {
        Data::Bytes(bytes) if (COMPARED + 1..=LONGEST).contains(&bytes.len()) => Some((id, bytes)),
        _ => None,
    }
}

/// Encodes the op: two ops are equal exactly if their pieces are.
fn encode(module: &Module, op: OpId, out: &mut Vec<Piece>) {
    let operation = module.op(op);
    out.push(Piece::Symbol(operation.name.symbol()));
    push_number(operation.operands.len(), out);
    operation.operands.iter().for_each(|operand| push_number(operand.index(), out));
    out.extend(operation.results.iter().map(|&result| Piece::Type(module.value_type(result))));
    encode_attributes(module, &operation.attributes, out);
}

fn push_number(number: usize, out: &mut Vec<Piece>) {
    out.push(Piece::Number(number as u64));
}

pub(in crate::pass) fn encode_attributes(module: &Module, attributes: &Attributes, out: &mut Vec<Piece>) {
    push_number(attributes.len(), out);
    for (name, value) in attributes {
        out.push(Piece::Symbol(*name));
        encode_attribute(module, value, out);
    }
}

// The parser limits the nesting of attributes. Each kind begins with its own tag.
fn encode_attribute(module: &Module, attribute: &Attribute, out: &mut Vec<Piece>) {
    match attribute {
        Attribute::Unit => push_number(0, out),
        Attribute::Bool(value) => out.extend([1, u64::from(*value)].map(Piece::from)),
        Attribute::Integer(value, ty) => {
            out.extend([Piece::Number(2), Piece::Number(*value as u64), Piece::Type(*ty)]);
        }
        Attribute::Float(value, ty) => {
            out.extend([Piece::Number(3), Piece::Number(value.to_bits()), Piece::Type(*ty)]);
        }
        Attribute::String(text) => encode_bytes(4, text.as_bytes(), out),
        Attribute::Bytes(bytes) => encode_bytes(4, bytes, out),
        Attribute::Type(ty) => out.extend([Piece::Number(5), Piece::Type(*ty)]),
        Attribute::SymbolRef(path) => {
            out.extend([6, path.len() as u64].map(Piece::from));
            out.extend(path.iter().map(|&symbol| Piece::Symbol(symbol)));
        }
        Attribute::Array(items) => {
            out.extend([7, items.len() as u64].map(Piece::from));
            items.iter().for_each(|item| encode_attribute(module, item, out));
        }
        Attribute::Dictionary(fields) => {
            push_number(8, out);
            encode_attributes(module, fields, out);
        }
        Attribute::Integers(element, values) => {
            out.extend([Piece::Number(9), Piece::Element(*element), Piece::Number(values.len() as u64)]);
            out.extend(values.iter().map(|&value| Piece::Number(value as u64)));
        }
        Attribute::Floats(element, values) => {
            out.extend([Piece::Number(10), Piece::Element(*element), Piece::Number(values.len() as u64)]);
            out.extend(values.iter().map(|value| Piece::Number(value.to_bits())));
        }
        Attribute::Dense(id) => {
            let constant = module.constant(*id);
            out.push(Piece::Type(constant.ty));
            encode_data(*id, &constant.data, out);
        }
        Attribute::Struct(name, fields) => {
            out.extend([Piece::Number(15), Piece::Symbol(*name)]);
            encode_attributes(module, fields, out);
        }
        Attribute::Enum { dialect, kind, value } => {
            out.push(Piece::Number(16));
            out.extend([dialect, kind, value].map(|&symbol| Piece::Symbol(symbol)));
        }
        Attribute::Opaque(text) => encode_bytes(17, text.as_bytes(), out),
        Attribute::Dims(sizes) => {
            out.extend([18, sizes.len() as u64].map(Piece::from));
            out.extend(sizes.iter().map(|&size| Piece::Size(size)));
        }
    }
}

fn encode_data(id: ConstantId, data: &Data, out: &mut Vec<Piece>) {
    match data {
        Data::Splat(bytes) => encode_bytes(11, bytes, out),
        Data::Bytes(bytes) if bytes.len() <= COMPARED => encode_bytes(12, bytes, out),
        Data::Source(range) => out.extend([13, range.start as u64, range.end as u64].map(Piece::from)),
        Data::SourceBits(range) => {
            out.extend([14, range.start as u64, range.end as u64].map(Piece::from));
        }
        Data::View(view) if view.factors.is_none() => {
            out.extend([19, view.offset as u64, view.sizes.len() as u64].map(Piece::from));
            out.extend(view.sizes.iter().map(|&size| Piece::from(size as u64)));
            out.extend(view.strides.iter().map(|&stride| Piece::from(stride as u64)));
            encode_data(id, &view.base, out);
        }
        Data::Bytes(_) | Data::Mapped(_) | Data::View(_) | Data::Joined(_) => out.push(Piece::Constant(id)),
    }
}

fn encode_bytes(kind: u64, bytes: &[u8], out: &mut Vec<Piece>) {
    out.extend([kind, bytes.len() as u64].map(Piece::from));
    for chunk in bytes.chunks(8) {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        out.push(Piece::Number(u64::from_le_bytes(word)));
    }
}
