//! How often a module is applied.
//!
//! A layer that is called twice, for two inputs or on its own result, has one path in all of its ops. It begins anew
//! where its first op comes again, given that all times consist of the same ops of the same lines: other modules do
//! the same thing twice within one call.

use super::PathId;
use crate::ir::provenance::{self, Point};
use crate::ir::{Module, OpId, OpName};
use rustc_hash::FxHashMap;

/// What an op is, and where in the program it comes from.
type OpSite<'m> = (OpName, Option<Point<'m>>);

/// The ops of one module in the order of the text.
#[derive(Default)]
struct Applied<'m> {
    steps: Vec<OpSite<'m>>,
    /// Where the steps of each time begin.
    begins: Vec<usize>,
}

impl<'m> Applied<'m> {
    fn push(&mut self, step: OpSite<'m>) {
        let again = match (self.steps.first(), self.steps.last()) {
            // An op that was fused from several has no single line.
            (Some(first), Some(last)) => step == *first && (last.1 != first.1 || first.1.is_none()),
            _ => true,
        };
        if again {
            self.begins.push(self.steps.len());
        }
        self.steps.push(step);
    }

    /// Which time each step belongs to. The first op may come again within one time, as the square of a mean does
    /// beside the mean of squares; a time is as long as the first length of which all steps are repetitions.
    fn times(&self) -> impl Iterator<Item = u32> {
        let repeats = |&length: &usize| {
            self.steps.len().is_multiple_of(length)
                && self.steps[..length].iter().any(|step| step.1.is_some())
                && self.steps.chunks(length).all(|steps| *steps == self.steps[..length])
        };
        let length = self.begins.iter().copied().skip(1).find(repeats).unwrap_or(self.steps.len()).max(1);
        (0..self.steps.len()).map(move |step| (step / length) as u32)
    }
}

/// By the position of an op, which time its module is applied, among ops of a block of which `within` says the modules.
pub(in crate::pass) fn times(module: &Module, ops: &[OpId], within: &[Option<PathId>]) -> Vec<u32> {
    let mut modules: FxHashMap<PathId, Applied> = FxHashMap::default();
    for (&op, path) in ops.iter().zip(within) {
        if let Some(path) = path {
            let point = provenance::point(module, module.op_location(op));
            modules.entry(*path).or_default().push((module.op(op).name, point));
        }
    }
    let mut iterators: FxHashMap<PathId, _> =
        modules.iter().map(|(&path, applied)| (path, applied.times())).collect();
    let next = |path: &Option<PathId>| path.and_then(|path| iterators.get_mut(&path)?.next());
    within.iter().map(next).map(Option::unwrap_or_default).collect()
}
