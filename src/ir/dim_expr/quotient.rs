//! Rounded quotients of sizes, in normal form.
//!
//! The normal form of `floordiv(x, k)` with a constant `k` moves out all terms that `k` divides. The rest has a
//! constant in `0..k`, no common divisor with `k`, no nested quotient (`floordiv(floordiv(h, 2), 2)` is `floordiv(h,
//! 4)`), and a positive first coefficient: `-floordiv(-h, 2)`, as `jax.export` prints `ceil(h / 2)`, is `floordiv(h +
//! 1, 2)`.

use super::{Bounds, DimExprs, Factor, Polynomial, Term};
use crate::ir::Dim;
use smallvec::{SmallVec, smallvec};

impl DimExprs {
    /// The quotient, rounded down; unknown if the divisor may be zero or negative.
    pub fn quotient(&self, x: Dim, y: Dim) -> Dim {
        let Some((whole, rest)) = self.divided(x, y) else { return Dim::Dynamic };
        if self.is_rest(rest, y) {
            return whole;
        }
        let quotient = match y {
            Dim::Known(divisor) => self.quotient_of_rest(rest, divisor),
            _ => self.factor(Factor::Quotient(rest, y)),
        };
        self.add(whole, quotient)
    }

    /// The quotient, rounded up; unknown if the divisor may be zero or negative.
    pub fn quotient_up(&self, x: Dim, y: Dim) -> Dim {
        let negated = self.quotient(self.multiply(x, Dim::Known(-1)), y);
        self.multiply(negated, Dim::Known(-1))
    }

    /// The remainder, which is not negative; unknown if the divisor may be zero or negative.
    pub fn remainder(&self, x: Dim, y: Dim) -> Dim {
        let Some((_, rest)) = self.divided(x, y) else { return Dim::Dynamic };
        if self.is_rest(rest, y) {
            return rest;
        }
        if let (Dim::Known(divisor), Some(terms)) = (y, self.polynomial(rest))
            && self.common_divisor(&terms, divisor) == divisor
        {
            return self.remainder(Dim::Known(constant(&terms)), y);
        }
        self.factor(Factor::Remainder(rest, y))
    }

    /// The quotient of terms from which nothing more can be moved out.
    fn quotient_of_rest(&self, rest: Dim, divisor: i64) -> Dim {
        let plain = |terms: Polynomial, divisor: i64| {
            let rest = self.intern(terms).unwrap_or(Dim::Dynamic);
            if rest == Dim::Dynamic { rest } else { self.factor(Factor::Quotient(rest, Dim::Known(divisor))) }
        };
        let Some(mut terms) = self.polynomial(rest) else { return Dim::Dynamic };
        if let Some(flat) = self.without_inner_quotient(&terms, divisor) {
            return flat;
        }
        // Constants below the common divisor of all other terms and the divisor do not change the quotient.
        let common = self.common_divisor(&terms, divisor);
        let number = constant(&terms);
        set_constant(&mut terms, number - number.rem_euclid(common));
        let common = coefficients(&terms).fold(divisor, gcd);
        if common > 1 {
            terms.iter_mut().for_each(|(_, coefficient)| *coefficient /= common);
            let Some(rest) = self.intern(terms) else { return Dim::Dynamic };
            return self.quotient(rest, Dim::Known(divisor / common));
        }
        let is_negative = coefficients(&terms).next().is_some_and(|first| first < 0);
        if !is_negative {
            return plain(terms, divisor);
        }
        let negated = terms.iter().map(|(factors, by)| Some((factors.clone(), by.checked_neg()?)));
        let Some(mut negated) = negated.collect::<Option<Polynomial>>() else { return plain(terms, divisor) };
        let number = constant(&negated);
        let Some(number) = number.checked_add(divisor - 1) else { return plain(terms, divisor) };
        set_constant(&mut negated, number);
        let Some(rest) = self.intern(negated) else { return Dim::Dynamic };
        self.multiply(self.quotient(rest, Dim::Known(divisor)), Dim::Known(-1))
    }

