//! Sizes that are known only when the model runs, as expressions.
//!
//! A symbolic size is a polynomial with integer coefficients. Its factors are symbols (`b`) and operations that a
//! polynomial cannot express (`floordiv(b, 2)`, `max(b, t)`). Polynomials are interned in a normal form, so equal
//! handles are equal sizes; different handles may still be equal at run time. The text form is that of `jax.export`,
//! plus `ceildiv` for quotients that are rounded up.

mod constraint;
mod quotient;

pub use constraint::Constraint;

use super::{Dim, DimExprId, Symbol, Symbols};
use constraint::RewriteRule;
use rustc_hash::{FxHashMap, FxHashSet};
use smallvec::{SmallVec, smallvec};
use std::cell::RefCell;

/// A factor of a polynomial.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Factor {
    /// A symbol.
    Symbol(Symbol),
    /// The quotient, rounded down. The divisor is positive.
    Quotient(Dim, Dim),
    /// The remainder of the rounded quotient, which is not negative. The divisor is positive.
    Remainder(Dim, Dim),
    /// The larger one.
    Larger(Dim, Dim),
    /// The smaller one.
    Smaller(Dim, Dim),
}

/// A product of factors in order, with a coefficient; a repeated factor is a power.
pub type Term = (SmallVec<[Factor; 2]>, i64);

/// Terms ordered by their factors, without zeros.
pub(super) type Polynomial = SmallVec<[Term; 2]>;

/// The symbolic sizes of a module.
///
/// Append-only: handles stay valid, so it can be shared.
#[derive(Clone, Debug, Default)]
pub struct DimExprs {
    pub(super) table: RefCell<Table>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Table {
    list: Vec<Polynomial>,
    /// The number of symbols and operations in each polynomial.
    weights: Vec<usize>,
    index: FxHashMap<Polynomial, DimExprId>,
    /// Known lower and upper bounds of symbols.
    pub(super) least: FxHashMap<Symbol, i64>,
    pub(super) most: FxHashMap<Symbol, i64>,
    /// Known divisors of symbols.
    pub(super) multiples: FxHashMap<Symbol, i64>,
    pub(super) constraints: Vec<Constraint>,
    rules: Vec<RewriteRule>,
}

/// Limits the number of symbols and operations in a size. No program comes near it; it bounds nesting, and the cost
/// of printing and computing a size.
const HEAVIEST: usize = 256;

/// Limits how deep bounds are followed into nested operations.
const DEPTH: usize = 8;

impl Table {
    fn weight(&self, factors: &[Factor]) -> usize {
        let of = |dim: Dim| match dim {
            Dim::Symbolic(size) => self.weights[size.0 as usize],
            _ => 1,
        };
        let one = |&factor: &Factor| match factor {
            Factor::Symbol(_) => 1,
            Factor::Quotient(x, y)
            | Factor::Remainder(x, y)
            | Factor::Larger(x, y)
            | Factor::Smaller(x, y) => 1 + of(x) + of(y),
        };
        factors.iter().map(one).sum()
    }
}

/// The lower and upper bound, if known.
pub(super) type Bounds = (Option<i64>, Option<i64>);

impl DimExprs {
    /// The size that a symbol names.
    pub fn symbol(&self, name: Symbol) -> Dim {
        self.factor(Factor::Symbol(name))
    }

    /// Records a lower bound of a symbol.
    pub fn at_least(&self, name: Symbol, least: i64) {
        let mut table = self.table.borrow_mut();
        let known = table.least.entry(name).or_insert(least);
        *known = least.max(*known);
    }

    /// The terms whose sum a symbolic size is.
    pub fn terms(&self, size: DimExprId) -> Vec<Term> {
        self.table.borrow().list[size.0 as usize].to_vec()
    }

    /// The symbol, if a size is exactly one.
    pub fn as_symbol(&self, dim: Dim) -> Option<Symbol> {
        let Dim::Symbolic(size) = dim else { return None };
        match self.table.borrow().list[size.0 as usize].as_slice() {
            [(factors, 1)] => match factors[..] {
                [Factor::Symbol(name)] => Some(name),
                _ => None,
            },
            _ => None,
        }
    }

