//! Makes `Where` keep the sign of zeros that an op observes.
//!
//! ONNX Runtime's kernel computes `x = p ? yes : 0` and `y = p ? 0 : no`, and then `x != 0 ? x : y`. So -0 in `yes`
//! becomes 0. -0 in `no` survives, unless `y` is one number per row of `x`. `Sign` also turns -0 into 0.
//!
//! The arm that may be -0 becomes the second one. If both may be, the result is the product `(p ? yes : 1) * (p ? 1 :
//! no)`, which is exact and took 2.4 times as long as one `Where`. Nothing changes if no arm can be -0 or nothing
//! observes the sign: a mask before a softmax or a matrix product stays. The same holds where signs of zeros are
//! unspecified, as in a decomposition.

mod flow;

use super::Context;
use crate::ir::{Data, Dim, Element, Module, OpId, OpName, Rewriter, TypeId, ValueId, onnx};
use crate::ops::float_bytes;
use crate::source::Source;
use flow::Flow;
use rustc_hash::FxHashMap;

/// Runs the pass on all functions.
pub(super) fn run(module: &mut Module, cx: &mut Context) {
    let is_concerned = |&op: &OpId| {
        matches!(module.op(op).name, onnx::WHERE | onnx::SIGN)
            && module.tensor(module.op(op).results[0]).is_some_and(|tensor| tensor.element.is_float())
    };
    if !module.reachable_ops().iter().any(is_concerned) {
        return;
    }
    let flow = Flow::of(module, cx.source);
    for function in module.functions() {
        let mut constants = Constants::default();
        Rewriter::new(module).function(function, &mut |rewriter, op| match rewriter.module.op(op).name {
            _ if rewriter.module.has_free_zeros(op) => true,
            onnx::WHERE => select(rewriter, op, &flow, cx.source, &mut constants),
            onnx::SIGN => sign(rewriter, op, &flow),
            _ => true,
        });
        if let Some(block) = module.entry_block(module.function(function).body) {
            module.block_mut(block).ops.splice(0..0, constants.ops);
        }
    }
}

/// The constants that the pass creates, at the front of the main graph.
#[derive(Default)]
struct Constants {
    ops: Vec<OpId>,
    by_type: FxHashMap<TypeId, ValueId>,
}

impl Constants {
    /// The number 1 in an element type.
    fn one(&mut self, module: &mut Module, op: OpId, element: Element) -> ValueId {
        let ty = module.tensor_of::<i64>(element, &[]);
        let ops = &mut self.ops;
        *self.by_type.entry(ty).or_insert_with(|| {
            let bytes = if element == Element::Bool { vec![1] } else { float_bytes(element, 1.0).to_vec() };
            let constant = module.create(onnx::CONSTANT, &[]).at_op(op).push_to(ops);
            constant.data(ty, Data::Bytes(bytes.into()))
        })
    }
}

/// Rewrites a `Where` so that observed signs survive. Returns whether the op stays.
fn select(
    rewriter: &mut Rewriter,
    op: OpId,
    flow: &Flow,
    source: &Source,
    constants: &mut Constants,
) -> bool {
    let result = rewriter.module.op(op).results[0];
    let [mut predicate, mut yes, mut no] = rewriter.module.op(op).operands[..] else { return true };
    let is_float = rewriter.module.tensor(result).is_some_and(|tensor| tensor.element.is_float());
    if !is_float || !flow.is_read(result) {
        return true;
    }
    // ONNX Runtime fuses Not into Where, and so swaps the arms.
    let mut changed = false;
    while let Some(negated) = negated(rewriter.module, predicate) {
        (predicate, yes, no) = (negated, no, yes);
        changed = true;
    }
    let module = &*rewriter.module;
    let of_yes = flow.may_be_negative(yes) && !flow::excludes_zero(module, source, predicate, yes, true);
    let of_no = flow.may_be_negative(no) && !flow::excludes_zero(module, source, predicate, no, false);
    let form = match (of_yes, of_no) {
        (false, false) => return true,
        (false, true) if keeps_second(module, predicate, yes, no) => None,
        (true, false) if keeps_second(module, predicate, no, yes) => Some(true),
        _ => Some(false),
    };
    let ty = rewriter.module.value_type(result);
    let value = match form {
        None if !changed => return true,
        None => rewriter.create(onnx::WHERE, &[predicate, yes, no]).of(ty),
        Some(swapped) => {
            let inverse = inverse(rewriter, op, predicate, constants);
            if swapped {
                rewriter.create(onnx::WHERE, &[inverse, no, yes]).of(ty)
            } else {
                let element = rewriter.module.tensor(result).map_or(Element::F32, |tensor| tensor.element);
                let one = constants.one(rewriter.module, op, element);
                let (first, second) =
                    (joined_type(rewriter, predicate, yes), joined_type(rewriter, predicate, no));
                let first = rewriter.create(onnx::WHERE, &[inverse, one, yes]).of(first);
                let second = rewriter.create(onnx::WHERE, &[predicate, one, no]).of(second);
                rewriter.create(onnx::MUL, &[first, second]).of(ty)
            }
        }
    };
    rewriter.replace(result, value);
    false
}