    /// `floordiv(a + floordiv(x, m), k)` as `floordiv(m*a + x, m*k)`.
    fn without_inner_quotient(&self, terms: &Polynomial, divisor: i64) -> Option<Dim> {
        let inner = |(factors, by): &Term| match factors[..] {
            [Factor::Quotient(x, Dim::Known(own))] if by.abs() == 1 => Some((x, own, *by)),
            _ => None,
        };
        let (at, (x, own, by)) = terms.iter().enumerate().find_map(|(at, term)| Some((at, inner(term)?)))?;
        let product = own.checked_mul(divisor)?;
        let mut others = terms.clone();
        others.remove(at);
        let others = self.multiply(self.intern(others)?, Dim::Known(own));
        // A subtracted quotient becomes one that is rounded up: -floordiv(x, m) = floordiv(m - 1 - x, m).
        let x = if by > 0 { x } else { self.subtract(Dim::Known(own - 1), x) };
        let flat = self.quotient(self.add(others, x), Dim::Known(product));
        (flat != Dim::Dynamic).then_some(flat)
    }

    /// The greatest divisor of `divisor` that divides all terms except the constant.
    fn common_divisor(&self, terms: &[Term], divisor: i64) -> i64 {
        let table = self.table.borrow();
        let multiple = |factors: &[Factor], by: i64| {
            let of = |factor: &Factor| match factor {
                Factor::Symbol(name) => table.multiples.get(name).copied().unwrap_or(1),
                _ => 1,
            };
            let times = |product: i64, factor| product.checked_mul(of(factor)).unwrap_or(product);
            factors.iter().fold(gcd(by, divisor), |product, factor| gcd(times(product, factor), divisor))
        };
        let others = terms.iter().filter(|(factors, _)| !factors.is_empty());
        others.fold(divisor, |common, (factors, by)| gcd(common, multiple(factors, *by)))
    }

    /// Whether a quotient is always exact.
    fn is_exact(&self, x: Dim, divisor: i64) -> bool {
        let Some(terms) = self.polynomial(x) else { return false };
        constant(&terms) % divisor == 0 && self.common_divisor(&terms, divisor) == divisor
    }

    /// Replaces `k` times an exact quotient by `k` with its dividend.
    pub(super) fn without_exact_quotients(&self, terms: Polynomial) -> Option<Polynomial> {
        if self.table.borrow().multiples.is_empty() {
            return Some(terms);
        }
        let mut flat = Polynomial::new();
        for (factors, by) in terms {
            let exact = factors.iter().enumerate().find_map(|(at, factor)| match factor {
                &Factor::Quotient(x, Dim::Known(divisor))
                    if by % divisor == 0 && self.is_exact(x, divisor) =>
                {
                    Some((at, x, divisor))
                }
                _ => None,
            });
            let Some((at, x, divisor)) = exact else {
                flat.push((factors, by));
                continue;
            };
            let mut others = factors;
            others.remove(at);
            for (own, times) in self.polynomial(x)? {
                let mut joined: SmallVec<[Factor; 2]> = own.iter().chain(&others).copied().collect();
                joined.sort_unstable();
                flat.push((joined, times.checked_mul(by / divisor)?));
            }
        }
        Some(flat)
    }

    /// Records that a number divides a symbol if a zero remainder implies it.
    pub(super) fn note_multiple(&self, terms: &[Term]) {
        let name = |x: Dim| self.as_symbol(x);
        let multiple = match terms {
            [(factors, _)] => match factors[..] {
                [Factor::Remainder(x, Dim::Known(divisor))] => name(x).map(|name| (name, divisor)),
                _ => None,
            },
            [(one, by), (other, times)] => match (&one[..], &other[..]) {
                (&[Factor::Symbol(own)], &[Factor::Quotient(x, Dim::Known(divisor))])
                    if name(x) == Some(own) && by.checked_mul(-divisor) == Some(*times) =>
                {
                    Some((own, divisor))
                }
                _ => None,
            },
            _ => None,
        };
        let Some((name, divisor)) = multiple else { return };
        let mut table = self.table.borrow_mut();
        let known = table.multiples.entry(name).or_insert(1);
        *known = known.checked_mul(divisor / gcd(*known, divisor)).unwrap_or(*known);
    }

    /// The dividend of a quotient that is rounded down and originally was rounded up.
    pub(super) fn rounded_up(&self, x: Dim, y: Dim) -> Option<Dim> {
        let Dim::Known(divisor) = y else { return None };
        (constant(&self.polynomial(x)?) == divisor - 1).then(|| self.subtract(x, Dim::Known(divisor - 1)))
    }

    /// Bounds a sum by replacing `k*floordiv(x, k)` with `x` minus the rounding error.
    pub(super) fn bounds_of_unrounded(&self, terms: &[Term], depth: usize) -> Bounds {
        self.unrounded(terms, depth).unwrap_or((None, None))
    }

