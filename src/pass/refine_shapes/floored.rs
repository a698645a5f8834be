//! Recognizes JAX's floor division: StableHLO's division, which rounds toward zero, with a correction if the signs
//! differ and there is a remainder.
//!
//! `floor_divide(x, y)` is `select(sign(x) != sign(y) and rem(x, y) != 0, x / y - 1, x / y)`, and `remainder(x, y)` is
//! `select((rem(x, y) < 0) != (y < 0) and rem(x, y) != 0, rem(x, y) + y, rem(x, y))`.

use crate::ir::{Dim, Dims, Module, OpId, OpName, ValueId, stablehlo};

/// Which of the two.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Floored {
    Quotient,
    Remainder,
}

/// Access to the program at the pattern.
pub(super) struct Reader<'a> {
    pub(super) module: &'a Module,
    /// The known elements of a value.
    pub(super) lookup: &'a dyn Fn(ValueId) -> Option<Dims>,
    /// The caller's value for an argument.
    pub(super) source: &'a dyn Fn(ValueId) -> ValueId,
}

impl Reader<'_> {
    /// The dividend and the divisor, at least 1, of a `select` that rounds down.
    pub(super) fn read(&self, select: OpId) -> Option<(Floored, ValueId, ValueId)> {
        let &[condition, corrected, plain] = self.module.op(select).operands.as_slice() else { return None };
        let (name, operands) = self.definition(plain)?;
        let &[x, y] = operands else { return None };
        if !(self.lookup)(y)?.iter().all(|&y| self.module.dim_exprs.is_at_least(y, 1)) {
            return None;
        }
        let all = self.conjunction(condition);
        let (left, others): (Vec<_>, Vec<_>) = all.into_iter().partition(|&part| self.is_left(part, x, y));
        if left.is_empty() {
            return None;
        }
        match name {
            stablehlo::DIVIDE => {
                let is_corrected = self.is_sum(corrected, stablehlo::SUBTRACT, plain, 1)
                    || self.is_sum(corrected, stablehlo::ADD, plain, -1);
                // If the dividend is never positive, a remainder implies a negative dividend.
                let mut fits =
                    others.iter().all(|&part| self.differ_in_sign(part, x, y) || self.is_always(part, 1));
                fits &= !others.iter().all(|&part| self.is_always(part, 1)) || self.is_never_positive(x);
                (is_corrected && fits).then_some((Floored::Quotient, x, y))
            }
            stablehlo::REMAINDER => {
                let sum = self.operands(corrected, stablehlo::ADD)?;
                let is_corrected = (self.is_same(sum[0], plain) && self.is_same(sum[1], y))
                    || (self.is_same(sum[1], plain) && self.is_same(sum[0], y));
                let fits = !others.is_empty() && others.iter().all(|&part| self.is_negative(part, plain));
                (is_corrected && fits).then_some((Floored::Remainder, x, y))
            }
            _ => None,
        }
    }

    fn definition(&self, value: ValueId) -> Option<(OpName, &[ValueId])> {
        let op = self.module.defining_op((self.source)(value))?;
        Some((self.module.op(op).name, self.module.op(op).operands.as_slice()))
    }

    /// The two operands of the defining op, if it has that name.
    fn operands(&self, value: ValueId, name: OpName) -> Option<[ValueId; 2]> {
        self.module.defining_operands((self.source)(value), name)
    }

    /// The operands of the defining comparison, if it has that direction.
    fn compared(&self, value: ValueId, direction: &str) -> Option<[ValueId; 2]> {
        let operands = self.operands(value, stablehlo::COMPARE)?;
        let op = self.module.defining_op((self.source)(value))?;
        let own = self.module.word(self.module.attribute(op, "comparison_direction")?);
        (own == Some(direction)).then_some(operands)
    }

    /// The operands of a conjunction.
    fn conjunction(&self, condition: ValueId) -> Vec<ValueId> {
        self.operands(condition, stablehlo::AND).map_or_else(|| vec![condition], Vec::from)
    }

    fn is_same(&self, x: ValueId, y: ValueId) -> bool {
        let known = |value| (self.lookup)(value).filter(|all| !all.contains(&Dim::Dynamic));
        (self.source)(x) == (self.source)(y) || known(x).is_some_and(|x| Some(x) == known(y))
    }

    fn is_always(&self, value: ValueId, number: i64) -> bool {
        (self.lookup)(value).is_some_and(|all| all.iter().all(|&dim| dim == Dim::Known(number)))
    }

    fn is_never_positive(&self, x: ValueId) -> bool {
        let is = |&dim: &Dim| self.module.dim_exprs.bounds(dim).1.is_some_and(|most| most <= 0);
        (self.lookup)(x).is_some_and(|all| all.iter().all(is))
    }

    /// Whether a condition tests for a remainder.
    fn is_left(&self, condition: ValueId, x: ValueId, y: ValueId) -> bool {
        let Some([rest, zero]) = self.compared(condition, "NE") else { return false };
        let of = self.operands(rest, stablehlo::REMAINDER);
        self.is_always(zero, 0) && of.is_some_and(|of| self.is_same(of[0], x) && self.is_same(of[1], y))
    }

    /// Whether a condition tests that dividend and (positive) divisor have different signs.
    fn differ_in_sign(&self, condition: ValueId, x: ValueId, y: ValueId) -> bool {
        let Some([left, right]) = self.compared(condition, "NE") else { return false };
        let is_sign = |value: ValueId, of: ValueId| match self.definition(value) {
            Some((stablehlo::SIGN, &[own])) => self.is_same(own, of),
            _ => false,
        };
        is_sign(left, x) && (is_sign(right, y) || self.is_always(right, 1))
    }

    /// Whether a condition tests that the remainder is negative, possibly compared with the divisor's sign.
    fn is_negative(&self, condition: ValueId, rest: ValueId) -> bool {
        let is_less = |value| {
            let compared = self.compared(value, "LT");
            compared.is_some_and(|[left, zero]| self.is_same(left, rest) && self.is_always(zero, 0))
        };
        let differs = self.compared(condition, "NE");
        is_less(condition) || differs.is_some_and(|[left, right]| is_less(left) && self.is_always(right, 0))
    }

    /// Whether a value is that op on another value and a number.
    fn is_sum(&self, value: ValueId, name: OpName, of: ValueId, number: i64) -> bool {
        self.operands(value, name)
            .is_some_and(|[left, right]| self.is_same(left, of) && self.is_always(right, number))
    }
}
