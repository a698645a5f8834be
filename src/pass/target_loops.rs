//! Writes loops in the form that the target has.
//!
//! tract has `Scan` and no `Loop`, rten `Loop` and no `Scan`. The `Scan` of ONNX's reference evaluator ignores its axes, and
//! concatenates slices instead of stacking them. OpenVINO may compute a carried value of a `Scan` in the memory of a slice, and
//! overwrite it with the next one. A `Loop` with a constant trip count becomes a `Scan` over as many ones, which
//! count the iterations; if it can also stop early, the carried values stay what they are from then on. Any other `Loop` stays, and
//! [`check_target`](super::check_target) reports it.

use super::Context;
use crate::ir::{
    Attribute, BlockId, Dim, Element, Module, OpId, RegionId, Rewriter, TypeId, ValueId, axis_index, onnx,
};
use crate::target::{Capability, Target};

/// A loop that can stop early and may run more often stays a `Loop`: as a `Scan` it would run that often.
const MOST_ROUNDS: i64 = 4096;

/// Runs the pass on all functions.
pub fn run(module: &mut Module, cx: &mut Context) {
    let Some(target) = cx.options.target else { return };
    if target.can(Capability::Loop) && target.can(Capability::Scan) {
        return;
    }
    for function in module.functions() {
        Rewriter::new(module).function(function, &mut |rewriter, op| visit(rewriter, op, target));
    }
}

fn visit(rewriter: &mut Rewriter, op: OpId, target: Target) -> bool {
    let results = match rewriter.module.op(op).name {
        onnx::LOOP if !target.can(Capability::Loop) => as_scan(rewriter, op, target),
        onnx::SCAN if !target.can(Capability::Scan) => as_loop(rewriter, op, target),
        _ => None,
    };
    let Some(results) = results else { return true };
    let old = rewriter.module.op(op).results.to_vec();
    old.into_iter().zip(results).for_each(|(old, new)| rewriter.replace(old, new));
    false
}

/// A body under construction: the ops of the old one between new ops.
struct Body {
    region: RegionId,
    block: BlockId,
    old: BlockId,
}

impl Body {
    fn new(module: &mut Module, op: OpId) -> Option<Self> {
        let old = module.entry_block(*module.op(op).regions.first()?)?;
        let region = module.add_region();
        let block = module.add_block(region);
        Some(Self { region, block, old })
    }

    /// Moves the ops of the old body, except its terminator, to the end, rewrites them, and returns the operands of the
    /// terminator.
    fn take(&self, rewriter: &mut Rewriter, target: Target) -> Vec<ValueId> {
        let mut ops = std::mem::take(&mut rewriter.module.block_mut(self.old).ops);
        let Some(end) = ops.pop() else { return Vec::new() };
        rewriter.module.block_mut(self.old).ops = ops;
        rewriter.block(self.old, &mut |rewriter, op| visit(rewriter, op, target));
        let mut ops = std::mem::take(&mut rewriter.module.block_mut(self.old).ops);
        rewriter.module.block_mut(self.block).ops.append(&mut ops);
        let returned = rewriter.module.op(end).operands.to_vec();
        returned.into_iter().map(|value| rewriter.resolve(value)).collect()
    }

    fn end(&self, module: &mut Module, returned: &[ValueId]) {
        let block = self.block;
        module.create(onnx::RETURN, returned).end_of(block).results(&[]);
    }
}

fn types(module: &Module, values: &[ValueId]) -> Vec<TypeId> {
    values.iter().map(|&value| module.value_type(value)).collect()
}

/// Whether a value is the constant `true`.
fn is_true(module: &Module, value: ValueId) -> bool {
    module.known_integers(value) == Some(vec![1])
}

/// The most rounds of a `Scan` that stands for a `Loop`: it reads a constant of as many elements.
const LONGEST: i64 = 1 << 24;

