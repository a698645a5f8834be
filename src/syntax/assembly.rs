//! What the clauses of each op's custom form mean as attributes of its generic form.
//!
//! The names are those of StableHLO's and CHLO's op definitions. An op that is not in the table is read in generic
//! form only. The forms of several releases stand side by side: a row takes any of its clauses in any order.

use super::clauses::Kind;
use super::mixed::Mixed;
use std::borrow::Cow;

/// One op in custom form.
#[derive(Debug)]
pub(super) struct Row {
    /// The op's full name.
    pub op: &'static str,
    /// What its types say when they have no arrow.
    pub types: Types,
    pub form: Form,
    /// `name = value` clauses: the word in the text, the attribute, and how the value is read.
    pub named: &'static [(&'static str, &'static str, Kind)],
    /// Words without a value, in their order: the attribute and its kind of enumeration.
    pub words: &'static [(&'static str, &'static str)],
}

/// How types without an arrow are distributed over operands and results.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Types {
    /// There must be an arrow.
    Arrow,
    /// One type for all operands and the one result.
    Same,
    /// A type for each operand, which are those of the results too.
    Each,
    /// A type for each operand, and there are no results.
    Operands,
    /// The type of the one result, and there are no operands of their own type.
    Result,
    /// The complex type of the result, whose parts the operands are.
    Complex,
    /// The predicate's type, and that of the branches and the result.
    Select,
}

/// Forms that the tables of names alone do not describe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Operands, words and named clauses.
    Plain,
    /// The axes of a mesh before the operand, and the sharding of the result.
    Axes,
    Call,
    Composite,
    Constant,
    Convolution,
    CustomCall,
    DotGeneral,
    GetTupleElement,
    ManualComputation,
    Mesh,
    /// One of `arith`, `tensor` and `shape`, which has its types in its own way.
    Mixed(Mixed),
    Reduce,
    ReducePrecision,
    Scan,
    Sharding,
    Slice,
    Trace,
    While,
}

const fn row(op: &'static str, types: Types) -> Row {
    Row { op, types, form: Form::Plain, named: &[], words: &[] }
}

const fn formed(op: &'static str, types: Types, form: Form) -> Row {
    Row { op, types, form, named: &[], words: &[] }
}

const fn named(op: &'static str, types: Types, named: &'static [(&'static str, &'static str, Kind)]) -> Row {
    Row { op, types, form: Form::Plain, named, words: &[] }
}

const PRECISION: (&str, &str, Kind) = ("precision", "precision_config", Kind::Words("precision"));

const OUT_SHARDING: &[(&str, &str, Kind)] =
    &[("out_sharding", "out_sharding", Kind::Opaque("#sdy.sharding"))];

/// A collective of Shardy.
const fn collective(op: &'static str) -> Row {
    Row { op, types: Same, form: Form::Axes, named: OUT_SHARDING, words: &[] }
}

const fn mixed(op: &'static str, form: Mixed) -> Row {
    Row { op, types: Arrow, form: Form::Mixed(form), named: &[], words: &[] }
}

use Types::{Arrow, Complex, Each, Operands, Result, Same, Select};

