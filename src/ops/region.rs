//! What the region of a reduction or a scatter computes.

use super::Lower;
use crate::ir::{Definition, Module, RegionId, ValueId, stablehlo};

/// How a region combines the current value with the new one.
///
/// On `i1` the specification defines `add` and `maximum` as logical or, `multiply` and `minimum` as logical and; this
/// is the name in the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Combiner {
    /// The sum.
    Add,
    /// The product.
    Multiply,
    /// The minimum, or NaN.
    Minimum,
    /// The maximum, or NaN.
    Maximum,
    /// Logical or bitwise and.
    And,
    /// Logical or bitwise or.
    Or,
    /// Logical or bitwise exclusive or.
    Xor,
    /// The first argument: keeps the current value.
    First,
    /// The second argument: replaces the current value.
    Second,
}

impl Lower<'_> {
    /// The combiner of a region with two arguments, if it is a [`Combiner`].
    pub fn combiner(&self, region: RegionId) -> Option<Combiner> {
        match self.combiners(region)?.as_slice() {
            [combiner] => Some(*combiner),
            _ => None,
        }
    }

    /// The combiners of a region's argument pairs; see [`combiners`].
    pub fn combiners(&self, region: RegionId) -> Option<Vec<Combiner>> {
        combiners(self.module, region)
    }
}

/// The combiners of a region with `2n` arguments and `n` results, if result `i` depends only on arguments `i` and `n
/// + i`, through a [`Combiner`].
pub fn combiners(module: &Module, region: RegionId) -> Option<Vec<Combiner>> {
    let block = module.block(module.entry_block(region)?);
    let terminator = *block.ops.last()?;
    let results = &module.op(terminator).operands;
    if module.op(terminator).name != stablehlo::RETURN || block.arguments.len() != 2 * results.len() {
        return None;
    }
    let (first, second) = block.arguments.split_at(results.len());
    let pairs = first.iter().zip(second);
    results.iter().zip(pairs).map(|(&result, (&a, &b))| combination(module, result, a, b)).collect()
}

/// How `result` combines `a` and `b`.
fn combination(module: &Module, result: ValueId, a: ValueId, b: ValueId) -> Option<Combiner> {
    if result == a {
        return Some(Combiner::First);
    }
    if result == b {
        return Some(Combiner::Second);
    }
    let Definition::Result(op, 0) = module.value(result).definition else { return None };
    let combiner = match module.op(op).name {
        stablehlo::ADD => Combiner::Add,
        stablehlo::MULTIPLY => Combiner::Multiply,
        stablehlo::MINIMUM => Combiner::Minimum,
        stablehlo::MAXIMUM => Combiner::Maximum,
        stablehlo::AND => Combiner::And,
        stablehlo::OR => Combiner::Or,
        stablehlo::XOR => Combiner::Xor,
        _ => return None,
    };
    // All of them commute.
    let operands = module.op(op).operands.as_slice();
    (operands == [a, b] || operands == [b, a]).then_some(combiner)
}