/// A `Loop` of constantly many rounds as a `Scan`.
fn as_scan(rewriter: &mut Rewriter, op: OpId, target: Target) -> Option<Vec<ValueId>> {
    let module = &mut *rewriter.module;
    let operands = module.op(op).operands.to_vec();
    let (&[rounds, condition], inits) = operands.split_first_chunk::<2>()?;
    let rounds = *module.known_integers(rounds)?.first().filter(|rounds| (1..=LONGEST).contains(*rounds))?;
    let starts = condition == module.absent() || is_true(module, condition);
    let old = module.entry_block(*module.op(op).regions.first()?)?;
    let arguments = module.block(old).arguments.clone();
    let (&[number, going], carried) = arguments.split_first_chunk::<2>()?;
    let end = module.op(*module.block(old).ops.last()?).operands.to_vec();
    let (&goes_on, returned) = end.split_first()?;
    let passed = module.defining_operands(goes_on, onnx::IDENTITY).map_or(goes_on, |[value]| value);
    let stops = !starts || passed != going && !is_true(module, passed);
    let outputs = returned.len() - carried.len();
    if stops && (outputs > 0 || rounds > MOST_ROUNDS) {
        return None;
    }
    let carried_types = types(module, carried);
    let result_types = types(module, &module.op(op).results.clone());
    let body = Body::new(module, op)?;
    let boolean = module.tensor_of(Element::Bool, &[] as &[i64]);
    let is_going = stops.then(|| module.add_argument(body.block, boolean));
    let scalar = module.value_type(number);
    let count = module.add_argument(body.block, scalar);
    let state: Vec<ValueId> = carried_types.iter().map(|&ty| module.add_argument(body.block, ty)).collect();
    let one = module.add_argument(body.block, scalar);
    let truth = rewriter.bytes(Element::Bool, &[], &[1]);
    let zero = rewriter.bytes(Element::I64, &[], &[0; 8]);
    let ones = rewriter.integers(&vec![1; usize::try_from(rounds).ok()?]);
    rewriter.replace(going, is_going.unwrap_or(truth));
    // A round after the last one reads the values of the first: the final ones may be positions after the end.
    let firsts = [&[zero], inits].concat();
    for ((&old, &new), &first) in
        [&[number], carried].concat().iter().zip(&[&[count], &state[..]].concat()).zip(&firsts)
    {
        let read = match is_going {
            None => new,
            Some(is_going) => {
                let block = body.block;
                rewriter.module.create(onnx::WHERE, &[is_going, new, first]).end_of(block).like(new)
            }
        };
        rewriter.replace(old, read);
    }
    let mut returned = body.take(rewriter, target);
    if stops {
        rewriter.block(body.block, &mut guard);
    }
    let goes_on = returned.remove(0);
    let module = &mut *rewriter.module;
    let block = body.block;
    // tract computes what depends on slices and constants alone outside of the loop, and incorrectly where it broadcasts.
    // So the number is carried.
    let mut next = vec![module.create(onnx::ADD, &[count, one]).end_of(block).of(scalar)];
    if let Some(is_going) = is_going {
        for (value, &kept) in returned.iter_mut().zip(&state) {
            *value = module.create(onnx::WHERE, &[is_going, *value, kept]).end_of(block).like(kept);
        }
        next.insert(0, module.create(onnx::AND, &[is_going, goes_on]).end_of(block).of(boolean));
    }
    let own = next.len();
    body.end(module, &[next, returned].concat());
    let own_types: &[TypeId] = if stops { &[boolean, scalar] } else { &[scalar] };
    let first = if starts { truth } else { condition };
    let own_inits: &[ValueId] = if stops { &[first, zero] } else { &[zero] };
    let operands = [own_inits, inits, &[ones]].concat();
    let scan = rewriter.create(onnx::SCAN, &operands).int("num_scan_inputs", 1).region(body.region);
    Some(scan.values(&[own_types, &result_types].concat()).split_off(own))
}

