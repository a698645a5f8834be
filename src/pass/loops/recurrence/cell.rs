//! Recognizes the cells of LSTM, GRU and simple recurrent networks from the formulas of their next states.

use super::super::counted::Scan;
use super::gate::{Columns, Gates, Sum};
use crate::ir::{Module, OpId, OpName, ValueId, hlo2onnx, onnx, stablehlo};
use crate::source::Source;
use rustc_hash::FxHashSet;

/// A cell.
pub(super) struct Cell {
    /// The op that computes all iterations.
    pub kind: Kind,
    /// The positions of its states among the carried values: the hidden state, and the cell state of LSTM.
    pub states: Vec<usize>,
    /// The sums of its gates, in the order of ONNX.
    pub gates: Vec<Sum>,
    /// Whether the last slice is read first.
    pub backward: bool,
}

/// Which cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Gates i, o, f, c.
    Lstm,
    /// Gates z, r, h. The reset gate applies before or after the product of the hidden state with weights. The update
    /// gate may select the new state instead of the old one.
    Gru { after: bool, inverse: bool },
    /// One sum under a function.
    Rnn(Function),
}

/// The function of a simple cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Function {
    Tanh,
    Relu,
    Sigmoid,
}

impl Kind {
    /// The op.
    pub fn name(self) -> OpName {
        match self {
            Kind::Lstm => hlo2onnx::LSTM,
            Kind::Gru { .. } => hlo2onnx::GRU,
            Kind::Rnn(_) => hlo2onnx::RNN,
        }
    }

    /// The op of ONNX.
    pub fn onnx(self) -> OpName {
        match self {
            Kind::Lstm => onnx::LSTM,
            Kind::Gru { .. } => onnx::GRU,
            Kind::Rnn(_) => onnx::RNN,
        }
    }
}

impl Cell {
    /// The first cell in the body of a loop whose states nothing else reads.
    pub fn of(module: &Module, source: &Source, scan: &Scan) -> Option<Self> {
        let arguments = &module.block(scan.body).arguments;
        let is_other = |&index: &usize| {
            index != scan.counter && scan.slices.writes.iter().all(|write| write.carried != index)
        };
        let carried: Vec<usize> = (0..arguments.len()).filter(is_other).collect();
        for &hidden in &carried {
            let Some(tensor) = module.tensor(arguments[hidden]) else { continue };
            let Some(width) = tensor.dims.last().and_then(|dim| dim.known()) else { continue };
            if !tensor.element.is_float() {
                continue;
            }
            let start = || Matcher {
                gates: Gates {
                    module,
                    source,
                    scan,
                    state: arguments[hidden],
                    width,
                    backward: None,
                    inside: Vec::new(),
                },
            };
            let others = carried.iter().copied().filter(|&other| other != hidden);
            let lstm = others.into_iter().find_map(|cell| start().lstm(hidden, cell));
            let found = lstm.or_else(|| start().gru(hidden)).or_else(|| start().simple(hidden));
            if found.is_some() {
                return found;
            }
        }
        None
    }
}

struct Matcher<'m> {
    gates: Gates<'m>,
}

