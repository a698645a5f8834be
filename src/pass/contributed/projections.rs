//! Products of one value with several constant matrices, as one product.

use super::super::products::product_and_bias;
use super::super::scaled_weights::numbers;
use super::Contributed;
use crate::ir::{Data, Element, Joined, Module, Rewriter, ValueId, onnx};
use std::sync::Arc;

/// `x * matrix + bias`, where the matrix and the bias are constants of f32.
pub(super) struct Projection {
    pub(super) x: ValueId,
    matrix: ValueId,
    bias: Option<ValueId>,
    rows: i64,
    pub(super) columns: i64,
}

impl Contributed<'_> {
    /// The projection of which a value is the result, if nothing else reads it or what is inside.
    pub(super) fn projection(&self, module: &Module, value: ValueId) -> Option<Projection> {
        let last = module.defining_op(value).filter(|_| self.is_alone(value))?;
        let (product, bias) = match product_and_bias(module, last) {
            Some([product, bias]) => (product, Some(bias)),
            None => (value, None),
        };
        let &[x, matrix] = &module.op(module.defined_by(product, onnx::MAT_MUL)?).operands[..] else {
            return None;
        };
        let ty = module.tensor(matrix)?;
        let &[rows, columns] = &ty.dims[..] else { return None };
        let (rows, columns) = (rows.known()?, columns.known()?);
        let is_constant = bias.is_none_or(|bias| module.constant_of(bias).is_some());
        let fits = ty.element == Element::F32
            && module.tensor(x).is_some_and(|ty| ty.rank() == 3)
            && (rows > 0 && columns > 0)
            && is_constant
            && self.is_alone(product)
            && self.can_move(module, matrix);
        fits.then_some(Projection { x, matrix, bias, rows, columns })
    }

    /// Whether a constant is not needed elsewhere, nor stays in the user's file.
    fn can_move(&self, module: &Module, matrix: ValueId) -> bool {
        let Some(constant) = module.constant_of(matrix).map(|id| module.constant(id)) else { return false };
        let is_file = matches!(&constant.data, Data::Mapped(pieces) if pieces.place().is_some());
        self.is_alone(matrix) && !(is_file && self.keeps_files) && !matches!(constant.data, Data::Joined(_))
    }

    /// The matrices of projections side by side.
    pub(super) fn joined_matrix(rewriter: &mut Rewriter, parts: &[Projection]) -> Option<ValueId> {
        let module = &*rewriter.module;
        let first = parts.first()?;
        let columns = parts.iter().map(|part| part.columns).sum();
        let rows = parts.iter().map(|part| {
            let data = module.constant(module.constant_of(part.matrix)?).data.clone();
            Some((data, usize::try_from(part.columns).ok()?.checked_mul(Element::F32.bytes())?))
        });
        let joined = Joined { parts: rows.collect::<Option<_>>()? };
        let ty = rewriter.module.tensor_of(Element::F32, &[first.rows, columns]);
        let origin = rewriter.module.defining_op(first.matrix)?;
        let constant = rewriter.create(onnx::CONSTANT, &[]).at_op(origin);
        Some(constant.data(ty, Data::Joined(Arc::new(joined))))
    }

    /// The biases of projections in a row; zeros for those without one.
    pub(super) fn joined_bias(&self, rewriter: &mut Rewriter, parts: &[Projection]) -> Option<ValueId> {
        let mut bytes = Vec::new();
        for part in parts {
            let columns = usize::try_from(part.columns).ok()?;
            let bias = match part.bias {
                Some(bias) => numbers(rewriter.module, self.source, bias, columns)?,
                None => vec![0.0; columns],
            };
            bytes.extend(bias.into_iter().flat_map(|number| (number as f32).to_le_bytes()));
        }
        let count = i64::try_from(bytes.len() / Element::F32.bytes()).ok()?;
        Some(rewriter.bytes(Element::F32, &[count], &bytes))
    }

    /// Whether one of them has a bias.
    pub(super) fn is_biased(parts: &[Projection]) -> bool {
        parts.iter().any(|part| part.bias.is_some())
    }
}
