//! What the region of a reduction or a scatter computes.

use super::Lower;
use crate::ir::{Definition, Module, RegionId, ValueId, stablehlo};

/// How a region combines the value that is there with the one that comes.
///
/// On `i1` the specification reads `add` and `maximum` as the logical or, `multiply` and `minimum` as the logical
/// and; the name here is the one that the text has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Combiner {
    /// The sum.
    Add,
    /// The product.
    Multiply,
    /// The smaller one, or NaN.
    Minimum,
    /// The larger one, or NaN.
    Maximum,
    /// Logical or bitwise and.
    And,
    /// Logical or bitwise or.
    Or,
    /// Logical or bitwise exclusive or.
    Xor,
    /// The first argument: what is there stays.
    First,
    /// The second argument: what comes replaces what is there.
    Second,
}

impl Lower<'_> {
    /// How a region of two arguments combines them, when it is one of the [`Combiner`]s.
    pub fn combiner(&self, region: RegionId) -> Option<Combiner> {
        match self.combiners(region)?.as_slice() {
            [combiner] => Some(*combiner),
            _ => None,
        }
    }

    /// How a region combines its pairs of arguments; see [`combiners`].
    pub fn combiners(&self, region: RegionId) -> Option<Vec<Combiner>> {
        combiners(self.module, region)
    }
}

/// How a region of `2n` arguments and `n` results combines them, when result `i` depends on arguments `i` and `n + i`
/// alone, by one of the [`Combiner`]s.
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
