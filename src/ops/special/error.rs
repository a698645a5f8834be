//! The error function, its complement and its inverse.

use super::elementwise::log1p;
use crate::ir::Element;
use crate::ops::formula::Term;

/// The error function.
pub(super) fn erf(x: Term) -> Term {
    if x.element() != Element::F64 {
        return x.unary("Erf");
    }
    // Beyond 6.5 the complement is less than half a unit in the last place of 1.
    let magnitude = x.abs().min(6.5);
    let tail = 1.0 - tail(magnitude);
    let signed = x.less(0.0).select(-tail, tail);
    x.abs().less(1.0).select(near_zero(x), signed)
}

/// `1 - erf(x)`, accurate where that is small.
pub(super) fn erfc(x: Term) -> Term {
    if x.element() != Element::F64 {
        return narrow_erfc(x.cast(Element::F64)).cast(x.element());
    }
    // From 28 on it is less than the smallest number; infinity has no quotient of polynomials.
    let magnitude = x.abs().min(28.0);
    let exponential = (-(magnitude * magnitude)).exp();
    let far = exponential * magnitude.polynomial(&FAR_ABOVE) / magnitude.polynomial(&FAR_BELOW);
    let positive = magnitude.less(8.0).select(tail(magnitude), far);
    let signed = x.less(0.0).select(2.0 - positive, positive);
    x.abs().less(1.0).select(1.0 - near_zero(x), signed)
}

/// The complement to the precision of an `f32`, relative to its value everywhere: with `t = 3 / (3 + |x|)` it is
/// `t exp(p(t) - x^2)`, where the polynomial `p` was fitted on Chebyshev points; its error is 2e-8. The exponent
/// is large where the value is small, so that it needs an `f64`.
fn narrow_erfc(x: Term) -> Term {
    const FITTED: [f64; 10] = [
        -0.317971820087508,
        1.60044507638577,
        -3.16189423525197,
        3.2016891353078,
        -2.08829043625913,
        0.975770668229801,
        -0.0214676934287064,
        0.486699225910536,
        0.995817318263126,
        -1.67079725624497,
    ];
    let magnitude = x.abs();
    let t = 3.0 / (magnitude + 3.0);
    let positive = t * (t.polynomial(&FITTED) - magnitude * magnitude).exp();
    x.less(0.0).select(2.0 - positive, positive)
}

// Rational approximations in f64 (Cephes, `ndtr.c`), the highest power first.

const NEAR_ABOVE: [f64; 5] = [
    9.604_973_739_870_516,
    90.026_019_720_384_27,
    2_232.005_345_946_843,
    7_003.325_141_128_051,
    55_592.301_301_039_49,
];
const NEAR_BELOW: [f64; 6] = [
    1.0,
    33.561_714_164_750_31,
    521.357_949_780_152_7,
    4_594.323_829_709_801,
    22_629.000_061_389_095,
    49_267.394_260_863_59,
];
const TAIL_ABOVE: [f64; 9] = [
    2.461_969_814_735_305e-10,
    0.564_189_564_831_068_8,
    7.463_210_564_422_699,
    48.637_197_098_568_14,
    196.520_832_956_077_1,
    526.445_194_995_477_4,
    934.528_527_171_957_6,
    1_027.551_886_895_157_2,
    557.535_335_369_399_3,
];
const TAIL_BELOW: [f64; 9] = [
    1.0,
    13.228_195_115_474_499,
    86.707_214_088_598_97,
    354.937_778_887_819_9,
    975.708_501_743_205_5,
    1_823.909_166_879_097_4,
    2_246.337_608_187_109_8,
    1_656.663_091_941_613_5,
    557.535_340_817_727_7,
];
const FAR_ABOVE: [f64; 6] = [
    0.564_189_583_547_755_1,
    1.275_366_707_599_781,
    5.019_050_422_511_805,
    6.160_210_979_930_536,
    7.409_742_699_504_489,
    2.978_866_653_721_002_4,
];
const FAR_BELOW: [f64; 7] = [
    1.0,
    2.260_528_632_201_173,
    9.396_035_249_380_015,
    12.048_953_980_809_666,
    17.081_445_074_756_59,
    9.608_968_090_632_859,
    3.369_076_451_000_815,
];

/// The error function from -1 to 1.
fn near_zero(x: Term) -> Term {
    let square = x * x;
    x * square.polynomial(&NEAR_ABOVE) / square.polynomial(&NEAR_BELOW)
}

/// The complement from 1 to 8.
fn tail(x: Term) -> Term {
    (-(x * x)).exp() * x.polynomial(&TAIL_ABOVE) / x.polynomial(&TAIL_BELOW)
}