    /// Collects the symbols in a size.
    pub fn symbols(&self, dim: Dim, found: &mut FxHashSet<Symbol>) {
        let mut pending = vec![dim];
        while let Some(dim) = pending.pop() {
            let Dim::Symbolic(size) = dim else { continue };
            for factor in self.terms(size).into_iter().flat_map(|(factors, _)| factors) {
                match factor {
                    Factor::Symbol(name) => {
                        found.insert(name);
                    }
                    Factor::Quotient(x, y)
                    | Factor::Remainder(x, y)
                    | Factor::Larger(x, y)
                    | Factor::Smaller(x, y) => pending.extend([x, y]),
                }
            }
        }
    }

    /// The sum.
    pub fn add(&self, x: Dim, y: Dim) -> Dim {
        match (x, y) {
            (Dim::Known(x), Dim::Known(y)) => x.checked_add(y).map_or(Dim::Dynamic, Dim::Known),
            (Dim::Known(0), other) | (other, Dim::Known(0)) => other,
            _ => self.combine(x, y, |x, y| x.into_iter().chain(y).map(Some).collect()),
        }
    }

    /// The sum of all.
    pub fn sum(&self, all: impl IntoIterator<Item = Dim>) -> Dim {
        all.into_iter().fold(Dim::Known(0), |sum, dim| self.add(sum, dim))
    }

    /// The product.
    pub fn multiply(&self, x: Dim, y: Dim) -> Dim {
        match (x, y) {
            (Dim::Known(x), Dim::Known(y)) => x.checked_mul(y).map_or(Dim::Dynamic, Dim::Known),
            (Dim::Known(1), other) | (other, Dim::Known(1)) => other,
            _ => self.combine(x, y, |x, y| {
                let pairs = x.iter().flat_map(|x| y.iter().map(move |y| (x, y)));
                pairs
                    .map(|((left, by), (right, times))| {
                        let mut factors: SmallVec<[Factor; 2]> = left.iter().chain(right).copied().collect();
                        factors.sort_unstable();
                        Some((factors, by.checked_mul(*times)?))
                    })
                    .collect()
            }),
        }
    }

    /// The product of all.
    pub fn product(&self, all: impl IntoIterator<Item = Dim>) -> Dim {
        all.into_iter().fold(Dim::Known(1), |product, dim| self.multiply(product, dim))
    }

    /// The difference.
    pub fn subtract(&self, x: Dim, y: Dim) -> Dim {
        self.add(x, self.multiply(y, Dim::Known(-1)))
    }

    /// The larger one.
    pub fn larger(&self, x: Dim, y: Dim) -> Dim {
        self.chosen(x, y, Factor::Larger, |difference| difference.0.is_some_and(|low| low >= 0))
    }

    /// The smaller one.
    pub fn smaller(&self, x: Dim, y: Dim) -> Dim {
        self.chosen(x, y, Factor::Smaller, |difference| difference.1.is_some_and(|high| high <= 0))
    }

    /// `x` if `first` holds for the bounds of `x - y`, `y` if it holds for those of `y - x`, else the factor.
    fn chosen(&self, x: Dim, y: Dim, factor: fn(Dim, Dim) -> Factor, first: fn(Bounds) -> bool) -> Dim {
        if x == Dim::Dynamic || y == Dim::Dynamic {
            return Dim::Dynamic;
        }
        if first(self.bounds(self.subtract(x, y))) {
            return x;
        }
        if first(self.bounds(self.subtract(y, x))) {
            return y;
        }
        self.factor(if x <= y { factor(x, y) } else { factor(y, x) })
    }

    /// Whether two sizes are known to be equal in every run.
    pub fn are_equal(&self, x: Dim, y: Dim) -> bool {
        x != Dim::Dynamic && (x == y || self.bounds(self.subtract(x, y)) == (Some(0), Some(0)))
    }

