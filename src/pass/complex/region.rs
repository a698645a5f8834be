//! Ops with regions: loops and branches, and those that combine or compare elements.
//!
//! A partwise region of a reduction or scatter (a sum, an assignment) becomes one op on the packed form, or two on the
//! parts. Any other op becomes one with twice as many operands, whose regions take and return the parts as separate
//! values.

use super::movement::extend_window;
use super::{LowerError, Rewrite, RewriteRow, Splitter};
use crate::ir::{BlockId, OpId, RegionId, SCALAR, TypeId, ValueId, stablehlo};
use crate::ops::{Combiner, combiners};
use smallvec::{SmallVec, smallvec};

pub(super) const ROWS: &[RewriteRow] = &[
    (stablehlo::CASE, Rewrite::Own(apart)),
    (stablehlo::IF, Rewrite::Own(apart)),
    (stablehlo::OPTIMIZATION_BARRIER, Rewrite::Own(apart)),
    (stablehlo::REDUCE, Rewrite::Own(reduce)),
    (stablehlo::REDUCE_WINDOW, Rewrite::Own(reduce_window)),
    (stablehlo::SCATTER, Rewrite::Own(scatter)),
    (stablehlo::SORT, Rewrite::Own(apart)),
    (stablehlo::WHILE, Rewrite::Own(apart)),
];

fn reduce(cx: &mut Splitter, op: OpId) -> Result<(), LowerError> {
    let Some(combiner) = combiner(cx, op) else { return apart(cx, op) };
    let [operand, init] = cx.module.op(op).operands[..] else { return apart(cx, op) };
    let is_packed = cx.forms.get(&operand).is_some_and(|form| form.packed.is_some() && form.parts.is_none());
    if let (true, Some(init)) = (is_packed, cx.equal_parts(init)) {
        cx.module.op_mut(op).operands[1] = init;
        fill_region(cx, op, combiner)?;
        return cx.on_packed(op, |_, _| Ok(()));
    }
    each_part(cx, op, combiner)
}

fn reduce_window(cx: &mut Splitter, op: OpId) -> Result<(), LowerError> {
    match combiner(cx, op) {
        Some(combiner) => each_part(cx, op, combiner),
        None => apart(cx, op),
    }
}

fn scatter(cx: &mut Splitter, op: OpId) -> Result<(), LowerError> {
    let Some(combiner) = combiner(cx, op) else { return apart(cx, op) };
    let [operand, _, updates] = cx.module.op(op).operands[..] else { return apart(cx, op) };
    let is_packed =
        |value| cx.forms.get(&value).is_some_and(|form| form.packed.is_some() && form.parts.is_none());
    if !is_packed(operand) || !is_packed(updates) {
        return each_part(cx, op, combiner);
    }
    fill_region(cx, op, combiner)?;
    cx.on_packed(op, extend_window)
}

/// The combiner, if the region has one complex pair of arguments and works partwise: a sum, or an assignment.
fn combiner(cx: &Splitter, op: OpId) -> Option<Combiner> {
    let [region] = cx.module.op(op).regions[..] else { return None };
    match combiners(cx.module, region)?[..] {
        [combiner @ (Combiner::Add | Combiner::Second)] => Some(combiner),
        _ => None,
    }
}

/// A region on real scalars.
fn real_region(cx: &mut Splitter, ty: TypeId, combiner: Combiner) -> RegionId {
    let region = cx.module.add_region();
    let block = cx.module.add_block(region);
    let first = cx.module.add_argument(block, ty);
    let second = cx.module.add_argument(block, ty);
    let outer = std::mem::take(&mut cx.pending);
    let result = match combiner {
        Combiner::Add => cx.create(stablehlo::ADD, &[first, second]).of(ty),
        _ => second,
    };
    cx.create(stablehlo::RETURN, &[result]).results(&[]);
    cx.module.block_mut(block).ops = std::mem::replace(&mut cx.pending, outer);
    region
}

