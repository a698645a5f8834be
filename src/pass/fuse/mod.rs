//! Fuses patterns of JAX and Flax into ops that have an ONNX kernel.
//!
//! A rule matches backward from the last op of a pattern and returns the op that replaces it. The result must be as
//! exact as XLA's, but not bitwise equal. A pattern is kept if another op reads an inner value, which would be
//! computed twice. To add a rule, add its row to the table of its family, and to `fixtures/ops/fused` a program where
//! it applies and one where it nearly does.

mod activation;
mod affine;
mod arrange;
mod attention;
mod axes;
mod error;
mod explain;
mod gather;
mod group;
mod interleave;
mod normalization;
mod pattern;
mod random;
mod resize;
mod rotary;
mod sign;
mod softmax;

use super::Context;
use crate::ir::{
    Attribute, BlockId, Data, Dims, Element, Location, LocationId, Module, OpId, OpName, OpSpan, Rewriter,
    TypeId, ValueId, stablehlo, use_counts_by_block,
};
use crate::ops::float_bytes;
use explain::Explained;
use pattern::Pattern;
use rustc_hash::{FxHashMap, FxHashSet};
use smallvec::SmallVec;
use std::sync::{Arc, LazyLock};

/// A fusion pattern.
struct FusionRule {
    /// The last op of the pattern.
    root: OpName,
    /// Matches it.
    read: fn(&mut Pattern, OpId) -> Option<Fused>,
    /// Whether the kernel's error near zero is small compared with one, but not with the result.
    absolute: bool,
}

impl FusionRule {
    const fn new(root: OpName, read: fn(&mut Pattern, OpId) -> Option<Fused>) -> Self {
        Self { root, read, absolute: false }
    }
}