    /// Whether a size is known to be at least a number.
    pub fn is_at_least(&self, dim: Dim, least: i64) -> bool {
        self.bounds(dim).0.is_some_and(|low| low >= least)
    }

    /// The known lower and upper bound of a size.
    pub fn bounds(&self, dim: Dim) -> (Option<i64>, Option<i64>) {
        self.bounds_within(dim, DEPTH)
    }

    fn bounds_within(&self, dim: Dim, depth: usize) -> Bounds {
        let size = match dim {
            Dim::Known(size) => return (Some(size), Some(size)),
            Dim::Dynamic => return (None, None),
            Dim::Symbolic(size) => size,
        };
        let Some(depth) = depth.checked_sub(1) else { return (None, None) };
        let terms = self.terms(size);
        let own = self.bounds_of_sum(&terms, depth);
        if own.0.is_some() && own.0 == own.1 {
            return own;
        }
        let (low, high) = self.bounds_of_unrounded(&terms, depth);
        (own.0.into_iter().chain(low).max(), own.1.into_iter().chain(high).min())
    }

    /// The bounds of a sum from the bounds of its terms.
    pub(super) fn bounds_of_sum(&self, terms: &[Term], depth: usize) -> Bounds {
        let mut sum: Bounds = (Some(0), Some(0));
        for (factors, coefficient) in terms {
            let mut bounds = factors.iter().map(|&factor| self.bounds_of(factor, depth));
            let first = bounds.next().unwrap_or((Some(1), Some(1)));
            // Products are only bounded if their factors are not negative.
            let term = bounds.fold(first, |(low, high): Bounds, factor| {
                let low = low.zip(factor.0).filter(|&(x, y)| x >= 0 && y >= 0);
                let high = high.zip(factor.1).filter(|_| low.is_some());
                (low.and_then(|(x, y)| x.checked_mul(y)), high.and_then(|(x, y)| x.checked_mul(y)))
            });
            let scaled = |bound: Option<i64>| bound.and_then(|bound| bound.checked_mul(*coefficient));
            let (low, high) = if *coefficient >= 0 { term } else { (term.1, term.0) };
            sum.0 = sum.0.zip(scaled(low)).and_then(|(x, y)| x.checked_add(y));
            sum.1 = sum.1.zip(scaled(high)).and_then(|(x, y)| x.checked_add(y));
        }
        sum
    }

    fn bounds_of(&self, factor: Factor, depth: usize) -> Bounds {
        let of = |dim| self.bounds_within(dim, depth);
        match factor {
            Factor::Symbol(name) => {
                let table = self.table.borrow();
                (table.least.get(&name).copied(), table.most.get(&name).copied())
            }
            Factor::Quotient(x, y) => {
                let ((low, high), (least, most)) = (of(x), of(y));
                // The divisor is at least 1, so the quotient is no farther from zero than the dividend.
                let low = low.map(|low| if low < 0 { low } else { most.map_or(0, |most| low / most) });
                let high = high.map(|high| if high < 0 { -1 } else { high / least.unwrap_or(1).max(1) });
                (low, high)
            }
            Factor::Remainder(_, y) => (Some(0), of(y).1.map(|most| most - 1)),
            Factor::Larger(x, y) => {
                let (x, y) = (of(x), of(y));
                (x.0.max(y.0), x.1.zip(y.1).map(|(x, y)| x.max(y)))
            }
            Factor::Smaller(x, y) => {
                let (x, y) = (of(x), of(y));
                (x.0.zip(y.0).map(|(x, y)| x.min(y)), x.1.into_iter().chain(y.1).min())
            }
        }
    }

    pub(super) fn factor(&self, factor: Factor) -> Dim {
        let single: Polynomial = smallvec![(smallvec![factor], 1)];
        self.intern(single).unwrap_or(Dim::Dynamic)
    }

