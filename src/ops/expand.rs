//! Rewrites older or composite ops as other StableHLO ops, before any other pass.

use super::constant::integer_bytes;
use super::type_inference::Typing;
use super::{LowerError, OpAttributes, Values};
use crate::ir::{
    Attribute, Data, Dim, Module, OpBuilder, OpId, OpName, Rewriter, SCALAR, TensorType, TypeId, ValueId,
    stablehlo,
};

/// The values that replace an op's results; `None` if the op stays.
pub type Expanded = Result<Option<Values>, LowerError>;

/// Rewrites one op as other StableHLO ops, whose values have the types of its results.
pub type Expansion = fn(&mut Expand) -> Expanded;

/// The op to rewrite.
pub struct Expand<'r, 'm> {
    /// Inserts the new ops.
    pub rewriter: &'r mut Rewriter<'m>,
    /// The op.
    pub op: OpId,
}

impl Expand<'_, '_> {
    /// The module.
    pub fn module(&self) -> &Module {
        self.rewriter.module
    }

    fn typing(&self) -> Typing<'_> {
        Typing { module: self.module(), op: self.op }
    }

    /// An operand.
    ///
    /// # Errors
    /// If there are fewer.
    pub fn operand(&self, index: usize) -> Result<ValueId, LowerError> {
        Ok(self.typing().operand_value(index)?)
    }

    /// The type of an operand, which must be a tensor.
    ///
    /// # Errors
    /// If it is not a tensor.
    pub fn operand_type(&self, index: usize) -> Result<TensorType, LowerError> {
        Ok(self.typing().operand(index)?.clone())
    }

    /// The type of the first result.
    ///
    /// # Errors
    /// If there is none, or it is not a tensor.
    pub fn result_type(&self) -> Result<TensorType, LowerError> {
        Ok(self.typing().result(0)?.clone())
    }

    /// The handle of the type of the first result.
    ///
    /// # Errors
    /// If there is none.
    pub fn result(&self) -> Result<TypeId, LowerError> {
        let result = self.module().op(self.op).results.first().copied();
        result
            .map(|result| self.module().value_type(result))
            .ok_or_else(|| LowerError::form("it has no result"))
    }

    /// The attributes of the op.
    pub fn attributes(&self) -> OpAttributes<'_> {
        OpAttributes::of(self.module(), self.op)
    }

    /// Starts an op in the place of the op.
    pub fn create(&mut self, name: OpName, operands: &[ValueId]) -> OpBuilder<'_> {
        self.rewriter.create(name, operands).at_op(self.op)
    }

    /// Inserts an op whose result replaces that of the op.
    ///
    /// # Errors
    /// If the op has no result.
    pub fn becomes(
        &mut self,
        name: OpName,
        operands: &[ValueId],
        attributes: impl IntoIterator<Item = (&'static str, Attribute)>,
    ) -> Expanded {
        let ty = self.result()?;
        Ok(Some(self.create(name, operands).attrs(attributes).of(ty).into()))
    }

    /// Inserts a splat.
    ///
    /// # Errors
    /// If the type is not a static tensor.
    pub fn splat(&mut self, ty: TypeId, value: i64) -> Result<ValueId, LowerError> {
        let tensor = self.module().tensor_type(ty).filter(|tensor| tensor.is_static());
        let element = tensor.map(|tensor| tensor.element).ok_or_else(|| self.dynamic())?;
        let data = Data::Splat(integer_bytes(element, value).into());
        Ok(self.create(stablehlo::CONSTANT, &[]).data(ty, data))
    }

    /// Inserts a sum along some dimensions.
    ///
    /// # Errors
    /// If the value is not a tensor.
    pub fn sum(&mut self, value: ValueId, axes: &[usize]) -> Result<ValueId, LowerError> {
        let tensor = self.module().tensor(value).cloned();
        let tensor = tensor.ok_or_else(|| LowerError::form("a sum of a value that is not a tensor"))?;
        let kept = (0..tensor.rank()).filter(|axis| !axes.contains(axis)).map(|axis| tensor.dims[axis]);
        let dims: Vec<Dim> = kept.collect();
        let module = &mut *self.rewriter.module;
        let (scalar, ty) =
            (module.tensor_of(tensor.element, SCALAR), module.tensor_of(tensor.element, &dims));
        let zero = self.splat(scalar, 0)?;
        let dimensions = Attribute::positions(axes.iter().copied());
        self.emit_sum(stablehlo::REDUCE, &[value, zero], ty, [("dimensions", dimensions)])
    }

    /// Inserts an op with one result and a region that adds two elements.
    ///
    /// # Errors
    /// If the result is not a tensor.
    pub fn emit_sum(
        &mut self,
        name: OpName,
        operands: &[ValueId],
        ty: TypeId,
        attributes: impl IntoIterator<Item = (&'static str, Attribute)>,
    ) -> Result<ValueId, LowerError> {
        let module = &mut *self.rewriter.module;
        let element = module.tensor_type(ty).map(|tensor| tensor.element);
        let element = element.ok_or_else(|| LowerError::form("a sum that is not a tensor"))?;
        let scalar = module.tensor_of(element, SCALAR);
        let region = module.add_region();
        let block = module.add_block(region);
        let arguments = [module.add_argument(block, scalar), module.add_argument(block, scalar)];
        let sum = module.create(stablehlo::ADD, &arguments).at_op(self.op).end_of(block).of(scalar);
        module.create(stablehlo::RETURN, &[sum]).at_op(self.op).end_of(block).results(&[]);
        Ok(self.create(name, operands).attrs(attributes).region(region).of(ty))
    }

    /// The error for dynamic sizes.
    pub fn dynamic(&self) -> LowerError {
        LowerError::Dynamic(format!("a dimension of `{}`", self.module().op_name(self.op)))
    }

    /// The first operands as results, which must have their types.
    ///
    /// # Errors
    /// If they do not.
    pub fn operands_as_results(&mut self) -> Expanded {
        let (module, op) = (self.module(), self.module().op(self.op));
        let first = op.operands.get(..op.results.len());
        let first = first.filter(|first| module.value_types(first) == module.value_types(&op.results));
        let first = first.ok_or_else(|| LowerError::form("its results do not have its operands' types"))?;
        Ok(Some(first.iter().copied().collect()))
    }
}
