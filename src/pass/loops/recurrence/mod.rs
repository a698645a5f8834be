//! Cells of LSTM, GRU and simple recurrent networks in loops become one op for all iterations.
//!
//! The cell's states leave the loop, and the rest of the body reads the hidden states from the op's result. If nothing is
//! left, the loop is dead.

mod cell;
mod gate;

use super::counted::Scan;
use crate::ir::{Attribute, Dim, Dims, Element, Module, OpId, OpName, Rewriter, TypeId, ValueId, stablehlo};
use crate::options::Options;
use crate::source::Source;
use crate::target::Place;
use crate::target::kernels::Provider;
use cell::{Cell, Function, Kind};
use gate::{Bias, Columns, Input, Sum, Weights};

/// A loop of fewer iterations is unrolled.
const FEWEST: i64 = 2;

/// Moves one cell out of a loop. Returns whether there was one.
pub(super) fn extract(rewriter: &mut Rewriter, op: OpId, source: &Source, options: &Options) -> bool {
    let Some(scan) = Scan::of(rewriter.module, op) else { return false };
    // ONNX Runtime refuses empty sequences.
    if options.strict_nan || !rewriter.module.dim_exprs.is_at_least(scan.length, FEWEST) {
        return false;
    }
    let Some(cell) = Cell::of(rewriter.module, source, &scan) else { return false };
    if scan.length.known().is_none() && cell.backward || !is_supported(rewriter.module, &scan, &cell, options)
    {
        return false;
    }
    replace(rewriter, &scan, &cell).is_some()
}

/// Whether the target has a kernel.
fn is_supported(module: &Module, scan: &Scan, cell: &Cell, options: &Options) -> bool {
    let state = module.op(scan.op).operands[cell.states[0]];
    let Some(element) = module.tensor(state).map(|ty| ty.element) else { return false };
    // ONNX Runtime has kernels for f64 that refuse to run.
    matches!(element, Element::F32 | Element::F16 | Element::BF16) && runs(options, cell.kind.onnx(), element)
}

/// Whether the target runs an ONNX op on operands of an element type, of which the fifth has its own. ONNX Runtime on the
/// CPU may compute in `f32`.
fn runs(options: &Options, op: OpName, element: Element) -> bool {
    let Some(target) = options.target else { return true };
    let has = |element| {
        let elements = |place| (place != Place::Operand(4)).then_some(element);
        target.gap(op, options.first_opset(), elements).is_none()
    };
    has(element) || target.row().kernels == Provider::Cpu && has(Element::F32)
}

/// The sizes of a cell.
struct Sizes {
    element: Element,
    length: Dim,
    rows: Dim,
    width: i64,
    input: i64,
}

fn replace(rewriter: &mut Rewriter, scan: &Scan, cell: &Cell) -> Option<()> {
    let (input, _) = cell.gates[0].input.clone()?;
    let (operands, results) = {
        let operation = rewriter.module.op(scan.op);
        (operation.operands.clone(), operation.results.clone())
    };
    let state = rewriter.module.tensor(operands[cell.states[0]])?.clone();
    let (last, batch) = state.dims.split_last()?;
    let sizes = Sizes {
        element: state.element,
        length: scan.length,
        rows: rewriter.module.dim_exprs.product(batch.iter().copied()),
        width: last.known()?,
        input: rewriter.module.tensor(input.value)?.dims.last()?.known()?,
    };
    let mut emit = Emit { rewriter, op: scan.op, sizes };
    let mut values = vec![emit.input(&input)?];
    values.push(emit.weights(cell, |gate| Some(gate.input.as_ref()?.1), emit.sizes.input)?);
    values.push(emit.weights(cell, |gate| gate.state, emit.sizes.width)?);
    values.push(emit.biases(cell)?);
    for &state in &cell.states {
        let dims = [Dim::Known(1), emit.sizes.rows, Dim::Known(emit.sizes.width)];
        values.push(emit.reshape(operands[state], &dims));
    }
    let made = emit.cell(cell, &values);
    let all: Dims = std::iter::once(scan.length).chain(state.dims.iter().copied()).collect();
    let hidden = emit.reshape(made[0], &all);
    for (&carried, &made) in cell.states.iter().zip(&made[1..]) {
        let final_state = emit.reshape(made, &state.dims);
        emit.rewriter.replace(results[carried], final_state);
    }
    let next = rewriter.module.op(scan.terminator).operands[cell.states[0]];
    let mut reads = Vec::new();
    let read = scan.read(rewriter.module, &mut reads, (hidden, cell.backward), next)?;
    rewriter.module.block_mut(scan.body).ops.splice(0..0, reads);
    rewriter.replace(next, read);
    for &carried in &cell.states {
        let argument = rewriter.module.block(scan.body).arguments[carried];
        rewriter.module.op_mut(scan.terminator).operands[carried] = argument;
    }
    Some(())
}

