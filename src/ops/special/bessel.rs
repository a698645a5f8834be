//! Bessel functions.

use crate::ir::Element;
use crate::ops::formula::Term;

/// Chebyshev coefficients of `exp(-x) I1(x) / x` on [0, 8] in `x / 2 - 2` (Cephes, `i1.c`), the highest first.
const SMALL: [f64; 29] = [
    2.777_914_112_761_046_4e-18,
    -2.111_421_214_358_166e-17,
    1.553_631_957_736_200_5e-16,
    -1.105_596_947_735_386_3e-15,
    7.600_684_294_735_407e-15,
    -5.042_185_504_727_912e-14,
    3.223_793_365_945_575e-13,
    -1.983_974_397_764_943_6e-12,
    1.173_618_629_889_090_1e-11,
    -6.663_489_723_502_027e-11,
    3.625_590_281_552_117e-10,
    -1.887_249_751_722_829_4e-9,
    9.381_537_386_495_773e-9,
    -4.445_059_128_796_328e-8,
    2.003_294_753_552_135_3e-7,
    -8.568_720_264_695_455e-7,
    3.470_251_308_137_678_5e-6,
    -1.327_316_365_603_943_6e-5,
    4.781_565_107_550_054e-5,
    -1.617_608_158_258_967_4e-4,
    5.122_859_561_685_758e-4,
    -1.513_572_450_631_253_1e-3,
    4.156_422_944_312_888e-3,
    -1.056_408_489_462_619_7e-2,
    2.472_644_903_062_651_6e-2,
    -5.294_598_120_809_499e-2,
    1.026_436_586_898_471e-1,
    -1.764_165_183_578_340_6e-1,
    2.525_871_864_436_336_5e-1,
];

/// Chebyshev coefficients of `exp(-x) sqrt(x) I1(x)` beyond 8 in `32 / x - 2` (Cephes, `i1.c`).
const LARGE: [f64; 25] = [
    7.517_296_310_842_105e-18,
    4.414_348_323_071_708e-18,
    -4.650_305_368_489_359e-17,
    -3.209_525_921_993_424e-17,
    2.962_628_997_645_950_1e-16,
    3.308_202_310_920_928_3e-16,
    -1.880_354_775_510_782_4e-15,
    -3.814_403_072_437_008e-15,
    1.042_027_698_412_880_3e-14,
    4.272_440_016_711_951e-14,
    -2.101_541_842_772_664_3e-14,
    -4.083_551_111_092_197e-13,
    -7.198_551_776_245_908e-13,
    2.035_628_544_147_089_5e-12,
    1.412_580_743_661_378e-11,
    3.252_603_583_015_488e-11,
    -1.897_495_812_350_541_2e-11,
    -5.589_743_462_196_584e-10,
    -3.835_380_385_964_237e-9,
    -2.631_468_846_889_519_5e-8,
    -2.512_236_237_870_209e-7,
    -3.882_564_808_877_690_4e-6,
    -1.105_889_387_626_237_2e-4,
    -9.761_097_491_361_468e-3,
    7.785_762_350_182_801e-1,
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
    x.less(0.0).select(-size, size)
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