/// Keeps the positions of a Gather in range: a loop that does not begin may have other ones, and tract ends the process.
fn guard(rewriter: &mut Rewriter, op: OpId) -> bool {
    let module = &mut *rewriter.module;
    if module.op(op).name != onnx::GATHER {
        return true;
    }
    let (data, index) = (module.op(op).operands[0], module.op(op).operands[1]);
    let axis = module.attribute(op, "axis").and_then(Attribute::as_integer).unwrap_or_default();
    let size = module.tensor(data).and_then(|tensor| tensor.dims[axis_index(axis, tensor.rank())?].known());
    let element = module.tensor(index).map(|tensor| tensor.element);
    let is_guarded =
        module.constant_of(index).is_some() || module.defining_operands::<2>(index, onnx::MIN).is_some();
    let (Some(size), Some(element @ (Element::I32 | Element::I64))) = (size, element) else { return true };
    if is_guarded || size == 0 {
        return true;
    }
    let bound = |rewriter: &mut Rewriter, number: i64| {
        rewriter.bytes(element, &[], &number.to_le_bytes()[..element.bytes()])
    };
    let (low, high) = (bound(rewriter, -size), bound(rewriter, size - 1));
    let inside = rewriter.create(onnx::MAX, &[index, low]).like(index);
    let inside = rewriter.create(onnx::MIN, &[inside, high]).like(index);
    rewriter.module.op_mut(op).operands[1] = inside;
    true
}

/// What a `Scan` reads or writes slice by slice: the dimension, and whether the last slice is the first.
type Along = (usize, bool);

/// The inputs or outputs of a `Scan`.
fn along(module: &Module, op: OpId, which: &str, values: &[ValueId]) -> Option<Vec<Along>> {
    let list = |name: &str| {
        let attribute = module.attribute(op, &format!("scan_{which}_{name}"));
        attribute.and_then(|attribute| module.integers(attribute)).unwrap_or_default()
    };
    let (axes, directions) = (list("axes"), list("directions"));
    let one = |(index, &value): (usize, &ValueId)| {
        let axis = axes.get(index).copied().unwrap_or_default();
        let axis = axis_index(axis, module.tensor(value)?.rank())?;
        Some((axis, directions.get(index) == Some(&1)))
    };
    values.iter().enumerate().map(one).collect()
}

/// How many operands of a `Scan` are carried values.
fn carried_count(module: &Module, op: OpId) -> Option<usize> {
    let inputs = module.attribute(op, "num_scan_inputs").and_then(Attribute::as_integer)?;
    module.op(op).operands.len().checked_sub(usize::try_from(inputs).ok()?)
}

