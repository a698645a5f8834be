//! XLA's random bits: the two counter-based generators of Salmon et al., "Parallel random numbers: as easy as 1, 2,
//! 3" (SC 2011), with the layout of states and results of XLA's `RngBitGeneratorExpander`.
//!
//! A state is a key followed by a counter. The counter of each block is the state's counter plus the block's index,
//! and the new state's counter follows the last block.
//!
//! Float results are refused, because their value is unspecified. XLA's CPU backend returns integers instead, and
//! continues to compute with them.

use super::formula::Term;
use super::{Elements, Lower, LowerError, Lowered};
use crate::ir::{Dim, DimExprs, Dims, Element, OpId, SCALAR, ValueId, hlo2onnx, onnx, stablehlo};
use crate::ops::row::{Row, row, unlowered};
use crate::ops::type_inference::{Exactly, Inferred, Typing, linear, rule};
use crate::target::Capability;
use smallvec::smallvec;

pub(super) const ROWS: &[Row] = &[
    row(hlo2onnx::THREEFRY2X32, rule(4, words_type).results(Exactly(2)), Elements::INTEGER, threefry_op)
        .note("20 rounds of sums, rotations and exclusive ors"),
    row(
        stablehlo::RNG_BIT_GENERATOR,
        rule(1, linear::rng_bit_generator).results(Exactly(2)),
        Elements::INTEGER,
        rng_bit_generator,
    )
    .note("ThreeFry or Philox, written out; the default is Philox, as on XLA's CPU"),
    unlowered(stablehlo::RNG, rule(3, linear::rng)),
];

fn rng_bit_generator(cx: &mut Lower, op: OpId) -> Lowered {
    let philox = match cx.attributes(op).word("rng_algorithm")? {
        "THREE_FRY" => false,
        "PHILOX" | "DEFAULT" => true,
        other => return Err(LowerError::form(format!("the algorithm {other}"))),
    };
    let words = cx.operand_sizes(op, 0)?;
    let element = cx.operand_type(op, 0)?.element;
    if element != Element::U64 || !(words == [2] || (philox && words == [3])) {
        return Err(LowerError::form(format!(
            "a state of {words:?} elements of {}",
            element.name().unwrap_or("?")
        )));
    }
    let state = cx.full(op, 0)?;
    let (element, sizes) = cx.result_dims(op, 1)?;
    if sizes.contains(&Dim::Known(0)) {
        let nothing = cx.integer(element, 0);
        let nothing = cx.broadcast_to(nothing, &sizes);
        return Ok([state, nothing].into_iter().collect());
    }
    let words: Vec<ValueId> = (0..words[0]).map(|word| cx.slice(state, &[word], &[word + 1], &[1])).collect();
    let wide = element.bits() == 64;
    let (state, bits) = match (philox, &words[..]) {
        (true, &[key, low, high]) => philox_bits(cx, key, [low, high], wide, &sizes),
        // The key follows a 64-bit counter.
        (true, &[key, low]) => {
            let (mut state, bits) = philox_bits(cx, key, [low, key], wide, &sizes);
            state.pop();
            (state, bits)
        }
        (_, &[key, counter]) if wide => threefry_words(cx, key, counter, &sizes),
        (_, &[key, counter]) => threefry_halves(cx, key, counter, &sizes)?,
        _ => return Err(LowerError::form("the state is not a key with a counter")),
    };
    let state = cx.concat(&state, 0);
    // XLA uses the lower bits for narrower elements.
    let bits = cx.cast(bits, element);
    Ok([state, bits].into_iter().collect())
}

/// The lower and upper halves of a 64-bit word.
fn halves(word: Term<'_>) -> [Term<'_>; 2] {
    [word.cast(Element::U32), word.shift_right(32i64).cast(Element::U32)]
}

/// The 64-bit word with these halves, the lower first.
fn joined<'f>([low, high]: [Term<'f>; 2]) -> Term<'f> {
    low.cast(Element::U64) | high.cast(Element::U64).shift_left(32i64)
}

/// Interleaves values along a new dimension after dimension `axis`, merges it, and crops to the sizes.
fn interleaved(cx: &mut Lower, values: &[ValueId], axis: usize, sizes: &[Dim]) -> ValueId {
    let parts = Dim::Known(values.len() as i64);
    let mut apart = sizes.to_vec();
    apart[axis] = cx.module.dim_exprs.quotient_up(sizes[axis], parts);
    let mut whole = apart.clone();
    whole[axis] = cx.module.dim_exprs.multiply(apart[axis], parts);
    apart.insert(axis + 1, Dim::Known(1));
    let values: Vec<ValueId> = values.iter().map(|&value| cx.reshape(value, &apart)).collect();
    let together = cx.concat(&values, axis + 1);
    let together = cx.reshape(together, &whole);
    cx.slice(together, &vec![0; sizes.len()], sizes, &vec![1; sizes.len()])
}

