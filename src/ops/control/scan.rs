//! `chlo.scan`: a `Scan` over slices of its inputs along a dimension, with carried values and concatenated outputs.

use super::super::type_inference::dim_fits;
use super::super::{Lower, LowerError, Lowered};
use super::loop_builder::{Input, Length, LoopBuilder, Output, can_be_joined};
use crate::ir::{Dim, OpId};

pub(super) fn lower(cx: &mut Lower, op: OpId) -> Lowered {
    let body = cx.region(op, 0)?;
    let axis = cx.attributes(op).integer("dimension")? as usize;
    let backward = cx.attributes(op).flag("is_reverse");
    let counts = |name: &'static str| -> Result<(usize, usize), LowerError> {
        match cx.attributes(op).integers(name)?[..] {
            [apart, carried] => Ok((apart as usize, carried as usize)),
            _ => Err(LowerError::attribute(name, "expected two numbers")),
        }
    };
    let (inputs, _) = counts("operandSegmentSizes")?;
    let (outputs, _) = counts("resultSegmentSizes")?;
    let mut types = super::result_types(cx, op)?;
    let carried = types.split_off(outputs);
    let operands = cx.fulls(op)?;
    let (scanned, inits) = operands.split_at(inputs);
    let lengths = scanned.iter().map(|&input| cx.dims(input)[axis]);
    let mut lengths = lengths.chain(types.iter().map(|(_, sizes)| sizes[axis]));
    let Some(length) = lengths.next() else { return Err(LowerError::form("nothing to scan")) };
    if !lengths.all(|other| dim_fits(other, length)) {
        return Err(LowerError::form("inputs and outputs that differ in length"));
    }
    if length == Dim::Known(0) {
        let mut values = Vec::with_capacity(types.len() + inits.len());
        for (element, sizes) in &types {
            let zero = cx.integer(*element, 0);
            values.push(cx.broadcast_to(zero, sizes));
        }
        return Ok(values.into_iter().chain(inits.iter().copied()).collect());
    }
    let slice = |sizes: &[Dim]| [&sizes[..axis], &sizes[axis + 1..]].concat();
    if !types.iter().all(|(_, sizes)| can_be_joined(cx, length, &slice(sizes))) {
        return Err(LowerError::Dynamic("a slice of a scan that may have no slices".into()));
    }
    let rounds = LoopBuilder {
        length: Length::Sized(length),
        inits: inits.to_vec(),
        carried,
        inputs: scanned.iter().map(|&value| Input { value, axis, backward }).collect(),
        outputs: types.into_iter().map(|ty| Output { ty, axis, backward }).collect(),
        numbered: false,
    };
    let (carried, joined) = rounds.emit(cx, |cx, round| {
        let mut slices = cx.inline(body, &[round.slices, round.carried].concat())?;
        let carried = slices.split_off(outputs);
        Ok((carried, slices))
    })?;
    Ok(joined.into_iter().chain(carried).collect())
}
