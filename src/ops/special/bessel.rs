//! Bessel functions.

use crate::ir::Element;
use crate::ir::chlo;
use crate::ops::Elements;
use crate::ops::elementwise::precise;
use crate::ops::formula::Term;
use crate::ops::row::{Row, row};
use crate::ops::type_inference::UNARY;

pub(super) const ROWS: &[Row] =
    &[row(chlo::BESSEL_I1E, UNARY, Elements::FLOAT, |cx, op| precise(cx, op, i1e))
        .note("two Chebyshev series")];

/// Chebyshev coefficients of `exp(-x) I1(x) / x` on [0, 8] in `x / 2 - 2` (Cephes, `i1.c`), the highest first.
const SMALL: [f64; 29] = [
    2.7779141127610464e-18,
    -2.111421214358166e-17,
    1.5536319577362005e-16,
    -1.1055969477353862e-15,
    7.600684294735408e-15,
    -5.042185504727912e-14,
    3.223793365945575e-13,
    -1.9839743977649436e-12,
    1.1736186298890901e-11,
    -6.663489723502027e-11,
    3.625590281552117e-10,
    -1.8872497517228294e-09,
    9.381537386495773e-09,
    -4.445059128796328e-08,
    2.0032947535521353e-07,
    -8.568720264695455e-07,
    3.4702513081376785e-06,
    -1.3273163656039436e-05,
    4.781565107550054e-05,
    -0.00016176081582589674,
    0.0005122859561685758,
    -0.0015135724506312532,
    0.004156422944312888,
    -0.010564084894626197,
    0.024726449030626516,
    -0.05294598120809499,
    0.1026436586898471,
    -0.17641651835783406,
    0.25258718644363365,
];

/// Chebyshev coefficients of `exp(-x) sqrt(x) I1(x)` beyond 8 in `32 / x - 2` (Cephes, `i1.c`).
const LARGE: [f64; 25] = [
    7.517296310842105e-18,
    4.414348323071708e-18,
    -4.6503053684893586e-17,
    -3.209525921993424e-17,
    2.96262899764595e-16,
    3.3082023109209285e-16,
    -1.8803547755107825e-15,
    -3.8144030724370075e-15,
    1.0420276984128802e-14,
    4.272440016711951e-14,
    -2.1015418427726643e-14,
    -4.0835511110921974e-13,
    -7.198551776245908e-13,
    2.0356285441470896e-12,
    1.4125807436613782e-11,
    3.2526035830154884e-11,
    -1.8974958123505413e-11,
    -5.589743462196584e-10,
    -3.835380385964237e-09,
    -2.6314688468895196e-08,
    -2.512236237870209e-07,
    -3.882564808877691e-06,
    -0.00011058893876262371,
    -0.009761097491361469,
    0.7785762350182801,
];

/// The modified Bessel function of the first kind and order one, times `exp(-|x|)`.
pub(super) fn i1e(x: Term) -> Term {
    // An f32 needs the last coefficients only.
    let skip = |all: usize, kept: usize| if x.element() == Element::F64 { 0 } else { all - kept };
    let magnitude = x.abs();
    let small = magnitude * chebyshev(magnitude * 0.5 - 2.0, &SMALL[skip(SMALL.len(), 17)..]);
    let beyond = magnitude.max(8.0);
    let large = chebyshev(32.0 / beyond - 2.0, &LARGE[skip(LARGE.len(), 7)..]) / beyond.sqrt();
    let size = magnitude.less_equal(8.0).select(small, large);
    // Zero keeps its sign.
    size * x.sign()
}

/// A Chebyshev series by Clenshaw's recurrence in twice the variable, its constant term halved.
fn chebyshev<'f>(x: Term<'f>, coefficients: &[f64]) -> Term<'f> {
    let zero = x.beside(0.0);
    let (mut now, mut before, mut last) = (zero, zero, zero);
    for (index, &coefficient) in coefficients.iter().enumerate() {
        last = before;
        before = now;
        now = match index {
            0 => x.beside(coefficient),
            1 => x * before + coefficient,
            _ => x * before - last + coefficient,
        };
    }
    (now - last) * 0.5
}