/// The ops, sorted by name.
const ROWS: &[Row] = &[
    row("arith.addf", Same),
    row("arith.addi", Same),
    row("arith.andi", Same),
    row("arith.ceildivsi", Same),
    mixed("arith.cmpi", Mixed::Compare),
    formed("arith.constant", Result, Form::Constant),
    row("arith.divf", Same),
    row("arith.divsi", Same),
    row("arith.divui", Same),
    mixed("arith.extf", Mixed::Cast),
    mixed("arith.extsi", Mixed::Cast),
    mixed("arith.extui", Mixed::Cast),
    row("arith.floordivsi", Same),
    mixed("arith.fptosi", Mixed::Cast),
    mixed("arith.index_cast", Mixed::Cast),
    mixed("arith.index_castui", Mixed::Cast),
    row("arith.maximumf", Same),
    row("arith.maxsi", Same),
    row("arith.maxui", Same),
    row("arith.minimumf", Same),
    row("arith.minsi", Same),
    row("arith.minui", Same),
    row("arith.mulf", Same),
    row("arith.muli", Same),
    row("arith.negf", Same),
    row("arith.ori", Same),
    row("arith.remf", Same),
    row("arith.remsi", Same),
    row("arith.remui", Same),
    row("arith.select", Select),
    row("arith.shli", Same),
    row("arith.shrsi", Same),
    row("arith.shrui", Same),
    mixed("arith.sitofp", Mixed::Cast),
    row("arith.subf", Same),
    row("arith.subi", Same),
    mixed("arith.truncf", Mixed::Cast),
    mixed("arith.trunci", Mixed::Cast),
    mixed("arith.uitofp", Mixed::Cast),
    row("arith.xori", Same),
    formed("call", Arrow, Form::Call),
    row("chlo.acos", Same),
    row("chlo.acosh", Same),
    row("chlo.asin", Same),
    row("chlo.asinh", Same),
    row("chlo.atan", Same),
    row("chlo.atanh", Same),
    row("chlo.bessel_i1e", Same),
    row("chlo.broadcast_add", Arrow),
    row("chlo.broadcast_and", Arrow),
    row("chlo.broadcast_atan2", Arrow),
    row("chlo.broadcast_compare", Arrow),
    row("chlo.broadcast_complex", Arrow),
    row("chlo.broadcast_divide", Arrow),
    row("chlo.broadcast_maximum", Arrow),
    row("chlo.broadcast_minimum", Arrow),
    row("chlo.broadcast_multiply", Arrow),
    row("chlo.broadcast_next_after", Arrow),
    row("chlo.broadcast_or", Arrow),
    row("chlo.broadcast_polygamma", Arrow),
    row("chlo.broadcast_power", Arrow),
    row("chlo.broadcast_remainder", Arrow),
    row("chlo.broadcast_select", Arrow),
    row("chlo.broadcast_shift_left", Arrow),
    row("chlo.broadcast_shift_right_arithmetic", Arrow),
    row("chlo.broadcast_shift_right_logical", Arrow),
    row("chlo.broadcast_subtract", Arrow),
    row("chlo.broadcast_xor", Arrow),
    row("chlo.broadcast_zeta", Arrow),
    row("chlo.conj", Same),
    formed("chlo.constant", Result, Form::Constant),
    row("chlo.cosh", Same),
    row("chlo.digamma", Same),
    row("chlo.erf", Same),
    row("chlo.erf_inv", Same),
    row("chlo.erfc", Same),
    row("chlo.is_inf", Arrow),
    row("chlo.is_neg_inf", Arrow),
    row("chlo.is_pos_inf", Arrow),
    row("chlo.lgamma", Same),
    row("chlo.mulhi", Same),
    row("chlo.next_after", Same),
    row("chlo.polygamma", Same),
    formed("chlo.scan", Arrow, Form::Scan),
    row("chlo.sinh", Same),
    row("chlo.square", Same),
    row("chlo.tan", Same),
    named("chlo.top_k", Arrow, &[("k", "k", Kind::Integer), ("largest", "largest", Kind::Boolean)]),
    row("chlo.zeta", Same),
    formed("func.call", Arrow, Form::Call),
    row("func.return", Operands),
    row("mhlo.add_dependency", Arrow),
    row("mhlo.copy", Same),
    row("return", Operands),
    collective("sdy.all_gather"),
    collective("sdy.all_reduce"),
    collective("sdy.all_slice"),
    collective("sdy.all_to_all"),
    collective("sdy.collective_permute"),
    formed("sdy.constant", Result, Form::Constant),
    named("sdy.data_flow_edge", Same, &[("sharding", "sharding", Kind::Opaque("#sdy.sharding"))]),
    formed("sdy.manual_computation", Arrow, Form::ManualComputation),
    formed("sdy.mesh", Arrow, Form::Mesh),
    formed("sdy.named_computation", Arrow, Form::ManualComputation),
    named(
        "sdy.propagation_barrier",
        Same,
        &[("allowed_direction", "allowed_direction", Kind::Opaque("#sdy.propagation_direction"))],
    ),
    collective("sdy.reduce_scatter"),
    collective("sdy.replicated_to_unreduced"),
    formed("sdy.reshard", Same, Form::Sharding),
    row("sdy.return", Operands),
    collective("sdy.sharded_to_unreduced"),
    formed("sdy.sharding_constraint", Same, Form::Sharding),
    named("sdy.sharding_group", Operands, &[("group_id", "group_id", Kind::Integer)]),
    mixed("shape.assuming", Mixed::Assuming),
    mixed("shape.assuming_all", Mixed::Witness),
    row("shape.assuming_yield", Operands),
    row("shape.broadcast", Arrow),
    mixed("shape.const_shape", Mixed::ConstantShape),
    mixed("shape.const_witness", Mixed::Witness),
    mixed("shape.cstr_broadcastable", Mixed::Witness),
    mixed("shape.cstr_eq", Mixed::Witness),
    mixed("shape.cstr_require", Mixed::Witness),
    mixed("shape.from_extents", Mixed::Extents),
    row("shape.get_extent", Arrow),
    row("shape.num_elements", Arrow),
    row("shape.rank", Arrow),
    row("shape.shape_of", Arrow),
    row("shape.to_extent_tensor", Arrow),
    row("stablehlo.abs", Same),
    row("stablehlo.add", Same),
    row("stablehlo.after_all", Same),
    row("stablehlo.and", Same),
    row("stablehlo.atan2", Same),
    row("stablehlo.bitcast_convert", Arrow),
    named("stablehlo.broadcast", Arrow, &[("sizes", "broadcast_sizes", Kind::Integers)]),
    named("stablehlo.broadcast_in_dim", Arrow, &[("dims", "broadcast_dimensions", Kind::Integers)]),
    row("stablehlo.cbrt", Same),
    row("stablehlo.ceil", Same),
    named("stablehlo.cholesky", Same, &[("lower", "lower", Kind::Boolean)]),
    row("stablehlo.clamp", Same),
    Row {
        op: "stablehlo.compare",
        types: Arrow,
        form: Form::Plain,
        named: &[],
        words: &[("comparison_direction", "comparison_direction"), ("compare_type", "comparison_type")],
    },
    row("stablehlo.complex", Complex),
    formed("stablehlo.composite", Arrow, Form::Composite),
    named("stablehlo.concatenate", Arrow, &[("dim", "dimension", Kind::Integer)]),
    formed("stablehlo.constant", Result, Form::Constant),
    row("stablehlo.convert", Same),
    formed("stablehlo.convolution", Arrow, Form::Convolution),
    row("stablehlo.cosine", Same),
    row("stablehlo.count_leading_zeros", Same),
    row("stablehlo.create_token", Result),
    formed("stablehlo.custom_call", Arrow, Form::CustomCall),
    row("stablehlo.divide", Same),
    named("stablehlo.dot", Arrow, &[PRECISION]),
    formed("stablehlo.dot_general", Arrow, Form::DotGeneral),
    named("stablehlo.dynamic_broadcast_in_dim", Arrow, &[("dims", "broadcast_dimensions", Kind::Integers)]),
    named("stablehlo.dynamic_iota", Arrow, &[("dim", "iota_dimension", Kind::Integer)]),
    row("stablehlo.dynamic_pad", Arrow),
    row("stablehlo.dynamic_reshape", Arrow),
    named("stablehlo.dynamic_slice", Arrow, &[("sizes", "slice_sizes", Kind::Integers)]),
    row("stablehlo.dynamic_update_slice", Arrow),
    named("stablehlo.einsum", Arrow, &[("config", "einsum_config", Kind::Plain)]),
    row("stablehlo.exponential", Same),
    row("stablehlo.exponential_minus_one", Same),
    named(
        "stablehlo.fft",
        Arrow,
        &[("type", "fft_type", Kind::Word("fft_type")), ("length", "fft_length", Kind::Integers)],
    ),
    row("stablehlo.floor", Same),
    named("stablehlo.get_dimension_size", Arrow, &[("dim", "dimension", Kind::Integer)]),
    formed("stablehlo.get_tuple_element", Arrow, Form::GetTupleElement),
    row("stablehlo.imag", Same),
    named("stablehlo.iota", Result, &[("dim", "iota_dimension", Kind::Integer)]),
    row("stablehlo.is_finite", Same),
    row("stablehlo.log", Same),
    row("stablehlo.log_plus_one", Same),
    row("stablehlo.logistic", Same),
    row("stablehlo.maximum", Same),
    row("stablehlo.minimum", Same),
    row("stablehlo.multiply", Same),
    row("stablehlo.negate", Same),
    row("stablehlo.not", Same),
    row("stablehlo.optimization_barrier", Each),
    row("stablehlo.or", Same),
    named(
        "stablehlo.pad",
        Arrow,
        &[
            ("low", "edge_padding_low", Kind::Integers),
            ("high", "edge_padding_high", Kind::Integers),
            ("interior", "interior_padding", Kind::Integers),
        ],
    ),
    row("stablehlo.partition_id", Result),
    row("stablehlo.popcnt", Same),
    row("stablehlo.power", Same),
    row("stablehlo.real", Same),
    row("stablehlo.real_dynamic_slice", Arrow),
    formed("stablehlo.reduce", Arrow, Form::Reduce),
    formed("stablehlo.reduce_precision", Same, Form::ReducePrecision),
    row("stablehlo.remainder", Same),
    row("stablehlo.replica_id", Result),
    row("stablehlo.reshape", Arrow),
    row("stablehlo.return", Operands),
    named("stablehlo.reverse", Same, &[("dims", "dimensions", Kind::Integers)]),
    named("stablehlo.rng", Arrow, &[("distribution", "rng_distribution", Kind::Word("rng_distribution"))]),
    named(
        "stablehlo.rng_bit_generator",
        Arrow,
        &[("algorithm", "rng_algorithm", Kind::Word("rng_algorithm"))],
    ),
    row("stablehlo.round_nearest_afz", Same),
    row("stablehlo.round_nearest_even", Same),
    row("stablehlo.rsqrt", Same),
    row("stablehlo.select", Select),
    named("stablehlo.set_dimension_size", Arrow, &[("dim", "dimension", Kind::Integer)]),
    row("stablehlo.shift_left", Same),
    row("stablehlo.shift_right_arithmetic", Same),
    row("stablehlo.shift_right_logical", Same),
    row("stablehlo.sign", Same),
    row("stablehlo.sine", Same),
    formed("stablehlo.slice", Arrow, Form::Slice),
    row("stablehlo.sqrt", Same),
    row("stablehlo.subtract", Same),
    row("stablehlo.tan", Same),
    row("stablehlo.tanh", Same),
    formed("stablehlo.trace", Operands, Form::Trace),
    named("stablehlo.transpose", Arrow, &[("dims", "permutation", Kind::Integers)]),
    row("stablehlo.tuple", Result),
    named("stablehlo.unary_einsum", Arrow, &[("config", "einsum_config", Kind::Plain)]),
    row("stablehlo.uniform_dequantize", Same),
    row("stablehlo.uniform_quantize", Same),
    formed("stablehlo.while", Each, Form::While),
    row("stablehlo.xor", Same),
    mixed("tensor.cast", Mixed::Cast),
    mixed("tensor.collapse_shape", Mixed::Cast),
    mixed("tensor.dim", Mixed::Dim),
    mixed("tensor.expand_shape", Mixed::Cast),
    mixed("tensor.extract", Mixed::Extract),
    mixed("tensor.extract_slice", Mixed::Slice),
    mixed("tensor.from_elements", Mixed::Elements),
    mixed("tensor.insert_slice", Mixed::Insert),
    row("tensor.reshape", Arrow),
    mixed("tensor.splat", Mixed::Elements),
];

