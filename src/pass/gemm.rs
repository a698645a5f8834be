//! Writes products of matrices as Gemm.
//!
//! ONNX Runtime fuses a Gemm with the activation after it, which it does not do for MatMul, and starts its kernel sooner.
//! A Gemm also takes what surrounds the product: Transposes of operands and of the result, a number that scales the result,
//! and an addend such as a bias or a residual.
//!
//! A constant that is also read untransposed, as a table of embeddings that also makes the logits, is not stored twice.
//! ONNX Runtime would transpose it while it loads the model; Gemm reads it as it is.

use super::Context;
use super::canonicalize::remove_dead;
use super::module_tree::Boundaries;
use crate::ir::{Dim, Element, Module, OpId, OpName, Rewriter, Uses, ValueId, is_reshape_target, onnx};
use crate::ops::{OpAttributes, known_number};
use crate::source::Source;

/// Runs the pass on all functions.
pub(super) fn run(module: &mut Module, cx: &mut Context) {
    let reshaped = Rewriter::replace_ops(module, &mut of_transposed);
    let mut products =
        Products { source: cx.source, uses: Uses::of(module), boundaries: Boundaries::of(cx.options) };
    let made = Rewriter::replace_ops(module, &mut |rewriter, op| products.of_matrices(rewriter, op));
    if reshaped || made {
        remove_dead(module);
    }
    if !made {
        return;
    }
    // Each rule reads the Gemms of the rules before it.
    for rule in [Products::transposed, Products::scaled, Products::with_addend] {
        products.uses = Uses::of(module);
        if Rewriter::replace_ops(module, &mut |rewriter, op| rule(&mut products, rewriter, op)) {
            remove_dead(module);
        }
    }
}

struct Products<'a> {
    source: &'a Source,
    uses: Uses,
    boundaries: Boundaries,
}

/// The operands and attributes of a Gemm without an addend.
#[derive(Clone, Copy)]
struct Factors {
    operands: [ValueId; 2],
    transposed: [bool; 2],
    scale: f32,
}

impl Factors {
    /// Creates a Gemm.
    fn create(self, rewriter: &mut Rewriter, addend: Option<ValueId>, like: ValueId) -> ValueId {
        let operands: Vec<ValueId> = self.operands.into_iter().chain(addend).collect();
        let mut gemm = rewriter.create(onnx::GEMM, &operands);
        for (name, _) in ["transA", "transB"].into_iter().zip(self.transposed).filter(|(_, is)| *is) {
            gemm = gemm.int(name, 1);
        }
        if self.scale != 1.0 {
            gemm = gemm.float("alpha", self.scale);
        }
        gemm.like(like)
    }
}

impl Products<'_> {
    /// Replaces a product of matrices, and reads its operands without their Transposes.
    fn of_matrices(&mut self, rewriter: &mut Rewriter, op: OpId) -> Option<()> {
        let module = &*rewriter.module;
        let &[a, b] = matrices(module, op)? else { return None };
        let result = module.op(op).results[0];
        let mut factors = Factors { operands: [a, b], transposed: [false; 2], scale: 1.0 };
        for (operand, transposed) in factors.operands.iter_mut().zip(&mut factors.transposed) {
            if let Some((before, transpose)) = transposed_matrix(module, *operand)
                && (module.constant_of(before).is_some()
                    || self.uses.is_single(*operand) && !self.boundaries.part(module, transpose, op))
            {
                (*operand, *transposed) = (before, true);
            }
        }
        let gemm = factors.create(rewriter, None, result);
        rewriter.replace(result, gemm);
        Some(())
    }

    /// Replaces the Transpose of a Gemm: the operands change places.
    fn transposed(&mut self, rewriter: &mut Rewriter, op: OpId) -> Option<()> {
        let result = *rewriter.module.op(op).results.first()?;
        let (value, _) = transposed_matrix(rewriter.module, result)?;
        let Factors { operands: [a, b], transposed: [first, second], scale } =
            self.factors(rewriter.module, value, op)?;
        let factors = Factors { operands: [b, a], transposed: [!second, !first], scale };
        let gemm = factors.create(rewriter, None, result);
        rewriter.replace(result, gemm);
        Some(())
    }

    /// Replaces the product of a Gemm and a number.
    fn scaled(&mut self, rewriter: &mut Rewriter, op: OpId) -> Option<()> {
        let (module, source) = (&*rewriter.module, self.source);
        // A Gemm that is scaled by zero ignores infinities.
        let is_factor = |number: &f64| number.is_finite() && *number != 0.0;
        let factor = |value: ValueId| known_number(module, source, value).filter(is_factor);
        let (factors, number, result) = self.beside(module, op, onnx::MUL, factor)?;
        let factors = Factors { scale: factors.scale * number as f32, ..factors };
        let gemm = factors.create(rewriter, None, result);
        rewriter.replace(result, gemm);
        Some(())
    }

    /// Replaces the sum of a Gemm and a value that broadcasts to it.
    fn with_addend(&mut self, rewriter: &mut Rewriter, op: OpId) -> Option<()> {
        let module = &*rewriter.module;
        let whole = &module.tensor(*module.op(op).results.first()?)?.dims;
        let fits = |(own, all): (&Dim, &Dim)| own == all && *own != Dim::Dynamic || *own == Dim::Known(1);
        let addend = |value: ValueId| {
            let dims = &module.tensor(value)?.dims;
            let broadcasts = dims.len() <= 2 && dims.iter().rev().zip(whole.iter().rev()).all(fits);
            broadcasts.then_some(value)
        };
        let (factors, addend, result) = self.beside(module, op, onnx::ADD, addend)?;
        let gemm = factors.create(rewriter, Some(addend), result);
        rewriter.replace(result, gemm);
        Some(())
    }

    /// The Gemm that is one operand of an op with that name and has the type of its result, what `read` makes of the other
    /// operand, and the result.
    fn beside<T>(
        &mut self,
        module: &Module,
        op: OpId,
        name: OpName,
        read: impl Fn(ValueId) -> Option<T>,
    ) -> Option<(Factors, T, ValueId)> {
        let (&[x, y], &[result]) = (&module.op(op).operands[..], &module.op(op).results[..]) else {
            return None;
        };
        if module.op(op).name != name {
            return None;
        }
        [(x, y), (y, x)].into_iter().find_map(|(product, other)| {
            let other = read(other).filter(|_| module.value_type(product) == module.value_type(result))?;
            Some((self.factors(module, product, op)?, other, result))
        })
    }

    /// The Gemm of which a value is the result, if it has no addend, only this op reads it, and both may become one op.
    fn factors(&mut self, module: &Module, value: ValueId, reader: OpId) -> Option<Factors> {
        let op = module.defined_by(value, onnx::GEMM).filter(|_| self.uses.is_single(value))?;
        let operands = <[ValueId; 2]>::try_from(&module.op(op).operands[..]).ok()?;
        let attributes = OpAttributes::of(module, op);
        let is_set = |name: &'static str| attributes.integer(name).is_ok_and(|set| set == 1);
        let transposed = [is_set("transA"), is_set("transB")];
        let scale = attributes.float("alpha").map_or(1.0, |scale| scale as f32);
        (!self.boundaries.part(module, op, reader)).then_some(Factors { operands, transposed, scale })
    }
}

