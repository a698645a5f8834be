//! Stores `ui32` as `i32` for a target that lacks it.
//!
//! The bits are the same. Sums, products, comparisons for equality and ops that move elements do not depend on the sign; other
//! ops get a form that reads `i32` as unsigned. Inputs and outputs keep their type if the target has it.

mod arithmetic;

use super::integer_nodes::{Nodes, READS_SIGN};
use super::integer_ranges::{Range, Ranges};
use super::{Context, boundary};
use crate::diagnostic::{Diagnostic, catalog};
use crate::ir::{Attribute, Constant, Element, FunctionId, Module, OpId, Rewriter, ValueId, func, onnx};
use crate::target::{Capability, Target};
use arithmetic::{flipped, from_float};
use rustc_hash::{FxHashMap, FxHashSet};

/// How many ops are followed from a number to its clamp.
const CLAMPS: u32 = 8;

/// Runs the pass on all functions.
pub fn run(module: &mut Module, cx: &mut Context) {
    let Some(target) = cx.options.target.filter(|target| !target.can(Capability::Unsigned)) else { return };
    for function in module.functions() {
        let values = module.values_within([module.function(function).body]);
        let is_unsigned = |value: &ValueId| element(module, *value) == Some(Element::U32);
        let held: FxHashSet<ValueId> = values.into_iter().filter(is_unsigned).collect();
        if held.is_empty() {
            continue;
        }
        let mut pass = Unsigned {
            held,
            target,
            ranges: Ranges::new(cx.source),
            users: users(module, function),
            aliases: FxHashSet::default(),
            moved: FxHashSet::default(),
            refused: Vec::new(),
        };
        if !target.has(Element::U32) {
            for (what, ty, at) in boundary(module, function) {
                if module.tensor_type(ty).is_some_and(|tensor| tensor.element == Element::U32) {
                    cx.diagnostics.push(catalog::UnsignedAsSigned { what: &what, at });
                }
            }
        }
        pass.function(module, function);
        cx.diagnostics.extend(pass.refused);
    }
}

fn element(module: &Module, value: ValueId) -> Option<Element> {
    module.tensor(value).map(|tensor| tensor.element)
}

/// The ops that read each value.
fn users(module: &Module, function: FunctionId) -> FxHashMap<ValueId, Vec<OpId>> {
    let mut users: FxHashMap<ValueId, Vec<OpId>> = FxHashMap::default();
    for op in module.ops_within([module.function(function).body]) {
        for &operand in &module.op(op).operands {
            users.entry(operand).or_default().push(op);
        }
    }
    users
}

struct Unsigned<'s> {
    /// The values that are `ui32` in the program.
    held: FxHashSet<ValueId>,
    target: Target,
    /// The ranges of the numbers that the model has.
    ranges: Ranges<'s>,
    /// The ops that read each value, from before the pass.
    users: FxHashMap<ValueId, Vec<OpId>>,
    /// Copies of values that are read with the other sign.
    aliases: FxHashSet<ValueId>,
    /// Values of 64 bits that are 2^31 less than in the program.
    moved: FxHashSet<ValueId>,
    refused: Vec<Diagnostic>,
}

