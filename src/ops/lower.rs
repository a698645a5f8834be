//! The context of lowerings.
//!
//! A lowered value may be smaller than its type in the text: a `broadcast_in_dim` is not materialized, because ONNX
//! broadcasts. Such a value has size 1 where its type has more, or lacks leading dimensions. [`Lower::operand`]
//! returns it as it is, for ops that broadcast; [`Lower::full`] expands it, once, for the others.
//!
//! Sizes are numbers or expressions ([`Dim`]). A lowering that supports both uses [`Lower::dims`]; one that needs
//! numbers ([`Lower::sizes`]) is refused for a symbolic value.

use super::{
    Elements, LowerError, OpAttributes, Values, find,
    size::SymbolSource,
    type_inference::{self, Typing},
    value_range::ValueRange,
};
use crate::diagnostic::{Diagnostic, Diagnostics, catalog};
use crate::ir::{
    BlockId, Constant, Data, Dim, Dims, Element, Module, OpId, OpName, Place, Symbol, TensorType, Type,
    TypeId, ValueId, builtin, func, onnx, provenance,
};
use crate::options::Options;
use crate::source::Source;
use rustc_hash::{FxHashMap, FxHashSet};
use std::sync::Arc;

/// The context of lowerings; see the module.
pub struct Lower<'a> {
    /// The module, lowered in place.
    pub module: &'a mut Module,
    /// The text, for reading large constants.
    pub source: &'a Source,
    /// The options of the conversion.
    pub options: &'a Options,
    diagnostics: &'a mut Diagnostics,
    pub(super) opset: u32,
    /// Why the current op is refused, whatever its lowering returns.
    refusal: Option<LowerError>,
    pub(super) current: Option<OpId>,
    lowered: Vec<Option<ValueId>>,
    /// Values that depend on one whose definition was refused.
    doubtful: FxHashSet<ValueId>,
    pub(super) pending: Vec<OpId>,
    pub(super) prelude: Vec<OpId>,
    constants: FxHashMap<(TypeId, Vec<u8>), ValueId>,
    /// Cached values, innermost block last: values of a nested block are not visible outside.
    pub(super) scopes: Vec<BlockCache>,
    /// Where symbols get their values.
    pub(super) origins: FxHashMap<Symbol, SymbolSource>,
    /// The ranges of loop counters.
    pub(super) value_ranges: FxHashMap<ValueId, ValueRange>,
}

/// The cached values of a block.
#[derive(Default)]
pub(super) struct BlockCache {
    /// Values expanded to all of their elements.
    pub(super) expanded: FxHashMap<(ValueId, Dims), ValueId>,
    /// Computed shapes.
    pub(super) shapes: FxHashMap<Dims, ValueId>,
}

impl<'a> Lower<'a> {
    /// A context for one module.
    pub fn new(
        module: &'a mut Module,
        source: &'a Source,
        options: &'a Options,
        diagnostics: &'a mut Diagnostics,
    ) -> Self {
        let lowered = vec![None; module.value_count()];
        Self {
            module,
            source,
            options,
            diagnostics,
            opset: options.first_opset(),
            refusal: None,
            current: None,
            lowered,
            doubtful: FxHashSet::default(),
            pending: Vec::new(),
            prelude: Vec::new(),
            constants: FxHashMap::default(),
            scopes: vec![BlockCache::default()],
            origins: FxHashMap::default(),
            value_ranges: FxHashMap::default(),
        }
    }

    // The walk over all ops.

    /// Lowers a function's block in place. Tries every op and reports those that cannot be lowered.
    pub fn function_block(&mut self, block: BlockId) {
        for argument in self.module.block(block).arguments.clone() {
            if self.module.tensor(argument).is_some_and(|tensor| BOUNDARY.contains(tensor.element)) {
                self.set(argument, argument);
            }
        }
        let ops = self.ops(block, func::RETURN);
        let terminator = self.module.block(block).ops.last().copied();
        if let (Ok(results), Some(terminator)) = (ops, terminator) {
            self.module.op_mut(terminator).operands = self.own_values(results);
            self.pending.push(terminator);
        }
        let mut ops = std::mem::take(&mut self.prelude);
        ops.append(&mut self.pending);
        self.module.block_mut(block).ops = ops;
    }

    /// Lowers the ops of a block into the current one, and returns the operands of its terminator in full.
    pub(super) fn ops(&mut self, block: BlockId, terminator: OpName) -> Result<Vec<ValueId>, LowerError> {
        for op in self.module.block(block).ops.clone() {
            if self.module.op(op).name == terminator {
                return self.fulls(op);
            }
            self.op(op);
        }
        Err(LowerError::Reported)
    }