/// Adds the op and its operands before the loop.
struct Emit<'r, 'm> {
    rewriter: &'r mut Rewriter<'m>,
    op: OpId,
    sizes: Sizes,
}

impl Emit<'_, '_> {
    fn element(&self) -> Element {
        self.sizes.element
    }

    fn reshape(&mut self, value: ValueId, dims: &[Dim]) -> ValueId {
        if self.rewriter.module.tensor(value).is_some_and(|ty| ty.dims[..] == *dims) {
            return value;
        }
        let element = self.element();
        self.rewriter.create(stablehlo::RESHAPE, &[value]).at_op(self.op).out(element, dims)
    }

    fn transpose(&mut self, value: ValueId, order: &[usize]) -> Option<ValueId> {
        let dims = &self.rewriter.module.tensor(value)?.dims;
        let dims: Dims = order.iter().map(|&axis| dims.get(axis).copied()).collect::<Option<_>>()?;
        let builder = self.rewriter.create(stablehlo::TRANSPOSE, &[value]).at_op(self.op);
        Some(
            builder
                .attr("permutation", Attribute::positions(order.iter().copied()))
                .out(self.sizes.element, &dims),
        )
    }

    /// The window of a matrix or vector from `starts` on.
    fn slice(&mut self, value: ValueId, starts: &[i64], sizes: &[i64]) -> Option<ValueId> {
        let tensor = self.rewriter.module.tensor(value)?;
        if tensor.sizes()? == sizes {
            return Some(value);
        }
        let limits: Vec<i64> = starts.iter().zip(sizes).map(|(start, size)| start + size).collect();
        let strides = vec![1; sizes.len()];
        let builder = self.rewriter.create(stablehlo::SLICE, &[value]).at_op(self.op);
        let builder = builder.ints("start_indices", starts).ints("limit_indices", &limits);
        Some(builder.ints("strides", &strides).out(self.sizes.element, sizes))
    }

    fn concatenate(&mut self, values: &[ValueId], axis: usize) -> Option<ValueId> {
        if let [value] = *values {
            return Some(value);
        }
        let mut dims = self.rewriter.module.tensor(values[0])?.dims.clone();
        let parts: Vec<Dim> = values
            .iter()
            .map(|&value| self.rewriter.module.tensor(value).map(|ty| ty.dims[axis]))
            .collect::<Option<_>>()?;
        dims[axis] = self.rewriter.module.dim_exprs.sum(parts);
        let builder = self.rewriter.create(stablehlo::CONCATENATE, values).at_op(self.op);
        Some(builder.int("dimension", axis as i64).out(self.sizes.element, &dims))
    }

    fn splat(&mut self, number: f64, sizes: &[i64]) -> ValueId {
        let element = self.element();
        let ty = self.rewriter.module.tensor_of(element, sizes);
        let data = crate::ir::Data::Splat(crate::ops::float_bytes(element, number).into());
        self.rewriter.create(stablehlo::CONSTANT, &[]).at_op(self.op).data(ty, data)
    }

    fn negate(&mut self, value: ValueId) -> ValueId {
        self.rewriter.create(stablehlo::NEGATE, &[value]).at_op(self.op).like(value)
    }

    /// The input of all iterations: iterations, rows, columns.
    fn input(&mut self, input: &Input) -> Option<ValueId> {
        let value = match &input.order {
            Some(order) => self.transpose(input.value, order)?,
            None => input.value,
        };
        let dims = [self.sizes.length, self.sizes.rows, Dim::Known(self.sizes.input)];
        Some(self.reshape(value, &dims))
    }

