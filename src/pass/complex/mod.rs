//! Turns complex tensors into real ones.
//!
//! After this pass no value is complex. A complex value has one of two forms, or both: *packed*, one real tensor with
//! a trailing dimension of two, and *parts*, two real tensors. Inputs and results of the model are packed; arithmetic,
//! transforms, loops and branches use parts; ops that move elements keep the form of their operands, so that forms
//! change only where both meet.
//!
//! An unsupported op is reported and removed; its users stay silent.

mod arithmetic;
mod build;
mod contraction;
mod exponential;
mod expr;
mod fourier;
mod inverse;
mod linear;
mod movement;
mod region;
mod values;

use super::{Context, boundary};
use crate::diagnostic::catalog;
use crate::ir::{
    BlockId, Element, FunctionId, Module, OpId, OpName, TensorType, Type, TypeId, ValueId, func, stablehlo,
    use_counts,
};
use crate::ops::LowerError;
use crate::source::Source;
use expr::{Complex, Real};
use rustc_hash::FxHashMap;
use std::sync::LazyLock;

/// How to rewrite an op on complex tensors.
#[derive(Clone, Copy)]
enum Rewrite {
    /// A formula of one operand.
    Unary(for<'f> fn(Complex<'f>) -> Complex<'f>),
    /// A formula of two operands.
    Binary(for<'f> fn(Complex<'f>, Complex<'f>) -> Complex<'f>),
    /// A formula of one operand with a real result.
    Measure(for<'f> fn(Complex<'f>) -> Real<'f>),
    /// The same op on both parts, or on the packed form.
    Partwise,
    /// Like `Partwise`, for attributes that name axes: the function adds the trailing one.
    Moved(fn(&mut Splitter, OpId) -> Result<(), LowerError>),
    /// A custom function.
    Own(fn(&mut Splitter, OpId) -> Result<(), LowerError>),
}

type RewriteRow = (OpName, Rewrite);

const ROWS: &[&[RewriteRow]] = &[
    arithmetic::ROWS,
    contraction::ROWS,
    exponential::ROWS,
    fourier::ROWS,
    inverse::ROWS,
    linear::ROWS,
    movement::ROWS,
    region::ROWS,
    values::ROWS,
];

static INDEX: LazyLock<FxHashMap<OpName, Rewrite>> =
    LazyLock::new(|| ROWS.iter().flat_map(|rows| rows.iter()).copied().collect());

/// The supported ops.
pub(super) fn covered() -> impl Iterator<Item = OpName> {
    ROWS.iter().flat_map(|rows| rows.iter()).map(|row| row.0)
}

pub(super) fn run(module: &mut Module, cx: &mut Context) {
    for function in module.functions() {
        if !is_concerned(module, function) {
            continue;
        }
        let Some(block) = module.entry_block(module.function(function).body) else { continue };
        let mut splitter = Splitter::new(module, cx);
        splitter.whole_arguments(block);
        splitter.block(block);
        // A failed conversion needs no advice.
        if !cx.diagnostics.has_errors() {
            for (what, ty, at) in boundary(module, function) {
                if module.tensor_type(ty).is_some_and(|tensor| tensor.element.is_complex()) {
                    cx.diagnostics.push(catalog::ComplexAsReal { what: &what, at });
                }
            }
        }
    }
}

/// Whether the function has any complex value or Fourier transform.
fn is_concerned(module: &Module, function: FunctionId) -> bool {
    let is_complex =
        |&value: &ValueId| module.tensor(value).is_some_and(|tensor| tensor.element.is_complex());
    let is_complex_op =
        |&op: &OpId| module.op(op).results.iter().any(is_complex) || module.op(op).name == stablehlo::FFT;
    module.blocks_within([module.function(function).body]).any(|block| {
        let block = module.block(block);
        block.arguments.iter().any(is_complex) || block.ops.iter().any(is_complex_op)
    })
}

