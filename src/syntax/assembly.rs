//! Maps the clauses of each op's custom form to attributes of its generic form.
//!
//! The names are those of StableHLO's and CHLO's op definitions. An op that is not in the table is read in generic form
//! only. A row covers the forms of several releases: it accepts any of its clauses in any order.

use super::clauses::ClauseKind;
use super::mixed::Mixed;
use crate::ir::{Class, Dialect, OpName, arith, chlo, func, mhlo, sdy, shape, stablehlo, tensor};
use rustc_hash::FxHashMap;
use std::sync::LazyLock;

/// One op in custom form.
#[derive(Clone, Copy, Debug)]
pub(super) struct AssemblyFormat {
    /// The op's full name.
    pub op: OpName,
    /// The meaning of types without an arrow.
    pub types: TypeSuffix,
    pub form: CustomForm,
    /// `name = value` clauses: the word in the text, the attribute, and how the value is read.
    pub named: &'static [(&'static str, &'static str, ClauseKind)],
    /// Words without a value, in their order: the attribute and its kind of enumeration.
    pub words: &'static [(&'static str, &'static str)],
}

/// How types without an arrow are distributed over operands and results.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TypeSuffix {
    /// An arrow is required.
    Arrow,
    /// One type for all operands and the one result.
    Same,
    /// A type for each operand, which are also the types of the results.
    Each,
    /// A type for each operand; no results.
    Operands,
    /// The type of the one result; no operands have another type.
    Result,
    /// The complex type of the result; the operands are its parts.
    Complex,
    /// The predicate's type, and the type of the branches and the result.
    Select,
}

/// Forms that the tables of names alone do not describe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CustomForm {
    /// Operands, words and named clauses.
    Plain,
    /// The axes of a mesh before the operand, and the sharding of the result.
    Axes {
        /// The attribute that they are.
        attribute: &'static str,
        /// Its kind in Shardy.
        kind: &'static str,
    },
    Call,
    Composite,
    Constant,
    Convolution,
    CustomCall,
    DotGeneral,
    GetTupleElement,
    ManualComputation,
    Mesh,
    /// An op of `arith`, `tensor` or `shape` with its own form of types.
    Mixed(Mixed),
    Reduce,
    ReducePrecision,
    Scan,
    Sharding,
    Slice,
    Trace,
    While,
}

impl CustomForm {
    /// The names of clauses that the form reads itself.
    pub(super) fn keywords(self) -> &'static [&'static str] {
        match self {
            CustomForm::Convolution => &["dim_numbers", "window"],
            CustomForm::DotGeneral => &["batching_dims", "contracting_dims", "precision", "algorithm"],
            CustomForm::Reduce => &["dimensions"],
            CustomForm::ReducePrecision => &["format"],
            CustomForm::Scan => &["dimension"],
            _ => &[],
        }
    }

    /// The attributes that the form writes outside of braces, and that the tables of names do not have.
    pub(super) fn attributes(self) -> &'static [&'static str] {
        match self {
            CustomForm::Call => &["callee"],
            CustomForm::Composite => &["name"],
            CustomForm::Constant => &["value"],
            CustomForm::Convolution => &[
                "dimension_numbers",
                "lhs_dilation",
                "padding",
                "rhs_dilation",
                "window_reversal",
                "window_strides",
            ],
            CustomForm::CustomCall => &["call_target_name"],
            CustomForm::DotGeneral => &["algorithm", "dot_dimension_numbers", "precision_config"],
            CustomForm::GetTupleElement => &["index"],
            CustomForm::Reduce => &["dimensions"],
            CustomForm::ReducePrecision => &["exponent_bits", "mantissa_bits"],
            CustomForm::Slice => &["limit_indices", "start_indices", "strides"],
            _ => &[],
        }
    }
}

impl AssemblyFormat {
    /// The names of all clauses.
    pub(super) fn keywords(&self) -> impl Iterator<Item = &'static str> + use<> {
        self.named.iter().map(|(name, ..)| *name).chain(self.form.keywords().iter().copied())
    }
}

const fn row(op: OpName, types: TypeSuffix) -> AssemblyFormat {
    AssemblyFormat { op, types, form: CustomForm::Plain, named: &[], words: &[] }
}

const fn formed(op: OpName, types: TypeSuffix, form: CustomForm) -> AssemblyFormat {
    AssemblyFormat { op, types, form, named: &[], words: &[] }
}

const fn named(
    op: OpName,
    types: TypeSuffix,
    named: &'static [(&'static str, &'static str, ClauseKind)],
) -> AssemblyFormat {
    AssemblyFormat { op, types, form: CustomForm::Plain, named, words: &[] }
}