/// The op that replaces a pattern.
struct Fused {
    name: OpName,
    operands: SmallVec<[FusedOperand; 3]>,
    attributes: SmallVec<[(&'static str, Field); 2]>,
}

/// An operand of a fused op.
enum FusedOperand {
    /// A value of the program.
    Value(ValueId),
    /// The result of another fused op.
    Made(Box<Fused>, MadeType),
    /// A constant with these elements, of the type of a constant that it replaces.
    Constant(Arc<[u8]>, ValueId),
    /// A constant of some elements of another constant.
    Part(Arc<[u8]>, Element, Dims, ValueId),
    /// A splat constant of these sizes, and the constant that it replaces, if any.
    Filled(f64, Element, Vec<i64>, Option<ValueId>),
}

/// The type of the result of a fused op.
enum MadeType {
    /// That of a value.
    Like(ValueId),
    /// A tensor.
    Tensor(Element, Dims),
}

impl FusedOperand {
    /// The result of another fused op, with the type of a value.
    fn made(fused: Fused, like: ValueId) -> Self {
        Self::Made(Box::new(fused), MadeType::Like(like))
    }

    /// The result of another fused op, of this element type and these sizes.
    fn made_of(fused: Fused, element: Element, dims: Dims) -> Self {
        Self::Made(Box::new(fused), MadeType::Tensor(element, dims))
    }
}

/// An attribute of a fused op.
enum Field {
    Int(i64),
    Float(f64),
    Positions(Vec<usize>),
    Other(Attribute),
}

impl Fused {
    fn new(name: OpName, operands: &[ValueId]) -> Self {
        Self::of(name, operands.iter().map(|&operand| FusedOperand::Value(operand)))
    }

    fn of(name: OpName, operands: impl IntoIterator<Item = FusedOperand>) -> Self {
        Self { name, operands: operands.into_iter().collect(), attributes: SmallVec::new() }
    }

    fn positions(mut self, name: &'static str, values: &[usize]) -> Self {
        self.attributes.push((name, Field::Positions(values.to_vec())));
        self
    }

    /// The program values that it reads.
    fn program_values(&self) -> Vec<ValueId> {
        let of = |operand: &FusedOperand| match operand {
            FusedOperand::Value(value) => vec![*value],
            FusedOperand::Made(made, _) => made.program_values(),
            FusedOperand::Constant(..) | FusedOperand::Part(..) | FusedOperand::Filled(..) => Vec::new(),
        };
        self.operands.iter().flat_map(of).collect()
    }

    fn int(mut self, name: &'static str, value: usize) -> Self {
        self.attributes.push((name, Field::Int(value as i64)));
        self
    }

    fn float(mut self, name: &'static str, value: f64) -> Self {
        self.attributes.push((name, Field::Float(value)));
        self
    }
}

/// The families of rules, whose names `--explain-fusion` takes.
const FAMILIES: &[(&str, &[FusionRule])] = &[
    ("activation", activation::RULES),
    ("softmax", softmax::RULES),
    ("normalization", normalization::RULES),
    ("group", group::RULES),
    ("resize", resize::RULES),
    ("affine", affine::RULES),
    ("error", error::RULES),
    ("sign", sign::RULES),
    ("gather", gather::RULES),
    ("interleave", interleave::RULES),
    ("random", random::RULES),
    ("rotary", rotary::RULES),
    ("attention", attention::RULES),
];

/// The names of the families of rules.
#[cfg(feature = "cli")]
pub(crate) fn families() -> impl Iterator<Item = &'static str> + Clone {
    FAMILIES.iter().map(|&(family, _)| family)
}

/// The rules by their last op, each with its family. The first match wins.
static RULES: LazyLock<FxHashMap<OpName, Vec<(&'static str, &'static FusionRule)>>> = LazyLock::new(|| {
    let mut rules: FxHashMap<OpName, Vec<(&str, &FusionRule)>> = FxHashMap::default();
    for &(family, own) in FAMILIES {
        own.iter().for_each(|rule| rules.entry(rule.root).or_default().push((family, rule)));
    }
    rules
});

/// Runs the pass on all functions.
pub(super) fn run(module: &mut Module, cx: &mut Context) {
    let mut uses = use_counts_by_block(module);
    let magnified = magnified(module);
    let mut replaced = FxHashSet::default();
    let mut explained = Explained::default();
    for function in module.functions() {
        let mut visit = |rewriter: &mut Rewriter, op: OpId| {
            let Some((fused, inside)) = find(rewriter.module, cx, &uses, &magnified, op, &mut explained)
            else {
                return true;
            };
            let count = rewriter.module.op_count();
            let new = add(rewriter, op, fused, &inside);
            recount(rewriter.module, &mut uses, inside.iter().copied().chain([op]), count);
            replaced.extend(inside);
            let old = rewriter.module.op(op).results[0];
            uses[new.index()] = uses[old.index()];
            rewriter.replace(old, new);
            false
        };
        Rewriter::new(module).function(function, &mut visit);
    }
    explained.report(module, cx);
    if replaced.is_empty() {
        return;
    }
    // Other dead code stays for the lowering to try.
    let blocks: Vec<BlockId> = module
        .functions()
        .flat_map(|function| module.blocks_within([module.function(function).body]))
        .collect();
    for block in blocks {
        module.block_mut(block).ops.retain(|op| !replaced.contains(op));
    }
}

/// The values that are logarithm operands or divisors: errors near zero become large there.
fn magnified(module: &Module) -> FxHashSet<ValueId> {
    let magnifies = |op: OpId| match (module.op(op).name, &module.op(op).operands[..]) {
        (stablehlo::LOG | stablehlo::RSQRT, &[x]) | (stablehlo::DIVIDE, &[_, x]) => Some(x),
        _ => None,
    };
    module.reachable_ops().into_iter().filter_map(magnifies).collect()
}

/// Updates use counts: subtracts the uses by removed ops, and adds those by ops created since there were `count`.
fn recount(module: &Module, uses: &mut Vec<u32>, gone: impl Iterator<Item = OpId>, count: usize) {
    uses.resize(module.value_count(), 0);
    for op in gone {
        module.op(op).operands.iter().for_each(|operand| uses[operand.index()] -= 1);
    }
    for op in module.ops_since(count) {
        module.op(op).operands.iter().for_each(|operand| uses[operand.index()] += 1);
    }
}

/// The replacement of a pattern that ends in an op, and the other ops of the pattern.
fn find(
    module: &Module,
    cx: &Context,
    uses: &[u32],
    magnified: &FxHashSet<ValueId>,
    op: OpId,
    explained: &mut Explained,
) -> Option<(Fused, Vec<OpId>)> {
    let [result] = module.op(op).results[..] else { return None };
    RULES.get(&module.op(op).name)?.iter().find_map(|&(family, rule)| {
        let mut pattern = Pattern::new(module, cx.source);
        let matched = (rule.read)(&mut pattern, op);
        let near = pattern.take_near();
        let Some(fused) = matched else {
            explained.missed(family, near.map(|near| (near.op, near.why)));
            return None;
        };
        if rule.absolute && magnified.contains(&result) {
            let why = "the kernel has too few digits for the division or logarithm that reads the result";
            explained.missed(family, Some((op, why.to_owned())));
            return None;
        }
        let inside = pattern.into_inside(op, uses);
        let read = |operand: ValueId| module.defining_op(operand).filter(|op| inside.contains(op));
        let shared = first_shared(module, uses, op, &inside);
        let shared = shared.or_else(|| fused.program_values().into_iter().find_map(read));
        if let Some(shared) = shared {
            let why = format!("other ops also read the result of `{}`", module.op_name(shared));
            explained.missed(family, Some((shared, why)));
            return None;
        }
        explained.fused(family);
        Some((fused, inside))
    })
}

/// An op of the pattern whose results other ops read.
fn first_shared(module: &Module, uses: &[u32], root: OpId, inside: &[OpId]) -> Option<OpId> {
    let reads = |value: ValueId| -> u32 {
        let ops = inside.iter().chain([&root]);
        ops.map(|&op| module.op(op).operands.iter().filter(|&&operand| operand == value).count() as u32).sum()
    };
    let is_closed = |op: OpId| {
        let results = &module.op(op).results;
        results.iter().all(|&result| uses.get(result.index()).is_some_and(|&uses| uses == reads(result)))
    };
    inside.iter().copied().find(|&op| !is_closed(op))
}

/// Inserts the op in place of the pattern's last op, with the locations of all its ops.
fn add(rewriter: &mut Rewriter, root: OpId, fused: Fused, inside: &[OpId]) -> ValueId {
    let module = &mut *rewriter.module;
    let mut places = vec![module.op_location(root)];
    for &op in inside {
        let place = module.op_location(op);
        if !places.contains(&place) {
            places.push(place);
        }
    }
    let location = match places[..] {
        [place] => place,
        _ => module.add_location(Location::Fused(None, places)),
    };
    let (ty, span) = (module.value_type(module.op(root).results[0]), module.span(root));
    make(rewriter, fused, ty, (span, location))
}

/// The location of the constant that a new constant replaces, which names it.
fn in_place_of(module: &Module, constant: ValueId, place: (OpSpan, LocationId)) -> (OpSpan, LocationId) {
    module.defining_op(constant).map_or(place, |op| (place.0, module.op_location(op)))
}

/// Adds an op after its operands.
fn make(rewriter: &mut Rewriter, fused: Fused, ty: TypeId, place: (OpSpan, LocationId)) -> ValueId {
    let mut operands: SmallVec<[ValueId; 3]> = SmallVec::new();
    for operand in fused.operands {
        operands.push(match operand {
            FusedOperand::Value(value) => value,
            FusedOperand::Made(made, ty) => {
                let ty = match ty {
                    MadeType::Like(value) => rewriter.module.value_type(value),
                    MadeType::Tensor(element, dims) => rewriter.module.tensor_of(element, &dims),
                };
                make(rewriter, *made, ty, place)
            }
            FusedOperand::Filled(number, element, sizes, like) => {
                let place = like.map_or(place, |like| in_place_of(rewriter.module, like, place));
                let ty = rewriter.module.tensor_of(element, &sizes);
                let data = Data::Splat(float_bytes(element, number).into());
                rewriter.create(stablehlo::CONSTANT, &[]).at(place).data(ty, data)
            }
            FusedOperand::Part(bytes, element, dims, whole) => {
                let place = in_place_of(rewriter.module, whole, place);
                let ty = rewriter.module.tensor_of(element, &dims);
                rewriter.create(stablehlo::CONSTANT, &[]).at(place).data(ty, Data::Bytes(bytes))
            }
            FusedOperand::Constant(bytes, like) => {
                let ty = rewriter.module.value_type(like);
                let place = in_place_of(rewriter.module, like, place);
                rewriter.create(stablehlo::CONSTANT, &[]).at(place).data(ty, Data::Bytes(bytes))
            }
        });
    }
    let mut builder = rewriter.create(fused.name, &operands).at(place);
    for (name, field) in fused.attributes {
        builder = match field {
            Field::Int(value) => builder.int(name, value),
            Field::Float(value) => builder.double(name, value),
            Field::Other(attribute) => builder.attr(name, attribute),
            Field::Positions(values) => {
                let values: Vec<i64> = values.into_iter().map(|value| value as i64).collect();
                builder.ints(name, &values)
            }
        };
    }
    builder.of(ty)
}
