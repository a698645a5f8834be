//! The dimension numbers of `dot_general` and `ragged_dot`.

use super::OpAttributes;
use crate::ir::{Attribute, Module, OpId, TensorType, chlo, stablehlo};
use crate::ops::Violation;

const DOT: &str = "dot_dimension_numbers";
const RAGGED_DOT: &str = "ragged_dot_dimension_numbers";
const FIELDS: [&str; 4] = [
    "lhs_batching_dimensions",
    "rhs_batching_dimensions",
    "lhs_contracting_dimensions",
    "rhs_contracting_dimensions",
];

/// The dimension numbers of a `dot_general`, as pairs of a dimension of the left and one of the right operand.
#[derive(Clone, Debug, Default)]
pub struct DotDimensionNumbers {
    /// The batching dimensions.
    pub batching: Vec<(usize, usize)>,
    /// The contracting dimensions, which are summed over.
    pub contracting: Vec<(usize, usize)>,
}

impl DotDimensionNumbers {
    /// Reads the numbers of a `dot_general` or `ragged_dot`.
    ///
    /// # Errors
    /// When they are not dimensions of the operands, or do not agree with each other (StableHLO spec, dot_general, C1 to
    /// C8).
    pub fn read(module: &Module, op: OpId) -> Result<Self, Violation> {
        let name = if module.op(op).name == chlo::RAGGED_DOT { RAGGED_DOT } else { DOT };
        let dimensions = |field: usize| {
            OpAttributes::of(module, op).field_dimensions(name, FIELDS[field], rank(module, op, field % 2))
        };
        let [lhs_batching, rhs_batching] = [dimensions(0)?, dimensions(1)?];
        let [lhs_contracting, rhs_contracting] = [dimensions(2)?, dimensions(3)?];
        let overlap = |one: &[usize], other: &[usize]| one.iter().any(|dim| other.contains(dim));
        if overlap(&lhs_batching, &lhs_contracting) || overlap(&rhs_batching, &rhs_contracting) {
            return Err(Violation::attribute(name, "a dimension is both batching and contracting"));
        }
        for (kind, field, left, right) in [
            ("batching", FIELDS[0], &lhs_batching, &rhs_batching),
            ("contracting", FIELDS[2], &lhs_contracting, &rhs_contracting),
        ] {
            if left.len() != right.len() {
                let why = format!("the operands differ in their number of {kind} dimensions");
                return Err(Violation::attribute(name, why).in_field(field));
            }
        }
        Ok(Self {
            batching: lhs_batching.into_iter().zip(rhs_batching).collect(),
            contracting: lhs_contracting.into_iter().zip(rhs_contracting).collect(),
        })
    }

    /// The numbers as an attribute of a `dot_general`, with its name.
    pub fn attribute(self, module: &mut Module) -> (&'static str, Attribute) {
        let (lhs_batching, rhs_batching): (Vec<_>, Vec<_>) = self.batching.into_iter().unzip();
        let (lhs_contracting, rhs_contracting): (Vec<_>, Vec<_>) = self.contracting.into_iter().unzip();
        let lists = [lhs_batching, rhs_batching, lhs_contracting, rhs_contracting];
        let fields = FIELDS.into_iter().zip(lists);
        let fields = fields.map(|(field, list)| (module.symbols.intern(field), Attribute::positions(list)));
        (DOT, Attribute::Struct(stablehlo::DOT.symbol(), fields.collect()))
    }

    /// The dimensions of the left operand, of this rank, that are neither batching nor contracting.
    pub fn lhs_free(&self, rank: usize) -> Vec<usize> {
        let is_taken = |dim: usize| self.batching.iter().chain(&self.contracting).any(|pair| pair.0 == dim);
        (0..rank).filter(|&dim| !is_taken(dim)).collect()
    }

    /// The dimensions of the right operand, of this rank, that are neither batching nor contracting.
    pub fn rhs_free(&self, rank: usize) -> Vec<usize> {
        let is_taken = |dim: usize| self.batching.iter().chain(&self.contracting).any(|pair| pair.1 == dim);
        (0..rank).filter(|&dim| !is_taken(dim)).collect()
    }
}

/// The ragged and group dimensions of a `ragged_dot`.
#[derive(Clone, Debug)]
pub struct RaggedDimensions {
    /// The dimension of the left operand that is split into groups.
    pub lhs_ragged_dimension: usize,
    /// The dimensions of the right operand that have an element for each group.
    pub rhs_group_dimensions: Vec<usize>,
}

impl RaggedDimensions {
    /// Reads the dimensions of a `ragged_dot`.
    ///
    /// # Errors
    /// When they are not dimensions of the operands.
    pub fn read(module: &Module, op: OpId) -> Result<Self, Violation> {
        let attributes = OpAttributes::of(module, op);
        let ragged = "lhs_ragged_dimensions";
        let &[lhs_ragged_dimension] =
            &attributes.field_dimensions(RAGGED_DOT, ragged, rank(module, op, 0))?[..]
        else {
            return Err(Violation::attribute(RAGGED_DOT, "expected one ragged dimension").in_field(ragged));
        };
        let groups = "rhs_group_dimensions";
        let rhs_group_dimensions = attributes.field_dimensions(RAGGED_DOT, groups, rank(module, op, 1))?;
        Ok(Self { lhs_ragged_dimension, rhs_group_dimensions })
    }
}

fn rank(module: &Module, op: OpId, operand: usize) -> usize {
    let operand = module.op(op).operands.get(operand);
    operand.and_then(|&operand| module.tensor(operand)).map_or(0, TensorType::rank)
}
