//! Fuses channelwise scales and offsets into the preceding convolution.
//!
//! A bias becomes the third operand of `Conv` and `ConvTranspose`. A constant batch norm is a scale and an offset per
//! channel: the scales are multiplied into the kernel while the model is written, and the offsets become the bias.
//! ONNX Runtime does the same when it loads a model; other runtimes do not.

use super::Context;
use super::canonicalize::remove_dead;
use super::module_tree::Boundaries;
use super::scaled_weights::{self, rounded};
use crate::ir::{Data, Dim, Element, Module, OpId, OpName, Rewriter, Uses, ValueId, onnx};
use crate::ops::OpAttributes;
use crate::source::Source;
use rustc_hash::FxHashMap;

/// Runs the pass on all functions.
pub(super) fn run(module: &mut Module, cx: &mut Context) {
    let mut absorber = Absorber {
        source: cx.source,
        uses: Uses::of(module),
        grown: FxHashMap::default(),
        keeps_files: cx.options.references_weights,
        boundaries: Boundaries::of(cx.options),
    };
    if Rewriter::replace_ops(module, &mut |rewriter, op| absorber.absorb(rewriter, op)) {
        remove_dead(module);
    }
}

/// A convolution with the scales and offsets that follow it.
#[derive(Clone)]
struct Grown {
    /// The original convolution.
    conv: OpId,
    /// The Transpose after it.
    transpose: Option<OpId>,
    /// The channel dimension of the result.
    axis: usize,
    /// One scale per channel.
    factors: Vec<f64>,
    bias: Bias,
    /// The op of the first constant in the bias, which names the bias.
    named: Option<OpId>,
}

#[derive(Clone)]
enum Bias {
    /// A number per channel.
    Numbers(Vec<f64>),
    /// A value of the program.
    Value(ValueId),
}

/// What an op does to its first operand, per channel.
enum ChannelOp {
    Add(Vec<f64>),
    Multiply(Vec<f64>),
    /// Adds a value that is not a constant.
    AddValue(ValueId),
}

struct Absorber<'a> {
    source: &'a Source,
    uses: Uses,
    /// Fused convolutions by result.
    grown: FxHashMap<ValueId, Grown>,
    keeps_files: bool,
    boundaries: Boundaries,
}

impl Absorber<'_> {
    fn absorb(&mut self, rewriter: &mut Rewriter, op: OpId) -> Option<()> {
        let module = &*rewriter.module;
        let name = module.op(op).name;
        if !matches!(name, onnx::ADD | onnx::SUB | onnx::MUL | onnx::DIV) {
            return None;
        }
        let [x, y] = module.op(op).operands[..] else { return None };
        let [result] = module.op(op).results[..] else { return None };
        let commutes = matches!(name, onnx::ADD | onnx::MUL);
        let grown =
            [(x, y), (y, x)].into_iter().take(1 + usize::from(commutes)).find_map(|(conv, other)| {
                let grown = self.grown(module, conv)?;
                if module.value_type(conv) != module.value_type(result)
                    || self.boundaries.part(module, grown.conv, op)
                {
                    return None;
                }
                let step = self.step(module, name, &grown, other)?;
                let mut grown = self.after(module, grown, step)?;
                grown.named = grown.named.or_else(|| module.defining_op(other));
                Some(grown)
            })?;
        let value = insert(rewriter, &grown, op)?;
        self.uses.inherit(result, value);
        self.grown.insert(value, grown);
        rewriter.replace(result, value);
        Some(())
    }

    /// The convolution that defines a value, if the value has no other use.
    fn grown(&self, module: &Module, value: ValueId) -> Option<Grown> {
        if !self.uses.is_single(value) {
            return None;
        }
        if let Some(grown) = self.grown.get(&value) {
            return Some(grown.clone());
        }
        let op = module.defining_op(value)?;
        if module.op(op).name == onnx::TRANSPOSE {
            let order = OpAttributes::of(module, op).positions("perm").ok()?;
            let inner = *module.op(op).operands.first()?;
            let grown = self.grown(module, inner).filter(|grown| grown.transpose.is_none())?;
            let axis = order.iter().position(|&from| from == 1)?;
            return Some(Grown { transpose: Some(op), axis, ..grown });
        }
        if !matches!(module.op(op).name, onnx::CONV | onnx::CONV_TRANSPOSE) {
            return None;
        }
        let channels =
            module.tensor(value)?.dims.get(1)?.known().and_then(|count| usize::try_from(count).ok())?;
        let named = module.op(op).operands.get(2).and_then(|&bias| module.defining_op(bias));
        let bias = match module.op(op).operands[..] {
            [_, _] => Bias::Numbers(vec![0.0; channels]),
            [_, _, bias] => match scaled_weights::numbers(module, self.source, bias, channels) {
                Some(numbers) => Bias::Numbers(numbers),
                None => Bias::Value(bias),
            },
            _ => return None,
        };
        Some(Grown { conv: op, transpose: None, axis: 1, factors: vec![1.0; channels], bias, named })
    }

    fn step(&self, module: &Module, name: OpName, grown: &Grown, other: ValueId) -> Option<ChannelOp> {
        let channels = grown.factors.len();
        if !is_along(module, other, grown, channels) {
            return None;
        }
        let Some(numbers) = scaled_weights::numbers(module, self.source, other, channels) else {
            return (name == onnx::ADD).then_some(ChannelOp::AddValue(other));
        };
        Some(match name {
            onnx::ADD => ChannelOp::Add(numbers),
            onnx::SUB => ChannelOp::Add(numbers.iter().map(|number| -number).collect()),
            onnx::MUL => ChannelOp::Multiply(numbers),
            _ => ChannelOp::Multiply(numbers.iter().map(|number| 1.0 / number).collect()),
        })
    }

    /// Adds one op to the fused convolution.
    fn after(&self, module: &Module, mut grown: Grown, step: ChannelOp) -> Option<Grown> {
        match (step, &mut grown.bias) {
            (ChannelOp::Add(numbers), Bias::Numbers(bias)) => {
                bias.iter_mut().zip(numbers).for_each(|(bias, number)| *bias += number);
            }
            (ChannelOp::Multiply(numbers), Bias::Numbers(bias)) => {
                for ((factor, bias), number) in grown.factors.iter_mut().zip(bias).zip(numbers) {
                    (*factor, *bias) = (*factor * number, *bias * number);
                }
                let kernel = module.op(grown.conv).operands[1];
                let takes =
                    |uses: &Uses| scaled_weights::takes_factors(module, uses, self.keeps_files, kernel);
                if !scaled_weights::fit(&grown.factors) || !takes(&self.uses) {
                    return None;
                }
            }
            (ChannelOp::AddValue(value), Bias::Numbers(bias)) if bias.iter().all(|&number| number == 0.0) => {
                grown.bias = Bias::Value(value);
            }
            _ => return None,
        }
        let element = module.tensor(module.op(grown.conv).results[0])?.element;
        let fits = |&number: &f64| rounded(element, number).is_some();
        match &grown.bias {
            Bias::Numbers(numbers) => numbers.iter().all(fits).then_some(grown),
            Bias::Value(_) => Some(grown),
        }
    }
}