// ThreeFry.

/// 32 bits per element: a block yields two elements, neighbors along a dimension.
fn threefry_halves(
    cx: &mut Lower,
    key: ValueId,
    counter: ValueId,
    sizes: &[Dim],
) -> Result<(Vec<ValueId>, ValueId), LowerError> {
    if sizes.is_empty() {
        let (state, [first, _]) = threefry(cx, key, counter, Dim::Known(1));
        return Ok((state, cx.reshape(first, SCALAR)));
    }
    let axis = halved(&cx.module.dim_exprs, sizes)
        .ok_or_else(|| LowerError::Dynamic("the first dimension that can be even".into()))?;
    let mut blocks = Dims::from_slice(sizes);
    blocks[axis] = cx.module.dim_exprs.quotient_up(sizes[axis], Dim::Known(2));
    let blocks = cx.module.dim_exprs.product(blocks);
    let (state, halves) = threefry(cx, key, counter, blocks);
    Ok((state, interleaved(cx, &halves, axis, sizes)))
}

/// The dimension along which both words of a block are neighbors: the first even one, or else the longest. `None` if
/// it depends on symbolic sizes.
fn halved(sizes: &DimExprs, dims: &[Dim]) -> Option<usize> {
    let mut longer = (0..dims.len()).filter(|&axis| dims[axis] != Dim::Known(1));
    if let (Some(axis), None) = (longer.next(), longer.next()) {
        return Some(axis);
    }
    for (axis, &dim) in dims.iter().enumerate() {
        match sizes.remainder(dim, Dim::Known(2)) {
            Dim::Known(0) => return Some(axis),
            Dim::Known(_) => {}
            _ => return None,
        }
    }
    let numbers = dims.iter().map(|dim| dim.known()).collect::<Option<Vec<i64>>>()?;
    (0..numbers.len()).rev().max_by_key(|&axis| numbers[axis])
}

/// 64 bits per element, one block each.
fn threefry_words(cx: &mut Lower, key: ValueId, counter: ValueId, sizes: &[Dim]) -> (Vec<ValueId>, ValueId) {
    let blocks = cx.module.dim_exprs.product(sizes.iter().copied());
    let (state, words) = threefry(cx, key, counter, blocks);
    let bits = cx.formula(words, joined);
    (state, cx.reshape(bits, sizes))
}

/// The new state, and two words for each block.
fn threefry(cx: &mut Lower, key: ValueId, counter: ValueId, blocks: Dim) -> (Vec<ValueId>, [ValueId; 2]) {
    let positions = cx.iota(Element::U64, 1, 0, blocks);
    let words = cx.formulas([key, counter, positions], |[key, counter, positions]| {
        threefry2x32(halves(counter + positions), halves(key))
    });
    let blocks = cx.size_scalar(blocks, Element::U64);
    let next = cx.elementwise(onnx::ADD, &[counter, blocks]);
    (vec![key, next], words)
}

/// The generator that JAX calls on GPUs: two words per element, from two words of the key and two of the counter.
/// Older releases pass the number of elements in a struct or, if it is unknown, in a fifth operand.
pub(super) fn threefry_call(cx: &mut Lower, op: OpId) -> Lowered {
    let (operands, results) = (cx.operand_count(op), cx.module.op(op).results.len());
    if !(4..=5).contains(&operands) || results != 2 {
        return Err(LowerError::form(format!("{operands} operands and {results} results of this generator")));
    }
    let mut words = [cx.absent(); 4];
    for (index, word) in words.iter_mut().enumerate() {
        let element = cx.operand_type(op, index)?.element;
        if element != Element::U32 {
            return Err(LowerError::Type(element.name().unwrap_or("?").to_owned()));
        }
        *word = cx.operand(op, index)?;
    }
    Ok(evaluated(cx, words).into_iter().collect())
}

/// The rotations of eight rounds, which then repeat.
pub const ROTATIONS: [[u32; 4]; 2] = [[13, 15, 26, 6], [17, 29, 16, 24]];
/// The third word of a key is the exclusive or of this and the others.
pub const PARITY: u32 = 0x1BD1_1BDA;