/// The inverse of the error function (M. Giles, "Approximating the erfinv function", 2012): polynomials in
/// `w = -log(1 - x^2)` or its square root.
pub(super) fn erf_inv(x: Term) -> Term {
    let inverse = if x.element() == Element::F64 { wide_erf_inv(x) } else { narrow_erf_inv(x) };
    x.abs().equal(1.0).select(x * f64::INFINITY, inverse * x)
}

/// The quotient of the inverse by `x`, in `f32`.
fn narrow_erf_inv(x: Term) -> Term {
    const CENTRE: [f64; 9] = [
        2.810_226_36e-08,
        3.432_739_39e-07,
        -3.523_387_7e-06,
        -4.391_506_54e-06,
        0.000_218_580_87,
        -0.001_253_725_03,
        -0.004_177_681_64,
        0.246_640_727,
        1.501_409_41,
    ];
    const TAIL: [f64; 9] = [
        -0.000_200_214_257,
        0.000_100_950_558,
        0.001_349_343_22,
        -0.003_673_428_44,
        0.005_739_507_73,
        -0.007_622_461_3,
        0.009_438_870_47,
        1.001_674_06,
        2.832_976_82,
    ];
    // In f64 the square is exact and the difference keeps all that an f32 of `w` can hold.
    let wide = x.cast(Element::F64);
    let w = (-(1.0 - wide * wide).log()).cast(x.element());
    let centre = w.less(5.0);
    let w = centre.select(w - 2.5, w.sqrt() - 3.0);
    CENTRE
        .iter()
        .zip(&TAIL)
        .map(|(&near, &far)| centre.select(x.beside(near), x.beside(far)))
        .reduce(|sum, coefficient| sum * w + coefficient)
        .unwrap_or(w)
}

/// The quotient of the inverse by `x`, in `f64`.
fn wide_erf_inv(x: Term) -> Term {
    const CENTRE: [f64; 23] = [
        -3.644_412_064_017_819_7e-21,
        -1.685_059_138_182_016_6e-19,
        1.285_848_071_525_64e-18,
        1.115_787_767_802_518e-17,
        -1.333_171_662_854_621e-16,
        2.097_276_787_596_856e-17,
        6.637_638_134_358_324e-15,
        -4.054_566_272_975_207e-14,
        -8.151_934_197_605_472e-14,
        2.633_509_315_308_232_3e-12,
        -1.297_513_325_345_323_5e-11,
        -5.415_412_054_294_628e-11,
        1.051_212_273_321_532_3e-09,
        -4.112_633_980_346_984e-09,
        -2.907_036_957_882_005e-08,
        4.234_787_782_793_24e-07,
        -1.365_469_200_083_467_9e-06,
        -1.388_252_336_278_646_9e-05,
        0.000_186_734_208_034_057_14,
        -0.000_740_702_534_166_267,
        -0.006_033_670_871_430_149,
        0.240_158_182_425_589_62,
        1.653_654_562_683_102_7,
    ];
    const MIDDLE: [f64; 19] = [
        2.213_737_692_177_578_7e-09,
        9.075_656_193_888_539e-08,
        -2.751_740_629_706_454_5e-07,
        1.823_962_921_438_922_8e-08,
        1.502_740_396_890_982_8e-06,
        -4.013_867_526_981_546e-06,
        2.923_444_908_995_544_6e-06,
        1.247_530_448_167_118e-05,
        -4.731_822_900_905_573e-05,
        6.828_485_145_957_318e-05,
        2.403_111_038_709_789_4e-05,
        -0.000_355_037_520_362_847_48,
        0.000_953_289_379_737_380_5,
        -0.001_688_275_556_023_504_7,
        0.002_491_442_096_107_851,
        -0.003_751_208_507_569_241,
        0.005_370_914_553_590_064,
        1.005_258_967_694_159_2,
        3.083_885_610_492_220_8,
    ];
    const TAIL: [f64; 17] = [
        -2.710_992_061_643_857_3e-11,
        -2.555_641_816_996_525_2e-10,
        1.507_657_269_350_054_8e-09,
        -3.789_465_440_126_737e-09,
        7.615_701_208_078_34e-09,
        -1.496_002_662_714_924e-08,
        2.914_795_345_090_108e-08,
        -6.771_199_775_845_234e-08,
        2.290_048_222_802_665_5e-07,
        -9.929_827_294_231_7e-07,
        4.526_062_597_223_154e-06,
        -1.968_177_810_553_167e-05,
        7.599_527_703_001_776e-05,
        -0.000_215_030_119_300_444_77,
        -0.000_138_719_318_336_231_2,
        1.010_300_464_864_534_4,
        4.849_906_401_408_584,
    ];
    let w = -log1p(-(x * x));
    let root = w.sqrt();
    let centre = (w - 3.125).polynomial(&CENTRE);
    let middle = (root - 3.25).polynomial(&MIDDLE);
    let tail = (root - 5.0).polynomial(&TAIL);
    w.less(6.25).select(centre, w.less(16.0).select(middle, tail))
}
