//! Builds a `Loop` or `Scan` with a trip count, whose inputs are read and outputs are written slice by slice.
//!
//! `Scan` is faster: it reads and writes slices in place, and counts itself. ONNX Runtime requires at least one
//! iteration, and its body does not get the iteration number.

use super::super::{Lower, LowerError};
use crate::ir::{Dim, Element, SCALAR, ValueId, onnx};

/// An element type and sizes.
pub(in crate::ops) type Type = (Element, Vec<Dim>);

/// The trip count.
#[derive(Clone, Copy)]
pub(in crate::ops) enum Length {
    /// A size.
    Sized(Dim),
    /// An `i64` scalar; negative counts as zero.
    Computed(ValueId),
}

/// An input that is read slice by slice.
#[derive(Clone, Copy)]
pub(in crate::ops) struct Input {
    /// The whole input.
    pub value: ValueId,
    /// The dimension that is sliced.
    pub axis: usize,
    /// Whether the last slice is read first.
    pub backward: bool,
}

/// An output that is written slice by slice.
#[derive(Clone)]
pub(in crate::ops) struct Output {
    /// The type of the whole output.
    pub ty: Type,
    /// The dimension that is concatenated.
    pub axis: usize,
    /// Whether the first slice becomes the last one.
    pub backward: bool,
}

/// A loop under construction.
pub(in crate::ops) struct LoopBuilder {
    /// The trip count.
    pub length: Length,
    /// The initial values.
    pub inits: Vec<ValueId>,
    /// The types of carried values.
    pub carried: Vec<Type>,
    /// Inputs that are read slice by slice.
    pub inputs: Vec<Input>,
    /// Outputs that are written slice by slice.
    pub outputs: Vec<Output>,
    /// Whether the body uses the iteration number.
    pub numbered: bool,
}

/// The arguments of the body.
pub(in crate::ops) struct Round<'v> {
    /// The iteration number as `i64`, from 0, if requested.
    pub number: Option<ValueId>,
    /// The carried values.
    pub carried: &'v [ValueId],
    /// A slice of each input, without the sliced dimension.
    pub slices: &'v [ValueId],
}

/// Whether slices of this type can be concatenated even with a trip count of zero: ONNX Runtime then returns outputs
/// with size 0 for each symbolic size.
pub(super) fn can_be_joined(cx: &Lower, length: Dim, slice: &[Dim]) -> bool {
    cx.module.dim_exprs.is_at_least(length, 1) || slice.iter().all(|size| size.known().is_some())
}

impl LoopBuilder {
    /// Emits the loop, and returns carried values and outputs. `body` returns the next carried values and a slice of
    /// each output.
    ///
    /// # Errors
    /// Errors of `body`.
    pub fn emit(
        self,
        cx: &mut Lower,
        body: impl FnOnce(&mut Lower, Round) -> Result<(Vec<ValueId>, Vec<ValueId>), LowerError>,
    ) -> Result<(Vec<ValueId>, Vec<ValueId>), LowerError> {
        let never_empty = |length| cx.module.dim_exprs.is_at_least(length, 1);
        let is_scan = !self.numbered
            && !self.inputs.is_empty()
            && matches!(self.length, Length::Sized(length) if never_empty(length));
        let mut operands = Vec::new();
        if !is_scan {
            let rounds = match self.length {
                Length::Sized(length) => cx.size_scalar(length, Element::I64),
                Length::Computed(rounds) => rounds,
            };
            let go_on = cx.always();
            operands.extend([rounds, go_on]);
        }
        for (&init, (_, sizes)) in self.inits.iter().zip(&self.carried) {
            operands.push(cx.broadcast_to(init, sizes));
        }
        if is_scan { self.scan(cx, operands, body) } else { self.repeat(cx, operands, body) }
    }

