//! About how many nodes a region becomes.

use super::super::Lower;
use crate::ir::{Module, OpId, RegionId, chlo, hlo2onnx, stablehlo};

/// About how many nodes an op becomes: most are one, and those that are written out as a formula are as many as that has.
fn nodes(module: &Module, op: OpId) -> usize {
    match module.op(op).name {
        hlo2onnx::THREEFRY2X32 | stablehlo::RNG_BIT_GENERATOR => 120,
        chlo::POLYGAMMA => 250,
        chlo::ZETA => 125,
        chlo::BESSEL_I1E => 85,
        chlo::DIGAMMA | chlo::LGAMMA => 60,
        chlo::ERF_INV => 40,
        chlo::ERFC | chlo::NEXT_AFTER | stablehlo::ATAN2 => 25,
        stablehlo::CHOLESKY
        | stablehlo::TRIANGULAR_SOLVE
        | hlo2onnx::CHOLESKY
        | hlo2onnx::TRIANGULAR_SOLVE => 20,
        _ => 1,
    }
}

impl Lower<'_> {
    /// About how many nodes a region becomes, at any depth.
    pub(super) fn weight(&self, region: RegionId) -> usize {
        self.module.ops_within([region]).map(|op| nodes(self.module, op)).sum()
    }
}
