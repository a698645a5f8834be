//! What each op means in ONNX: one row an op, one file a family.
//!
//! A row names the op, the element types that it takes, its lowering, and a note where the obvious ONNX op is not
//! the right one. To add an op, add its row to the table of its family and a fixture of its name to
//! `fixtures/ops/<family>/`.

pub mod fold;
pub mod type_inference;

mod broadcast;
mod call;
mod constant;
mod control;
mod convolution;
mod distributed;
mod dot;
mod dynamic;
mod dynamic_slice;
mod elements;
mod elementwise;
mod expand;
mod fft;
mod formula;
mod fused;
mod gather;
mod graph;
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
mod scatter;
mod shape;
mod size;
mod sort;
mod sparse;
mod special;
mod start_indices;
mod target;
mod value_range;
mod vectorize_region;
mod window;

pub use call::{CALLBACK, ERROR_IF, call_target, callback_name, host_callback, is_elementwise_call};
pub use constant::{float_bytes, integer_bytes, integer_limits, number};
pub use distributed::inline_computations;
pub use elements::Elements;
pub use elementwise::{FORMAT, ROUND};
pub use expand::{Expand, Expanded, Expansion};
pub use linalg::is_batched_routine;
pub use lower::{BOUNDARY, Lower, Settings};
pub use lower_error::{LowerError, Lowered, Values};
pub use node::Node;
pub use region::{Combiner, combiners};
pub use target::{DEFAULT_OPSET, HIGHEST_OPSET, LOWEST_OPSET, element_since};

use crate::diagnostic::nearest_op;
use crate::ir::{Dialect, OpId, OpName, func, stablehlo};
use rustc_hash::FxHashMap;
use std::sync::LazyLock;

/// Lowers one op: emits `onnx` ops through the context and gives their values, or says why it cannot.
pub type Lowering = fn(&mut Lower, OpId) -> Lowered;

/// All that is known of one op.
#[derive(Clone, Copy)]
pub struct Row {
    /// The op's name with its dialect.
    pub name: OpName,
    /// Element types that its operands and results may have.
    pub elements: Elements,
    /// Emits its ONNX form.
    pub lower: Lowering,
    /// Makes other ops of it before all that; of those that this leaves, none are lowered unless `lower` does.
    pub expand: Option<Expansion>,
    /// Why the lowering is not the obvious one; empty where it is.
    pub note: &'static str,
}

/// A row without a note.
const fn row(name: OpName, elements: Elements, lower: Lowering) -> Row {
    noted(name, elements, lower, "")
}

/// A row with a note.
const fn noted(name: OpName, elements: Elements, lower: Lowering, note: &'static str) -> Row {
    Row { name, elements, lower, expand: None, note }
}

/// A row of an op that becomes other ops of StableHLO.
const fn expanded(name: OpName, elements: Elements, expand: Expansion, note: &'static str) -> Row {
    Row { name, elements, lower: not_expanded, expand: Some(expand), note }
}

/// No op comes here whose expansion was tried: it has left the program, or was refused.
fn not_expanded(_: &mut Lower, _: OpId) -> Lowered {
    Err(LowerError::form("the pass `normalize` must rewrite it first"))
}

/// The families with their tables.
pub const FAMILIES: &[(&str, &[Row])] = &[
    ("call", call::ROWS),
    ("control", control::ROWS),
    ("convolution", convolution::ROWS),
    ("distributed", distributed::ROWS),
    ("dot", dot::ROWS),
    ("dynamic", dynamic::ROWS),
    ("dynamic_slice", dynamic_slice::ROWS),
    ("elementwise", elementwise::ROWS),
    ("fft", fft::ROWS),
    ("fused", fused::ROWS),
    ("gather", gather::ROWS),
    ("legacy", legacy::ROWS),
    ("linalg", linalg::ROWS),
    ("mixed", mixed::arith::ROWS),
    ("mixed", mixed::shape::ROWS),
    ("mixed", mixed::tensor::ROWS),
    ("normalization", normalization::ROWS),
    ("quantize", quantize::ROWS),
    ("random", random::ROWS),
    ("reduce", reduce::ROWS),
    ("scatter", scatter::ROWS),
    ("shape", shape::ROWS),
    ("sort", sort::ROWS),
    ("special", special::ROWS),
    ("window", window::ROWS),
];

static INDEX: LazyLock<FxHashMap<OpName, &'static Row>> =
    LazyLock::new(|| FAMILIES.iter().flat_map(|(_, rows)| rows.iter()).map(|row| (row.name, row)).collect());

/// The row of the op of that name.
pub fn find(name: OpName) -> Option<&'static Row> {
    INDEX.get(&name).copied()
}

/// The op that a misspelt name was meant for. Nothing for a name that StableHLO or CHLO has, and nothing for an op of
/// another dialect.
pub fn misspelt(name: &str) -> Option<&'static str> {
    let rows = FAMILIES.iter().flat_map(|(_, rows)| rows.iter()).map(|row| row.name);
    let of_dialect = |op: &OpName| matches!(op.dialect(), Dialect::StableHlo | Dialect::Chlo);
    let known = rows.chain(type_inference::names()).filter(of_dialect).map(OpName::text);
    // MHLO is a dialect of its own.
    if name.starts_with("mhlo.") { None } else { nearest_op(name, known) }
}

/// Whether an op has no row because passes or other ops' lowerings take it.
pub fn is_structural(name: OpName) -> bool {
    matches!(name, func::CALL | func::RETURN | stablehlo::RETURN | stablehlo::COMPOSITE)
}
