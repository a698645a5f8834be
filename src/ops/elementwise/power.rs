//! Powers.

use super::{Term, divide};
use crate::ir::stablehlo;
use crate::ir::{Element, ValueId, onnx};
use crate::ops::Elements;
use crate::ops::row::{Row, row};
use crate::ops::type_inference::BINARY;
use crate::ops::{Lower, LowerError};

pub(super) const ROWS: &[Row] = &[row(stablehlo::POWER, BINARY, Elements::NUMERIC, |cx, op| {
    let (base, exponent) = (cx.operand(op, 0)?, cx.operand(op, 1)?);
    Ok(power(cx, base, exponent)?.into())
})
.note("integers: by squaring, as ONNX Runtime's Pow computes in f64")];

/// Floats by `Pow`, except where a product is exact and faster; integers by squaring.
///
/// # Errors
/// Errors of building a loop.
pub(in crate::ops) fn power(cx: &mut Lower, base: ValueId, exponent: ValueId) -> Result<ValueId, LowerError> {
    let keeps_shape = cx.module.broadcast_dims(&[base, exponent]) == cx.dims(base);
    let known = cx.known_number(exponent).filter(|_| keeps_shape);
    if cx.element(base).is_integer() {
        return match known {
            Some(exponent) if (0.0..=64.0).contains(&exponent) => {
                Ok(cx.formula([base], |[x]| constant_power(x, exponent as u32)))
            }
            // XLA turns this power into a division, which differs from the other powers if the base is 0.
            Some(-1.0) => {
                let one = cx.integer(cx.element(base), 1);
                Ok(divide(cx, one, base))
            }
            _ => integer_power(cx, base, exponent),
        };
    }
    Ok(match known {
        Some(1.0) => base,
        Some(2.0) => cx.formula([base], |[x]| x * x),
        Some(3.0) => cx.formula([base], |[x]| x * x * x),
        Some(-1.0) => cx.formula([base], |[x]| x.reciprocal()),
        _ => cx.elementwise(onnx::POW, &[base, exponent]),
    })
}

/// `x` to a constant power by squaring; integers wrap as they do in XLA.
fn constant_power(x: Term, mut exponent: u32) -> Term {
    let (mut square, mut product) = (x, None);
    while exponent > 0 {
        if exponent & 1 == 1 {
            product = Some(product.map_or(square, |product| product * square));
        }
        exponent >>= 1;
        if exponent > 0 {
            square = square * square;
        }
    }
    product.unwrap_or_else(|| x.beside(1i64))
}

/// Exponents known only at run time: square and multiply, once per bit of the exponent.
///
/// ONNX Runtime's `Pow` computes in f64, which is wrong beyond 2^53 and saturates where XLA wraps. A negative
/// exponent truncates the fraction: 0, or a power of 1 or -1. XLA agrees for exponents below 64, the only ones whose
/// bits it reads.
fn integer_power(cx: &mut Lower, base: ValueId, exponent: ValueId) -> Result<ValueId, LowerError> {
    let element = cx.element(base);
    let sizes = cx.module.broadcast_dims(&[base, exponent]).to_vec();
    let bits = i64::from(element.bits()) - i64::from(element.is_signed());
    let one = cx.integer(element, 1);
    let start = cx.broadcast_to(one, &sizes);
    let base_all = cx.broadcast_to(base, &sizes);
    let count = cx.integer(Element::I64, bits);
    let go_on = cx.always();
    let arguments = [
        (Element::I64, Vec::new()),
        (Element::Bool, Vec::new()),
        (element, sizes.clone()),
        (element, sizes.clone()),
        (element, cx.dims(exponent).to_vec()),
    ];
    let results = arguments[2..].to_vec();
    let body = cx.graph(&arguments, |cx, values| {
        let (condition, product, square, exponent) = (values[1], values[2], values[3], values[4]);
        let next = cx.formula([product, square, exponent], |[product, square, exponent]| {
            (exponent & 1i64).equal(0i64).select(product, product * square)
        });
        let squared = cx.formula([square], |[square]| square * square);
        // The rest of a negative exponent is unused, so its division may round either way.
        let rest = cx.formula([exponent], |[exponent]| exponent / 2i64);
        Ok(vec![condition, next, squared, rest])
    })?;
    let outs = cx.node(onnx::LOOP, &[count, go_on, start, base_all, exponent]).region(body).outs(&results);
    let power = outs[0];
    if element.is_unsigned() {
        return Ok(power);
    }
    Ok(cx.formula([power, base, exponent], |[power, x, n]| {
        let odd = (n & 1i64).equal(1i64);
        let of_minus_one = odd.select(x, 1i64);
        let fraction = (x.equal(1i64) | x.equal(-1i64)).select(of_minus_one, 0i64);
        n.less(0i64).select(fraction, power)
    }))
}
