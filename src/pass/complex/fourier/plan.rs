//! How to compute a transform in the least time.
//!
//! The time of each method is estimated from its products, its passes over memory and its nodes. The constants were measured
//! with ONNX Runtime 1.31 on one thread, on lengths from 8 to 4,096 and batches from 1 to 128; the estimates are within a
//! third of the measured times.

use crate::ir::Dim;
use rustc_hash::FxHashMap;

/// The method of a transform.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Plan {
    /// Products with the whole matrix.
    Matrix,
    /// Transforms of a factor of the length, then of the rest.
    Steps {
        /// The factor.
        first: i64,
        /// The method for the rest.
        rest: Box<Plan>,
    },
    /// Transforms of a length with small factors.
    Chirp {
        /// That length.
        padded: i64,
        /// The method for it.
        plan: Box<Plan>,
    },
}

/// Nanoseconds of a product and sum, in a product of large matrices.
const PRODUCT: f64 = 1.0 / 32.0;
/// Nanoseconds to read one number of a matrix from memory.
const READ: f64 = 0.2;
/// Nanoseconds per element of an elementwise op.
const PASS: f64 = 0.25;
/// Nanoseconds of a node.
const NODE: f64 = 1000.0;
/// Nanoseconds of each further product in a batch of products.
const BATCHED: f64 = 200.0;

/// Longer sums of products in f32 lose more digits than XLA's transforms.
const LONGEST_MATRIX: i64 = 1024;
/// The assumed size of a symbolic dimension.
const SYMBOLIC: i64 = 8;

/// The best method for a transform of this length along an axis of a tensor of these sizes.
pub(super) fn plan(length: i64, sizes: &[Dim], axis: usize) -> Plan {
    let count = |sizes: &[Dim]| {
        sizes.iter().map(|size| size.known().unwrap_or(SYMBOLIC).max(1) as f64).product::<f64>()
    };
    let (lines, inner) = (count(&sizes[..axis]), count(&sizes[axis + 1..]));
    let mut planner = Planner {
        lines,
        total: lines * inner * length as f64,
        any_length: true,
        known: FxHashMap::default(),
    };
    planner.best(length).1
}

struct Planner {
    /// The number of products in a batch.
    lines: f64,
    /// The number of elements.
    total: f64,
    /// Whether [`Plan::Chirp`] is possible.
    any_length: bool,
    known: FxHashMap<i64, (f64, Plan)>,
}

impl Planner {
    /// The least time of a transform of complex numbers, and its method.
    fn best(&mut self, length: i64) -> (f64, Plan) {
        if let Some(known) = self.known.get(&length) {
            return known.clone();
        }
        let mut best = (f64::INFINITY, Plan::Matrix);
        if length <= LONGEST_MATRIX {
            best.0 = self.matrix(length);
        }
        for first in (2..=LONGEST_MATRIX.min(length / 2)).filter(|first| length % first == 0) {
            let own = self.matrix(first) + self.lines * 8.0 * BATCHED + 10.0 * NODE + self.total * 8.0 * PASS;
            if own < best.0 {
                let (time, rest) = self.best(length / first);
                if own + time < best.0 {
                    best = (own + time, Plan::Steps { first, rest: Box::new(rest) });
                }
            }
        }
        if self.any_length {
            let least = 2 * length - 1;
            for padded in (least..=2 * least).filter(|&padded| has_small_factors(padded)) {
                let ratio = padded as f64 / length as f64;
                let known = FxHashMap::default();
                let total = self.total * ratio;
                let mut planner = Planner { lines: self.lines, total, any_length: false, known };
                let own = 18.0 * NODE + (self.total * 12.0 + total * 6.0) * PASS;
                let (time, plan) = planner.best(padded);
                if own + 2.0 * time < best.0 {
                    best = (own + 2.0 * time, Plan::Chirp { padded, plan: Box::new(plan) });
                }
            }
        }
        self.known.insert(length, best.clone());
        best
    }

    /// The time of products with a matrix.
    fn matrix(&self, length: i64) -> f64 {
        let length = length as f64;
        let reads = 2.0 * length * length * READ;
        6.0 * NODE + self.total * (4.0 * length * PRODUCT + 2.0 * PASS) + reads
    }
}

/// Whether a number has no prime factor above 7.
fn has_small_factors(mut number: i64) -> bool {
    for factor in [2, 3, 5, 7] {
        while number % factor == 0 {
            number /= factor;
        }
    }
    number == 1
}