impl Unsigned<'_> {
    fn function(&mut self, module: &mut Module, function: FunctionId) {
        let block = module.entry_block(module.function(function).body);
        let keeps_boundary = self.target.has(Element::U32);
        let inputs: Vec<ValueId> = block
            .filter(|_| keeps_boundary)
            .map(|block| module.block(block).arguments.clone())
            .unwrap_or_default();
        for value in module.values_within([module.function(function).body]) {
            if self.held.contains(&value) && !inputs.contains(&value) {
                let ty = module.value_type(value);
                module.value_mut(value).ty = module.with_element(ty, Element::I32);
            }
        }
        let mut rewriter = Rewriter::new(module);
        let mut casts = Vec::new();
        for input in inputs {
            if !self.held.contains(&input) {
                continue;
            }
            let ty = rewriter.module.value_type(input);
            let ty = rewriter.module.with_element(ty, Element::I32);
            let cast =
                rewriter.module.create(onnx::CAST, &[input]).element("to", Element::I32).results(&[ty]);
            let value = rewriter.module.op(cast).results[0];
            rewriter.replace(input, value);
            self.held.insert(value);
            casts.push(cast);
        }
        // The types of results are those from before the pass.
        let results = rewriter.module.function(function).results.iter().map(|result| result.ty);
        let results: Vec<bool> = results
            .map(|ty| rewriter.module.tensor_type(ty).is_some_and(|tensor| tensor.element == Element::U32))
            .collect();
        rewriter.function(function, &mut |rewriter, op| {
            if rewriter.module.op(op).name == func::RETURN && keeps_boundary {
                self.return_unsigned(rewriter, op, &results);
                return true;
            }
            self.visit(rewriter, op)
        });
        rewriter.function(function, &mut |rewriter, op| {
            let results = &rewriter.module.op(op).results;
            let alias = results.first().copied().filter(|result| self.aliases.contains(result));
            let Some(alias) = alias else { return true };
            let value = rewriter.module.op(op).operands[0];
            rewriter.replace(alias, value);
            false
        });
        if let Some(block) = block {
            module.block_mut(block).ops.splice(0..0, casts);
        }
    }

    /// Casts results of a function that are unsigned.
    fn return_unsigned(&mut self, rewriter: &mut Rewriter, op: OpId, results: &[bool]) {
        let mut casts: FxHashMap<ValueId, ValueId> = FxHashMap::default();
        for index in 0..rewriter.module.op(op).operands.len() {
            let value = rewriter.module.op(op).operands[index];
            if results.get(index) != Some(&true) || element(rewriter.module, value) != Some(Element::I32) {
                continue;
            }
            let mut source = value;
            while let Some([inner]) = rewriter.module.defining_operands(source, onnx::IDENTITY) {
                source = inner;
            }
            let is_constant = rewriter.module.constant_of(source).is_some();
            if is_constant && !self.ranges.of(rewriter.module, value).is_natural() {
                self.refuse(rewriter, op, "clamps constants of `ui32` to the range of `i32`");
            }
            let cast = *casts.entry(value).or_insert_with(|| {
                let ty = rewriter.module.value_type(value);
                let ty = rewriter.module.with_element(ty, Element::U32);
                let cast = rewriter.create(onnx::CAST, &[value]).element("to", Element::U32).of(ty);
                rewriter.module.inherit_origin(value, cast);
                cast
            });
            rewriter.module.op_mut(op).operands[index] = cast;
        }
    }

    /// Rewrites an op. Returns whether it stays.
    fn visit(&mut self, rewriter: &mut Rewriter, op: OpId) -> bool {
        let operation = rewriter.module.op(op);
        if matches!(operation.name, onnx::TOP_K | onnx::SLICE) && self.moved.contains(&operation.operands[0])
        {
            self.moved.insert(operation.results[0]);
        }
        let mut values = operation.operands.iter().chain(&operation.results);
        if !values.any(|value| self.held.contains(value)) {
            self.ranges.visit(rewriter.module, op);
            return true;
        }
        match operation.name {
            onnx::CONSTANT => store_as_signed(rewriter.module, op),
            onnx::CAST => {
                self.ranges.visit(rewriter.module, op);
                return self.cast(rewriter, op);
            }
            name if READS_SIGN.contains(&name) => return self.read(rewriter, op),
            _ => {}
        }
        self.ranges.visit(rewriter.module, op);
        true
    }

    /// An op that reads the sign of its operands.
    fn read(&mut self, rewriter: &mut Rewriter, op: OpId) -> bool {
        let operation = rewriter.module.op(op);
        let operands = operation.operands.clone();
        let (name, results) = (operation.name, operation.results.clone());
        let held: Vec<ValueId> = operands.iter().copied().filter(|value| self.held.contains(value)).collect();
        let is_natural = |value: &ValueId| self.ranges.of(rewriter.module, *value).is_natural();
        if name != onnx::BIT_SHIFT && held.iter().all(is_natural) {
            self.ranges.visit(rewriter.module, op);
            return true;
        }
        match name {
            onnx::SCATTER_ELEMENTS | onnx::SCATTER_ND => {
                let reduction = rewriter.module.attribute(op, "reduction").and_then(Attribute::as_str);
                if !matches!(reduction, Some("max" | "min")) {
                    self.ranges.visit(rewriter.module, op);
                    return true;
                }
                self.flip(rewriter, op);
                false
            }
            onnx::POW | onnx::REDUCE_MEAN | onnx::RANGE => {
                self.refuse(rewriter, op, "has only signed integers")
            }
            onnx::ABS => {
                self.put(rewriter, results[0], operands[0]);
                false
            }
            onnx::SIGN => {
                let mut nodes = Nodes::new(rewriter, Element::I32);
                let is_not_zero = nodes.cast(operands[0], Element::Bool);
                let sign = nodes.cast(is_not_zero, Element::I32);
                self.put(rewriter, results[0], sign);
                false
            }
            onnx::DIV | onnx::MOD => {
                let (quotient, rest) = self.divide(rewriter, operands[0], operands[1]);
                self.put(rewriter, results[0], if name == onnx::DIV { quotient } else { rest });
                let divisor = self.ranges.of(rewriter.module, operands[1]);
                if divisor.low > 1 {
                    let highest = i64::from(u32::MAX) / divisor.low;
                    let highest = if name == onnx::DIV { highest } else { divisor.high - 1 };
                    let value = if name == onnx::DIV { quotient } else { rest };
                    self.ranges.note(value, Range::natural(highest));
                }
                false
            }
            onnx::BIT_SHIFT => {
                let direction = rewriter.module.attribute(op, "direction").and_then(Attribute::as_str);
                let shifted = match direction {
                    Some("RIGHT") => self.shift_right(rewriter, operands[0], operands[1]),
                    _ => self.shift_left(rewriter, operands[0], operands[1]),
                };
                self.put(rewriter, results[0], shifted);
                false
            }
            _ => {
                self.flip(rewriter, op);
                false
            }
        }
    }

    /// The value replaces a result.
    fn put(&mut self, rewriter: &mut Rewriter, result: ValueId, value: ValueId) {
        rewriter.replace(result, value);
        if self.held.contains(&result) {
            self.held.insert(value);
        }
    }

    /// An op that compares: the order of numbers whose first bit is flipped is that of signed numbers.
    fn flip(&mut self, rewriter: &mut Rewriter, op: OpId) {
        let mut operands = rewriter.module.op(op).operands.to_vec();
        let ranges = operands.iter().map(|&operand| self.ranges.of(rewriter.module, operand));
        let least = ranges.filter(|range| range.is_natural()).map(|range| range.high).min();
        let least = least.filter(|_| rewriter.module.op(op).name == onnx::MIN);
        for operand in operands.iter_mut().filter(|operand| self.held.contains(operand)) {
            *operand = flipped(rewriter, *operand);
        }
        let results = rewriter.module.op(op).results.to_vec();
        let types = rewriter.module.value_types(&results);
        let new = rewriter.create_like(op, &operands).values(&types);
        for (old, new) in results.into_iter().zip(new) {
            let new = if self.held.contains(&old) { flipped(rewriter, new) } else { new };
            if let Some(high) = least.filter(|_| self.held.contains(&old)) {
                self.ranges.note(new, Range::natural(high));
            }
            self.put(rewriter, old, new);
        }
    }

    fn cast(&mut self, rewriter: &mut Rewriter, op: OpId) -> bool {
        let (value, result) = (rewriter.module.op(op).operands[0], rewriter.module.op(op).results[0]);
        let (from, to) = (element(rewriter.module, value), element(rewriter.module, result));
        let (Some(from), Some(to)) = (from, to) else { return true };
        if from == to {
            // Another value, because each is read with its own sign.
            let alias = rewriter.create(onnx::IDENTITY, &[value]).like(value);
            self.ranges.inherit(value, alias);
            self.aliases.insert(alias);
            self.put(rewriter, result, alias);
            return false;
        }
        let to_unsigned = self.held.contains(&result);
        if to_unsigned && from.is_float() {
            let bits = from_float(rewriter, value, from);
            self.put(rewriter, result, bits);
            return false;
        }
        if to_unsigned {
            let mut cast = Nodes::new(rewriter, Element::I32).cast(value, Element::I32);
            if self.moved.contains(&value) {
                cast = flipped(rewriter, cast);
            } else {
                self.ranges.inherit(result, cast);
            }
            self.put(rewriter, result, cast);
            return false;
        }
        if self.ranges.of(rewriter.module, value).is_natural() {
            return true;
        }
        if to.is_float() {
            let number = self.float(rewriter, value, to);
            rewriter.replace(result, number);
            return false;
        }
        if to.bits() < 64 {
            return true;
        }
        // The runtime computes integers of 64 bits in 32.
        if self.is_sorted(rewriter.module, result) {
            let value = flipped(rewriter, value);
            let number = Nodes::new(rewriter, to).cast(value, to);
            self.moved.insert(number);
            rewriter.replace(result, number);
            return false;
        }
        if self.is_clamped(rewriter.module, result, CLAMPS) {
            let mut nodes = Nodes::new(rewriter, Element::I32);
            let is_large = nodes.is_below(value, 0);
            let highest = nodes.number(i64::from(i32::MAX));
            let number = nodes.select(is_large, highest, value);
            let number = nodes.cast(number, to);
            self.ranges.note(number, Range::natural(i64::from(i32::MAX)));
            rewriter.replace(result, number);
            return false;
        }
        self.refuse(rewriter, op, "computes integers of 64 bits in 32")
    }

    fn users_of(&self, value: ValueId) -> &[OpId] {
        self.users.get(&value).map_or(&[], Vec::as_slice)
    }

    /// Whether a value is only sorted, and the sorted numbers become unsigned again.
    fn is_sorted(&self, module: &Module, value: ValueId) -> bool {
        self.users_of(value).iter().all(|&user| {
            let user = module.op(user);
            user.name == onnx::TOP_K && self.becomes_unsigned(module, user.results[0])
        })
    }

    /// Whether numbers become unsigned again, and before that are only compared with each other for equality.
    fn becomes_unsigned(&self, module: &Module, value: ValueId) -> bool {
        let whole = |slice: ValueId| {
            let slice = module.defined_by(slice, onnx::SLICE)?;
            module.op(slice).operands.first().copied()
        };
        self.users_of(value).iter().all(|&user| {
            let user = module.op(user);
            match (user.name, &user.operands[..]) {
                (onnx::CAST, _) => self.held.contains(&user.results[0]),
                (onnx::SLICE, _) => self.becomes_unsigned(module, user.results[0]),
                (onnx::EQUAL, &[a, b]) => whole(a).is_some() && whole(a) == whole(b),
                _ => false,
            }
        })
    }

    /// Whether the numbers of 2^31 and above are only compared with constants and replaced by smaller ones.
    fn is_clamped(&self, module: &Module, value: ValueId, depth: u32) -> bool {
        let Some(depth) = depth.checked_sub(1) else { return false };
        let is_low = |value: ValueId| {
            let known = module.known_integers(value);
            known.is_some_and(|known| known.iter().all(|&number| number < i64::from(i32::MAX)))
        };
        self.users_of(value).iter().all(|&user| {
            let operation = module.op(user);
            let operands = &operation.operands;
            let is_other_low = || operands.iter().all(|&operand| operand == value || is_low(operand));
            match operation.name {
                onnx::LESS | onnx::LESS_OR_EQUAL | onnx::GREATER | onnx::GREATER_OR_EQUAL => is_other_low(),
                onnx::MIN => is_other_low(),
                onnx::MAX => is_other_low() && self.is_clamped(module, operation.results[0], depth),
                onnx::CLIP => operands[0] == value && operands.get(2).is_some_and(|&high| is_low(high)),
                onnx::WHERE if operands[0] != value => {
                    let limited = match module.defining_operands(operands[0], onnx::LESS) {
                        Some([limit, compared]) => compared == value && operands[1] == limit && is_low(limit),
                        None => false,
                    };
                    limited || self.is_clamped(module, operation.results[0], depth)
                }
                onnx::RESHAPE
                | onnx::UNSQUEEZE
                | onnx::SQUEEZE
                | onnx::EXPAND
                | onnx::TRANSPOSE
                | onnx::SLICE
                    if operands[0] == value =>
                {
                    self.is_clamped(module, operation.results[0], depth)
                }
                onnx::CONCAT => self.is_clamped(module, operation.results[0], depth),
                _ => false,
            }
        })
    }

    /// Reports an op.
    fn refuse(&mut self, rewriter: &mut Rewriter, op: OpId, why: &str) -> bool {
        let name = self.target.to_string();
        let (node, at) = (rewriter.module.op(op).name.mnemonic(), rewriter.module.span(op).name);
        let refusal = catalog::WrongOnTarget { op: node, target: &name, why, at };
        self.refused.push(rewriter.module.located(op, refusal));
        true
    }
}

/// A constant keeps its bytes.
fn store_as_signed(module: &mut Module, op: OpId) {
    let result = module.op(op).results[0];
    let Some(constant) = module.constant_of(result).map(|id| module.constant(id).clone()) else { return };
    let ty = module.with_element(constant.ty, Element::I32);
    let id = module.add_constant(Constant { ty, ..constant });
    let value = module.symbols.intern("value");
    let attributes = &mut module.op_mut(op).attributes;
    attributes.retain(|(name, _)| *name != value);
    attributes.push((value, Attribute::Dense(id)));
}
