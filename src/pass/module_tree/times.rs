//! Counts the applications of a module.
//!
//! A layer that is called twice, on two inputs or on its own result, has one path for all of its ops. A new
//! application starts where its first op is repeated, if all applications consist of the same ops of the same lines:
//! other modules do the same thing twice within one call.

use super::PathId;
use crate::ir::provenance::{self, Point};
use crate::ir::{Module, OpId, OpName};
use rustc_hash::FxHashMap;

/// The name and source position of an op.
type OpSite<'m> = (OpName, Option<Point<'m>>);

/// The ops of one module in the order of the text.
#[derive(Default)]
struct Applied<'m> {
    steps: Vec<OpSite<'m>>,
    /// Where each application begins.
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

    /// The application that each op belongs to. The first op may be repeated within one application, such as the
    /// square of a mean next to the mean of squares. An application has the smallest length whose repetition covers
    /// all ops.
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

/// For each op, the application of its module, among ops of a block whose modules are in `within`.
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