/// Whether a value is a scalar, or has one element per channel and size 1 in all other dimensions.
fn is_along(module: &Module, value: ValueId, grown: &Grown, channels: usize) -> bool {
    let Some(ty) = module.tensor(value) else { return false };
    let result = grown.transpose.unwrap_or(grown.conv);
    let Some(rank) = module.tensor(module.op(result).results[0]).map(|ty| ty.rank()) else { return false };
    let Some(first) = rank.checked_sub(ty.rank()) else { return false };
    let is_one = ty.dims.iter().all(|&dim| dim == Dim::Known(1));
    let fits = |(index, &dim): (usize, &Dim)| {
        let own = if first + index == grown.axis { channels as i64 } else { 1 };
        dim == Dim::Known(own)
    };
    (is_one && module.constant_of(value).is_some())
        || (ty.dims.iter().enumerate().all(fits) && first <= grown.axis)
}

/// Inserts the convolution with its scales, bias and Transpose before an op.
fn insert(rewriter: &mut Rewriter, grown: &Grown, op: OpId) -> Option<ValueId> {
    let conv = grown.conv;
    let operation = rewriter.module.op(conv).clone();
    let element = rewriter.module.tensor(operation.results[0])?.element;
    let kernel = if grown.factors.iter().all(|&factor| factor == 1.0) {
        operation.operands[1]
    } else {
        multiplied(rewriter, grown, operation.operands[1])?
    };
    let channels = grown.factors.len() as i64;
    let bias = match &grown.bias {
        Bias::Numbers(numbers) => {
            let bytes: Vec<u8> =
                numbers.iter().map(|&number| rounded(element, number)).collect::<Option<Vec<_>>>()?.concat();
            let ty = rewriter.module.tensor_of(element, &[channels]);
            let origin = grown.named.unwrap_or(op);
            rewriter.create(onnx::CONSTANT, &[]).at_op(origin).data(ty, Data::Bytes(bytes.into()))
        }
        &Bias::Value(value) => flat(rewriter, value, channels),
    };
    let inputs = [operation.operands[0], kernel, bias];
    let result = rewriter.create_like(conv, &inputs).like(operation.results[0]);
    let Some(transpose) = grown.transpose else { return Some(result) };
    let order = rewriter.module.attribute(transpose, "perm")?.clone();
    let ty = rewriter.module.value_type(rewriter.module.op(transpose).results[0]);
    Some(rewriter.create(onnx::TRANSPOSE, &[result]).attr("perm", order).of(ty))
}

/// A value reshaped to one dimension.
fn flat(rewriter: &mut Rewriter, value: ValueId, channels: i64) -> ValueId {
    let is_flat = |module: &Module, value: ValueId| {
        module.tensor(value).is_some_and(|ty| ty.dims[..] == [Dim::Known(channels)])
    };
    let module = &*rewriter.module;
    if is_flat(module, value) {
        return value;
    }
    if let Some([inner, _]) = module.defining_operands(value, onnx::RESHAPE)
        && is_flat(module, inner)
    {
        return inner;
    }
    let element = module.tensor(value).map_or(Element::F32, |ty| ty.element);
    let shape = rewriter.integers(&[channels]);
    let ty = rewriter.module.tensor_of(element, &[channels]);
    rewriter.create(onnx::RESHAPE, &[value, shape]).of(ty)
}

/// A kernel scaled by its output channels.
fn multiplied(rewriter: &mut Rewriter, grown: &Grown, kernel: ValueId) -> Option<ValueId> {
    let module = &*rewriter.module;
    if module.op(grown.conv).name == onnx::CONV {
        return scaled_weights::scaled(rewriter, kernel, grown.factors.clone(), 1);
    }
    // For `[C, O / groups, ...]` with input features in the same groups.
    let size = |axis: usize| usize::try_from(module.tensor(kernel)?.dims.get(axis)?.known()?).ok();
    let (read, made) = (size(0)?, size(1)?);
    let groups = grown.factors.len().checked_div(made)?;
    let per_group = read.checked_div(groups)?;
    let channel = |index: usize| index / made / per_group * made + index % made;
    let values = (0..read * made).map(|index| grown.factors.get(channel(index)).copied());
    let values = values.collect::<Option<Vec<f64>>>()?;
    scaled_weights::scaled(rewriter, kernel, values, 2)
}