impl Matcher<'_> {
    fn next(&self, carried: usize) -> Columns {
        let value = self.gates.module.op(self.gates.scan.terminator).operands[carried];
        Columns { value, first: 0 }
    }

    fn argument(&self, carried: usize) -> ValueId {
        self.gates.module.block(self.gates.scan.body).arguments[carried]
    }

    /// The operands of an op in the body.
    fn operands<const N: usize>(&mut self, at: Columns, name: OpName) -> Option<[Columns; N]> {
        let Columns { value, first } = self.gates.narrow(at);
        self.gates.module.defined_by(value, name)?;
        let op = self.gates.enter(value).filter(|_| self.gates.scan.own.contains(&value))?;
        let operands: [ValueId; N] = self.gates.module.op(op).operands[..].try_into().ok()?;
        Some(operands.map(|value| Columns { value, first }))
    }

    /// Runs `read`; what it entered is forgotten if it fails.
    fn attempt<T>(&mut self, read: impl FnOnce(&mut Self) -> Option<T>) -> Option<T> {
        let (mark, backward) = (self.gates.inside.len(), self.gates.backward);
        let found = read(self);
        if found.is_none() {
            self.gates.inside.truncate(mark);
            self.gates.backward = backward;
        }
        found
    }

    /// Reads two operands in either order.
    fn either<T>(
        &mut self,
        [a, b]: [Columns; 2],
        mut read: impl FnMut(&mut Self, Columns, Columns) -> Option<T>,
    ) -> Option<T> {
        self.attempt(|m| read(m, a, b)).or_else(|| self.attempt(|m| read(m, b, a)))
    }

    /// What a sigmoid is a function of: `logistic`, or `1 / (1 + exp(-x))` as JAX prints it.
    fn sigmoid(&mut self, at: Columns) -> Option<Columns> {
        if let Some([x]) = self.attempt(|m| m.operands(at, stablehlo::LOGISTIC)) {
            return Some(x);
        }
        let [one, sum] = self.operands(at, stablehlo::DIVIDE)?;
        if !self.gates.is_number(one.value, 1.0) {
            return None;
        }
        let terms = self.operands(sum, stablehlo::ADD)?;
        self.either(terms, |m, one, power| {
            let is_one = m.gates.is_number(one.value, 1.0);
            let [negative] = m.operands(power, stablehlo::EXPONENTIAL).filter(|_| is_one)?;
            let [x] = m.operands(negative, stablehlo::NEGATE)?;
            Some(x)
        })
    }

    fn tanh(&mut self, at: Columns) -> Option<Columns> {
        let [x] = self.operands(at, stablehlo::TANH)?;
        Some(x)
    }

    fn is(&mut self, at: Columns, value: ValueId) -> bool {
        let at = self.gates.narrow(at);
        at.value == value && at.first == 0
    }

    /// `h' = sigmoid(o) * tanh(c')` and `c' = sigmoid(f) * c + sigmoid(i) * tanh(g)`.
    fn lstm(mut self, hidden: usize, cell: usize) -> Option<Cell> {
        let (next, state) = (self.next(cell), self.argument(cell));
        let tensor = |value: ValueId| self.gates.module.tensor(value);
        if tensor(state) != tensor(self.argument(hidden)) {
            return None;
        }
        let factors = self.operands(self.next(hidden), stablehlo::MULTIPLY)?;
        let output = self.either(factors, |m, gate, value| {
            let cell = m.tanh(value)?;
            m.is(cell, next.value).then_some(())?;
            m.sigmoid(gate)
        })?;
        let terms = self.operands(next, stablehlo::ADD)?;
        let [forget, input, value] = self.either(terms, |m, kept, added| {
            let kept = m.operands(kept, stablehlo::MULTIPLY)?;
            let forget = m.either(kept, |m, gate, old| {
                m.is(old, state).then_some(())?;
                m.sigmoid(gate)
            })?;
            let added = m.operands(added, stablehlo::MULTIPLY)?;
            m.either(added, |m, gate, value| Some([forget, m.sigmoid(gate)?, m.tanh(value)?]))
        })?;
        let gates = [input, output, forget, value].map(|gate| self.gates.sum(gate));
        let gates = gates.into_iter().collect::<Option<Vec<Sum>>>()?;
        let is_plain = gates.iter().all(|gate| gate.state.is_some() && gate.reset.is_none());
        self.finish(Kind::Lstm, vec![hidden, cell], gates).filter(|_| is_plain)
    }

    /// `h' = (1 - z) * n + z * h`, with `n = tanh(x + r * h)` of products, or `tanh(x + (r * h))` before the product.
    fn gru(mut self, hidden: usize) -> Option<Cell> {
        let state = self.argument(hidden);
        let terms = self.operands(self.next(hidden), stablehlo::ADD)?;
        // The gate of the old state, the new value, and whether the gate is one minus a sigmoid.
        let (update, value, inverse) = self.either(terms, |m, old, new| {
            let old = m.operands(old, stablehlo::MULTIPLY)?;
            let keep = m.either(old, |m, gate, old| m.is(old, state).then_some(gate))?;
            let new = m.operands(new, stablehlo::MULTIPLY)?;
            m.either(new, |m, take, value| {
                let value = m.tanh(value)?;
                m.complement(take, keep, value)
            })
        })?;
        let update = self.gates.sum(update)?;
        let (reset, value, after) =
            self.attempt(|m| m.reset_after(value)).or_else(|| self.attempt(|m| m.reset_before(value)))?;
        let reset = self.gates.sum(reset)?;
        let gates = vec![update, reset, value];
        let is_plain = gates.iter().all(|gate| gate.state.is_some());
        let is_plain = is_plain && gates[..2].iter().all(|gate| gate.reset.is_none());
        self.finish(Kind::Gru { after, inverse }, vec![hidden], gates).filter(|_| is_plain)
    }

    /// Whether one of two gates is one minus the other: the sum under the sigmoid, and whether it is the gate of the new
    /// value.
    fn complement(
        &mut self,
        take: Columns,
        keep: Columns,
        value: Columns,
    ) -> Option<(Columns, Columns, bool)> {
        let minus = |m: &mut Self, gate: Columns, other: Columns| {
            let [one, same] = m.operands(gate, stablehlo::SUBTRACT)?;
            let is_one = m.gates.is_number(one.value, 1.0);
            let (same, other) = (m.gates.narrow(same), m.gates.narrow(other));
            (is_one && same == other).then_some(())?;
            m.sigmoid(other)
        };
        if let Some(update) = self.attempt(|m| minus(m, take, keep)) {
            return Some((update, value, false));
        }
        let update = minus(self, keep, take)?;
        Some((update, value, true))
    }

    /// The reset gate and the sum of the new value, if the gate applies to the product of the state with weights.
    fn reset_after(&mut self, value: Columns) -> Option<(Columns, Sum, bool)> {
        let mut open = vec![value];
        let (mut sum, mut gated) = (Sum::default(), None);
        while let Some(term) = open.pop() {
            let term = self.gates.narrow(term);
            if let Some(terms) = self.attempt(|m| m.operands::<2>(term, stablehlo::ADD)) {
                open.extend(terms);
                continue;
            }
            let found = self.attempt(|m| {
                let factors = m.operands(term, stablehlo::MULTIPLY)?;
                m.either(factors, |m, gate, product| {
                    let gate = m.sigmoid(gate)?;
                    let product = m.gates.sum(product)?;
                    Some((gate, product))
                })
            });
            match found {
                Some(found) if gated.is_none() => gated = Some(found),
                Some(_) => return None,
                None => self.gates.add_terms(term, &mut sum)?,
            }
        }
        let (gate, product) = gated?;
        if sum.state.is_some() || product.input.is_some() || product.reset.is_some() {
            return None;
        }
        sum.state = product.state;
        sum.state_biases = product.biases;
        Some((gate, sum, true))
    }

    /// The reset gate and the sum of the new value, if the gate applies to the state.
    fn reset_before(&mut self, value: Columns) -> Option<(Columns, Sum, bool)> {
        let sum = self.gates.sum(value)?;
        let gate = self.sigmoid(sum.reset?)?;
        Some((gate, sum, false))
    }

    /// `h' = f(x + h)` of products.
    fn simple(mut self, hidden: usize) -> Option<Cell> {
        let next = self.next(hidden);
        let (function, sum) = if let Some(sum) = self.attempt(|m| m.tanh(next)) {
            (Function::Tanh, sum)
        } else if let Some(sum) = self.attempt(|m| m.sigmoid(next)) {
            (Function::Sigmoid, sum)
        } else {
            let operands = self.operands(next, stablehlo::MAXIMUM)?;
            let sum =
                self.either(operands, |m, sum, zero| m.gates.is_number(zero.value, 0.0).then_some(sum))?;
            (Function::Relu, sum)
        };
        let sum = self.gates.sum(sum)?;
        let is_plain = sum.state.is_some() && sum.reset.is_none();
        self.finish(Kind::Rnn(function), vec![hidden], vec![sum]).filter(|_| is_plain)
    }

    /// The cell, if its gates read one input, and nothing else reads what is inside of it.
    fn finish(self, kind: Kind, states: Vec<usize>, gates: Vec<Sum>) -> Option<Cell> {
        let inputs: Option<Vec<_>> = gates.iter().map(|gate| Some(&gate.input.as_ref()?.0)).collect();
        let inputs = inputs?;
        if !inputs.iter().all(|&input| input == inputs[0]) {
            return None;
        }
        let Gates { module, scan, inside, backward, .. } = self.gates;
        let inside: FxHashSet<OpId> = inside.into_iter().collect();
        let end = module.op(scan.terminator);
        let hidden = end.operands[states[0]];
        // The hidden state of all iterations is known outside.
        let mut open: Vec<ValueId> =
            states.iter().map(|&state| module.block(scan.body).arguments[state]).collect();
        let mut seen: FxHashSet<ValueId> = open.iter().copied().collect();
        while let Some(value) = open.pop() {
            for &user in scan.users(value) {
                if user == scan.terminator {
                    let positions = end.operands.iter().enumerate().filter(|&(_, &operand)| operand == value);
                    if !positions.into_iter().all(|(position, _)| states.contains(&position)) {
                        return None;
                    }
                    continue;
                }
                if !inside.contains(&user) {
                    return None;
                }
                for &result in &module.op(user).results {
                    if result != hidden && seen.insert(result) {
                        open.push(result);
                    }
                }
            }
        }
        Some(Cell { kind, states, gates, backward: backward? })
    }
}
