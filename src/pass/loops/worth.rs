//! Whether an op is better computed for all iterations at once.

use crate::ir::{Class, Dim, Module, OpId, ValueId, stablehlo};

/// Results of at most this many elements may be larger than what they are computed from.
const SMALL: i64 = 1 << 20;
/// Larger results may be this many times as large.
const GROWTH: i64 = 4;

/// Whether the results of all iterations take little memory, compared with what they are computed from.
pub(super) fn fits(module: &Module, op: OpId, each: &[bool], length: Dim) -> bool {
    let rounds = length.known().unwrap_or(1);
    let count = |value: ValueId| known_count(module, value);
    let operation = module.op(op);
    let result = operation.results.first().map_or(0, |&result| count(result));
    let operands = operation.operands.iter().zip(each).filter(|&(_, &each)| each);
    let read: i64 = operands.map(|(&operand, _)| count(operand)).fold(0, i64::saturating_add);
    result.saturating_mul(rounds) <= SMALL || result <= read.saturating_mul(GROWTH)
}

/// Whether a loop may return this many elements of each iteration in place of others.
pub(super) fn may_grow(recorded: i64, written: i64, length: Dim) -> bool {
    let rounds = length.known().unwrap_or(1);
    recorded.saturating_mul(rounds) <= SMALL || recorded <= written.saturating_mul(GROWTH)
}

/// The number of elements of a value, not counting symbolic sizes.
pub(super) fn known_count(module: &Module, value: ValueId) -> i64 {
    let dims = module.tensor(value).map(|ty| &ty.dims[..]).unwrap_or_default();
    dims.iter().filter_map(|dim| dim.known()).fold(1, i64::saturating_mul)
}

/// Whether the kernel of an op does much more work than moving its operands.
pub(super) fn is_large(module: &Module, op: OpId) -> bool {
    let name = module.op(op).name;
    name.class() == Class::Contracts || matches!(name, stablehlo::REDUCE | stablehlo::GATHER)
}
