//! Constraints on symbolic sizes that the program asserts.
//!
//! `jax.export` asserts the constraints that the user passed (`b >= 4`, `mod(t, 8) == 0`) and those implied by
//! dimension names. They decide comparisons, simplify roundings, and are recorded in the model's metadata.

use super::{DimExprs, Factor, Polynomial, Term};
use crate::ir::{Dim, Symbol, Symbols};

/// A constraint on a difference of two sizes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Constraint {
    /// The difference is zero.
    Zero(Dim),
    /// The difference is at least zero.
    NotNegative(Dim),
}

/// The rewrite `times * factor == terms`; `factor` does not occur in `terms`.
#[derive(Clone, Debug)]
pub(super) struct RewriteRule {
    factor: Factor,
    times: i64,
    terms: Polynomial,
}

/// Limits rewriting, because rules can form a cycle.
const ROUNDS: usize = 8;

impl DimExprs {
    /// Adds a constraint and applies it from now on.
    pub fn constrain(&self, constraint: Constraint) {
        let (Constraint::Zero(difference) | Constraint::NotNegative(difference)) = constraint;
        let Dim::Symbolic(size) = difference else { return };
        let terms = self.terms(size);
        if matches!(constraint, Constraint::Zero(_)) {
            self.note_multiple(&terms);
        }
        let mut table = self.table.borrow_mut();
        if table.constraints.contains(&constraint) {
            return;
        }
        table.constraints.push(constraint);
        match constraint {
            Constraint::Zero(_) => table.rules.extend(rule(&terms)),
            Constraint::NotNegative(_) => match bound(&terms) {
                Some((name, Bound::Least(least))) => {
                    let known = table.least.entry(name).or_insert(least);
                    *known = least.max(*known);
                }
                Some((name, Bound::Most(most))) => {
                    let known = table.most.entry(name).or_insert(most);
                    *known = most.min(*known);
                }
                None => {}
            },
        }
    }

    /// The constraints in insertion order, as text: `t <= 128`, `8*floordiv(t, 8) == t`. Omits bounds that a tighter
    /// one implies.
    pub fn constraints(&self, symbols: &Symbols) -> Vec<String> {
        let constraints = self.table.borrow().constraints.clone();
        let tells = |constraint: &Constraint| {
            let Constraint::NotNegative(difference) = constraint else { return true };
            let table = self.table.borrow();
            match self.polynomial(*difference).and_then(|terms| bound(&terms)) {
                Some((name, Bound::Least(least))) => table.least.get(&name) == Some(&least),
                Some((name, Bound::Most(most))) => table.most.get(&name) == Some(&most),
                None => true,
            }
        };
        constraints
            .into_iter()
            .filter(tells)
            .map(|constraint| self.spell_constraint(symbols, constraint))
            .collect()
    }

    fn spell_constraint(&self, symbols: &Symbols, constraint: Constraint) -> String {
        let (difference, relation, turned) = match constraint {
            Constraint::Zero(difference) => (difference, "==", "=="),
            Constraint::NotNegative(difference) => (difference, ">=", "<="),
        };
        let terms = self.polynomial(difference).unwrap_or_default();
        let (left, mut right): (Vec<Term>, Vec<Term>) =
            terms.into_iter().partition(|&(_, coefficient)| coefficient > 0);
        right.iter_mut().for_each(|(_, coefficient)| *coefficient = coefficient.saturating_neg());
        let spell = |terms: &[Term]| {
            let mut text = String::new();
            self.spell_terms(&mut text, symbols, terms);
            if text.is_empty() { "0".to_owned() } else { text }
        };
        if left.iter().all(|(factors, _)| factors.is_empty()) {
            return format!("{} {turned} {}", spell(&right), spell(&left));
        }
        format!("{} {relation} {}", spell(&left), spell(&right))
    }

    /// Rewrites the factors of the terms by the rules; `None` if a coefficient overflows.
    pub(super) fn constrained(&self, mut terms: Polynomial) -> Option<Polynomial> {
        let table = self.table.borrow();
        for _ in 0..ROUNDS {
            let found = terms.iter().enumerate().find_map(|(index, term)| {
                let rule = table
                    .rules
                    .iter()
                    .find(|rule| term.1 % rule.times == 0 && term.0.contains(&rule.factor))?;
                Some((index, rule))
            });
            let Some((index, rule)) = found else { break };
            let (mut others, coefficient) = terms.remove(index);
            let place = others.iter().position(|factor| *factor == rule.factor)?;
            others.remove(place);
            for (factors, times) in &rule.terms {
                let mut factors: Term = (factors.iter().chain(&others).copied().collect(), 0);
                factors.0.sort_unstable();
                factors.1 = (coefficient / rule.times).checked_mul(*times)?;
                terms.push(factors);
            }
        }
        Some(terms)
    }
}

