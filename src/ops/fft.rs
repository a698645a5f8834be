//! Fourier transforms, which the pass `complex` rewrites to products with matrices.

use crate::ir::stablehlo;
use crate::ops::row::{Row, unlowered};
use crate::ops::type_inference::{linear, rule};

pub(super) const ROWS: &[Row] = &[unlowered(stablehlo::FFT, rule(1, linear::fft))];