    fn unrounded(&self, terms: &[Term], depth: usize) -> Option<Bounds> {
        let quotient = |(factors, by): &Term| match factors[..] {
            [Factor::Quotient(x, Dim::Known(divisor))] => Some((x, divisor, *by)),
            _ => None,
        };
        let divisors = terms.iter().filter_map(quotient).map(|(_, divisor, _)| divisor);
        let scale =
            divisors.into_iter().try_fold(1i64, |all, own| all.checked_mul(own / gcd(all, own).max(1)))?;
        if scale == 1 {
            return None;
        }
        let mut sum = Dim::Known(0);
        let (mut low, mut high) = (0i64, 0i64);
        for term in terms {
            let Some((x, divisor, by)) = quotient(term) else {
                let own = self.intern(smallvec![term.clone()])?;
                sum = self.add(sum, self.multiply(own, Dim::Known(scale)));
                continue;
            };
            let by = by.checked_mul(scale / divisor)?;
            sum = self.add(sum, self.multiply(x, Dim::Known(by)));
            // Subtracts the remainder times the coefficient.
            let most = by.checked_mul(divisor - 1)?.checked_neg()?;
            let end = if by > 0 { &mut low } else { &mut high };
            *end = end.checked_add(most)?;
        }
        let (least, most) = match sum {
            Dim::Known(number) => (Some(number), Some(number)),
            Dim::Symbolic(size) => self.bounds_of_sum(&self.terms(size), depth),
            Dim::Dynamic => return None,
        };
        let low = least.and_then(|least| least.checked_add(low)?.checked_neg());
        let low = low.map(|low| -low.div_euclid(scale));
        let high = most.and_then(|most| most.checked_add(high)).map(|high| high.div_euclid(scale));
        Some((low, high))
    }

    /// Whether a factor is a remainder.
    fn is_rest(&self, rest: Dim, divisor: Dim) -> bool {
        self.is_at_least(rest, 0) && self.is_at_least(self.subtract(divisor, rest), 1)
    }

    /// `(whole, rest)` with `x = whole * y + rest`, where `whole` collects every term that `y` divides. `None` if the
    /// divisor may be zero or negative.
    fn divided(&self, x: Dim, y: Dim) -> Option<(Dim, Dim)> {
        if !self.is_at_least(y, 1) {
            return None;
        }
        let divisor = self.polynomial(y)?;
        let mut whole = Polynomial::new();
        let mut rest = Polynomial::new();
        for term in self.polynomial(x)? {
            match (divisor.as_slice(), quotient_of(&term, &divisor)) {
                (_, Some(quotient)) => whole.push(quotient),
                ([(none, by)], None) if none.is_empty() && term.0.is_empty() => {
                    whole.push((SmallVec::new(), term.1.div_euclid(*by)));
                    rest.push((SmallVec::new(), term.1.rem_euclid(*by)));
                }
                _ => rest.push(term),
            }
        }
        Some((self.intern(whole)?, self.intern(rest)?))
    }
}

/// The quotient of a term by `divisor`; `None` if it is inexact or the divisor is a sum.
fn quotient_of(term: &Term, divisor: &Polynomial) -> Option<Term> {
    let [(by, divisor)] = divisor.as_slice() else { return None };
    let mut factors = term.0.clone();
    for factor in by {
        let found = factors.iter().position(|own| own == factor)?;
        factors.remove(found);
    }
    (term.1 % divisor == 0).then_some((factors, term.1 / divisor))
}

/// The constant term.
fn constant(terms: &[Term]) -> i64 {
    terms.iter().find(|(factors, _)| factors.is_empty()).map_or(0, |&(_, number)| number)
}

fn set_constant(terms: &mut Polynomial, number: i64) {
    terms.retain(|(factors, _)| !factors.is_empty());
    if number != 0 {
        terms.insert(0, (SmallVec::new(), number));
    }
}

/// The coefficients of the non-constant terms.
fn coefficients(terms: &[Term]) -> impl Iterator<Item = i64> {
    terms.iter().filter(|(factors, _)| !factors.is_empty()).map(|&(_, by)| by)
}

fn gcd(x: i64, y: i64) -> i64 {
    let (mut x, mut y) = (x.unsigned_abs(), y.unsigned_abs());
    while y != 0 {
        (x, y) = (y, x % y);
    }
    i64::try_from(x).unwrap_or(1)
}
