//! What each op means in ONNX: one row per op, one file or folder per family.
//!
//! A row names the op, the element types that it takes, its lowering, and a note where the obvious ONNX op is not
//! the right one. To add an op, add its row to the table of its family and a fixture of its name to
//! `fixtures/ops/<family>/`.

pub mod fold;
pub mod type_inference;

mod attributes;
mod broadcast;
mod call;
mod constant;
mod control;
mod convolution;
mod distributed;
mod dot;
mod dynamic;
mod dynamic_slice;
mod einsum;
mod elements;
mod elementwise;
mod expand;
mod expr;
mod fft;
mod float_range;
mod formula;
mod fused;
mod gather;
mod graph;
mod kernel_attributes;
mod legacy;
mod linalg;
mod lower;
mod lower_error;
mod min_max;
mod mixed;
mod movement;
mod node;
mod normalization;
mod padding;
pub mod quantize;
mod random;
mod reduce;
mod region;
mod row;
mod scatter;
mod shape;
mod size;
mod sort;
mod sparse;
mod special;
mod start_indices;
mod value_range;
mod vectorize_region;
mod violation;
mod window;
mod wrapped_positions;

pub use attributes::{
    ConvolutionAttributes, DotDimensionNumbers, GatherDimensionNumbers, OpAttributes, WindowDimension,
};
pub use call::{CALLBACK, ERROR_IF, Units, call_target, call_units, callback_name, host_callback};
pub use constant::{all_numbers, float_bytes, integer_bytes, integer_limits, known_number, number};
pub(crate) use control::{CountedLoop, InductionVariable, SliceWrite, Slices, WhileLoop};
pub use distributed::inline_computations;
pub use elements::Elements;
pub use elementwise::{FORMAT, ROUND};
pub use expand::{Expand, Expanded, Expansion};
pub use expr::{Emitter, Expr, Operand};
pub use formula::EXCESS_PRECISION;
pub use lower::{BOUNDARY, Lower};
pub use lower_error::{LowerError, Lowered, Values, too_low};
pub use random::{PARITY as THREEFRY_PARITY, ROTATIONS as THREEFRY_ROTATIONS};
pub use region::{Combiner, combiners};
pub use row::{Lowering, Row};
pub use size::SizePart;
pub use violation::Violation;

use crate::diagnostic::nearest_op;
use crate::ir::{Dialect, OpName, func, stablehlo};
use rustc_hash::FxHashMap;
use std::sync::LazyLock;

/// The families with their tables.
pub const FAMILIES: &[(&str, &[&[Row]])] = &[
    ("call", &[call::ROWS]),
    ("control", control::TABLES),
    ("convolution", &[convolution::ROWS]),
    ("distributed", &[distributed::ROWS]),
    ("dot", &[dot::ROWS]),
    ("dynamic", &[dynamic::ROWS]),
    ("dynamic_slice", &[dynamic_slice::ROWS]),
    ("einsum", &[einsum::ROWS]),
    ("elementwise", elementwise::TABLES),
    ("fft", &[fft::ROWS]),
    ("fused", &[fused::ROWS]),
    ("gather", &[gather::ROWS]),
    ("legacy", &[legacy::ROWS]),
    ("linalg", &[linalg::ROWS]),
    ("mixed", mixed::TABLES),
    ("normalization", &[normalization::ROWS]),
    ("quantize", &[quantize::ROWS]),
    ("random", &[random::ROWS]),
    ("reduce", &[reduce::ROWS]),
    ("scatter", &[scatter::ROWS]),
    ("shape", &[shape::ROWS]),
    ("sort", &[sort::ROWS]),
    ("special", special::TABLES),
    ("window", &[window::ROWS]),
];

static INDEX: LazyLock<FxHashMap<OpName, &'static Row>> =
    LazyLock::new(|| rows().map(|row| (row.name, row)).collect());

/// All rows, in the order of the families.
fn rows() -> impl Iterator<Item = &'static Row> {
    FAMILIES.iter().flat_map(|(_, tables)| tables.iter()).flat_map(|rows| rows.iter())
}

/// The row of a supported op.
pub fn find(name: OpName) -> Option<&'static Row> {
    INDEX.get(&name).copied().filter(|row| row.is_supported())
}

/// Whether an op with constant operands is folded.
pub fn folds(name: OpName) -> bool {
    fold::folder(name).is_some()
}

/// The op that a misspelled name was meant for. `None` for valid names and other dialects.
pub fn misspelled(name: &str) -> Option<&'static str> {
    let of_dialect = |op: &OpName| matches!(op.dialect(), Dialect::StableHlo | Dialect::Chlo);
    let known = rows().map(|row| row.name).filter(of_dialect).map(OpName::text);
    // MHLO is a dialect of its own.
    if name.starts_with("mhlo.") { None } else { nearest_op(name, known) }
}

/// Whether an op has no row because passes or other lowerings handle it.
pub fn is_structural(name: OpName) -> bool {
    matches!(name, func::CALL | func::RETURN | stablehlo::RETURN | stablehlo::COMPOSITE)
}