    /// The terms of a size, unless it is unknown.
    pub(super) fn polynomial(&self, dim: Dim) -> Option<Polynomial> {
        match dim {
            Dim::Known(0) => Some(Polynomial::new()),
            Dim::Known(size) => Some(smallvec![(SmallVec::new(), size)]),
            Dim::Symbolic(size) => Some(self.table.borrow().list[size.0 as usize].clone()),
            Dim::Dynamic => None,
        }
    }

    fn combine(&self, x: Dim, y: Dim, join: impl Fn(Polynomial, Polynomial) -> Option<Polynomial>) -> Dim {
        let joined = self.polynomial(x).zip(self.polynomial(y)).and_then(|(x, y)| join(x, y));
        joined.and_then(|joined| self.intern(joined)).unwrap_or(Dim::Dynamic)
    }

    /// The size with these terms; `None` if a coefficient overflows or there are too many operations.
    pub(super) fn intern(&self, terms: Polynomial) -> Option<Dim> {
        let mut terms = self.without_exact_quotients(self.constrained(terms)?)?;
        terms.sort_unstable();
        let mut normal = Polynomial::new();
        for (factors, coefficient) in terms {
            match normal.last_mut() {
                Some((last, sum)) if *last == factors => *sum = sum.checked_add(coefficient)?,
                _ => normal.push((factors, coefficient)),
            }
        }
        normal.retain(|(_, coefficient)| *coefficient != 0);
        match normal.as_slice() {
            [] => return Some(Dim::Known(0)),
            [(factors, size)] if factors.is_empty() => return Some(Dim::Known(*size)),
            _ => {}
        }
        let mut table = self.table.borrow_mut();
        if let Some(&known) = table.index.get(&normal) {
            return Some(Dim::Symbolic(known));
        }
        let weight = normal.iter().map(|(factors, _)| 1 + table.weight(factors)).sum();
        if weight > HEAVIEST {
            return None;
        }
        table.weights.push(weight);
        let id = DimExprId(table.list.len() as u32);
        table.list.push(normal.clone());
        table.index.insert(normal, id);
        Some(Dim::Symbolic(id))
    }

    /// The size in `jax.export`'s syntax: `2*b + floordiv(t, 4) - 1`.
    pub fn spell(&self, symbols: &Symbols, dim: Dim) -> String {
        let mut text = String::new();
        self.spell_into(&mut text, symbols, dim);
        text
    }

    fn spell_into(&self, out: &mut String, symbols: &Symbols, dim: Dim) {
        let size = match dim {
            Dim::Known(size) => return out.push_str(&size.to_string()),
            Dim::Dynamic => return out.push('?'),
            Dim::Symbolic(size) => size,
        };
        self.spell_terms(out, symbols, &self.terms(size));
    }

    pub(super) fn spell_terms(&self, out: &mut String, symbols: &Symbols, terms: &[Term]) {
        // Constants come last.
        let (numbers, others): (Vec<_>, Vec<_>) = terms.iter().partition(|(factors, _)| factors.is_empty());
        for (index, (factors, coefficient)) in others.into_iter().chain(numbers).enumerate() {
            let sign = match (index, *coefficient < 0) {
                (0, true) => "-",
                (0, false) => "",
                (_, true) => " - ",
                (_, false) => " + ",
            };
            out.push_str(sign);
            let amount = coefficient.unsigned_abs();
            if amount != 1 || factors.is_empty() {
                out.push_str(&amount.to_string());
                out.push_str(if factors.is_empty() { "" } else { "*" });
            }
            for (index, &factor) in factors.iter().enumerate() {
                out.push_str(if index > 0 { "*" } else { "" });
                self.spell_factor(out, symbols, factor);
            }
        }
    }

