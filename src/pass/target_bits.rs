//! Writes bitwise ops as arithmetic of `i32`, for a target that lacks them.
//!
//! The bits of a constant mask that are next to each other are the difference of two remainders by powers of two, which
//! round down (`Mod`), so they are right for negative numbers too. For other operands both numbers become eight digits of
//! four bits, along a new last dimension; a table has the digit of each pair, and the sum of the digits by their weights is
//! the result. Sums and products wrap, as those of rten do in release builds.
//!
//! Runs after unsigned numbers have become signed ones.

use super::Context;
use crate::ir::{Data, Dim, Element, Module, OpId, OpName, Rewriter, ValueId, onnx};
use crate::target::Capability;
use rustc_hash::FxHashMap;

/// The bits of a digit, and how many digits a number has.
const DIGIT: u32 = 4;
const DIGITS: u32 = 32 / DIGIT;
/// The first bit.
const SIGN: i32 = i32::MIN;

/// Runs the pass on all functions.
pub(super) fn run(module: &mut Module, cx: &mut Context) {
    if cx.options.can(Capability::Bitwise) {
        return;
    }
    for function in module.functions() {
        let mut constants = Constants::default();
        Rewriter::new(module).function(function, &mut |rewriter, op| {
            let Some(value) = lowered(rewriter, &mut constants, op) else { return true };
            let result = rewriter.module.op(op).results[0];
            rewriter.replace(result, value);
            false
        });
        if let Some(block) = module.entry_block(module.function(function).body) {
            module.block_mut(block).ops.splice(0..0, constants.ops);
        }
    }
}

/// Constants at the start of a function, where all its ops see them.
#[derive(Default)]
struct Constants {
    known: FxHashMap<(Vec<i64>, Vec<u8>), ValueId>,
    ops: Vec<OpId>,
}

impl Constants {
    fn get(&mut self, module: &mut Module, element: Element, sizes: &[i64], bytes: Vec<u8>) -> ValueId {
        let Self { known, ops } = self;
        let new = |(sizes, bytes): &(Vec<i64>, Vec<u8>)| {
            let ty = module.tensor_of(element, sizes);
            let value = module.create(onnx::CONSTANT, &[]).data(ty, Data::Bytes(bytes.as_slice().into()));
            ops.extend(module.defining_op(value));
            value
        };
        let key = (sizes.to_vec(), bytes);
        *known.entry(key).or_insert_with_key(new)
    }
}

/// Which op is computed bit by bit.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    And,
    Or,
    Xor,
}

/// The value of a bitwise op.
fn lowered(rewriter: &mut Rewriter, constants: &mut Constants, op: OpId) -> Option<ValueId> {
    let kind = match rewriter.module.op(op).name {
        onnx::BITWISE_AND => Some(Kind::And),
        onnx::BITWISE_OR => Some(Kind::Or),
        onnx::BITWISE_XOR => Some(Kind::Xor),
        onnx::BITWISE_NOT => None,
        _ => return None,
    };
    let operands = rewriter.module.op(op).operands.clone();
    let element = rewriter.module.tensor(*operands.first()?)?.element;
    // An integer of 64 bits has the range of `i32` on targets without bitwise ops.
    if !element.is_integer() || matches!(element, Element::U32 | Element::U64) {
        return None;
    }
    let mut bits = Bits { rewriter, constants };
    let operands: Vec<ValueId> = operands.iter().map(|&value| bits.cast(value, Element::I32)).collect();
    let value = match (kind, &operands[..]) {
        (None, &[value]) => {
            let ones = bits.number(-1);
            bits.node(onnx::SUB, &[ones, value])
        }
        (Some(kind), &[left, right]) => {
            let masked = bits.masked(kind, left, right).or_else(|| bits.masked(kind, right, left));
            masked.unwrap_or_else(|| bits.by_digits(kind, left, right))
        }
        _ => return None,
    };
    Some(bits.cast(value, element))
}