/// The operands are scalars or have the type of both results.
fn words_type(t: &Typing) -> Inferred {
    let mut widest = t.operand(0)?;
    for index in 1..4 {
        let operand = t.operand(index)?;
        if operand.rank() > widest.rank() {
            widest = operand;
        }
    }
    Ok(smallvec![widest.clone(), widest.clone()])
}

/// Two words for each element, from two words of the key, which may be scalars, and two of the counter.
fn threefry_op(cx: &mut Lower, op: OpId) -> Lowered {
    let words = [cx.operand(op, 0)?, cx.operand(op, 1)?, cx.operand(op, 2)?, cx.operand(op, 3)?];
    Ok(evaluated(cx, words).into_iter().collect())
}

fn evaluated(cx: &mut Lower, words: [ValueId; 4]) -> [ValueId; 2] {
    cx.formulas(words, |[key, other_key, counter, other]| threefry2x32([counter, other], [key, other_key]))
}

/// Threefry-2x32 with 20 rounds, adding a word of the key after every four.
fn threefry2x32<'f>([x, y]: [Term<'f>; 2], key: [Term<'f>; 2]) -> [Term<'f>; 2] {
    let keys = [key[0], key[1], key[0] ^ key[1] ^ i64::from(PARITY)];
    let (mut x, mut y) = (x + keys[0], y + keys[1]);
    for group in 0..5 {
        for rotation in ROTATIONS[group % 2] {
            x = x + y;
            y = x ^ rotated(y, rotation);
        }
        x = x + keys[(group + 1) % 3];
        y = y + (keys[(group + 2) % 3] + (group as i64 + 1));
    }
    [x, y]
}

/// A word rotated to the left. The kernels of Mul and Add are three times as fast as those of BitShift and BitwiseOr.
fn rotated(word: Term, by: u32) -> Term {
    let right = word.shift_right(i64::from(32 - by));
    if word.ask(|cx| cx.options.can(Capability::ExactIntegers)) {
        return word * (1i64 << by) + right;
    }
    word.shift_left(i64::from(by)) | right
}

// Philox.

/// A block yields four 32-bit or two 64-bit words in sequence.
fn philox_bits(
    cx: &mut Lower,
    key: ValueId,
    counter: [ValueId; 2],
    wide: bool,
    sizes: &[Dim],
) -> (Vec<ValueId>, ValueId) {
    let count = cx.module.dim_exprs.product(sizes.iter().copied());
    let blocks = cx.module.dim_exprs.quotient_up(count, Dim::Known(if wide { 2 } else { 4 }));
    let positions = cx.iota(Element::U64, 1, 0, blocks);
    let words = cx.formulas([key, counter[0], counter[1], positions], |[key, low, high, positions]| {
        let [low, high] = advanced([low, high], positions);
        let ([a, b], [c, d]) = (halves(low), halves(high));
        philox4x32([a, b, c, d], halves(key))
    });
    let blocks = cx.size_scalar(blocks, Element::U64);
    let [low, high] =
        cx.formulas([counter[0], counter[1], blocks], |[low, high, blocks]| advanced([low, high], blocks));
    let flat = if wide {
        let words = cx.formulas(words, |[a, b, c, d]| [joined([a, b]), joined([c, d])]);
        interleaved(cx, &words, 0, &[count])
    } else {
        interleaved(cx, &words, 0, &[count])
    };
    (vec![key, low, high], cx.reshape(flat, sizes))
}

/// Adds a 64-bit number to a 128-bit number, lower half first.
fn advanced<'f>([low, high]: [Term<'f>; 2], by: Term<'f>) -> [Term<'f>; 2] {
    let sum = low + by;
    [sum, high + sum.less(low).cast(Element::U64)]
}

/// The multipliers of a round, and the key increments.
const FACTORS: [i64; 2] = [0xD251_1F53, 0xCD9E_8D57];
const STEPS: [i64; 2] = [0x9E37_79B9, 0xBB67_AE85];

/// Philox-4x32 with 10 rounds.
fn philox4x32<'f>(counter: [Term<'f>; 4], key: [Term<'f>; 2]) -> [Term<'f>; 4] {
    let ([mut a, mut b, mut c, mut d], [mut k, mut l]) = (counter, key);
    for round in 0..10 {
        if round > 0 {
            (k, l) = (k + STEPS[0], l + STEPS[1]);
        }
        let [low, high] = halves(a.cast(Element::U64) * FACTORS[0]);
        let [other_low, other_high] = halves(c.cast(Element::U64) * FACTORS[1]);
        (a, b, c, d) = (other_high ^ b ^ k, other_low, high ^ d ^ l, low);
    }
    [a, b, c, d]
}