const PRECISION: (&str, &str, ClauseKind) = ("precision", "precision_config", ClauseKind::Words("precision"));

const OUT_SHARDING: &[(&str, &str, ClauseKind)] =
    &[("out_sharding", "out_sharding", ClauseKind::Opaque("#sdy.sharding"))];

/// A collective of Shardy, with the attribute that has its axes.
const fn collective(op: OpName, attribute: &'static str, kind: &'static str) -> AssemblyFormat {
    AssemblyFormat {
        op,
        types: Same,
        form: CustomForm::Axes { attribute, kind },
        named: OUT_SHARDING,
        words: &[],
    }
}

const fn mixed(op: OpName, form: Mixed) -> AssemblyFormat {
    AssemblyFormat { op, types: Arrow, form: CustomForm::Mixed(form), named: &[], words: &[] }
}

use TypeSuffix::{Arrow, Complex, Each, Operands, Result, Same, Select};

/// The ops, sorted by name, except elementwise ones of a single type.
const ROWS: &[AssemblyFormat] = &[
    mixed(arith::CMPI, Mixed::Compare),
    formed(arith::CONSTANT, Result, CustomForm::Constant),
    mixed(arith::EXTF, Mixed::Cast),
    mixed(arith::EXTSI, Mixed::Cast),
    mixed(arith::EXTUI, Mixed::Cast),
    mixed(arith::FPTOSI, Mixed::Cast),
    mixed(arith::INDEX_CAST, Mixed::Cast),
    mixed(arith::INDEX_CASTUI, Mixed::Cast),
    row(arith::SELECT, Select),
    mixed(arith::SITOFP, Mixed::Cast),
    mixed(arith::TRUNCF, Mixed::Cast),
    mixed(arith::TRUNCI, Mixed::Cast),
    mixed(arith::UITOFP, Mixed::Cast),
    row(chlo::BROADCAST_ADD, Arrow),
    row(chlo::BROADCAST_AND, Arrow),
    row(chlo::BROADCAST_ATAN2, Arrow),
    row(chlo::BROADCAST_COMPARE, Arrow),
    row(chlo::BROADCAST_COMPLEX, Arrow),
    row(chlo::BROADCAST_DIVIDE, Arrow),
    row(chlo::BROADCAST_MAXIMUM, Arrow),
    row(chlo::BROADCAST_MINIMUM, Arrow),
    row(chlo::BROADCAST_MULTIPLY, Arrow),
    row(chlo::BROADCAST_NEXT_AFTER, Arrow),
    row(chlo::BROADCAST_OR, Arrow),
    row(chlo::BROADCAST_POLYGAMMA, Arrow),
    row(chlo::BROADCAST_POWER, Arrow),
    row(chlo::BROADCAST_REMAINDER, Arrow),
    row(chlo::BROADCAST_SELECT, Arrow),
    row(chlo::BROADCAST_SHIFT_LEFT, Arrow),
    row(chlo::BROADCAST_SHIFT_RIGHT_ARITHMETIC, Arrow),
    row(chlo::BROADCAST_SHIFT_RIGHT_LOGICAL, Arrow),
    row(chlo::BROADCAST_SUBTRACT, Arrow),
    row(chlo::BROADCAST_XOR, Arrow),
    row(chlo::BROADCAST_ZETA, Arrow),
    formed(chlo::CONSTANT, Result, CustomForm::Constant),
    row(chlo::IS_INF, Arrow),
    row(chlo::IS_NEG_INF, Arrow),
    row(chlo::IS_POS_INF, Arrow),
    formed(chlo::SCAN, Arrow, CustomForm::Scan),
    named(
        chlo::TOP_K,
        Arrow,
        &[("k", "k", ClauseKind::Integer), ("largest", "largest", ClauseKind::Boolean)],
    ),
    formed(func::CALL, Arrow, CustomForm::Call),
    row(func::RETURN, Operands),
    row(mhlo::ADD_DEPENDENCY, Arrow),
    row(mhlo::COPY, Same),
    collective(sdy::ALL_GATHER, "gathering_axes", "list_of_axis_ref_lists"),
    collective(sdy::ALL_REDUCE, "reduction_axes", "axis_ref_list"),
    collective(sdy::ALL_SLICE, "slicing_axes", "list_of_axis_ref_lists"),
    collective(sdy::ALL_TO_ALL, "params", "all_to_all_param_list"),
    collective(sdy::COLLECTIVE_PERMUTE, "axes", "axis_ref_list"),
    formed(sdy::CONSTANT, Result, CustomForm::Constant),
    named(sdy::DATA_FLOW_EDGE, Same, &[("sharding", "sharding", ClauseKind::Opaque("#sdy.sharding"))]),
    formed(sdy::MANUAL_COMPUTATION, Arrow, CustomForm::ManualComputation),
    formed(sdy::MESH, Arrow, CustomForm::Mesh),
    formed(sdy::NAMED_COMPUTATION, Arrow, CustomForm::ManualComputation),
    named(
        sdy::PROPAGATION_BARRIER,
        Same,
        &[(
            "allowed_direction",
            "allowed_direction",
            ClauseKind::EnumNumber(&["NONE", "FORWARD", "BACKWARD", "BOTH"]),
        )],
    ),
    collective(sdy::REDUCE_SCATTER, "reduce_scatter_axes", "list_of_axis_ref_lists"),
    collective(sdy::REPLICATED_TO_UNREDUCED, "axes", "axis_ref_list"),
    formed(sdy::RESHARD, Same, CustomForm::Sharding),
    row(sdy::RETURN, Operands),
    collective(sdy::SHARDED_TO_UNREDUCED, "axes", "list_of_axis_ref_lists"),
    formed(sdy::SHARDING_CONSTRAINT, Same, CustomForm::Sharding),
    named(sdy::SHARDING_GROUP, Operands, &[("group_id", "group_id", ClauseKind::Integer)]),
    mixed(shape::ASSUMING, Mixed::Assuming),
    mixed(shape::ASSUMING_ALL, Mixed::Witness),
    row(shape::ASSUMING_YIELD, Operands),
    row(shape::BROADCAST, Arrow),
    mixed(shape::CONST_SHAPE, Mixed::ConstantShape),
    mixed(shape::CONST_WITNESS, Mixed::Witness),
    mixed(shape::CSTR_BROADCASTABLE, Mixed::Witness),
    mixed(shape::CSTR_EQ, Mixed::Witness),
    mixed(shape::CSTR_REQUIRE, Mixed::Witness),
    mixed(shape::FROM_EXTENTS, Mixed::Extents),
    row(shape::GET_EXTENT, Arrow),
    row(shape::NUM_ELEMENTS, Arrow),
    row(shape::RANK, Arrow),
    row(shape::SHAPE_OF, Arrow),
    row(shape::TO_EXTENT_TENSOR, Arrow),
    row(stablehlo::AFTER_ALL, Same),
    row(stablehlo::BITCAST_CONVERT, Arrow),
    named(stablehlo::BROADCAST, Arrow, &[("sizes", "broadcast_sizes", ClauseKind::Integers)]),
    named(stablehlo::BROADCAST_IN_DIM, Arrow, &[("dims", "broadcast_dimensions", ClauseKind::Integers)]),
    named(stablehlo::CHOLESKY, Same, &[("lower", "lower", ClauseKind::Boolean)]),
    AssemblyFormat {
        op: stablehlo::COMPARE,
        types: Arrow,
        form: CustomForm::Plain,
        named: &[],
        words: &[("comparison_direction", "comparison_direction"), ("compare_type", "comparison_type")],
    },
    row(stablehlo::COMPLEX, Complex),
    formed(stablehlo::COMPOSITE, Arrow, CustomForm::Composite),
    named(stablehlo::CONCATENATE, Arrow, &[("dim", "dimension", ClauseKind::Integer)]),
    formed(stablehlo::CONSTANT, Result, CustomForm::Constant),
    formed(stablehlo::CONVOLUTION, Arrow, CustomForm::Convolution),
    row(stablehlo::CREATE_TOKEN, Result),
    formed(stablehlo::CUSTOM_CALL, Arrow, CustomForm::CustomCall),
    named(stablehlo::DOT, Arrow, &[PRECISION]),
    formed(stablehlo::DOT_GENERAL, Arrow, CustomForm::DotGeneral),
    named(
        stablehlo::DYNAMIC_BROADCAST_IN_DIM,
        Arrow,
        &[("dims", "broadcast_dimensions", ClauseKind::Integers)],
    ),
    named(stablehlo::DYNAMIC_IOTA, Arrow, &[("dim", "iota_dimension", ClauseKind::Integer)]),
    row(stablehlo::DYNAMIC_PAD, Arrow),
    row(stablehlo::DYNAMIC_RESHAPE, Arrow),
    named(stablehlo::DYNAMIC_SLICE, Arrow, &[("sizes", "slice_sizes", ClauseKind::Integers)]),
    row(stablehlo::DYNAMIC_UPDATE_SLICE, Arrow),
    named(stablehlo::EINSUM, Arrow, &[("config", "einsum_config", ClauseKind::Plain)]),
    named(
        stablehlo::FFT,
        Arrow,
        &[("type", "fft_type", ClauseKind::Word("fft_type")), ("length", "fft_length", ClauseKind::Integers)],
    ),
    named(stablehlo::GET_DIMENSION_SIZE, Arrow, &[("dim", "dimension", ClauseKind::Integer)]),
    formed(stablehlo::GET_TUPLE_ELEMENT, Arrow, CustomForm::GetTupleElement),
    named(stablehlo::IOTA, Result, &[("dim", "iota_dimension", ClauseKind::Integer)]),
    row(stablehlo::OPTIMIZATION_BARRIER, Each),
    named(
        stablehlo::PAD,
        Arrow,
        &[
            ("low", "edge_padding_low", ClauseKind::Integers),
            ("high", "edge_padding_high", ClauseKind::Integers),
            ("interior", "interior_padding", ClauseKind::Integers),
        ],
    ),
    row(stablehlo::PARTITION_ID, Result),
    row(stablehlo::REAL_DYNAMIC_SLICE, Arrow),
    formed(stablehlo::REDUCE, Arrow, CustomForm::Reduce),
    formed(stablehlo::REDUCE_PRECISION, Same, CustomForm::ReducePrecision),
    row(stablehlo::REPLICA_ID, Result),
    row(stablehlo::RESHAPE, Arrow),
    row(stablehlo::RETURN, Operands),
    named(stablehlo::REVERSE, Same, &[("dims", "dimensions", ClauseKind::Integers)]),
    named(
        stablehlo::RNG,
        Arrow,
        &[("distribution", "rng_distribution", ClauseKind::Word("rng_distribution"))],
    ),
    named(
        stablehlo::RNG_BIT_GENERATOR,
        Arrow,
        &[("algorithm", "rng_algorithm", ClauseKind::Word("rng_algorithm"))],
    ),
    row(stablehlo::SELECT, Select),
    named(stablehlo::SET_DIMENSION_SIZE, Arrow, &[("dim", "dimension", ClauseKind::Integer)]),
    formed(stablehlo::SLICE, Arrow, CustomForm::Slice),
    formed(stablehlo::TRACE, Operands, CustomForm::Trace),
    named(stablehlo::TRANSPOSE, Arrow, &[("dims", "permutation", ClauseKind::Integers)]),
    row(stablehlo::TUPLE, Result),
    named(stablehlo::UNARY_EINSUM, Arrow, &[("config", "einsum_config", ClauseKind::Plain)]),
    formed(stablehlo::WHILE, Each, CustomForm::While),
    mixed(tensor::CAST, Mixed::Cast),
    mixed(tensor::COLLAPSE_SHAPE, Mixed::Cast),
    mixed(tensor::DIM, Mixed::Dim),
    mixed(tensor::EXPAND_SHAPE, Mixed::Cast),
    mixed(tensor::EXTRACT, Mixed::Extract),
    mixed(tensor::EXTRACT_SLICE, Mixed::Slice),
    mixed(tensor::FROM_ELEMENTS, Mixed::Elements),
    mixed(tensor::INSERT_SLICE, Mixed::Insert),
    row(tensor::RESHAPE, Arrow),
    mixed(tensor::SPLAT, Mixed::Elements),
];

/// The rows of all ops. An elementwise op that is not in [`ROWS`] has one type for its operands and its result.
static TABLE: LazyLock<FxHashMap<&'static str, AssemblyFormat>> = LazyLock::new(|| {
    let is_own = |op: &OpName| matches!(op.dialect(), Dialect::Hlo2Onnx | Dialect::Microsoft | Dialect::Onnx);
    let has_form = |op: &OpName| op.class() == Class::Elementwise && !is_own(op);
    let elementwise = OpName::all().filter(has_form).map(|op| row(op, Same));
    elementwise.chain(ROWS.iter().copied()).map(|row| (row.op.text(), row)).collect()
});

/// The row of an op. In a function the prefix `func.` is optional.
pub(super) fn find(op: &str) -> Option<&'static AssemblyFormat> {
    let op = match op {
        "call" => func::CALL.text(),
        "return" => func::RETURN.text(),
        op => op,
    };
    TABLE.get(op)
}

/// The names of all ops, for suggestions.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    OpName::all().map(OpName::text).filter(|name| TABLE.contains_key(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_sorted() {
        assert!(ROWS.windows(2).all(|pair| pair[0].op.text() < pair[1].op.text()));
    }
}