/// Adds nodes before the visited op.
struct Bits<'b, 'm> {
    rewriter: &'b mut Rewriter<'m>,
    constants: &'b mut Constants,
}

impl Bits<'_, '_> {
    /// A node of `i32` whose operands broadcast.
    fn node(&mut self, name: OpName, operands: &[ValueId]) -> ValueId {
        let dims = self.rewriter.module.broadcast_dims(operands);
        self.rewriter.create(name, operands).out(Element::I32, &dims)
    }

    fn number(&mut self, number: i32) -> ValueId {
        self.numbers(&[number], &[])
    }

    fn numbers(&mut self, numbers: &[i32], sizes: &[i64]) -> ValueId {
        let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
        self.constants.get(self.rewriter.module, Element::I32, sizes, bytes)
    }

    /// The last dimension.
    fn last(&mut self) -> ValueId {
        self.constants.get(self.rewriter.module, Element::I64, &[1], (-1i64).to_le_bytes().to_vec())
    }

    /// The value in another type.
    fn cast(&mut self, value: ValueId, to: Element) -> ValueId {
        let Some(tensor) = self.rewriter.module.tensor(value).cloned() else { return value };
        if tensor.element == to {
            return value;
        }
        let known = self.rewriter.module.known_integers(value).filter(|_| to == Element::I32);
        let sizes: Option<Vec<i64>> = tensor.dims.iter().map(|dim| dim.known()).collect();
        if let (Some(known), Some(sizes)) = (known, sizes) {
            let numbers: Vec<i32> = known.into_iter().map(|number| number as i32).collect();
            return self.numbers(&numbers, &sizes);
        }
        self.rewriter.create(onnx::CAST, &[value]).element("to", to).out(to, &tensor.dims)
    }

    /// A bitwise op with a constant whose bits are all equal, or are next to each other.
    fn masked(&mut self, kind: Kind, value: ValueId, mask: ValueId) -> Option<ValueId> {
        let known = self.rewriter.module.known_integers(mask)?;
        let (&first, rest) = known.split_first()?;
        let bits = i32::try_from(first).ok().filter(|_| rest.iter().all(|&number| number == first))?;
        // The sizes of the constant take part in the broadcast.
        let run = run_of_ones(bits as u32);
        match (kind, bits) {
            (Kind::Xor, -1) => return Some(self.node(onnx::SUB, &[mask, value])),
            (Kind::Xor, SIGN) => return Some(self.node(onnx::ADD, &[value, mask])),
            _ => {}
        }
        let (low, high) = run?;
        let common = match (self.below(value, high), self.below(value, low)) {
            (Some(high), Some(low)) => self.node(onnx::SUB, &[high, low]),
            (Some(high), None) => high,
            (None, _) => return None,
        };
        if kind == Kind::And {
            let zeros = self.zeros_of(mask, value);
            return Some(zeros.map_or(common, |zeros| self.node(onnx::ADD, &[common, zeros])));
        }
        let mut rest = self.node(onnx::SUB, &[mask, common]);
        if kind == Kind::Xor {
            rest = self.node(onnx::SUB, &[rest, common]);
        }
        Some(self.node(onnx::ADD, &[value, rest]))
    }

    /// Zeros of the sizes of a constant, if these are not those of its broadcast with a value.
    fn zeros_of(&mut self, constant: ValueId, value: ValueId) -> Option<ValueId> {
        let module = &*self.rewriter.module;
        let all = module.broadcast_dims(&[constant, value]);
        if module.tensor(value)?.dims[..] == all[..] {
            return None;
        }
        let sizes: Vec<i64> =
            module.tensor(constant)?.dims.iter().map(|dim| dim.known()).collect::<Option<_>>()?;
        let count = usize::try_from(sizes.iter().product::<i64>()).ok()?;
        Some(self.numbers(&vec![0; count], &sizes))
    }