/// The type of the parts of the region's arguments.
fn scalar(cx: &mut Splitter, op: OpId) -> Result<TypeId, LowerError> {
    let part = cx.result_part(op, 0)?;
    let element = cx.module.tensor_type(part).map(|tensor| tensor.element);
    element
        .map(|element| cx.module.tensor_of(element, SCALAR))
        .ok_or_else(|| LowerError::form("its result is not a tensor"))
}

fn fill_region(cx: &mut Splitter, op: OpId, combiner: Combiner) -> Result<(), LowerError> {
    let ty = scalar(cx, op)?;
    let region = real_region(cx, ty, combiner);
    cx.module.op_mut(op).regions = smallvec![region];
    Ok(())
}

/// One op per part.
fn each_part(cx: &mut Splitter, op: OpId, combiner: Combiner) -> Result<(), LowerError> {
    let (scalar, ty) = (scalar(cx, op)?, cx.result_part(op, 0)?);
    let operands = cx.partwise_operands(op)?;
    let parts = operands.map(|operands| {
        let region = real_region(cx, scalar, combiner);
        cx.again(op, &operands).region(region).of(ty)
    });
    cx.define_parts(op, 0, parts)
}

/// One op with the parts as separate operands.
fn apart(cx: &mut Splitter, op: OpId) -> Result<(), LowerError> {
    let is_sort = cx.module.op(op).name == stablehlo::SORT;
    let regions = cx.module.op(op).regions.clone();
    let mut operands: Vec<ValueId> = Vec::new();
    for operand in cx.module.op(op).operands.clone() {
        if cx.is_complex(operand) {
            operands.extend(cx.parts(operand)?);
        } else {
            operands.push(operand);
        }
    }
    let mut types: SmallVec<[TypeId; 1]> = SmallVec::new();
    for index in 0..cx.module.op(op).results.len() {
        let ty = cx.result_part(op, index)?;
        let count = if cx.is_complex(cx.module.op(op).results[index]) { 2 } else { 1 };
        types.extend(std::iter::repeat_n(ty, count));
    }
    let outer = std::mem::replace(&mut cx.returns_parts, true);
    for &region in &regions {
        let block = cx.module.entry_block(region).ok_or_else(|| LowerError::form("an empty region"))?;
        split_arguments(cx, block, if is_sort { 2 } else { 1 });
        cx.block(block);
    }
    cx.returns_parts = outer;
    let mut new_results = cx.again(op, &operands).regions(regions).values(&types).into_iter();
    for index in 0..cx.module.op(op).results.len() {
        let is_complex = cx.is_complex(cx.module.op(op).results[index]);
        match (is_complex, new_results.next()) {
            (true, Some(re)) => {
                let im = new_results.next().ok_or(LowerError::Reported)?;
                cx.define_parts(op, index, [re, im])?;
            }
            (false, Some(value)) => cx.define_real(op, index, value)?,
            (_, None) => return Err(LowerError::Reported),
        }
    }
    Ok(())
}

/// Splits each complex argument of a block into two. Arguments come in groups, with all first parts before all second
/// parts: a comparator takes the two elements of each operand side by side.
fn split_arguments(cx: &mut Splitter, block: BlockId, group: usize) {
    let old = std::mem::take(&mut cx.module.block_mut(block).arguments);
    for group in old.chunks(group) {
        let complex = group.iter().all(|&value| cx.is_complex(value));
        if !complex {
            for &value in group {
                let ty = cx.module.value_type(value);
                let new = cx.module.add_argument(block, ty);
                cx.replaced.insert(value, new);
            }
            continue;
        }
        let mut parts = [Vec::new(), Vec::new()];
        for list in &mut parts {
            for &value in group {
                let ty = cx.module.value_type(value);
                let ty = super::part_type(cx.module, ty).unwrap_or(ty);
                list.push(cx.module.add_argument(block, ty));
            }
        }
        for (&value, (&re, &im)) in group.iter().zip(parts[0].iter().zip(&parts[1])) {
            cx.forms.insert(value, super::ComplexForm { packed: None, parts: Some([re, im]) });
        }
    }
}