    /// The weights of all gates: one matrix of the gates' rows.
    fn weights(&mut self, cell: &Cell, of: impl Fn(&Sum) -> Option<Weights>, summed: i64) -> Option<ValueId> {
        let width = self.sizes.width;
        let all: Vec<Weights> = cell.gates.iter().map(of).collect::<Option<_>>()?;
        // Matrices that are summed over in one dimension are joined before they are transposed.
        let is_plain = all.iter().all(|weights| weights.axis == 0);
        let mut parts = Vec::with_capacity(all.len());
        for (index, Weights { matrix, axis, row, column }) in all.into_iter().enumerate() {
            let (mut starts, mut sizes) = ([row, column], [summed, width]);
            if axis == 1 {
                (starts, sizes) = ([column, row], [width, summed]);
            }
            let mut part = self.slice(matrix, &starts, &sizes)?;
            if cell.is_negated(index) {
                part = self.negate(part);
            }
            parts.push(if is_plain || axis == 1 { part } else { self.transpose(part, &[1, 0])? });
        }
        let joined = if is_plain {
            let joined = self.concatenate(&parts, 1)?;
            self.transpose(joined, &[1, 0])?
        } else {
            self.concatenate(&parts, 0)?
        };
        let rows = Dim::Known(width * cell.gates.len() as i64);
        Some(self.reshape(joined, &[Dim::Known(1), rows, Dim::Known(summed)]))
    }

    /// The biases of all gates: those of the input, and those of the state.
    fn biases(&mut self, cell: &Cell) -> Option<ValueId> {
        let of_input: Vec<ValueId> = (0..cell.gates.len())
            .map(|index| self.bias(&cell.gates[index].biases, cell.is_negated(index)))
            .collect::<Option<_>>()?;
        let of_state: Vec<ValueId> = (0..cell.gates.len())
            .map(|index| self.bias(&cell.gates[index].state_biases, cell.is_negated(index)))
            .collect::<Option<_>>()?;
        let joined = self.concatenate(&[of_input, of_state].concat(), 0)?;
        let count = 2 * self.sizes.width * cell.gates.len() as i64;
        Some(self.reshape(joined, &[Dim::Known(1), Dim::Known(count)]))
    }

    /// The sum of biases.
    fn bias(&mut self, biases: &[Bias], negated: bool) -> Option<ValueId> {
        let width = self.sizes.width;
        let mut sum = None;
        for &bias in biases {
            let value = self.bias_row(bias)?;
            sum = Some(match sum {
                Some(sum) => self.rewriter.create(stablehlo::ADD, &[sum, value]).at_op(self.op).like(value),
                None => value,
            });
        }
        let Some(sum) = sum else { return Some(self.splat(0.0, &[width])) };
        Some(if negated { self.negate(sum) } else { sum })
    }

    fn bias_row(&mut self, bias: Bias) -> Option<ValueId> {
        let (width, element) = (self.sizes.width, self.element());
        match bias {
            Bias::Scalar(value) => {
                let scalar = self.reshape(value, &[]);
                let builder = self.rewriter.create(stablehlo::BROADCAST_IN_DIM, &[scalar]).at_op(self.op);
                Some(builder.attr("broadcast_dimensions", Attribute::positions([])).out(element, &[width]))
            }
            Bias::Row(Columns { value, first }) => {
                let sizes = self.rewriter.module.tensor(value)?.sizes()?;
                let (mut starts, mut window) = (vec![0; sizes.len()], vec![1; sizes.len()]);
                *starts.last_mut()? = first;
                *window.last_mut()? = width;
                let row = self.slice(value, &starts, &window)?;
                Some(self.reshape(row, &[Dim::Known(width)]))
            }
        }
    }

    /// The op: the hidden states of all iterations, and the final states.
    fn cell(&mut self, cell: &Cell, operands: &[ValueId]) -> Vec<ValueId> {
        let Sizes { element, length, rows, width, .. } = self.sizes;
        let (one, width) = (Dim::Known(1), Dim::Known(width));
        let module = &mut *self.rewriter.module;
        let state = module.tensor_of(element, &[one, rows, width]);
        let mut types: Vec<TypeId> = vec![module.tensor_of(element, &[length, one, rows, width])];
        types.extend(cell.states.iter().map(|_| state));
        let builder = self.rewriter.create(cell.kind.name(), operands).at_op(self.op);
        let builder = builder.string("direction", if cell.backward { "reverse" } else { "forward" });
        let builder = match cell.kind {
            Kind::Lstm => builder,
            Kind::Gru { after, .. } => builder.int("linear_before_reset", i64::from(after)),
            Kind::Rnn(function) => builder.string("activation", function.name()),
        };
        builder.values(&types)
    }
}

impl Function {
    /// Its name in ONNX.
    fn name(self) -> &'static str {
        match self {
            Function::Tanh => "Tanh",
            Function::Relu => "Relu",
            Function::Sigmoid => "Sigmoid",
        }
    }
}

impl Cell {
    /// Whether the weights of a gate change their sign.
    fn is_negated(&self, gate: usize) -> bool {
        gate == 0 && matches!(self.kind, Kind::Gru { inverse: true, .. })
    }
}