/// The ops of CHLO that were MHLO's.
const MHLO_OF_CHLO: &[(&str, &str)] = &[
    ("mhlo.acos", "chlo.acos"),
    ("mhlo.acosh", "chlo.acosh"),
    ("mhlo.asin", "chlo.asin"),
    ("mhlo.asinh", "chlo.asinh"),
    ("mhlo.atan", "chlo.atan"),
    ("mhlo.atanh", "chlo.atanh"),
    ("mhlo.cosh", "chlo.cosh"),
    ("mhlo.erf", "chlo.erf"),
    ("mhlo.erf_inv", "chlo.erf_inv"),
    ("mhlo.mulhi", "chlo.mulhi"),
    ("mhlo.ragged_dot", "chlo.ragged_dot"),
    ("mhlo.scan", "chlo.scan"),
    ("mhlo.sinh", "chlo.sinh"),
    ("mhlo.topk", "chlo.top_k"),
];

/// The ops of MHLO that no other dialect has.
const MHLO_ALONE: &[&str] = &[
    "mhlo.add_dependency",
    "mhlo.async_done",
    "mhlo.async_start",
    "mhlo.async_update",
    "mhlo.bitcast",
    "mhlo.copy",
    "mhlo.domain",
    "mhlo.fusion",
    "mhlo.minimum_broadcast_shapes",
    "mhlo.sparse_dot",
    "mhlo.stochastic_convert",
    "mhlo.xla.rng_get_and_update_state",
];

/// The op that a name of MHLO is in the dialects that came after it; any other name as it is.
pub(super) fn current_name(op: &str) -> Cow<'_, str> {
    match op.strip_prefix("mhlo.") {
        Some(name) if !MHLO_ALONE.contains(&op) => match MHLO_OF_CHLO.iter().find(|(old, _)| *old == op) {
            Some(&(_, new)) => Cow::Borrowed(new),
            None => Cow::Owned(format!("stablehlo.{name}")),
        },
        _ => Cow::Borrowed(op),
    }
}

/// The row of an op.
pub(super) fn find(op: &str) -> Option<&'static Row> {
    ROWS.binary_search_by(|row| row.op.cmp(op)).ok().map(|index| &ROWS[index])
}

/// The names of all ops, for suggestions.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    ROWS.iter().map(|row| row.op)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_sorted() {
        assert!(ROWS.windows(2).all(|pair| pair[0].op < pair[1].op));
    }
}