/// The type of the packed form of a complex tensor.
fn packed_type(module: &mut Module, ty: TypeId) -> Option<TypeId> {
    let tensor = module.tensor_type(ty).filter(|tensor| tensor.element.is_complex())?;
    let mut dims = tensor.dims.clone();
    dims.push(crate::ir::Dim::Known(2));
    let packed = TensorType { element: tensor.element.part(), dims, encoding: tensor.encoding };
    Some(module.types.intern(Type::Tensor(packed)))
}

/// The type of each part of a complex tensor.
fn part_type(module: &mut Module, ty: TypeId) -> Option<TypeId> {
    let tensor = module.tensor_type(ty).filter(|tensor| tensor.element.is_complex())?;
    let part = TensorType { element: tensor.element.part(), ..tensor.clone() };
    Some(module.types.intern(Type::Tensor(part)))
}

/// The forms of a complex value, at least one.
#[derive(Clone, Copy, Debug, Default)]
struct ComplexForm {
    packed: Option<ValueId>,
    parts: Option<[ValueId; 2]>,
}

/// Rewrites a function in one forward walk.
struct Splitter<'a, 'c> {
    module: &'a mut Module,
    source: &'a Source,
    cx: &'a mut Context<'c>,
    forms: FxHashMap<ValueId, ComplexForm>,
    /// Forms added in open blocks, innermost last, with the previous forms: values of a nested block are not visible
    /// outside.
    made: Vec<Vec<(ValueId, ComplexForm)>>,
    /// Replacements of real values.
    replaced: FxHashMap<ValueId, ValueId>,
    /// The number of uses of each value before the pass.
    uses: Vec<u32>,
    pending: Vec<OpId>,
    current: Option<OpId>,
    /// Whether the block returns complex values as parts.
    returns_parts: bool,
}

impl<'a, 'c> Splitter<'a, 'c> {
    fn new(module: &'a mut Module, cx: &'a mut Context<'c>) -> Self {
        Self {
            uses: use_counts(module),
            module,
            source: cx.source,
            cx,
            forms: FxHashMap::default(),
            made: Vec::new(),
            replaced: FxHashMap::default(),
            pending: Vec::new(),
            current: None,
            returns_parts: false,
        }
    }

    /// Rewrites the ops of a block whose arguments have forms.
    fn block(&mut self, block: BlockId) {
        let ops = std::mem::take(&mut self.module.block_mut(block).ops);
        let outer = std::mem::take(&mut self.pending);
        self.made.push(Vec::new());
        for op in ops {
            self.op(op);
        }
        for (value, before) in self.made.pop().unwrap_or_default().into_iter().rev() {
            self.forms.insert(value, before);
        }
        self.module.block_mut(block).ops = std::mem::replace(&mut self.pending, outer);
    }

    fn op(&mut self, op: OpId) {
        if let Some(magnitude) = self.magnitude_squared_by(op) {
            let outer = self.current.replace(op);
            if let Err(refusal) = self.sum_of_squares(op, magnitude) {
                self.refuse(op, &refusal);
            }
            self.current = outer;
            return;
        }
        for index in 0..self.module.op(op).operands.len() {
            let operand = self.module.op(op).operands[index];
            if let Some(&new) = self.replaced.get(&operand) {
                self.module.op_mut(op).operands[index] = new;
            }
        }
        let operation = self.module.op(op);
        let known = |value: &&ValueId| self.is_complex(**value);
        let concerned = operation.operands.iter().chain(&operation.results).any(|value| known(&value))
            || self.module.op(op).name == stablehlo::FFT;
        let outer = self.current.replace(op);
        let rewritten = if concerned { self.rewrite(op) } else { self.keep(op) };
        if let Err(refusal) = rewritten {
            self.refuse(op, &refusal);
        }
        self.current = outer;
    }

