//! Multiplies scales by column into the constant matrix of the product before them.
//!
//! `(x * W + b) * s` is `x * (W * s) + b * s`, with the scale of a layer, that of a batch norm after a dense layer, or that
//! of queries. The matrix is scaled while the model is written.

use super::Context;
use super::canonicalize::remove_dead;
use super::module_tree::Boundaries;
use super::products::product_and_bias;
use super::scaled_weights::{fit, numbers, rounded, scaled, takes_factors};
use crate::ir::{Data, Module, OpId, Rewriter, Uses, ValueId, onnx};
use crate::source::Source;

/// Runs the pass on all functions.
pub(super) fn run(module: &mut Module, cx: &mut Context) {
    let mut scales = Scales {
        source: cx.source,
        uses: Uses::of(module),
        keeps_files: cx.options.references_weights,
        boundaries: Boundaries::of(cx.options),
    };
    if Rewriter::replace_ops(module, &mut |rewriter, op| scales.fold(rewriter, op)) {
        remove_dead(module);
    }
}

struct Scales<'a> {
    source: &'a Source,
    uses: Uses,
    keeps_files: bool,
    boundaries: Boundaries,
}

/// A product that is scaled.
struct Scaled {
    product: OpId,
    /// The addition of the bias, and the bias after it is scaled.
    bias: Option<(OpId, ValueId, Vec<f64>)>,
    factors: Vec<f64>,
}

impl Scales<'_> {
    fn fold(&mut self, rewriter: &mut Rewriter, op: OpId) -> Option<()> {
        let found = self.find(rewriter.module, op)?;
        let result = rewriter.module.op(op).results[0];
        let operation = rewriter.module.op(found.product).clone();
        let &[x, matrix] = &operation.operands[..] else { return None };
        let matrix = scaled(rewriter, matrix, found.factors, 2)?;
        let mut value = rewriter.create_like(found.product, &[x, matrix]).like(operation.results[0]);
        self.uses.note_single(matrix);
        self.uses.note_single(value);
        if let Some((add, bias, numbers)) = found.bias {
            let element = rewriter.module.tensor(bias)?.element;
            let bytes = numbers.iter().map(|&number| rounded(element, number)).collect::<Option<Vec<_>>>()?;
            let (ty, origin) = (rewriter.module.value_type(bias), rewriter.module.defining_op(bias)?);
            let constant = rewriter.create(onnx::CONSTANT, &[]).at_op(origin);
            let bias = constant.data(ty, Data::Bytes(bytes.concat().into()));
            value = rewriter.create_like(add, &[value, bias]).like(result);
        }
        self.uses.inherit(result, value);
        rewriter.replace(result, value);
        Some(())
    }

    fn find(&mut self, module: &Module, op: OpId) -> Option<Scaled> {
        let operation = module.op(op);
        let (&[x, y], &[result]) = (&operation.operands[..], &operation.results[..]) else { return None };
        let (value, scale) = match operation.name {
            onnx::MUL if module.constant_of(x).is_some() => (y, x),
            onnx::MUL | onnx::DIV => (x, y),
            _ => return None,
        };
        let is_alone = |value: ValueId| self.uses.is_single(value);
        let is_closed = module.value_type(value) == module.value_type(result) && is_alone(value);
        let by_columns = module.constant_of(scale).is_some() && module.tensor(scale)?.rank() <= 1;
        let last = module.defining_op(value).filter(|_| is_closed && by_columns)?;
        let biased = product_and_bias(module, last).filter(|&[product, _]| is_alone(product));
        let (product, bias) = match biased {
            Some([product, bias]) => (module.defining_op(product)?, Some(bias)),
            None => (last, None),
        };
        let &[_, matrix] = &module.op(product).operands[..] else { return None };
        let &[_, columns] = &module.tensor(matrix)?.dims[..] else { return None };
        let columns = usize::try_from(columns.known()?).ok()?;
        let is_product = module.op(product).name == onnx::MAT_MUL;
        if !is_product || !takes_factors(module, &self.uses, self.keeps_files, matrix) {
            return None;
        }
        let mut factors = numbers(module, self.source, scale, columns)?;
        if operation.name == onnx::DIV {
            factors.iter_mut().for_each(|factor| *factor = 1.0 / *factor);
        }
        let bias = match bias {
            None => None,
            Some(bias) => {
                let mut numbers = numbers(module, self.source, bias, columns)?;
                numbers.iter_mut().zip(&factors).for_each(|(number, factor)| *number *= factor);
                Some((last, bias, numbers))
            }
        };
        let element = module.tensor(result)?.element;
        let added = bias.iter().flat_map(|(_, _, numbers)| numbers);
        let in_range =
            fit(&factors) && added.chain(&factors).all(|&number| rounded(element, number).is_some());
        (in_range && !self.boundaries.part(module, product, op)).then_some(Scaled { product, bias, factors })
    }
}
