//! Standardizes the 2x2 diagonal blocks of a real Schur form like LAPACK's `lanv2`: a triangle if its eigenvalues are
//! real, else equal diagonal elements with off-diagonal elements of opposite signs.

use super::hessenberg::Basis;
use super::matrix::{Matrix, of_batch};
use super::number::Number;
use super::schur::Band;
use crate::ops::{Lower, LowerError};

/// 1 or -1, the sign that a number has.
fn sign(number: Number<'_>) -> Number<'_> {
    number.less(0.0).select(number.beside(-1.0), 1.0)
}

/// A rotation and the rotated block.
#[derive(Clone, Copy)]
struct Rotated<'f> {
    cosine: Number<'f>,
    sine: Number<'f>,
    block: [Number<'f>; 4],
}

impl<'f> Rotated<'f> {
    fn numbers(self) -> [Number<'f>; 6] {
        let [a, b, c, d] = self.block;
        [self.cosine, self.sine, a, b, c, d]
    }
}

/// The first where `condition` holds, the second elsewhere.
fn choose<'f>(condition: Number<'f>, yes: [Number<'f>; 6], no: [Number<'f>; 6]) -> [Number<'f>; 6] {
    let mut rest = no.into_iter();
    yes.map(|yes| condition.select(yes, rest.next().unwrap_or(yes)))
}

/// Cosine and sine of the rotation of a block `[[a, b], [c, d]]`, and the block after it; `c` is not zero.
fn standardized<'f>([a, b, c, d]: [Number<'f>; 4]) -> [Number<'f>; 6] {
    let (zero, one) = (a.beside(0.0), a.beside(1.0));
    let exchanged = Rotated { cosine: zero, sine: one, block: [d, -c, zero, a] };
    let kept = Rotated { cosine: one, sine: zero, block: [a, b, c, d] };
    let difference = a - d;
    let half = difference * 0.5;
    let (b_size, c_size) = (b.abs(), c.abs());
    let larger = b_size.max(c_size);
    let smaller = b_size.less(c_size).select(b_size, c_size) * sign(b) * sign(c);
    let scale = half.abs().max(larger);
    let radicand = half / scale * half + larger / scale * smaller;
    // Real eigenvalues that are apart.
    let root = radicand.less(0.0).select(0.0, radicand).sqrt() * scale.sqrt() * sign(half) + half;
    let length = (c * c + root * root).sqrt();
    let apart = Rotated {
        cosine: root / length,
        sine: c / length,
        block: [d + root, b - c, zero, d - larger / root * smaller],
    };
    // Conjugates, or real ones that are nearly equal: the diagonal elements become equal.
    let sum = b + c;
    let length = (sum * sum + difference * difference).sqrt();
    let cosine = ((sum.abs() / length + 1.0) * 0.5).sqrt();
    let sine = -(half / (length * cosine)) * sign(sum);
    let (aa, bb) = (a * cosine + b * sine, b * cosine - a * sine);
    let (cc, dd) = (c * cosine + d * sine, d * cosine - c * sine);
    let (b, c) = (bb * cosine + dd * sine, cc * cosine - aa * sine);
    let middle = (aa * cosine + cc * sine + dd * cosine - bb * sine) * 0.5;
    let equal = Rotated { cosine, sine, block: [middle, b, c, middle] };
    let turned = Rotated { cosine: -sine, sine: cosine, block: [middle, -c, zero, middle] };
    // Nearly equal: one rotation more.
    let (b_root, c_root) = (b.abs().sqrt(), c.abs().sqrt());
    let distance = b_root * c_root * sign(c);
    let scale = (b + c).abs().sqrt();
    let (more_cosine, more_sine) = (b_root / scale, c_root / scale);
    let near = Rotated {
        cosine: cosine * more_cosine - sine * more_sine,
        sine: cosine * more_sine + sine * more_cosine,
        block: [middle + distance, b - c, zero, middle - distance],
    };
    let are_real = (sign(b) * sign(c)).greater(0.0) & !c.equal(0.0);
    let inner = choose(are_real, near.numbers(), equal.numbers());
    let inner = choose(b.equal(0.0) & !c.equal(0.0), turned.numbers(), inner);
    let is_apart = radicand.greater_equal(4.0 * f64::EPSILON);
    let [_, before, below, _] = kept.block;
    let outer = choose(is_apart, apart.numbers(), inner);
    let is_standard = difference.equal(0.0) & (sign(before) * sign(below)).less(0.0);
    let outer = choose(is_standard, kept.numbers(), outer);
    choose(before.equal(0.0), exchanged.numbers(), outer)
}

