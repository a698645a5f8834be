//! Moves a Reshape of a product after the bias and the scale of the product.
//!
//! A projection to several heads is a product, a Reshape that splits the columns, and a bias per head and column. Next to
//! the product the bias becomes part of it, and so does a scale.

use super::Context;
use super::canonicalize::remove_dead;
use super::module_tree::Boundaries;
use crate::ir::{Dim, Module, OpId, Rewriter, Uses, ValueId, onnx};

/// Runs the pass on all functions.
pub(super) fn run(module: &mut Module, cx: &mut Context) {
    let mut reshapes = Reshapes { uses: Uses::of(module), boundaries: Boundaries::of(cx.options) };
    if Rewriter::replace_ops(module, &mut |rewriter, op| reshapes.sink(rewriter, op)) {
        remove_dead(module);
    }
}

struct Reshapes {
    uses: Uses,
    boundaries: Boundaries,
}

/// The product and at most two constants that are added to it or multiplied with it.
const DEPTH: usize = 3;

impl Reshapes {
    /// Computes a sum or product with a constant before the Reshape of the other operand.
    fn sink(&mut self, rewriter: &mut Rewriter, op: OpId) -> Option<()> {
        let module = &*rewriter.module;
        let (operation, result) = (module.op(op), *module.op(op).results.first()?);
        let &[x, y] = &operation.operands[..] else { return None };
        if !matches!(operation.name, onnx::ADD | onnx::MUL) {
            return None;
        }
        let is_first = module.constant_of(y).is_some();
        let (reshaped, constant) = if is_first { (x, y) } else { (y, x) };
        module.constant_of(constant)?;
        let reshape = module.defined_by(reshaped, onnx::RESHAPE).filter(|_| self.uses.is_single(reshaped))?;
        let &[product, shape] = &module.op(reshape).operands[..] else { return None };
        let is_whole = module.value_type(reshaped) == module.value_type(result);
        let columns = columns(module, product, reshaped, constant)?;
        if !is_whole || !self.uses.is_single(product) || !is_affine(module, product, DEPTH) {
            return None;
        }
        let origin = module.defining_op(product)?;
        if self.boundaries.part(module, origin, op) {
            return None;
        }
        let constant = match columns {
            None => constant,
            Some(columns) => rewriter.reshape(op, constant, &[columns]),
        };
        let operands = if is_first { [product, constant] } else { [constant, product] };
        let moved = rewriter.create_like(op, &operands).like(product);
        let split = rewriter.create_like(reshape, &[moved, shape]).like(result);
        self.uses.note_single(moved);
        self.uses.inherit(result, split);
        rewriter.replace(result, split);
        Some(())
    }
}

/// The number of columns of a product, if a Reshape splits only them and a constant has an element for each; without a
/// number, if the constant has one for all.
fn columns(module: &Module, product: ValueId, reshaped: ValueId, constant: ValueId) -> Option<Option<Dim>> {
    let [product, reshaped, constant] = [product, reshaped, constant].map(|value| module.tensor(value));
    let (columns, rows) = product?.dims.split_last()?;
    let parts = reshaped?.dims.strip_prefix(rows)?;
    if rows.contains(&Dim::Dynamic) {
        return None;
    }
    let count: i64 = parts.iter().map(|part| part.known()).product::<Option<i64>>()?;
    if columns.known() != Some(count) {
        return None;
    }
    match constant? {
        ty if ty.rank() == 0 => Some(None),
        ty => (parts.len() > 1 && ty.dims[..] == *parts).then_some(Some(*columns)),
    }
}

/// Whether a value is a product with a constant matrix, maybe with constants that are added or multiplied.
fn is_affine(module: &Module, value: ValueId, depth: usize) -> bool {
    let Some(op) = module.defining_op(value).filter(|_| depth > 0) else { return false };
    let (&[x, y], name) = (&module.op(op).operands[..], module.op(op).name) else { return false };
    let is_constant = |value: ValueId| module.constant_of(value).is_some();
    match name {
        onnx::MAT_MUL => is_constant(y) && module.tensor(y).is_some_and(|ty| ty.rank() == 2),
        onnx::ADD | onnx::MUL if is_constant(y) => is_affine(module, x, depth - 1),
        onnx::ADD | onnx::MUL if is_constant(x) => is_affine(module, y, depth - 1),
        _ => false,
    }
}