    /// Lowers the ops in regions of an error op, only to report their errors.
    fn unread(&mut self, op: OpId) {
        for region in self.module.op(op).regions.clone() {
            for block in self.module.region(region).blocks.clone() {
                for inner in self.module.block(block).ops.clone() {
                    if !self.module.op(inner).name.is_terminator() {
                        self.op(inner);
                    }
                }
            }
        }
    }

    /// Whether the op's own regions contain an error op.
    fn holds_error_op(&self, op: OpId) -> bool {
        let blocks = self.module.op(op).regions.iter().flat_map(|&region| &self.module.region(region).blocks);
        blocks
            .flat_map(|&block| &self.module.block(block).ops)
            .any(|&inner| self.module.op(inner).name == builtin::ERROR)
    }

    /// Whether the op's own regions use a value that depends on a refused one.
    fn captures_doubtful(&self, op: OpId) -> bool {
        let regions = self.module.op(op).regions.iter().copied();
        let mut operands = self.module.ops_within(regions).flat_map(|inner| &self.module.op(inner).operands);
        operands.any(|operand| self.doubtful.contains(operand))
    }

    pub(super) fn op(&mut self, op: OpId) {
        if self.module.op(op).name == builtin::ERROR {
            return self.unread(op);
        }
        let (mut all_stand, mut doubtful, mut unknown) = (true, false, false);
        for index in 0..self.module.op(op).operands.len() {
            let operand = self.module.op(op).operands[index];
            doubtful |= self.lowered_of(operand).is_none() || self.doubtful.contains(&operand);
            all_stand &= self.stand_in(operand);
            unknown |= self.lowered_of(operand).is_some_and(|value| self.module.is_poison(value));
        }
        let outer = self.current.replace(op);
        let outer_refusal = self.refusal.take();
        let values_before = self.module.value_count();
        let lowered = if all_stand || find(self.module.op(op).name).is_none() {
            let lowered = self.check(op).and_then(|lowering| lowering(self, op));
            lowered.and_then(|values| self.refused().map(|()| values))
        } else {
            Err(LowerError::Reported)
        };
        self.refusal = outer_refusal;
        let results = self.module.op(op).results.clone();
        match lowered {
            Ok(Values(values)) => {
                debug_assert_eq!(results.len(), values.len(), "{}", self.module.op_name(op));
                if doubtful {
                    self.doubtful.extend(results.iter().copied());
                }
                for (result, value) in results.into_iter().zip(values) {
                    if value.index() >= values_before {
                        self.settle_sizes(result, value);
                    }
                    self.set(result, value);
                }
            }
            Err(refusal) => {
                // A size that depends on a refused value is unknown only for that reason, and a form may require a
                // constant.
                let follows = match &refusal {
                    LowerError::Dynamic(_) => doubtful || self.captures_doubtful(op),
                    LowerError::Form(_) => unknown || self.holds_error_op(op),
                    LowerError::Invalid(violation) => {
                        violation.is_type_error() && (unknown || self.holds_error_op(op))
                    }
                    _ => false,
                };
                let diagnostic = refusal.diagnostic(self.module, op);
                self.diagnostics.extend(diagnostic.filter(|_| !follows));
                for result in results {
                    self.stand_in(result);
                }
            }
        }
        self.current = outer;
    }

    /// Makes sure that a value has a lowered one. A refused value gets an unknown value of its type, so that its
    /// users are also lowered and one run reports all errors. A type that models lack has already been reported and
    /// gets none.
    fn stand_in(&mut self, value: ValueId) -> bool {
        if self.lowered_of(value).is_some() {
            return true;
        }
        let ty = self.module.value_type(value);
        let unknown = match self.module.types.get(ty) {
            Type::Token => self.module.absent(),
            Type::Tensor(tensor) if BOUNDARY.contains(tensor.element) && tensor.is_sized() => {
                self.module.add_poison(ty)
            }
            _ => return false,
        };
        self.set(value, unknown);
        self.doubtful.insert(value);
        true
    }

    /// The lowering of an op whose row accepts its types.
    fn check(&self, op: OpId) -> Result<super::Lowering, LowerError> {
        let row = find(self.module.op(op).name).ok_or(LowerError::Op)?;
        let operation = self.module.op(op);
        for &value in operation.operands.iter().chain(&operation.results) {
            let Some(tensor) = self.module.tensor(value) else { continue };
            if !row.elements.contains(tensor.element) {
                let name = self.module.spell_element(tensor.element).to_owned();
                return Err(LowerError::Type(name));
            }
            if !tensor.is_sized() {
                return Err(LowerError::dynamic(self, op));
            }
        }
        type_inference::verify(self.module, op)?;
        row.lower.ok_or_else(|| LowerError::form("the pass `normalize` must rewrite it first"))
    }

