//! Integers that change by a constant in each iteration become functions of the counter.

use super::counted::Scan;
use crate::ir::{Attribute, BlockId, Data, Element, Module, OpId, Rewriter, TypeId, ValueId, stablehlo};
use crate::ops::{WhileLoop, integer_bytes, integer_limits};

/// A carried integer that a constant is added to in each iteration.
struct Induction {
    /// Its position.
    carried: usize,
    /// Its element type.
    element: Element,
    /// Its first value.
    init: i64,
    /// What is added.
    step: i64,
}

impl Induction {
    /// The one at a position.
    fn of(module: &Module, op: OpId, carried: usize) -> Option<Self> {
        let WhileLoop { body, terminator, .. } = WhileLoop::of(module, op)?;
        let argument = module.block(body).arguments[carried];
        let tensor = module.tensor(argument).filter(|ty| ty.rank() == 0 && ty.element.is_integer())?;
        let number = |value: ValueId| match module.known_integers(value)?[..] {
            [number] => Some(number),
            _ => None,
        };
        let init = number(module.op(op).operands[carried])?;
        let next = module.op(terminator).operands[carried];
        let step = if let Some([a, b]) = module.defining_operands(next, stablehlo::ADD) {
            number(if a == argument {
                b
            } else if b == argument {
                a
            } else {
                return None;
            })?
        } else {
            let [a, b] = module.defining_operands(next, stablehlo::SUBTRACT)?;
            if a == argument { number(b)?.checked_neg()? } else { return None }
        };
        Some(Self { carried, element: tensor.element, init, step })
    }
}

/// Gives a loop whose number of iterations is known a counter from 0, if it has none that counts by one.
pub(super) fn count(rewriter: &mut Rewriter, op: OpId) -> Option<()> {
    let module = &mut *rewriter.module;
    let WhileLoop { condition, body, terminator } = WhileLoop::of(module, op)?;
    let end = *module.block(condition).ops.last()?;
    let compare = module.defined_by(module.op(end).operands[0], stablehlo::COMPARE)?;
    let direction = module.word(module.attribute(compare, "comparison_direction")?)?.to_owned();
    let &[tested, limit] = &module.op(compare).operands[..] else { return None };
    let carried = module.block(condition).arguments.iter().position(|&argument| argument == tested)?;
    let Induction { element, init, step, .. } = Induction::of(module, op, carried)?;
    if direction == "LT" && step == 1 {
        return None;
    }
    let limit = match module.known_integers(limit)?[..] {
        [limit] => limit,
        _ => return None,
    };
    let rounds = rounds(&direction, init, limit, step)?;
    // The last value must not wrap.
    let last = init.checked_add(step.checked_mul(rounds)?)?;
    let (low, high) = integer_limits(element);
    if element == Element::U64 || !(low..=high).contains(&last) {
        return None;
    }
    let scalar = module.tensor_of(Element::I32, &[] as &[i64]);
    let rounds = i32::try_from(rounds).ok()?;
    let zero = constant(rewriter, op, scalar, 0);
    let most = constant(rewriter, op, scalar, rounds.into());
    let one = constant(rewriter, op, scalar, 1);
    let module = &mut *rewriter.module;
    module.op_mut(op).operands.push(zero);
    let outer = module.add_argument(condition, scalar);
    let inner = module.add_argument(body, scalar);
    module.add_result(op, scalar);
    let flag = module.tensor_of(Element::Bool, &[] as &[i64]);
    let words = [
        ("comparison_direction", "comparison_direction", "LT"),
        ("compare_type", "comparison_type", "SIGNED"),
    ];
    let words = words.map(|(name, kind, value)| (name, word(module, kind, value)));
    let mut tests = Vec::new();
    let test = module.create(stablehlo::COMPARE, &[outer, most]).at_op(compare).attrs(words);
    let test = test.push_to(&mut tests).of(flag);
    insert_before_last(module, condition, tests);
    module.op_mut(end).operands[0] = test;
    let mut sums = Vec::new();
    let next = module.create(stablehlo::ADD, &[inner, one]).at_op(op).push_to(&mut sums).of(scalar);
    insert_before_last(module, body, sums);
    module.op_mut(terminator).operands.push(next);
    Some(())
}

