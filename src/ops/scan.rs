//! `chlo.scan`: a `Loop` over the slices of its inputs along a dimension, in which some values are carried and others
//! are joined to the outputs.

use super::rules::dim_fits;
use super::{Lower, Lowered, Refusal};
use crate::ir::{Dim, Element, OpId};

pub(super) fn lower(cx: &mut Lower, op: OpId) -> Lowered {
    let body = cx.region(op, 0)?;
    let dimension = cx.int(op, "dimension")? as usize;
    let reverse = cx.flag(op, "is_reverse");
    let counts = |name: &'static str| -> Result<(usize, usize), Refusal> {
        match cx.ints(op, name)?[..] {
            [apart, carried] => Ok((apart as usize, carried as usize)),
            _ => Err(Refusal::Attribute { name, why: "two numbers are expected".into() }),
        }
    };
    let (inputs, _) = counts("operandSegmentSizes")?;
    let (outputs, carried) = counts("resultSegmentSizes")?;
    let mut types = Vec::with_capacity(outputs + carried);
    for index in 0..outputs + carried {
        let (element, dims) = cx.result_dims(op, index)?;
        types.push((element, dims.to_vec()));
    }
    let operands = cx.fulls(op)?;
    let (scanned, inits) = operands.split_at(inputs);
    let mut lengths = scanned
        .iter()
        .map(|&input| cx.dims(input)[dimension])
        .chain(types[..outputs].iter().map(|(_, sizes)| sizes[dimension]));
    let Some(length) = lengths.next() else { return Err(Refusal::form("nothing to scan")) };
    if !lengths.all(|other| dim_fits(other, length)) {
        return Err(Refusal::form("inputs and outputs of different lengths"));
    }
    if length == Dim::Known(0) {
        let mut values = Vec::with_capacity(types.len());
        for (element, sizes) in &types[..outputs] {
            let zero = cx.integer(*element, 0);
            values.push(cx.broadcast_to(zero, sizes));
        }
        return Ok(values.into_iter().chain(inits.iter().copied()).collect());
    }
    let slice = |sizes: &[Dim]| {
        let mut sizes = sizes.to_vec();
        sizes.remove(dimension);
        sizes
    };
    let last = cx.module.sizes.subtract(length, Dim::Known(1));
    let last = reverse.then(|| cx.size_scalar(last, Element::I64));
    let mut arguments = vec![(Element::I64, Vec::new()), (Element::Bool, Vec::new())];
    arguments.extend(types[outputs..].iter().cloned());
    let graph = cx.graph(&arguments, |cx, values| {
        let number = values[0];
        let index = match last {
            Some(last) => cx.formula([number, last], |[number, last]| -number + last),
            None => number,
        };
        let mut bound = Vec::with_capacity(operands.len());
        for &input in scanned {
            let (element, sizes) = (cx.element(input), slice(&cx.dims(input)));
            let node = cx.node("Gather", &[input, index]).int("axis", dimension as i64);
            bound.push(node.out(element, &sizes));
        }
        bound.extend(&values[2..]);
        let returned = cx.inline(body, &bound)?;
        let (joined, carried) = returned.split_at(outputs);
        Ok([&[values[1]], carried, joined].concat())
    })?;
    let mut results = types[outputs..].to_vec();
    for (element, sizes) in &types[..outputs] {
        results.push((*element, [vec![length], slice(sizes)].concat()));
    }
    let mut loop_operands = vec![cx.size_scalar(length, Element::I64), cx.absent()];
    loop_operands.extend(inits);
    let results = cx.node("Loop", &loop_operands).region(graph).outs(&results);
    let (carried, joined) = results.split_at(carried);
    let mut values = Vec::with_capacity(results.len());
    for &output in joined {
        let output = if reverse { cx.reverse(output, &[0]) } else { output };
        let rank = cx.rank(output) as i64;
        let mut order: Vec<i64> = (1..rank).collect();
        order.insert(dimension, 0);
        values.push(cx.transpose(output, &order));
    }
    Ok(values.into_iter().chain(carried.iter().copied()).collect())
}
