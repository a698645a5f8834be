//! Sizes that are computed at run time.

use super::Lower;
use crate::ir::{Dim, DimExprId, Dims, Element, Factor, SCALAR, Symbol, ValueId, onnx};
use rustc_hash::FxHashSet;

/// Where a symbol gets its value.
#[derive(Clone, Copy, Debug)]
pub(super) struct SymbolSource {
    /// A lowered value.
    pub(super) value: ValueId,
    /// The part of the value.
    pub(super) part: SizePart,
    /// Whether the value is available before all ops.
    pub(super) is_argument: bool,
    /// The factor of the symbol in the part.
    pub(super) times: i64,
    /// The rest of the part.
    pub(super) plus: Dim,
}

/// The part of a value that defines a symbol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SizePart {
    /// The size of a dimension.
    Dimension(usize),
    /// An element of a list, or of a scalar.
    Element(usize),
}

impl Lower<'_> {
    /// A shape operand, as ops such as Expand and Reshape take it: a constant, or computed once.
    pub fn shape(&mut self, dims: &[Dim]) -> ValueId {
        if let Some(numbers) = dims.iter().map(|dim| dim.known()).collect::<Option<Vec<i64>>>() {
            return self.int64s(&numbers);
        }
        let key = Dims::from_slice(dims);
        if let Some(&known) = self.scopes.iter().rev().find_map(|scope| scope.shapes.get(&key)) {
            return known;
        }
        let early = dims.iter().all(|&dim| self.is_known_early(dim));
        let list =
            if early { self.before_all(|cx| cx.computed_shape(&key)) } else { self.computed_shape(&key) };
        let scope = if early { self.scopes.first_mut() } else { self.scopes.last_mut() };
        if let Some(scope) = scope {
            scope.shapes.insert(key, list);
        }
        list
    }

    /// A size as a scalar of any integer element type.
    pub fn size_scalar(&mut self, dim: Dim, element: Element) -> ValueId {
        match dim {
            Dim::Known(size) => self.integer(element, size),
            _ => {
                let list = self.shape(&[dim]);
                // ONNX Runtime's symbolic shape inference loses the size in a Reshape to a scalar.
                let first = self.integer(Element::I64, 0);
                let size = self.node(onnx::GATHER, &[list, first]).int("axis", 0).out(Element::I64, SCALAR);
                self.cast(size, element)
            }
        }
    }

    /// Drops sizes computed from symbols that get new values.
    pub(super) fn forget_sizes(&mut self) {
        for scope in &mut self.scopes {
            scope.shapes.clear();
            scope.expanded.retain(|(_, dims), _| dims.iter().all(|dim| dim.known().is_some()));
        }
    }

    /// Whether a size only depends on the model's inputs.
    fn is_known_early(&self, dim: Dim) -> bool {
        let Dim::Symbolic(size) = dim else { return true };
        let terms = self.module.dim_exprs.terms(size);
        terms.iter().flat_map(|(factors, _)| factors).all(|&factor| match factor {
            Factor::Symbol(name) => self.origins.get(&name).is_some_and(|origin| origin.is_argument),
            Factor::Quotient(x, y)
            | Factor::Remainder(x, y)
            | Factor::Larger(x, y)
            | Factor::Smaller(x, y) => self.is_known_early(x) && self.is_known_early(y),
        })
    }

    fn computed_shape(&mut self, dims: &[Dim]) -> ValueId {
        if let Some(list) = self.shape_of_argument(dims) {
            return list;
        }
        match *dims {
            [Dim::Symbolic(size)] => return self.computed_size(size),
            // The size is unknown, so the op is refused.
            [_] => return self.unknown_size(),
            _ => {}
        }
        let mut parts = Vec::new();
        let mut rest = dims;
        while let Some((&first, others)) = rest.split_first() {
            let numbers = rest.iter().take_while(|dim| dim.known().is_some()).count();
            let taken = numbers.max(1);
            parts.push(if numbers > 0 { self.shape(&rest[..taken]) } else { self.shape(&[first]) });
            rest = if numbers > 0 { &rest[taken..] } else { others };
        }
        self.concat(&parts, 0)
    }

    /// A shape that equals consecutive dimensions of one value.
    fn shape_of_argument(&mut self, dims: &[Dim]) -> Option<ValueId> {
        let dimension = |dim: Dim| {
            // A dimension `8*h` determines `h`, and is read directly.
            let mut found = FxHashSet::default();
            self.module.dim_exprs.symbols(dim, &mut found);
            let mut symbols: Vec<Symbol> = found.into_iter().collect();
            symbols.sort_unstable();
            symbols.iter().find_map(|symbol| {
                let origin = self.origins.get(symbol)?;
                match origin.part {
                    SizePart::Dimension(axis) if self.whole(*symbol, origin) == dim => {
                        Some((origin.value, axis))
                    }
                    _ => None,
                }
            })
        };
        let (value, start) = dimension(*dims.first()?)?;
        let follows = |(index, dim): (usize, &Dim)| dimension(*dim) == Some((value, start + index));
        dims.iter().enumerate().all(follows).then(|| self.shape_from(value, start, start + dims.len()))
    }

    /// The part that defines a symbol, as a size.
    fn whole(&self, symbol: Symbol, origin: &SymbolSource) -> Dim {
        let sizes = &self.module.dim_exprs;
        sizes.add(sizes.multiply(sizes.symbol(symbol), Dim::Known(origin.times)), origin.plus)
    }

    /// The sizes of the dimensions from `start` to before `end`.
    fn shape_from(&mut self, value: ValueId, start: usize, end: usize) -> ValueId {
        let whole = start == 0 && end == self.rank(value);
        let node = self.node(onnx::SHAPE, &[value]);
        let node = if whole { node } else { node.int("start", start as i64).int("end", end as i64) };
        node.out(Element::I64, &[(end - start) as i64])
    }

    /// The sum of the terms, as a one-element list.
    fn computed_size(&mut self, size: DimExprId) -> ValueId {
        let mut sum: Option<ValueId> = None;
        for (factors, coefficient) in self.module.dim_exprs.terms(size) {
            let mut product: Option<ValueId> = None;
            for factor in factors {
                let value = self.factor(factor);
                product = Some(match product {
                    Some(product) => self.elementwise(onnx::MUL, &[product, value]),
                    None => value,
                });
            }
            let negative = coefficient < 0 && sum.is_some();
            let amount = if negative { coefficient.wrapping_neg() } else { coefficient };
            let term = match product {
                Some(product) if amount == 1 => product,
                Some(product) => {
                    let amount = self.int64s(&[amount]);
                    self.elementwise(onnx::MUL, &[product, amount])
                }
                None => self.int64s(&[amount]),
            };
            sum = Some(match sum {
                Some(sum) => self.elementwise(if negative { onnx::SUB } else { onnx::ADD }, &[sum, term]),
                None => term,
            });
        }
        sum.unwrap_or_else(|| self.int64s(&[0]))
    }

    fn factor(&mut self, factor: Factor) -> ValueId {
        let (name, x, y) = match factor {
            Factor::Symbol(name) => return self.symbol(name),
            // Mod takes the sign of the divisor, but Div rounds toward zero.
            Factor::Quotient(x, y) if !self.module.dim_exprs.is_at_least(x, 0) => {
                let (value, by) = (self.shape(&[x]), self.shape(&[y]));
                let rest = self.elementwise(onnx::MOD, &[value, by]);
                let whole = self.elementwise(onnx::SUB, &[value, rest]);
                return self.elementwise(onnx::DIV, &[whole, by]);
            }
            Factor::Quotient(x, y) => (onnx::DIV, x, y),
            Factor::Remainder(x, y) => (onnx::MOD, x, y),
            Factor::Larger(x, y) => (onnx::MAX, x, y),
            Factor::Smaller(x, y) => (onnx::MIN, x, y),
        };
        let (x, y) = (self.shape(&[x]), self.shape(&[y]));
        self.elementwise(name, &[x, y])
    }

    /// The value of a symbol, as a one-element list. Earlier passes define every symbol.
    fn symbol(&mut self, name: Symbol) -> ValueId {
        let Some(&SymbolSource { value, part, times, plus, .. }) = self.origins.get(&name) else {
            return self.unknown_size();
        };
        match part {
            SizePart::Dimension(axis) => {
                let mut size = self.shape_from(value, axis, axis + 1);
                if plus != Dim::Known(0) {
                    let plus = self.shape(&[plus]);
                    size = self.elementwise(onnx::SUB, &[size, plus]);
                }
                if times != 1 {
                    let times = self.int64s(&[times]);
                    size = self.elementwise(onnx::DIV, &[size, times]);
                }
                size
            }
            SizePart::Element(index) => {
                let list = if self.rank(value) == 0 {
                    self.reshape(value, &[1])
                } else {
                    self.slice(value, &[index as i64], &[index as i64 + 1], &[1])
                };
                self.cast(list, Element::I64)
            }
        }
    }
}
