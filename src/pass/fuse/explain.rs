//! What `--explain-fusion` reports: the patterns of a family that were nearly matched.

use super::Context;
use crate::diagnostic::catalog;
use crate::ir::{Module, OpId, provenance};
use rustc_hash::{FxHashMap, FxHashSet};

/// What happened to the patterns of each family.
#[derive(Default)]
pub(super) struct Explained {
    fused: FxHashMap<&'static str, usize>,
    missed: Vec<(&'static str, OpId, String)>,
}

impl Explained {
    /// A pattern was fused.
    pub fn fused(&mut self, family: &'static str) {
        *self.fused.entry(family).or_default() += 1;
    }

    /// A pattern was not, if its core was found.
    pub fn missed(&mut self, family: &'static str, near: Option<(OpId, String)>) {
        self.missed.extend(near.map(|(op, why)| (family, op, why)));
    }

    /// Reports the families that the options name.
    pub fn report(self, module: &Module, cx: &mut Context) {
        let mut seen = FxHashSet::default();
        for family in &cx.options.explain_fusion {
            let mut near = 0;
            for (own, op, why) in self.missed.iter().filter(|(own, ..)| own == family) {
                if !seen.insert((own, op, why)) {
                    continue;
                }
                near += 1;
                let at = module.span(*op).name;
                let mut diagnostic = catalog::NearlyFused { family, why, at }.into();
                provenance::complete(module, module.op_location(*op), &mut diagnostic);
                cx.diagnostics.push(diagnostic);
            }
            if near == 0 {
                let fused = self.fused.iter().find(|(own, _)| *own == family).map_or(0, |(_, &count)| count);
                cx.diagnostics.push(catalog::NoneNearlyFused { family, fused });
            }
        }
    }
}