/// The operands of a product of two matrices for which ONNX Runtime has a Gemm. It fuses a Gemm of `f64` and the activation
/// after it, for which release 1.17 has no kernel. It computes products of quantized matrices in integers, but not a Gemm
/// without an addend.
fn matrices(module: &Module, op: OpId) -> Option<&[ValueId]> {
    let operands = &module.op(op).operands[..];
    if module.op(op).name != onnx::MAT_MUL {
        return None;
    }
    let is_matrix = |&value: &ValueId| {
        let ty = module.tensor(value);
        let origin = transposed_matrix(module, value).map_or(value, |(before, _)| before);
        ty.is_some_and(|ty| ty.element == Element::F32 && ty.rank() == 2)
            && module.defined_by(origin, onnx::DEQUANTIZE_LINEAR).is_none()
    };
    // Some releases leave the result undefined if the inner dimension is 0.
    let length = module.tensor(*operands.first()?)?.dims.last()?.known();
    (operands.iter().all(is_matrix) && length.is_some_and(|length| length > 0)).then_some(operands)
}

/// The matrix of which a value is the transpose, and the Transpose.
fn transposed_matrix(module: &Module, value: ValueId) -> Option<(ValueId, OpId)> {
    let transpose = module.defined_by(value, onnx::TRANSPOSE)?;
    let order = OpAttributes::of(module, transpose).positions("perm").ok()?;
    let &before = module.op(transpose).operands.first()?;
    (order == [1, 0]).then_some((before, transpose))
}

/// Replaces a product of rank 3 or more with a transposed constant matrix. All dimensions of the left operand but the last
/// are rows.
fn of_transposed(rewriter: &mut Rewriter, op: OpId) -> Option<()> {
    let module = &*rewriter.module;
    if module.op(op).name != onnx::MAT_MUL {
        return None;
    }
    let (&[x, matrix], &[result]) = (&module.op(op).operands[..], &module.op(op).results[..]) else {
        return None;
    };
    let (constant, _) = transposed_matrix(module, matrix)?;
    let (read, made) = (module.tensor(x)?.clone(), module.tensor(result)?.clone());
    if module.constant_of(constant).is_none() || made.element != Element::F32 || read.rank() < 3 {
        return None;
    }
    let last = read.dims.last()?.known().filter(|&last| last > 0)?;
    let columns = made.dims.last()?.known().filter(|&columns| columns > 0)?;
    let outer = made.dims.get(..made.rank().checked_sub(1)?)?;
    if !is_reshape_target(outer) {
        return None;
    }
    let rows = module.dim_exprs.product(outer.iter().copied());
    let flat = rewriter.reshape(op, x, &[rows, last.into()]);
    let product_type = rewriter.module.tensor_of(made.element, &[rows, columns.into()]);
    let product = rewriter.create(onnx::GEMM, &[flat, constant]).int("transB", 1).of(product_type);
    let shaped = rewriter.reshape(op, product, &made.dims);
    rewriter.replace(result, shaped);
    Some(())
}
