//! Rounding that ONNX does not have.

use super::Term;

/// To the nearest integer, halves away from zero. `Floor(|x| + 0.5)` would be wrong below a half, and for odd
/// numbers so large that a half is lost in them; what is left over the floor is exact.
pub(super) fn away_from_zero(x: Term) -> Term {
    let magnitude = x.abs();
    let floor = magnitude.floor();
    let up = (magnitude - floor).greater_equal(0.5).cast(x.element());
    (floor + up) * x.sign()
}