    fn spell_factor(&self, out: &mut String, symbols: &Symbols, factor: Factor) {
        let (name, x, y) = match factor {
            Factor::Symbol(name) => return out.push_str(symbols.get(name)),
            Factor::Quotient(x, y) => match self.rounded_up(x, y) {
                Some(x) => ("ceildiv", x, y),
                None => ("floordiv", x, y),
            },
            Factor::Remainder(x, y) => ("mod", x, y),
            Factor::Larger(x, y) => ("max", x, y),
            Factor::Smaller(x, y) => ("min", x, y),
        };
        out.push_str(name);
        out.push('(');
        self.spell_into(out, symbols, x);
        out.push_str(", ");
        self.spell_into(out, symbols, y);
        out.push(')');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fixture {
        sizes: DimExprs,
        symbols: Symbols,
    }

    impl Fixture {
        fn new() -> Self {
            Self { sizes: DimExprs::default(), symbols: Symbols::default() }
        }

        fn symbol(&mut self, name: &str) -> Dim {
            let name = self.symbols.intern(name);
            self.sizes.at_least(name, 1);
            self.sizes.symbol(name)
        }

        fn spell(&self, dim: Dim) -> String {
            self.sizes.spell(&self.symbols, dim)
        }
    }

    #[test]
    fn sums_and_products_have_one_form() {
        let mut f = Fixture::new();
        let (b, t) = (f.symbol("b"), f.symbol("t"));
        let s = &f.sizes;
        let left = s.multiply(s.add(b, Dim::Known(1)), s.add(t, Dim::Known(2)));
        let right = s.sum([s.multiply(b, t), s.multiply(b, Dim::Known(2)), t, Dim::Known(2)]);
        assert_eq!(left, right);
        assert_eq!(s.subtract(left, right), Dim::Known(0));
        assert_eq!(f.spell(left), "2*b + b*t + t + 2");
    }

    #[test]
    fn quotients_extract_divisible_terms() {
        let mut f = Fixture::new();
        let b = f.symbol("b");
        let s = &f.sizes;
        let x = s.add(s.multiply(b, Dim::Known(4)), Dim::Known(3));
        assert_eq!(s.quotient(x, Dim::Known(4)), b);
        assert_eq!(s.remainder(x, Dim::Known(4)), Dim::Known(3));
        assert_eq!(s.quotient(s.multiply(b, b), b), b);
        assert_eq!(s.quotient_up(x, Dim::Known(4)), s.add(b, Dim::Known(1)));
        let half = s.quotient(s.subtract(b, Dim::Known(3)), Dim::Known(2));
        assert_eq!(f.spell(half), "ceildiv(b, 2) - 2");
        assert_eq!(s.quotient(b, Dim::Known(0)), Dim::Dynamic);
    }

    #[test]
    fn bounds_decide_max_and_min() {
        let mut f = Fixture::new();
        let b = f.symbol("b");
        let s = &f.sizes;
        assert_eq!(s.larger(b, Dim::Known(1)), b);
        assert_eq!(s.smaller(b, Dim::Known(0)), Dim::Known(0));
        assert_eq!(s.bounds(s.quotient(b, Dim::Known(2))), (Some(0), None));
        assert_eq!(s.bounds(s.remainder(b, Dim::Known(2))), (Some(0), Some(1)));
        assert_eq!(s.bounds(s.quotient(s.multiply(b, Dim::Known(-1)), Dim::Known(2))), (None, Some(-1)));
        assert_eq!(f.spell(s.larger(b, Dim::Known(3))), "max(3, b)");
    }

    #[test]
    fn unbounded_nesting_is_unknown() {
        let mut f = Fixture::new();
        let (b, t) = (f.symbol("b"), f.symbol("t"));
        let s = &f.sizes;
        let mut size = b;
        for _ in 0..10_000 {
            size = s.larger(s.quotient(s.multiply(size, size), Dim::Known(3)), t);
        }
        assert_eq!(size, Dim::Dynamic);
    }

    #[test]
    fn overflow_is_unknown() {
        let mut f = Fixture::new();
        let b = f.symbol("b");
        let huge = f.sizes.multiply(b, Dim::Known(i64::MAX));
        assert_eq!(f.sizes.multiply(huge, Dim::Known(2)), Dim::Dynamic);
    }
}
