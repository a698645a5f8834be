//! The queries of type rules.

use super::Inferred;
use crate::diagnostic::Part;
use crate::ir::{Dim, Dims, Element, Module, OpId, TensorType, TypeId, ValueId, stablehlo};
use crate::ops::{OpAttributes, Violation};
use smallvec::smallvec;

/// An op being checked.
pub(in crate::ops) struct Typing<'a> {
    pub module: &'a Module,
    pub op: OpId,
}

/// A violation by types.
pub(in crate::ops) fn types<T>(why: impl Into<String>) -> Result<T, Violation> {
    Err(Violation::types(why))
}

/// A violation by an attribute.
pub(in crate::ops) fn attribute<T>(name: &'static str, why: impl Into<String>) -> Result<T, Violation> {
    Err(Violation::attribute(name, why))
}

/// Whether two sizes are compatible.
pub(in crate::ops) fn dim_fits(x: Dim, y: Dim) -> bool {
    match (x.known(), y.known()) {
        (Some(x), Some(y)) => x == y,
        _ => true,
    }
}

/// Whether two lists of sizes are compatible.
pub(in crate::ops) fn dims_fit(x: &[Dim], y: &[Dim]) -> bool {
    x.len() == y.len() && x.iter().zip(y).all(|(&x, &y)| dim_fits(x, y))
}

/// Whether two element types are compatible. The parameters of quantized types are not compared.
pub(in crate::ops) fn element_fits(x: Element, y: Element) -> bool {
    x == y || matches!((x, y), (Element::Quantized(_), _) | (_, Element::Quantized(_)))
}

/// Whether two types are compatible.
pub(in crate::ops) fn fits(x: &TensorType, y: &TensorType) -> bool {
    element_fits(x.element, y.element) && dims_fit(&x.dims, &y.dims)
}

/// The more precise of two compatible sizes.
pub(in crate::ops) fn known_of(x: Dim, y: Dim) -> Dim {
    match (x, y) {
        (Dim::Known(_), _) | (_, Dim::Dynamic) => x,
        (_, Dim::Known(_)) | (Dim::Dynamic, _) => y,
        _ => x,
    }
}

/// A tensor type without an encoding.
pub(in crate::ops) fn tensor(element: Element, dims: impl IntoIterator<Item = Dim>) -> TensorType {
    TensorType { element, dims: dims.into_iter().collect(), encoding: None }
}

/// One result.
pub(in crate::ops) fn one(ty: TensorType) -> Inferred {
    Ok(smallvec![ty])
}

impl<'a> Typing<'a> {
    pub(in crate::ops) fn operand_count(&self) -> usize {
        self.module.op(self.op).operands.len()
    }

    pub(in crate::ops) fn result_count(&self) -> usize {
        self.module.op(self.op).results.len()
    }

    pub fn operand_value(&self, index: usize) -> Result<ValueId, Violation> {
        let operand = self.module.op(self.op).operands.get(index).copied();
        operand.ok_or_else(|| Violation::types(format!("operand {index} is missing")))
    }

