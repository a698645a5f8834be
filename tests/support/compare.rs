//! Compares the results of a model with the expected ones.

use super::value::{Element, Number, Tensor};

/// How far a float may be off: by `absolute + relative * |expected|`.
#[derive(Clone, Copy, Debug)]
pub struct Tolerance {
    pub absolute: f64,
    pub relative: f64,
}

impl Tolerance {
    /// The tolerance of one op: a few units in the last place, because sums may be in another order.
    pub fn of_op(element: Element) -> Self {
        let (absolute, relative) = match element {
            Element::F64 | Element::Complex128 => (1e-9, 1e-9),
            Element::F16 => (1e-2, 1e-2),
            Element::Bf16 => (3e-2, 3e-2),
            _ => (1e-5, 1e-4),
        };
        Tolerance { absolute, relative }
    }

    /// The tolerance of a whole model; the absolute part is in units of the largest expected value.
    pub fn of_model(expected: &Tensor) -> Self {
        let (absolute, relative) = match expected.element {
            Element::F64 | Element::Complex128 => (1e-9, 1e-9),
            Element::F16 => (4e-3, 1e-2),
            Element::Bf16 => (3e-2, 5e-2),
            _ => (1e-4, 1e-3),
        };
        Tolerance { absolute: absolute * largest(expected), relative }
    }

    fn accepts(self, actual: f64, expected: f64) -> bool {
        if actual.is_nan() && expected.is_nan() {
            return true;
        }
        // Infinities match only themselves: a tolerance relative to one would accept everything.
        if !expected.is_finite() {
            return actual == expected;
        }
        (actual - expected).abs() <= self.absolute + self.relative * expected.abs()
    }
}

fn largest(tensor: &Tensor) -> f64 {
    let magnitude = |i| match tensor.get(i) {
        Number::Float(value) if value.is_finite() => value.abs(),
        _ => 0.0,
    };
    (0..tensor.len()).map(magnitude).fold(0.0, f64::max)
}

/// Compares one output; the error lists the first elements that differ.
pub fn compare(actual: &Tensor, expected: &Tensor, tolerance: Tolerance) -> Result<(), String> {
    let shown = |t: &Tensor| format!("{}{:?}", t.element, t.dims);
    if (actual.element, &actual.dims) != (expected.element, &expected.dims) {
        return Err(format!("is {}, expected {}", shown(actual), shown(expected)));
    }
    let differs = |i: &usize| match (actual.get(*i), expected.get(*i)) {
        (Number::Float(a), Number::Float(e)) => !tolerance.accepts(a, e),
        (a, e) => a != e,
    };
    let wrong: Vec<usize> = (0..expected.len()).filter(differs).collect();
    if wrong.is_empty() {
        return Ok(());
    }
    let mut message = format!("{} of {} elements differ:", wrong.len(), expected.len());
    for &i in wrong.iter().take(8) {
        let (actual, wanted) = (actual.get(i), expected.get(i));
        message += &format!("\n    at {:?}: {actual}, expected {wanted}", position(i, &expected.dims));
    }
    Err(message)
}

fn position(mut flat: usize, dims: &[usize]) -> Vec<usize> {
    let mut position = vec![0; dims.len()];
    for (at, dim) in position.iter_mut().zip(dims).rev() {
        *at = flat % dim;
        flat /= dim;
    }
    position
}