    /// Uses the result's symbolic sizes for its lowered value, if they are written differently. A size of 1 is kept,
    /// because the value may be broadcast later.
    fn settle_sizes(&mut self, result: ValueId, value: ValueId) {
        let (Some(stated), Some(own)) = (self.module.tensor(result), self.module.tensor(value)) else {
            return;
        };
        if own.is_static() || stated.rank() != own.rank() || stated.dims == own.dims {
            return;
        }
        let mut settled = own.clone();
        for (dim, &stated) in settled.dims.iter_mut().zip(&stated.dims) {
            if dim.known().is_none() {
                *dim = stated;
            }
        }
        let ty = self.module.types.intern(Type::Tensor(settled));
        self.module.value_mut(value).ty = ty;
    }

    pub(super) fn set(&mut self, old: ValueId, new: ValueId) {
        if self.lowered.len() <= old.index() {
            self.lowered.resize(self.module.value_count(), None);
        }
        self.lowered[old.index()] = Some(new);
        self.module.inherit_origin(old, new);
    }

    /// The lowered value of a program value.
    pub(super) fn lowered_of(&self, old: ValueId) -> Option<ValueId> {
        self.lowered.get(old.index()).copied().flatten()
    }

    /// The location of the current op, for the ops made from it.
    pub(super) fn place(&self) -> Place {
        self.current.map(|op| self.module.place(op)).unwrap_or_default()
    }

    /// Reports something about the current op.
    pub fn report(&mut self, diagnostic: impl Into<Diagnostic>) {
        let mut diagnostic = diagnostic.into();
        provenance::complete(self.module, self.place().1, &mut diagnostic);
        self.diagnostics.push(diagnostic);
    }

    // The opset.

    /// The opset of the model, as far as it is known.
    pub fn opset(&self) -> u32 {
        self.opset
    }

    pub(super) fn raise(&mut self, op: OpName, needs: u32) {
        let (highest, target) = self.options.highest_opset();
        if needs > highest {
            self.refusal = Some(LowerError::Opset { op, needs, highest, target });
            return;
        }
        self.opset = needs;
        let at = self.place().0.name;
        self.report(catalog::OpsetRaised { op: op.mnemonic(), to: needs, at });
    }

    pub(super) fn refused(&self) -> Result<(), LowerError> {
        self.refusal.clone().map_or(Ok(()), Err)
    }

    /// A list of one size that is not known, for which the current op is refused.
    pub(super) fn unknown_size(&mut self) -> ValueId {
        self.refusal = self.number(Dim::Dynamic).err();
        let ty = self.module.tensor_of(Element::I64, &[1]);
        self.module.add_poison(ty)
    }

    // Operands and results.

    /// Represents an omitted operand of an ONNX op.
    pub fn absent(&self) -> ValueId {
        self.module.absent()
    }

    /// Number of operands.
    pub fn operand_count(&self, op: OpId) -> usize {
        self.module.op(op).operands.len()
    }

    /// The lowered operand, which may be smaller than its type.
    ///
    /// # Errors
    /// If there is no such operand, or its definition was refused.
    pub fn operand(&self, op: OpId, index: usize) -> Result<ValueId, LowerError> {
        let operand = self.module.op(op).operands.get(index).copied();
        operand.and_then(|operand| self.lowered_of(operand)).ok_or(LowerError::Reported)
    }

    /// The lowered operand with all dimensions of its type.
    ///
    /// # Errors
    /// As [`Lower::operand`].
    pub fn full(&mut self, op: OpId, index: usize) -> Result<ValueId, LowerError> {
        let value = self.operand(op, index)?;
        let Some(tensor) = self.module.tensor(self.module.op(op).operands[index]) else {
            return Ok(value);
        };
        let dims = tensor.dims.clone();
        let full = self.broadcast_to(value, &dims);
        self.module.inherit_origin(self.module.op(op).operands[index], full);
        Ok(full)
    }

    /// All operands in full.
    ///
    /// # Errors
    /// As [`Lower::operand`].
    pub fn fulls(&mut self, op: OpId) -> Result<Vec<ValueId>, LowerError> {
        (0..self.operand_count(op)).map(|index| self.full(op, index)).collect()
    }

    /// The tensor type of an operand in the text.
    ///
    /// # Errors
    /// If it is not a tensor.
    pub fn operand_type(&self, op: OpId, index: usize) -> Result<&TensorType, LowerError> {
        Ok(Typing { module: self.module, op }.operand(index)?)
    }

    /// The static sizes of an operand in the text.
    ///
    /// # Errors
    /// If it is not a static tensor.
    pub fn operand_sizes(&self, op: OpId, index: usize) -> Result<Vec<i64>, LowerError> {
        let sizes = self.operand_type(op, index)?.sizes();
        sizes.ok_or_else(|| LowerError::Dynamic(format!("a dimension of operand {index}")))
    }