/// The rewrite rule for terms whose sum is zero, with a rounding or bound as its left side.
fn rule(terms: &[Term]) -> Option<RewriteRule> {
    let single = |(factors, _): &Term| match factors[..] {
        [Factor::Symbol(_)] => None,
        [factor] => Some(factor),
        _ => None,
    };
    let (index, factor) = terms.iter().enumerate().find_map(|(index, term)| Some((index, single(term)?)))?;
    let sign = terms[index].1.signum();
    let others = terms.iter().enumerate().filter(|&(other, _)| other != index);
    let rest: Option<Polynomial> = others
        .map(|(_, (factors, coefficient))| {
            let free = !factors.contains(&factor);
            free.then(|| Some((factors.clone(), coefficient.checked_mul(-sign)?)))?
        })
        .collect();
    Some(RewriteRule { factor, times: terms[index].1.checked_abs()?, terms: rest? })
}

enum Bound {
    Least(i64),
    Most(i64),
}

/// The bound on a symbol from `times * symbol + number >= 0`.
fn bound(terms: &[Term]) -> Option<(Symbol, Bound)> {
    let (mut symbol, mut number) = (None, 0);
    for (factors, coefficient) in terms {
        match factors[..] {
            [] => number = *coefficient,
            [Factor::Symbol(name)] if symbol.is_none() => symbol = Some((name, *coefficient)),
            _ => return None,
        }
    }
    let (name, times) = symbol?;
    let whole = number.div_euclid(times.checked_abs()?);
    Some((name, if times > 0 { Bound::Least(whole.checked_neg()?) } else { Bound::Most(whole) }))
}

#[cfg(test)]
mod tests {
    use super::Constraint;
    use crate::ir::{Dim, DimExprs, Symbols};

    #[test]
    fn constraints_are_used_and_printed() {
        let (sizes, mut symbols) = (DimExprs::default(), Symbols::default());
        let [b, t] = ["b", "t"].map(|name| {
            let name = symbols.intern(name);
            sizes.at_least(name, 1);
            sizes.symbol(name)
        });
        let number = Dim::Known;
        let eighth = sizes.quotient(t, number(8));
        let whole = sizes.multiply(eighth, number(8));
        let rest = sizes.remainder(t, number(8));
        sizes.constrain(Constraint::NotNegative(sizes.subtract(b, number(1))));
        sizes.constrain(Constraint::NotNegative(sizes.subtract(b, number(4))));
        sizes.constrain(Constraint::Zero(sizes.subtract(whole, t)));
        sizes.constrain(Constraint::Zero(rest));
        sizes.constrain(Constraint::NotNegative(sizes.subtract(number(128), t)));
        sizes.constrain(Constraint::NotNegative(sizes.subtract(sizes.multiply(t, number(3)), number(7))));
        sizes.constrain(Constraint::NotNegative(sizes.subtract(t, sizes.multiply(b, number(2)))));
        assert_eq!(
            sizes.constraints(&symbols),
            ["b >= 4", "8*floordiv(t, 8) == t", "mod(t, 8) == 0", "t <= 128", "3*t >= 7", "t >= 2*b"]
        );

        assert_eq!(
            sizes.multiply(b, sizes.multiply(eighth, number(24))),
            sizes.multiply(sizes.multiply(b, t), number(3))
        );
        assert_eq!(sizes.remainder(t, number(8)), number(0));
        assert_eq!(sizes.bounds(t), (Some(3), Some(128)));
        assert_eq!(sizes.larger(b, number(4)), b);
        // Four times the remainder is not a multiple of t.
        assert_eq!(sizes.spell(&symbols, sizes.multiply(eighth, number(4))), "4*floordiv(t, 8)");
    }

    #[test]
    fn rules_in_a_circle_come_to_an_end() {
        let (sizes, mut symbols) = (DimExprs::default(), Symbols::default());
        let name = symbols.intern("t");
        sizes.at_least(name, 1);
        let t = sizes.symbol(name);
        let (half, third) = (sizes.quotient(t, Dim::Known(2)), sizes.quotient(t, Dim::Known(3)));
        sizes.constrain(Constraint::Zero(sizes.subtract(half, sizes.multiply(third, Dim::Known(2)))));
        sizes.constrain(Constraint::Zero(sizes.subtract(third, sizes.add(half, Dim::Known(1)))));
        assert_ne!(sizes.add(half, third), Dim::Dynamic);
    }
}