    /// The number of the lowest bits; nothing if there are none.
    fn below(&mut self, value: ValueId, count: u32) -> Option<ValueId> {
        match count {
            0 => None,
            1..31 => {
                let power = self.number(1 << count);
                Some(self.node(onnx::MOD, &[value, power]))
            }
            31 => {
                let (zero, sign) = (self.number(0), self.number(SIGN));
                let dims = self.rewriter.module.broadcast_dims(&[value]);
                let is_negative = self.rewriter.create(onnx::LESS, &[value, zero]).out(Element::Bool, &dims);
                let without = self.node(onnx::SUB, &[value, sign]);
                Some(self.node(onnx::WHERE, &[is_negative, without, value]))
            }
            _ => Some(value),
        }
    }

    /// A bitwise op by digits.
    fn by_digits(&mut self, kind: Kind, left: ValueId, right: ValueId) -> ValueId {
        let powers: Vec<i32> = (0..DIGITS).map(|digit| 1 << (DIGIT * digit)).collect();
        let powers = self.numbers(&powers, &[i64::from(DIGITS)]);
        let base = self.number(1 << DIGIT);
        let [left, right] = [left, right].map(|value| self.digits(value, powers, base));
        let left = self.node(onnx::MUL, &[left, base]);
        let pair = self.node(onnx::ADD, &[left, right]);
        let of = |left: i32, right: i32| match kind {
            Kind::And => left & right,
            Kind::Or => left | right,
            Kind::Xor => left ^ right,
        };
        let highest = 1 << DIGIT;
        let table: Vec<i32> =
            (0..highest).flat_map(|left| (0..highest).map(move |right| of(left, right))).collect();
        let table = self.numbers(&table, &[table.len() as i64]);
        let dims = self.rewriter.module.broadcast_dims(&[pair]);
        let digits =
            self.rewriter.create(onnx::GATHER, &[table, pair]).int("axis", 0).out(Element::I32, &dims);
        let weighted = self.node(onnx::MUL, &[digits, powers]);
        let last = self.last();
        let dims = &dims[..dims.len().saturating_sub(1)];
        self.rewriter.create(onnx::REDUCE_SUM, &[weighted, last]).int("keepdims", 0).out(Element::I32, dims)
    }

    /// The digits of a number, the lowest first, along a new last dimension: the number without its lower bits, divided by
    /// the weight, is exact.
    fn digits(&mut self, value: ValueId, powers: ValueId, base: ValueId) -> ValueId {
        let mut dims = self.rewriter.module.broadcast_dims(&[value]);
        dims.push(Dim::Known(1));
        let last = self.last();
        let column = self.rewriter.create(onnx::UNSQUEEZE, &[value, last]).out(Element::I32, &dims);
        let lower = self.node(onnx::MOD, &[column, powers]);
        let multiple = self.node(onnx::SUB, &[column, lower]);
        let quotient = self.node(onnx::DIV, &[multiple, powers]);
        self.node(onnx::MOD, &[quotient, base])
    }
}

/// The first bit of a run of ones, and the first bit after it, if all ones are next to each other.
fn run_of_ones(mask: u32) -> Option<(u32, u32)> {
    let low = mask.trailing_zeros();
    let high = low + mask.checked_shr(low)?.trailing_ones();
    (high == 32 - mask.leading_zeros()).then_some((low, high))
}

#[cfg(test)]
mod tests {
    use super::run_of_ones;

    #[test]
    fn runs_are_found() {
        assert_eq!(run_of_ones(0), None);
        assert_eq!(run_of_ones(1), Some((0, 1)));
        assert_eq!(run_of_ones(0x3F80_0000), Some((23, 30)));
        assert_eq!(run_of_ones(0x8000_0000), Some((31, 32)));
        assert_eq!(run_of_ones(u32::MAX), Some((0, 32)));
        assert_eq!(run_of_ones(5), None);
    }
}