    fn scan(
        self,
        cx: &mut Lower,
        mut operands: Vec<ValueId>,
        body: impl FnOnce(&mut Lower, Round) -> Result<(Vec<ValueId>, Vec<ValueId>), LowerError>,
    ) -> Result<(Vec<ValueId>, Vec<ValueId>), LowerError> {
        operands.extend(self.inputs.iter().map(|input| input.value));
        let count = self.carried.len();
        let mut arguments = self.carried.clone();
        arguments.extend(self.inputs.iter().map(|input| cut(cx, input)));
        let graph = cx.graph(&arguments, |cx, values| {
            let (carried, slices) = values.split_at(count);
            let (mut next, slices) = body(cx, Round { number: None, carried, slices })?;
            next.extend(slices);
            Ok(next)
        })?;
        let mut types = self.carried;
        types.extend(self.outputs.iter().map(|output| output.ty.clone()));
        let mut node = cx.node(onnx::SCAN, &operands).int("num_scan_inputs", self.inputs.len() as i64);
        let inputs = || self.inputs.iter().map(|input| (input.axis, input.backward));
        let outputs = || self.outputs.iter().map(|output| (output.axis, output.backward));
        let (axes, directions): (Vec<i64>, Vec<i64>) = inputs().map(numbers).unzip();
        node = node.optional("scan_input_axes", &axes).optional("scan_input_directions", &directions);
        let (axes, directions): (Vec<i64>, Vec<i64>) = outputs().map(numbers).unzip();
        node = node.optional("scan_output_axes", &axes).optional("scan_output_directions", &directions);
        let mut results = node.region(graph).outs(&types);
        let outputs = results.split_off(count);
        Ok((results, outputs))
    }

    fn repeat(
        self,
        cx: &mut Lower,
        operands: Vec<ValueId>,
        body: impl FnOnce(&mut Lower, Round) -> Result<(Vec<ValueId>, Vec<ValueId>), LowerError>,
    ) -> Result<(Vec<ValueId>, Vec<ValueId>), LowerError> {
        let last = match self.length {
            Length::Sized(length) if self.inputs.iter().any(|input| input.backward) => {
                let last = cx.module.dim_exprs.subtract(length, Dim::Known(1));
                Some(cx.size_scalar(last, Element::I64))
            }
            _ => None,
        };
        let mut arguments = vec![(Element::I64, Vec::new()), (Element::Bool, Vec::new())];
        arguments.extend(self.carried.iter().cloned());
        let graph = cx.graph(&arguments, |cx, values| {
            let (number, slices) = (values[0], Vec::with_capacity(self.inputs.len()));
            let backward = last.map(|last| cx.elementwise(onnx::SUB, &[last, number]));
            let slices = self.inputs.iter().fold(slices, |mut slices, input| {
                let index = backward.filter(|_| input.backward).unwrap_or(number);
                let (element, sizes) = cut(cx, input);
                let node = cx.node(onnx::GATHER, &[input.value, index]).int("axis", input.axis as i64);
                slices.push(node.out(element, &sizes));
                slices
            });
            let round = Round { number: Some(number), carried: &values[2..], slices: &slices };
            let (next, slices) = body(cx, round)?;
            Ok([&[values[1]][..], &next, &slices].concat())
        })?;
        let count = self.carried.len();
        let mut types = self.carried;
        for output in &self.outputs {
            let (element, mut sizes) = output.ty.clone();
            let length = sizes.remove(output.axis);
            sizes.insert(0, length);
            types.push((element, sizes));
        }
        let mut results = cx.node(onnx::LOOP, &operands).region(graph).outs(&types);
        let joined = results.split_off(count);
        let mut outputs = Vec::with_capacity(joined.len());
        for (value, output) in joined.into_iter().zip(&self.outputs) {
            let value = if output.backward { cx.reverse(value, &[0]) } else { value };
            let mut order: Vec<i64> = (1..cx.rank(value) as i64).collect();
            order.insert(output.axis, 0);
            outputs.push(cx.transpose(value, &order));
        }
        Ok((results, outputs))
    }
}

/// An axis and a direction as `Scan` takes them.
fn numbers((axis, backward): (usize, bool)) -> (i64, i64) {
    (axis as i64, i64::from(backward))
}

/// The type of a slice.
fn cut(cx: &Lower, input: &Input) -> Type {
    let mut sizes = cx.dims(input.value).to_vec();
    sizes.remove(input.axis);
    (cx.element(input.value), sizes)
}

impl Lower<'_> {
    /// The trip count for a counter from `start` to `limit`, as `Loop` takes it.
    pub(super) fn distance(&mut self, start: ValueId, limit: ValueId) -> ValueId {
        let limit = self.cast(limit, Element::I64);
        if self.known_integers(start) == Some(vec![0]) {
            return self.reshape(limit, SCALAR);
        }
        let start = self.cast(start, Element::I64);
        // ONNX Runtime runs no iteration for a negative number.
        let rounds = self.elementwise(onnx::SUB, &[limit, start]);
        self.reshape(rounds, SCALAR)
    }
}
