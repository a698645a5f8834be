//! The compiler's one intermediate representation.
//!
//! A [`Module`] contains functions of ops in static single assignment form, for all dialects: `stablehlo`, `chlo` and
//! `func` as input, `onnx` as output. Everything is a `u32` handle into an arena of the module; names and types are
//! interned. Spans and locations are separate from ops, so passes move them without copying.

mod attribute;
mod builder;
mod constant;
mod dialect;
mod dim;
mod dim_expr;
mod element;
mod error_op;
mod location;
mod module;
mod op_name;
mod print;
pub mod provenance;
mod rewrite;
mod small_float;
mod spelling;
mod symbol;
mod ty;
mod uses;
mod verify;
mod walk;

pub use attribute::{Attribute, Attributes, PACKED_OPERANDS};
pub use builder::{OpBuilder, Place};
pub use constant::{Constant, ConstantId, Data, Factors, Joined, View};
pub use dialect::{
    Dialect, arith, builtin, chlo, func, hlo2onnx, mhlo, microsoft, onnx, sdy, shape, stablehlo, tensor,
};
pub use dim::{Dim, DimExprId, Dims, SCALAR, Size, axis_index, is_reshape_target};
pub use dim_expr::{Constraint, DimExprs, Factor, Term};
pub use element::Element;
pub use location::{Location, LocationId};
pub use module::{
    Argument, Block, BlockId, Definition, Function, FunctionId, FunctionResult, Module, Op, OpId, OpSpan,
    Origin, Origins, Region, RegionId, Value, ValueId,
};
pub use op_name::{Class, OpName};
pub use print::print;
pub use rewrite::{Rewriter, use_counts, use_counts_by_block};
pub use small_float::{SmallFloat, Special};
pub use symbol::{Symbol, Symbols};
pub use ty::{TensorType, Type, TypeId, Types};
pub use uses::Uses;
pub use verify::{Faults, OpRules, verify};
