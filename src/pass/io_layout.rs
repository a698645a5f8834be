//! Makes image inputs and outputs channels-first (NCHW) on request.
//!
//! JAX's images are channels-last (NHWC). Expects a lowered module. Adds a Transpose after each such input and before
//! each such output; `canonicalize` merges them with the Transposes around convolutions.

use super::name_values;
use super::{Context, entry};
use crate::diagnostic::{catalog, nearest};
use crate::ir::{BlockId, Definition, Dims, Element, Module, OpId, TensorType, Type, ValueId, onnx};
use smallvec::smallvec;

/// The permutation from NCHW to NHWC.
const TO_NHWC: [i64; 4] = [0, 2, 3, 1];
/// The permutation from NHWC to NCHW.
const TO_NCHW: [i64; 4] = [0, 3, 1, 2];

/// Runs the pass.
pub(super) fn run(module: &mut Module, cx: &mut Context) {
    let Some(entry) = entry(module) else { return };
    let Some(block) = module.entry_block(module.function(entry).body) else { return };
    let arguments = module.block(block).arguments.clone();
    let given = &cx.options.input_names;
    let known =
        if given.len() == arguments.len() { given.to_vec() } else { name_values::inputs(module, entry).0 };
    for index in places("--inputs-as-nchw", module, &arguments, &known, &cx.options.nchw_inputs, cx) {
        input(module, block, index);
    }
    let Some(&last) = module.block(block).ops.last() else { return };
    let results = module.op(last).operands.to_vec();
    let given = &cx.options.output_names;
    let known =
        if given.len() == results.len() { given.to_vec() } else { name_values::outputs(module, entry) };
    for index in places("--outputs-as-nchw", module, &results, &known, &cx.options.nchw_outputs, cx) {
        output(module, block, index);
    }
}

/// The indices of the values selected by name or index, which must be images.
fn places(
    option: &str,
    module: &Module,
    values: &[ValueId],
    known: &[String],
    wanted: &[String],
    cx: &mut Context,
) -> Vec<usize> {
    let mut places = Vec::new();
    for name in wanted {
        let position = || name.parse().ok().filter(|&index: &usize| index < known.len());
        let found = known.iter().position(|known| known == name).or_else(position);
        let rank = found.and_then(|index| module.tensor(*values.get(index)?)).map(|tensor| tensor.rank());
        let why = match (found, rank) {
            (Some(index), Some(4)) => {
                places.push(index);
                continue;
            }
            (Some(_), Some(rank)) => format!("`{name}` has {rank} dimensions, but an image has 4"),
            _ => {
                let near = nearest(name, known.iter().map(String::as_str));
                let all = || format!("`{}`", known.join("`, `"));
                match near {
                    Some(near) => format!("unknown name `{name}`: did you mean `{near}`?"),
                    None => format!("unknown name `{name}`; the names are {}", all()),
                }
            }
        };
        cx.diagnostics.push(catalog::NameMismatch { option, why: &why });
    }
    places
}

/// A new argument is transposed into the old value, so users stay unchanged.
fn input(module: &mut Module, block: BlockId, index: usize) {
    let image = module.block(block).arguments[index];
    let Some(dims) = permuted(module, image, TO_NCHW) else { return };
    let element = module.tensor(image).map_or(Element::F32, |tensor| tensor.element);
    let ty = module.tensor_of(element, &dims);
    let argument = module.add_argument(block, ty);
    let op = transpose(module, argument, image, TO_NHWC);
    module.op_mut(op).results = smallvec![image];
    module.value_mut(image).definition = Definition::Result(op, 0);
    let arguments = &mut module.block_mut(block).arguments;
    arguments.pop();
    arguments[index] = argument;
    module.value_mut(argument).definition = Definition::Argument(block, index as u32);
    module.block_mut(block).ops.insert(0, op);
}

fn output(module: &mut Module, block: BlockId, index: usize) {
    let Some(&last) = module.block(block).ops.last() else { return };
    let image = module.op(last).operands[index];
    let op = transpose(module, image, image, TO_NCHW);
    let transposed = module.op(op).results[0];
    let ops = &mut module.block_mut(block).ops;
    ops.insert(ops.len() - 1, op);
    module.op_mut(last).operands[index] = transposed;
}

fn permuted(module: &Module, value: ValueId, order: [i64; 4]) -> Option<Dims> {
    let tensor = module.tensor(value)?;
    order.iter().map(|&from| tensor.dims.get(from as usize).copied()).collect()
}

/// Transposes `operand` to the order of `image`, if they are the same value.
fn transpose(module: &mut Module, operand: ValueId, image: ValueId, order: [i64; 4]) -> OpId {
    let element = module.tensor(image).map_or(Element::F32, |tensor| tensor.element);
    let dims = permuted(module, operand, order).unwrap_or_default();
    let ty = module.types.intern(Type::Tensor(TensorType::of(element, &dims)));
    let place = module.defining_op(image).map(|op| module.place(op)).unwrap_or_default();
    module.create(onnx::TRANSPOSE, &[operand]).ints("perm", &order).at(place).results(&[ty])
}