    /// The type of an operand.
    pub fn operand(&self, index: usize) -> Result<&'a TensorType, Violation> {
        let ty = self.module.tensor(self.operand_value(index)?);
        ty.ok_or_else(|| {
            Violation::types(format!("operand {index} is not a tensor"))
                .showing(Part::OperandType(index), "this is not a tensor")
        })
    }

    /// The types of all operands.
    pub(in crate::ops) fn operands(&self) -> Result<Vec<&'a TensorType>, Violation> {
        (0..self.operand_count()).map(|index| self.operand(index)).collect()
    }

    /// The type of a result in the text.
    pub fn result(&self, index: usize) -> Result<&'a TensorType, Violation> {
        let result = self.module.op(self.op).results.get(index).copied();
        let ty = result.and_then(|result| self.module.tensor(result));
        ty.ok_or_else(|| {
            Violation::types(format!("result {index} is not a tensor"))
                .showing(Part::ResultType(index), "this is not a tensor")
        })
    }

    /// All results in the text.
    pub(in crate::ops) fn stated(&self) -> Inferred {
        (0..self.result_count()).map(|index| self.result(index).cloned()).collect()
    }

    /// A type as the text writes it.
    pub(in crate::ops) fn describe(&self, ty: &TensorType) -> String {
        self.module.spell_tensor(ty)
    }

    /// A size as a person would write it.
    pub(in crate::ops) fn spell(&self, dim: Dim) -> String {
        self.module.dim_exprs.spell(&self.module.symbols, dim)
    }

    /// An operand of rank 0.
    pub(in crate::ops) fn scalar(&self, index: usize) -> Result<&'a TensorType, Violation> {
        let ty = self.operand(index)?;
        if ty.rank() == 0 {
            return Ok(ty);
        }
        Err(self.wrong_operand(index, ty, "be a scalar"))
    }

    /// An operand of integers.
    pub(in crate::ops) fn integer_operand(&self, index: usize) -> Result<&'a TensorType, Violation> {
        let ty = self.operand(index)?;
        if ty.element.is_integer() || ty.element == Element::Index {
            return Ok(ty);
        }
        Err(self.wrong_operand(index, ty, "hold integers"))
    }

    /// An operand that is a list of integers, of that length if it is known.
    pub(in crate::ops) fn list(&self, index: usize, length: usize) -> Result<(), Violation> {
        let ty = self.integer_operand(index)?;
        if ty.rank() == 1 && dim_fits(ty.dims[0], Dim::Known(length as i64)) {
            return Ok(());
        }
        Err(self.wrong_operand(index, ty, &format!("be a list of {length} integers")))
    }

    /// The violation by the type of one operand.
    pub(in crate::ops) fn wrong_operand(&self, index: usize, ty: &TensorType, must: &str) -> Violation {
        Violation::types(format!("operand {index} is `{}`, but must {must}", self.describe(ty)))
            .showing(Part::OperandType(index), format!("this must {must}"))
    }

    /// A violation by the types of two operands, the second being the primary one.
    pub(in crate::ops) fn disagreeing(&self, x: usize, y: usize, why: impl Into<String>) -> Violation {
        let say = |index: usize| {
            let ty = self.operand(index).map(|ty| self.describe(ty));
            ty.map_or_else(|_| String::new(), |ty| format!("operand {index} is `{ty}`"))
        };
        Violation::types(why).showing(Part::OperandType(y), say(y)).showing(Part::OperandType(x), say(x))
    }

    /// Requires that two operands have the same element type.
    pub(in crate::ops) fn same_element(&self, x: usize, y: usize) -> Result<(), Violation> {
        let (left, right) = (self.operand(x)?, self.operand(y)?);
        if element_fits(left.element, right.element) {
            return Ok(());
        }
        let (left, right) = (self.describe(left), self.describe(right));
        let why = format!("operands {x} and {y} differ in their element type: `{left}` and `{right}`");
        Err(self.disagreeing(x, y, why))
    }

    /// Whether one size is larger than another for all values of the symbols.
    pub(in crate::ops) fn is_larger(&self, size: Dim, than: Dim) -> bool {
        let sizes = &self.module.dim_exprs;
        sizes.bounds(sizes.subtract(than, size)).1.is_some_and(|most| most < 0)
    }

    /// An integer.
    pub(in crate::ops) fn attributes(&self) -> OpAttributes<'a> {
        OpAttributes::of(self.module, self.op)
    }

    /// The violation by a list that should have one number per dimension of an operand.
    pub(in crate::ops) fn one_each(
        &self,
        name: &'static str,
        found: usize,
        index: usize,
        rank: usize,
    ) -> Violation {
        let numbers =
            if found == 1 { "this has 1 number".to_owned() } else { format!("this has {found} numbers") };
        let dimensions =
            if rank == 1 { "this has 1 dimension".to_owned() } else { format!("this has {rank} dimensions") };
        Violation::attribute(name, format!("expected {rank} dimensions, found {found}"))
            .labeled(numbers)
            .showing(Part::OperandType(index), dimensions)
    }

    // Regions.

    /// The types of a region's arguments and of its returned values. It must be one block with a terminator.
    pub(in crate::ops) fn region(&self, index: usize) -> Result<(Vec<TypeId>, Vec<TypeId>), Violation> {
        let module = self.module;
        let region = module.op(self.op).regions.get(index).copied();
        let Some(region) = region else { return types(format!("region {index} is missing")) };
        let [block] = module.region(region).blocks[..] else {
            return types(format!("region {index} must have one block"));
        };
        let terminator = module.block(block).ops.last().copied();
        let Some(terminator) = terminator.filter(|&op| module.op(op).name == stablehlo::RETURN) else {
            return types(format!("region {index} does not end with `stablehlo.return`"));
        };
        let type_of = |&value: &ValueId| module.value_type(value);
        let arguments = module.block(block).arguments.iter().map(type_of).collect();
        Ok((arguments, module.op(terminator).operands.iter().map(type_of).collect()))
    }

    /// Requires this number of regions.
    pub(in crate::ops) fn regions(&self, count: usize) -> Result<(), Violation> {
        let found = self.module.op(self.op).regions.len();
        if found == count { Ok(()) } else { types(format!("expected {count} regions, found {found}")) }
    }

    /// Requires that a region combines scalars: `count` arguments, each a scalar of its own element type, and half as
    /// many results.
    ///
    /// The element types are those of the operands, or wider ones.
    pub(in crate::ops) fn combines(&self, index: usize, count: usize) -> Result<(), Violation> {
        let (arguments, returned) = self.region(index)?;
        if arguments.len() != 2 * count || returned.len() != count {
            return types(format!(
                "region {index} must take {} scalars and return {count}, found {} and {}",
                2 * count,
                arguments.len(),
                returned.len()
            ));
        }
        self.scalars(index, arguments.iter().chain(&returned))
    }

    /// Requires that a region takes and returns scalars.
    pub(in crate::ops) fn scalars<'t>(
        &self,
        region: usize,
        mut all: impl Iterator<Item = &'t TypeId>,
    ) -> Result<(), Violation> {
        if all.all(|&ty| self.module.tensor_type(ty).is_some_and(|ty| ty.rank() == 0)) {
            return Ok(());
        }
        types(format!("region {region} must take and return scalars"))
    }
}

/// The sizes without those at the given positions.
pub(in crate::ops) fn without(dims: &[Dim], dropped: &[usize]) -> Dims {
    dims.iter().enumerate().filter(|(axis, _)| !dropped.contains(axis)).map(|(_, &dim)| dim).collect()
}