    /// The tensor type of a result in the text.
    ///
    /// # Errors
    /// If it is not a tensor.
    pub fn result_type(&self, op: OpId, index: usize) -> Result<&TensorType, LowerError> {
        Ok(Typing { module: self.module, op }.result(index)?)
    }

    /// The sizes of an operand in the text.
    ///
    /// # Errors
    /// If it is not a tensor.
    pub fn operand_dims(&self, op: OpId, index: usize) -> Result<Dims, LowerError> {
        Ok(self.operand_type(op, index)?.dims.clone())
    }

    /// The element type and sizes of a result.
    ///
    /// # Errors
    /// If it is not a tensor.
    pub fn result_dims(&self, op: OpId, index: usize) -> Result<(Element, Dims), LowerError> {
        let ty = self.result_type(op, index)?;
        Ok((ty.element, ty.dims.clone()))
    }

    /// The element type and static sizes of a result.
    ///
    /// # Errors
    /// If it is not a static tensor.
    pub fn result(&self, op: OpId, index: usize) -> Result<(Element, Vec<i64>), LowerError> {
        let ty = self.result_type(op, index)?;
        let sizes =
            ty.sizes().ok_or_else(|| LowerError::Dynamic(format!("a dimension of result {index}")))?;
        Ok((ty.element, sizes))
    }

    /// The element type of a lowered value.
    pub fn element(&self, value: ValueId) -> Element {
        self.module.tensor(value).map_or(Element::Bool, |tensor| tensor.element)
    }

    /// The sizes of a lowered value, numbers or expressions.
    pub fn dims(&self, value: ValueId) -> Dims {
        self.module.tensor(value).map(|tensor| tensor.dims.clone()).unwrap_or_default()
    }

    /// The static sizes of a lowered value.
    ///
    /// # Errors
    /// If one is symbolic.
    pub fn sizes(&self, value: ValueId) -> Result<Vec<i64>, LowerError> {
        self.dims(value).into_iter().map(|dim| self.number(dim)).collect()
    }

    /// The number of elements of a lowered value, if it is static.
    pub fn count(&self, value: ValueId) -> Option<i64> {
        self.module.tensor(value).and_then(TensorType::count)
    }

    /// A static size.
    ///
    /// # Errors
    /// If it is symbolic.
    pub fn number(&self, dim: Dim) -> Result<i64, LowerError> {
        dim.known().ok_or_else(|| match self.current {
            Some(op) => LowerError::dynamic(self, op),
            None => LowerError::Dynamic("a dimension".into()),
        })
    }

    /// Number of dimensions of a lowered value.
    pub fn rank(&self, value: ValueId) -> usize {
        self.module.tensor(value).map_or(0, TensorType::rank)
    }

    /// The attributes of an op.
    pub fn attributes(&self, op: OpId) -> OpAttributes<'_> {
        OpAttributes::of(self.module, op)
    }

    // Constants.

    /// A constant with these bytes (see [`Data`]). Equal constants are one value, visible to all blocks.
    pub fn constant(&mut self, element: Element, sizes: &[i64], bytes: &[u8]) -> ValueId {
        let ty = self.module.tensor_of(element, sizes);
        if let Some(&value) = self.constants.get(&(ty, bytes.to_vec())) {
            return value;
        }
        let value = self.data_constant(Constant { ty, data: Data::Bytes(Arc::from(bytes)) });
        self.constants.insert((ty, bytes.to_vec()), value);
        value
    }

    /// Whether a value is a user weight, whose name it keeps.
    pub(super) fn is_weight(&self, value: ValueId) -> bool {
        let op = self.module.defining_op(value);
        op.is_some_and(|op| provenance::weight_name(self.module, op).is_some())
    }

    /// Gives a constant derived from a weight the name of that weight.
    pub(super) fn keep_weight_name(&mut self, weight: ValueId, constant: ValueId) {
        let ops = self.module.defining_op(weight).zip(self.module.defining_op(constant));
        let Some((weight, constant)) = ops else { return };
        if provenance::weight_name(self.module, weight).is_some() {
            self.module.set_op_location(constant, self.module.op_location(weight));
        }
    }

    /// A constant that is not merged with equal ones.
    pub fn data_constant(&mut self, constant: Constant) -> ValueId {
        let place = self.place();
        let builder = self.module.create(onnx::CONSTANT, &[]).at(place).push_to(&mut self.prelude);
        builder.data(constant.ty, constant.data)
    }
}

/// Element types that inputs and outputs of models can have.
pub const BOUNDARY: Elements = Elements::PLAIN.or(Elements::FLOAT8).or(Elements::INT4);