/// A row `[batch, 1, n]` shifted by one element, with the number at the end.
pub(super) fn earlier(cx: &mut Lower, row: Matrix, last: f64) -> Result<Matrix, LowerError> {
    let n = row.size(cx, 2)?;
    let last = cx.scalar(row.element(cx), last);
    let rest = cx.range_of(row, 2, 1, n);
    Ok(rest.map(cx, |cx, part| cx.pad(part, &[0; 3], &[0, 0, 1], last)))
}

/// A row as a column.
pub(super) fn upright(cx: &mut Lower, row: Matrix) -> Result<Matrix, LowerError> {
    let (batch, _, n) = row.extents(cx)?;
    Ok(row.map(cx, |cx, part| cx.reshape(part, &of_batch(batch, &[n, 1]))))
}

/// Standardizes all blocks. They have no row in common, so one product rotates them all.
pub(super) fn blocks(cx: &mut Lower, basis: Basis) -> Result<Basis, LowerError> {
    let n = basis.a.size(cx, 1)?;
    let (rows, columns) = (cx.row_numbers(n), cx.column_numbers(n));
    let band = Band::of(cx, basis.a)?;
    let [cosine, sine, a, b, c, d] =
        cx.number_lists([band.before, band.above, band.below, band.diagonal], |[a, b, c, d]| {
            let is_block = !c.equal(0.0);
            let [cosine, sine, new_a, new_b, new_c, new_d] = standardized([a, b, c, d]);
            [
                is_block.select(cosine, 1.0),
                is_block.select(sine, 0.0),
                is_block.select(new_a, a),
                is_block.select(new_b, b),
                is_block.select(new_c, 0.0),
                is_block.select(new_d, d),
            ]
        });
    let is_second = cx.numbers([band.below], |[below]| !below.equal(0.0));
    let marks = cx.numbers([is_second], |[is_second]| is_second.cast(crate::ir::Element::F64));
    let marks = earlier(cx, marks, 0.0)?;
    let is_first = cx.numbers([marks], |[marks]| marks.greater(0.0));
    let next_cosine = earlier(cx, cosine, 1.0)?;
    let low_sine = upright(cx, sine)?;
    let rotation = cx.numbers(
        [rows, columns, cosine, next_cosine, sine, low_sine],
        |[rows, columns, cosine, next_cosine, sine, low_sine]| {
            let off = rows.equal(columns + 1i64).select(low_sine, 0.0);
            let off = columns.equal(rows + 1i64).select(-sine, off);
            rows.equal(columns).select(cosine * next_cosine, off)
        },
    );
    let back = cx.transposed(rotation);
    let t = cx.matrix_product(back, basis.a);
    let t = cx.matrix_product(t, rotation);
    let z = basis.z.map(|z| cx.matrix_product(z, rotation));
    let low_c = upright(cx, c)?;
    let next_a = earlier(cx, a, 0.0)?;
    let t = cx.numbers(
        [rows, columns, t, is_first, is_second, next_a, d, b, low_c],
        |[rows, columns, t, is_first, is_second, next_a, d, b, low_c]| {
            let diagonal = is_first.select(next_a, is_second.select(d, t));
            let above = (columns.equal(rows + 1i64) & is_second).select(b, t);
            let below = rows.equal(columns + 1i64).select(low_c, 0.0);
            let other = rows.greater(columns).select(below, above);
            rows.equal(columns).select(diagonal, other)
        },
    );
    Ok(Basis { a: t, z })
}