/// A `Scan` as a `Loop` that gathers the slices. The reads are `Gather`s, which copy one slice.
fn as_loop(rewriter: &mut Rewriter, op: OpId, target: Target) -> Option<Vec<ValueId>> {
    let module = &mut *rewriter.module;
    let operands = module.op(op).operands.to_vec();
    let count = carried_count(module, op)?;
    let (inits, inputs) = operands.split_at(count);
    let reads = along(module, op, "input", inputs)?;
    let results = module.op(op).results.to_vec();
    let writes = along(module, op, "output", results.get(count..)?)?;
    let (length, axis) = (*inputs.first()?, reads.first()?.0);
    let rounds = module.tensor(length)?.dims[axis].known();
    let old = module.entry_block(*module.op(op).regions.first()?)?;
    let arguments = module.block(old).arguments.clone();
    let body = Body::new(module, op)?;
    let scalar = module.tensor_of(Element::I64, &[] as &[i64]);
    let boolean = module.tensor_of(Element::Bool, &[] as &[i64]);
    let number = module.add_argument(body.block, scalar);
    let going = module.add_argument(body.block, boolean);
    let carried: Vec<ValueId> = types(module, arguments.get(..count)?)
        .into_iter()
        .map(|ty| module.add_argument(body.block, ty))
        .collect();
    let trip_count = match rounds {
        Some(rounds) => rewriter.bytes(Element::I64, &[], &rounds.to_le_bytes()),
        None => size(rewriter, length, axis)?,
    };
    let last = match rounds {
        Some(rounds) => rewriter.bytes(Element::I64, &[], &(rounds - 1).to_le_bytes()),
        None => {
            let one = rewriter.bytes(Element::I64, &[], &1i64.to_le_bytes());
            rewriter.create(onnx::SUB, &[trip_count, one]).of(scalar)
        }
    };
    let truth = rewriter.bytes(Element::Bool, &[], &[1]);
    let module = &mut *rewriter.module;
    let block = body.block;
    let is_backward = reads.iter().any(|&(_, backward)| backward);
    let backward = is_backward.then(|| module.create(onnx::SUB, &[last, number]).end_of(block).of(scalar));
    let mut slices = Vec::with_capacity(inputs.len());
    for ((&input, &(axis, is_backward)), &slice) in inputs.iter().zip(&reads).zip(&arguments[count..]) {
        let index = backward.filter(|_| is_backward).unwrap_or(number);
        let gather = module.create(onnx::GATHER, &[input, index]).int("axis", axis as i64).end_of(block);
        slices.push(gather.like(slice));
    }
    for (&old, &new) in arguments.iter().zip(carried.iter().chain(&slices)) {
        rewriter.replace(old, new);
    }
    let returned = body.take(rewriter, target);
    let module = &mut *rewriter.module;
    let goes_on = module.create(onnx::IDENTITY, &[going]).end_of(block).of(boolean);
    body.end(module, &[&[goes_on], &returned[..]].concat());
    let written = stacked(module, &results[count..], &writes)?;
    let mut all_types = types(module, &results[..count]);
    all_types.extend(written);
    let operands = [&[trip_count, truth], inits].concat();
    let mut new = rewriter.create(onnx::LOOP, &operands).region(body.region).values(&all_types);
    for (value, &along) in new[count..].iter_mut().zip(&writes) {
        *value = placed(rewriter, *value, along)?;
    }
    Some(new)
}

/// A size that is known when the model runs.
fn size(rewriter: &mut Rewriter, value: ValueId, axis: usize) -> Option<ValueId> {
    let rank = rewriter.module.tensor(value)?.rank() as i64;
    let axis = rewriter.bytes(Element::I64, &[], &(axis as i64).to_le_bytes());
    let shape = rewriter.create(onnx::SHAPE, &[value]).out(Element::I64, &[rank]);
    Some(rewriter.create(onnx::GATHER, &[shape, axis]).int("axis", 0).out(Element::I64, &[] as &[i64]))
}

/// The types of outputs whose slices are stacked along the first dimension.
fn stacked(module: &mut Module, values: &[ValueId], writes: &[Along]) -> Option<Vec<TypeId>> {
    let mut types = Vec::with_capacity(values.len());
    for (&value, &(axis, _)) in values.iter().zip(writes) {
        let tensor = module.tensor(value)?.clone();
        let mut dims: Vec<Dim> = tensor.dims.to_vec();
        let length = dims.remove(axis);
        dims.insert(0, length);
        types.push(module.tensor_of(tensor.element, &dims));
    }
    Some(types)
}

/// A stacked output as the `Scan` had it.
fn placed(rewriter: &mut Rewriter, value: ValueId, (axis, backward): Along) -> Option<ValueId> {
    let value = if backward { reversed(rewriter, value)? } else { value };
    if axis == 0 { Some(value) } else { moved(rewriter, value, 0, axis) }
}

/// A value with one dimension moved.
fn moved(rewriter: &mut Rewriter, value: ValueId, from: usize, to: usize) -> Option<ValueId> {
    let mut order: Vec<usize> = (0..rewriter.module.tensor(value)?.rank()).collect();
    let axis = order.remove(from);
    order.insert(to, axis);
    rewriter.transpose(value, &order)
}

/// A value with the first dimension reversed.
fn reversed(rewriter: &mut Rewriter, value: ValueId) -> Option<ValueId> {
    let bounds = [-1, i64::MIN + 1, 0, -1].map(|number| rewriter.integers(&[number]));
    let [start, end, axis, step] = bounds;
    Some(rewriter.create(onnx::SLICE, &[value, start, end, axis, step]).like(value))
}
