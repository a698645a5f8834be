//! Vectorizes scalar regions to whole tensors: for `map`, and for reductions without a matching ONNX op.

use super::{Lower, LowerError};
use crate::ir::{BlockId, Class, Dims, Module, OpId, RegionId, Size, TypeId, ValueId, chlo, stablehlo};
use rustc_hash::FxHashMap;
use smallvec::SmallVec;

impl Lower<'_> {
    /// A region of an op.
    ///
    /// # Errors
    /// If the op has fewer.
    pub fn region(&self, op: OpId, index: usize) -> Result<RegionId, LowerError> {
        let region = self.module.op(op).regions.get(index).copied();
        region.ok_or_else(|| LowerError::form(format!("region {index} is missing")))
    }

    /// Copies a region on scalars to one on tensors of these sizes.
    ///
    /// # Errors
    /// If an op of the region is not elementwise.
    pub fn vectorize_region<S: Size>(
        &mut self,
        region: RegionId,
        sizes: &[S],
    ) -> Result<RegionId, LowerError> {
        let block = self.module.entry_block(region).ok_or_else(|| LowerError::form("an empty region"))?;
        let vectorized = self.module.add_region();
        let target = self.module.add_block(vectorized);
        let sizes = sizes.iter().map(|&size| size.into()).collect();
        let mut vectorizer = Vectorizer { module: self.module, target, sizes, values: FxHashMap::default() };
        vectorizer.block(block)?;
        Ok(vectorized)
    }
}

/// Copies a block, with tensors for scalars.
struct Vectorizer<'m> {
    module: &'m mut Module,
    target: BlockId,
    sizes: Dims,
    values: FxHashMap<ValueId, ValueId>,
}

impl Vectorizer<'_> {
    fn block(&mut self, block: BlockId) -> Result<(), LowerError> {
        for argument in self.module.block(block).arguments.clone() {
            let ty = self.ty(argument)?;
            let copy = self.module.add_argument(self.target, ty);
            self.values.insert(argument, copy);
        }
        for op in self.module.block(block).ops.clone() {
            self.op(op)?;
        }
        Ok(())
    }

    fn op(&mut self, op: OpId) -> Result<(), LowerError> {
        let name = self.module.op(op).name;
        let operation = self.module.op(op).clone();
        match name {
            stablehlo::CONSTANT | chlo::CONSTANT => return Ok(()),
            // On a scalar these ops do nothing.
            stablehlo::RESHAPE | stablehlo::BROADCAST_IN_DIM if self.is_scalar(operation.results[0]) => {
                let operand = self.value(operation.operands[0])?;
                self.values.insert(operation.results[0], operand);
                return Ok(());
            }
            stablehlo::RETURN | stablehlo::MAP | stablehlo::BITCAST_CONVERT | chlo::CONSTANT_LIKE => {}
            _ if name.class() == Class::Elementwise => {}
            _ => return Err(LowerError::form(format!("`{}` in its region", self.module.op_name(op)))),
        }
        let operands: SmallVec<[ValueId; 3]> =
            operation.operands.iter().map(|&operand| self.value(operand)).collect::<Result<_, _>>()?;
        let types: Vec<TypeId> =
            operation.results.iter().map(|&result| self.ty(result)).collect::<Result<_, _>>()?;
        let copy = self.module.create_like(op, &operands).end_of(self.target).results(&types);
        let results = self.module.op(copy).results.clone();
        self.values.extend(operation.results.iter().copied().zip(results));
        Ok(())
    }

    /// The tensor for a scalar; constants and values from outside are broadcast.
    fn value(&mut self, value: ValueId) -> Result<ValueId, LowerError> {
        if let Some(&known) = self.values.get(&value) {
            return Ok(known);
        }
        let ty = self.ty(value)?;
        let constant = self
            .module
            .defining_op(value)
            .filter(|&op| matches!(self.module.op(op).name, stablehlo::CONSTANT | chlo::CONSTANT));
        let mut scalar = value;
        if let Some(op) = constant {
            let ty = self.module.value_type(value);
            scalar = self.module.create_like(op, &[]).end_of(self.target).of(ty);
        }
        let place = self.module.defining_op(value).map(|op| self.module.place(op)).unwrap_or_default();
        let broadcast = self.module.create(stablehlo::BROADCAST_IN_DIM, &[scalar]).at(place);
        let vectorized = broadcast.ints("broadcast_dimensions", &[]).end_of(self.target).of(ty);
        self.values.insert(value, vectorized);
        Ok(vectorized)
    }

    fn is_scalar(&self, value: ValueId) -> bool {
        self.module.tensor(value).is_some_and(|tensor| tensor.rank() == 0)
    }

    fn ty(&mut self, value: ValueId) -> Result<TypeId, LowerError> {
        let element = match self.module.tensor(value) {
            Some(tensor) if tensor.rank() == 0 => tensor.element,
            _ => return Err(LowerError::form("a value in its region is not a scalar")),
        };
        Ok(self.module.tensor_of(element, &self.sizes))
    }
}
