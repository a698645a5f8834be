//! Writes products as Gemm, with a bias or a transposed constant.
//!
//! - A product of matrices plus a bias is one Gemm.
//! - A constant that is also read untransposed, as a table of embeddings that also makes the logits, is not stored twice.
//!   ONNX Runtime would transpose it while it loads the model; Gemm reads it as it is.

use super::Context;
use super::canonicalize::remove_dead;
use super::module_tree::Paths;
use super::products::product_and_bias;
use crate::ir::{Element, Module, OpId, Rewriter, ValueId, onnx, use_counts_by_block};
use crate::ops::OpAttributes;

/// Runs the pass on all functions.
pub(super) fn run(module: &mut Module, cx: &mut Context) {
    let mut products =
        Products { uses: use_counts_by_block(module), paths: cx.options.keep_functions.then(Paths::new) };
    let is_biased = Rewriter::replace_ops(module, &mut |rewriter, op| products.with_bias(rewriter, op));
    let is_transposed = Rewriter::replace_ops(module, &mut of_transposed);
    if is_biased || is_transposed {
        remove_dead(module);
    }
}

struct Products {
    uses: Vec<u32>,
    /// The modules of ops, if modules become functions.
    paths: Option<Paths>,
}

impl Products {
    /// Replaces the addition of a bias to a product of matrices.
    fn with_bias(&mut self, rewriter: &mut Rewriter, op: OpId) -> Option<()> {
        let module = &*rewriter.module;
        let [value, bias] = product_and_bias(module, op)?;
        let product = module.defining_op(value)?;
        let &[x, matrix] = &module.op(product).operands[..] else { return None };
        let is_matrix = |value: ValueId| module.tensor(value).is_some_and(|ty| ty.rank() == 2);
        let is_alone = self.uses.get(value.index()) == Some(&1);
        if !is_alone || ![x, matrix, value].into_iter().all(is_matrix) || !has_gemm(module, value) {
            return None;
        }
        if self.paths.as_mut().is_some_and(|paths| paths.of(module, product) != paths.of(module, op)) {
            return None;
        }
        let result = module.op(op).results[0];
        let transposed = transposed_constant(module, matrix);
        let operands = [x, transposed.unwrap_or(matrix), bias];
        let gemm = rewriter.create(onnx::GEMM, &operands);
        let gemm = if transposed.is_some() { gemm.int("transB", 1) } else { gemm };
        let gemm = gemm.like(result);
        rewriter.replace(result, gemm);
        Some(())
    }
}

/// Whether Gemm takes the elements of a product. ONNX Runtime 1.17 fuses a Gemm of `f64` and the activation after it, for
/// which it has no kernel.
fn has_gemm(module: &Module, product: ValueId) -> bool {
    module.tensor(product).is_some_and(|ty| ty.element == Element::F32)
}

/// The constant matrix of which a value is the transpose.
fn transposed_constant(module: &Module, value: ValueId) -> Option<ValueId> {
    let transpose = module.defined_by(value, onnx::TRANSPOSE)?;
    let order = OpAttributes::of(module, transpose).positions("perm").ok()?;
    let &constant = module.op(transpose).operands.first()?;
    (order == [1, 0] && module.constant_of(constant).is_some()).then_some(constant)
}

/// Replaces a product with a transposed constant. All dimensions of the left operand but the last are rows.
fn of_transposed(rewriter: &mut Rewriter, op: OpId) -> Option<()> {
    let module = &*rewriter.module;
    if module.op(op).name != onnx::MAT_MUL {
        return None;
    }
    let (&[x, matrix], &[result]) = (&module.op(op).operands[..], &module.op(op).results[..]) else {
        return None;
    };
    let constant = transposed_constant(module, matrix).filter(|_| has_gemm(module, result))?;
    let (read, made) = (module.tensor(x)?.clone(), module.tensor(result)?.clone());
    let last = read.dims.last()?.known().filter(|&last| last > 0)?;
    let columns = made.dims.last()?.known().filter(|&columns| columns > 0)?;
    if read.rank() == 2 {
        let product = rewriter.create(onnx::GEMM, &[x, constant]).int("transB", 1).like(result);
        rewriter.replace(result, product);
        return Some(());
    }
    // A Reshape computes one size.
    let outer = made.dims.get(..made.rank().checked_sub(1)?)?;
    let unknown = outer.iter().filter(|dim| dim.known().is_none()).count();
    let is_empty = outer.iter().any(|dim| dim.known() == Some(0));
    if read.rank() < 2 || unknown > 1 || is_empty {
        return None;
    }
    let rows = module.dim_exprs.product(outer.iter().copied());
    let sizes: Vec<i64> = made.dims.iter().map(|dim| dim.known().unwrap_or(-1)).collect();
    let flat = rewriter.integers(&[rows.known().unwrap_or(-1), last]);
    let flat_type = rewriter.module.tensor_of(read.element, &[rows, last.into()]);
    let flat = rewriter.create(onnx::RESHAPE, &[x, flat]).of(flat_type);
    let product_type = rewriter.module.tensor_of(made.element, &[rows, columns.into()]);
    let product = rewriter.create(onnx::GEMM, &[flat, constant]).int("transB", 1).of(product_type);
    let sizes = rewriter.integers(&sizes);
    let shaped = rewriter.create(onnx::RESHAPE, &[product, sizes]).like(result);
    rewriter.replace(result, shaped);
    Some(())
}