fn insert_before_last(module: &mut Module, block: BlockId, ops: Vec<OpId>) {
    let own = &mut module.block_mut(block).ops;
    own.splice(own.len() - 1..own.len() - 1, ops);
}

fn word(module: &mut Module, kind: &str, value: &str) -> Attribute {
    let [dialect, kind, value] = ["stablehlo", kind, value].map(|text| module.symbols.intern(text));
    Attribute::Enum { dialect, kind, value }
}

fn constant(rewriter: &mut Rewriter, op: OpId, ty: TypeId, number: i64) -> ValueId {
    let element = rewriter.module.tensor_type(ty).map_or(Element::I32, |tensor| tensor.element);
    let data = Data::Splat(integer_bytes(element, number).into());
    rewriter.create(stablehlo::CONSTANT, &[]).at_op(op).data(ty, data)
}

/// Replaces the carried integers of a counted loop that follow from its counter.
pub(super) fn eliminate(rewriter: &mut Rewriter, op: OpId) {
    let Some(scan) = Scan::of(rewriter.module, op) else { return };
    let Some(rounds) = scan.length.known() else { return };
    let carried = 0..rewriter.module.op(op).operands.len();
    let others = carried.filter(|&carried| carried != scan.counter);
    let found: Vec<Induction> =
        others.filter_map(|carried| Induction::of(rewriter.module, op, carried)).collect();
    let mut ops = Vec::new();
    for Induction { carried, element, init, step } in found {
        // The counter has its own type, in which it does not wrap.
        let argument = rewriter.module.block(scan.body).arguments[carried];
        let ty = rewriter.module.value_type(argument);
        let mut value = scan.argument;
        if element != scan.element {
            value = rewriter.module.create(stablehlo::CONVERT, &[value]).at_op(op).push_to(&mut ops).of(ty);
        }
        let offset = init.wrapping_sub(step.wrapping_mul(scan.start));
        for (name, number, neutral) in [(stablehlo::MULTIPLY, step, 1), (stablehlo::ADD, offset, 0)] {
            if number != neutral {
                let number = constant(rewriter, op, ty, number);
                let module = &mut *rewriter.module;
                value = module.create(name, &[value, number]).at_op(op).push_to(&mut ops).of(ty);
            }
        }
        rewriter.replace(argument, value);
        let last = constant(rewriter, op, ty, init.wrapping_add(step.wrapping_mul(rounds)));
        let result = rewriter.module.op(op).results[carried];
        rewriter.replace(result, last);
        // The loop still carries it, and nothing reads it.
        rewriter.module.op_mut(scan.terminator).operands[carried] = argument;
    }
    rewriter.module.block_mut(scan.body).ops.splice(0..0, ops);
}

/// How often a loop runs whose integer begins at `init` and changes by `step` while it compares with `limit`.
fn rounds(direction: &str, init: i64, limit: i64, step: i64) -> Option<i64> {
    let (distance, stride) = match (direction, step.signum()) {
        ("LT", 1) => (limit.checked_sub(init)?, step),
        ("LE", 1) => (limit.checked_sub(init)?.checked_add(1)?, step),
        ("GT", -1) => (init.checked_sub(limit)?, step.checked_neg()?),
        ("GE", -1) => (init.checked_sub(limit)?.checked_add(1)?, step.checked_neg()?),
        ("NE", 1 | -1) if limit.checked_sub(init)? % step == 0 => {
            let rounds = (limit - init) / step;
            return (rounds >= 0).then_some(rounds);
        }
        _ => return None,
    };
    Some(distance.max(0).checked_add(stride - 1)? / stride)
}