/// Makes `Sign` return zeros unchanged. Returns whether the op stays.
fn sign(rewriter: &mut Rewriter, op: OpId, flow: &Flow) -> bool {
    let (operand, result) = (rewriter.module.op(op).operands[0], rewriter.module.op(op).results[0]);
    if !(flow.is_read(result) && flow.may_be_negative(operand)) {
        return true;
    }
    let ty = rewriter.module.value_type(result);
    let sign = rewriter.create(onnx::SIGN, &[operand]).of(ty);
    let truth = rewriter.module.with_element(ty, Element::Bool);
    let is_not_zero = rewriter.create(onnx::CAST, &[sign]).element("to", Element::Bool).of(truth);
    let value = rewriter.create(onnx::WHERE, &[is_not_zero, sign, operand]).of(ty);
    rewriter.replace(result, value);
    false
}

/// The operand of the `Not` that defines a predicate.
fn negated(module: &Module, predicate: ValueId) -> Option<ValueId> {
    module.defining_operands(predicate, onnx::NOT).map(|[negated]| negated)
}

/// The negation of a predicate, by an op that ONNX Runtime does not fuse into `Where`. An integer comparison has an
/// opposite, which often leaves the first one unused.
fn inverse(rewriter: &mut Rewriter, op: OpId, predicate: ValueId, constants: &mut Constants) -> ValueId {
    if let Some((name, operands)) = opposite(rewriter.module, predicate) {
        let ty = rewriter.module.value_type(predicate);
        return rewriter.create(name, &operands).of(ty);
    }
    let truth = constants.one(rewriter.module, op, Element::Bool);
    let ty = rewriter.module.value_type(predicate);
    rewriter.create(onnx::XOR, &[predicate, truth]).of(ty)
}

/// The opposite of an integer comparison.
fn opposite(module: &Module, predicate: ValueId) -> Option<(OpName, [ValueId; 2])> {
    let op = module.defining_op(predicate)?;
    let [left, right] = module.op(op).operands[..] else { return None };
    let name = match module.op(op).name {
        onnx::GREATER => onnx::LESS_OR_EQUAL,
        onnx::GREATER_OR_EQUAL => onnx::LESS,
        onnx::LESS => onnx::GREATER_OR_EQUAL,
        onnx::LESS_OR_EQUAL => onnx::GREATER,
        _ => return None,
    };
    let is_integer = module.tensor(left).is_some_and(|tensor| tensor.element.is_integer());
    is_integer.then_some((name, [left, right]))
}

/// The broadcast type of two values, with the second one's elements.
fn joined_type(rewriter: &mut Rewriter, first: ValueId, second: ValueId) -> TypeId {
    let dims = rewriter.module.broadcast_dims(&[first, second]);
    let element = rewriter.module.tensor(second).map_or(Element::F32, |tensor| tensor.element);
    rewriter.module.tensor_of(element, &dims)
}

/// Whether the kernel keeps -0 in the second arm: its selection has all elements of the result, or of the innermost
/// dimension that is not 1.
fn keeps_second(module: &Module, predicate: ValueId, first: ValueId, second: ValueId) -> bool {
    let all = module.broadcast_dims(&[predicate, first, second]);
    let own = module.broadcast_dims(&[predicate, second]);
    let leading = all.len() - own.len();
    let at = |axis: usize| axis.checked_sub(leading).map_or(Dim::Known(1), |axis| own[axis]);
    // Sizes of 1 do not count, and a symbol may be 1.
    for axis in (0..all.len()).rev() {
        match all[axis] {
            Dim::Known(1) => {}
            Dim::Known(_) => return at(axis) == all[axis],
            _ if at(axis) != all[axis] => return false,
            _ => {}
        }
    }
    true
}