    /// Keeps an op without complex operands or results; its regions may have them.
    fn keep(&mut self, op: OpId) -> Result<(), LowerError> {
        let outer = std::mem::replace(&mut self.returns_parts, false);
        for region in self.module.op(op).regions.clone() {
            for block in self.module.region(region).blocks.clone() {
                self.whole_arguments(block);
                self.block(block);
            }
        }
        self.returns_parts = outer;
        self.pending.push(op);
        Ok(())
    }

    fn rewrite(&mut self, op: OpId) -> Result<(), LowerError> {
        let operation = self.module.op(op);
        for &value in operation.operands.iter().chain(&operation.results) {
            if self.module.tensor(value).is_some_and(|tensor| !tensor.is_sized()) {
                return Err(LowerError::Dynamic(format!("a dimension of `{}`", self.module.op_name(op))));
            }
        }
        let rewrite = INDEX.get(&self.module.op(op).name).copied().ok_or_else(|| self.no_row(op))?;
        for &operand in &operation.operands {
            // The definition was refused and reported.
            if self.module.is_poison(operand)
                || self.is_complex(operand) && !self.forms.contains_key(&operand)
            {
                return Err(LowerError::Reported);
            }
        }
        match rewrite {
            Rewrite::Unary(formula) => {
                let operand = self.operand(op, 0)?;
                let parts = self.formula([operand], |[z]| formula(z).parts());
                self.define_parts(op, 0, parts)
            }
            Rewrite::Binary(formula) => {
                let operands = [self.operand(op, 0)?, self.operand(op, 1)?];
                let parts = self.formula(operands, |[left, right]| formula(left, right).parts());
                self.define_parts(op, 0, parts)
            }
            Rewrite::Measure(formula) => {
                let operand = self.operand(op, 0)?;
                let value = self.formula([operand], |[z]| formula(z).value());
                self.define_real(op, 0, value)
            }
            Rewrite::Partwise => self.partwise(op, |_, _| Ok(())),
            Rewrite::Moved(adapt) => self.partwise(op, adapt),
            Rewrite::Own(rewrite) => rewrite(self, op),
        }
    }

    /// The op is supported only for real numbers, or not at all.
    fn no_row(&self, op: OpId) -> LowerError {
        let operation = self.module.op(op);
        let element = operation.operands.iter().chain(&operation.results).find_map(|&value| {
            self.module.tensor(value).map(|tensor| tensor.element).filter(|element| element.is_complex())
        });
        let name = element.and_then(Element::name).unwrap_or("complex<f32>");
        match crate::ops::find(self.module.op(op).name) {
            Some(_) => LowerError::Type(name.to_owned()),
            None => LowerError::Op,
        }
    }

    /// Reports and removes an op.
    fn refuse(&mut self, op: OpId, refusal: &LowerError) {
        for index in 0..self.module.op(op).results.len() {
            let result = self.module.op(op).results[index];
            let ty = self.module.value_type(result);
            let poison = self.module.add_poison(ty);
            self.replaced.insert(result, poison);
        }
        self.cx.diagnostics.extend(refusal.diagnostic(self.module, op));
        // A block keeps its terminator, even if its operands were refused.
        if matches!(self.module.op(op).name, func::RETURN | stablehlo::RETURN) {
            self.pending.push(op);
        }
    }

    /// Whether a value was complex in the program.
    fn is_complex(&self, value: ValueId) -> bool {
        self.forms.contains_key(&value)
            || self.module.tensor(value).is_some_and(|tensor| tensor.element.is_complex())
    }

    /// Packs the complex arguments of a block.
    fn whole_arguments(&mut self, block: BlockId) {
        for argument in self.module.block(block).arguments.clone() {
            self.make_whole(argument);
        }
    }

    /// Changes a complex value to its packed type.
    fn make_whole(&mut self, value: ValueId) {
        let ty = self.module.value_type(value);
        if let Some(packed) = packed_type(self.module, ty) {
            self.module.value_mut(value).ty = packed;
            self.forms.insert(value, ComplexForm { packed: Some(value), parts: None });
        }
    }
}
