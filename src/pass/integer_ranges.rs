//! The ranges of integers, for passes that walk forward over ops of ONNX.

use crate::ir::{Attribute, Element, Module, OpId, TensorType, ValueId, axis_index, onnx};
use crate::source::Source;
use rustc_hash::FxHashMap;

/// Integers up to this magnitude are exact in `f32`.
pub const SMALL: i64 = 1 << 24;

/// A closed range of integers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// The lowest possible number.
    pub low: i64,
    /// The highest possible number.
    pub high: i64,
    /// Whether the number is computed from sizes and small constants.
    pub is_size: bool,
}

impl Range {
    const fn new(low: i64, high: i64) -> Self {
        Self { low, high, is_size: false }
    }

    /// Numbers from 0.
    pub fn natural(high: i64) -> Self {
        Self::new(0, high)
    }

    /// All numbers of an element type; those of `ui64` count as `i64`.
    pub fn of(element: Element) -> Self {
        match element {
            Element::Bool => Self::new(0, 1),
            _ if !element.is_integer() || element.bits() == 64 => Self::new(i64::MIN, i64::MAX),
            _ if element.is_signed() => {
                let half = 1i64 << (element.bits() - 1);
                Self::new(-half, half - 1)
            }
            _ => Self::new(0, (1i64 << element.bits()) - 1),
        }
    }

    /// The largest absolute value.
    pub fn magnitude(self) -> i64 {
        self.low.saturating_abs().max(self.high.saturating_abs())
    }

    /// Whether `f32` has all numbers and their neighbors. A tensor has fewer than 2^24 elements along a dimension.
    pub fn is_small(self) -> bool {
        self.is_size || self.magnitude() < SMALL
    }

    /// Whether no number is negative.
    pub fn is_natural(self) -> bool {
        self.low >= 0
    }

    fn union(self, other: Self) -> Self {
        Self {
            low: self.low.min(other.low),
            high: self.high.max(other.high),
            is_size: self.is_size && other.is_size,
        }
    }

    /// The range of a monotonic function of two ranges, from the results at their ends.
    fn corners(self, other: Self, of: impl Fn(i64, i64) -> Option<i64>) -> Option<Self> {
        let ends = [
            of(self.low, other.low)?,
            of(self.low, other.high)?,
            of(self.high, other.low)?,
            of(self.high, other.high)?,
        ];
        let is_size = self.is_size && other.is_size;
        Some(Self { low: *ends.iter().min()?, high: *ends.iter().max()?, is_size })
    }
}

/// The most elements of a constant that are read.
const READ: usize = 1 << 22;

/// The known ranges. A pass calls [`Ranges::visit`] for each op before it changes the op.
pub struct Ranges<'s> {
    known: FxHashMap<ValueId, Range>,
    source: &'s Source,
}

impl<'s> Ranges<'s> {
    /// No ranges.
    pub fn new(source: &'s Source) -> Self {
        Self { known: FxHashMap::default(), source }
    }

    /// The range of a value.
    pub fn of(&self, module: &Module, value: ValueId) -> Range {
        let element = module.tensor(value).map_or(Element::F32, |tensor| tensor.element);
        self.known.get(&value).copied().unwrap_or_else(|| Range::of(element))
    }

    /// Notes the range of a value.
    pub fn note(&mut self, value: ValueId, range: Range) {
        self.known.insert(value, range);
    }

    /// A value has the range of another, which it replaces.
    pub fn inherit(&mut self, old: ValueId, new: ValueId) {
        if let Some(&range) = self.known.get(&old) {
            self.known.insert(new, range);
        }
    }

    /// Notes the ranges of an op's results, and of the iteration number of a loop.
    pub fn visit(&mut self, module: &Module, op: OpId) {
        let operation = module.op(op);
        if operation.name == onnx::LOOP {
            self.iterations(module, op);
        }
        for (index, &result) in operation.results.iter().enumerate() {
            let Some(element) = module.tensor(result).map(|tensor| tensor.element) else { continue };
            if !element.is_integer() {
                continue;
            }
            let own = Range::of(element);
            let fits = |range: &Range| range.low >= own.low && range.high <= own.high;
            if let Some(range) = self.result(module, op, index, result).filter(fits) {
                self.known.insert(result, range);
            }
        }
    }

    /// The number of an iteration is less than the trip count.
    fn iterations(&mut self, module: &Module, op: OpId) {
        let operation = module.op(op);
        let block = operation.regions.first().and_then(|&region| module.entry_block(region));
        let number = block.and_then(|block| module.block(block).arguments.first().copied());
        let count = operation.operands.first().map(|&count| self.of(module, count).high);
        if let (Some(number), Some(count)) = (number, count) {
            self.known.insert(number, Range::new(0, (count - 1).max(0)));
        }
    }

    fn result(&self, module: &Module, op: OpId, index: usize, result: ValueId) -> Option<Range> {
        let operands = &module.op(op).operands;
        let element = module.tensor(result)?.element;
        let of = |index: usize| {
            operands
                .get(index)
                .filter(|&&value| value != module.absent())
                .map(|&value| self.of(module, value))
        };
        let two = |combine: fn(i64, i64) -> Option<i64>| {
            let (a, b) = (of(0)?, of(1)?);
            let is_size = a.is_size && b.is_size;
            a.corners(b, combine).or(is_size.then_some(Range { is_size, ..Range::of(element) }))
        };
        let all = || operands.iter().map(|&value| self.of(module, value)).reduce(Range::union);
        let count = || i64::try_from(reduced(module, op)?).ok();
        match module.op(op).name {
            onnx::CONSTANT => self.constant(module, result),
            onnx::SHAPE => Some(Range { low: 0, high: i64::from(i32::MAX), is_size: true }),
            onnx::IDENTITY
            | onnx::EXPAND
            | onnx::RESHAPE
            | onnx::TRANSPOSE
            | onnx::SQUEEZE
            | onnx::UNSQUEEZE
            | onnx::SLICE
            | onnx::SPLIT
            | onnx::TILE
            | onnx::DEPTH_TO_SPACE
            | onnx::SPACE_TO_DEPTH
            | onnx::GATHER
            | onnx::GATHER_ELEMENTS
            | onnx::GATHER_ND
            | onnx::REDUCE_MAX
            | onnx::REDUCE_MIN => of(0),
            onnx::CAST => {
                let from = module.tensor(*operands.first()?)?.element;
                (from.is_integer() || from == Element::Bool).then(|| of(0)).flatten()
            }
            onnx::CONCAT | onnx::SCATTER_ELEMENTS | onnx::SCATTER_ND => {
                let reduction = module.attribute(op, "reduction").and_then(Attribute::as_str);
                match reduction.unwrap_or("none") {
                    "none" | "max" | "min" if module.op(op).name != onnx::CONCAT => {
                        Some(of(0)?.union(of(2)?))
                    }
                    "none" => all(),
                    _ => None,
                }
            }
            onnx::WHERE => Some(of(1)?.union(of(2)?)),
            onnx::PAD => {
                let mode = module.attribute(op, "mode").and_then(Attribute::as_str);
                match mode.unwrap_or("constant") {
                    "constant" => Some(of(0)?.union(of(2).unwrap_or(Range::new(0, 0)))),
                    _ => of(0),
                }
            }
            onnx::TRILU => Some(of(0)?.union(Range::new(0, 0))),
            onnx::ADD => two(i64::checked_add),
            onnx::SUB => two(i64::checked_sub),
            onnx::MUL => two(i64::checked_mul),
            onnx::MAX => self.extremes(module, operands, i64::max),
            onnx::MIN => self.extremes(module, operands, i64::min),
            onnx::CLIP => {
                let range = of(0)?;
                let (low, high) = (of(1).unwrap_or(range), of(2).unwrap_or(range));
                let clip = |number: i64, low: i64, high: i64| number.max(low).min(high);
                Some(Range::new(clip(range.low, low.low, high.low), clip(range.high, low.high, high.high)))
            }
            onnx::NEG => Range::new(0, 0).corners(of(0)?, i64::checked_sub),
            onnx::ABS => {
                let range = of(0)?;
                let low =
                    if range.low <= 0 && range.high >= 0 { 0 } else { range.low.abs().min(range.high.abs()) };
                Some(Range { low, high: range.low.checked_abs()?.max(range.high.checked_abs()?), ..range })
            }
            onnx::SIGN => Some(Range::new(-1, 1)),
            onnx::DIV => {
                let divisor = of(1)?;
                (divisor.low > 0).then(|| two(i64::checked_div)).flatten()
            }
            onnx::MOD => {
                let (dividend, divisor) = (of(0)?, of(1)?);
                let highest = divisor.high.checked_sub(1).filter(|_| divisor.low > 0)?;
                let fmod = module.attribute(op, "fmod").and_then(Attribute::as_integer) == Some(1);
                let is_size = dividend.is_size && divisor.is_size;
                let low = if fmod && dividend.low < 0 { dividend.low.max(-highest) } else { 0 };
                let high =
                    if dividend.low >= 0 || fmod { highest.min(dividend.high.max(0)) } else { highest };
                Some(Range { low, high, is_size })
            }
            onnx::BITWISE_AND => {
                let naturals = [of(0)?, of(1)?].into_iter().filter(|range| range.is_natural());
                Some(Range::new(0, naturals.map(|range| range.high).min()?))
            }
            onnx::BITWISE_OR | onnx::BITWISE_XOR => {
                let both = of(0)?.union(of(1)?);
                let bits = i64::BITS - both.high.leading_zeros();
                both.is_natural()
                    .then(|| Range::new(0, (1i64.checked_shl(bits).unwrap_or(0)).wrapping_sub(1)))
            }
            onnx::BIT_SHIFT => {
                let amount = of(1)?;
                let right = module.attribute(op, "direction").and_then(Attribute::as_str) == Some("RIGHT");
                let by = u32::try_from(amount.low).ok().filter(|_| right)?;
                Some(Range::new(0, of(0)?.high.checked_shr(by)?))
            }
            onnx::REDUCE_SUM => of(0)?.corners(Range::new(count()?, count()?), i64::checked_mul),
            onnx::CUM_SUM => {
                let axis = *module.known_integers(*operands.get(1)?)?.first()?;
                let count = size(module.tensor(operands[0])?, axis)?;
                of(0)?.corners(Range::new(0, count), i64::checked_mul)
            }
            onnx::MAT_MUL => {
                let count = size(module.tensor(operands[0])?, -1)?;
                two(i64::checked_mul)?.corners(Range::new(count, count), i64::checked_mul)
            }
            onnx::ARG_MAX | onnx::ARG_MIN | onnx::TOP_K if element == Element::I64 => {
                if module.op(op).name == onnx::TOP_K && index == 0 {
                    return of(0);
                }
                let default = if module.op(op).name == onnx::TOP_K { -1 } else { 0 };
                let axis = module.attribute(op, "axis").and_then(Attribute::as_integer).unwrap_or(default);
                Some(Range::new(0, (size(module.tensor(operands[0])?, axis)? - 1).max(0)))
            }
            onnx::TOP_K => of(0),
            onnx::RANGE => {
                let (start, limit) = (of(0)?, of(1)?);
                Some(start.union(limit))
            }
            _ => None,
        }
    }

    /// The range of the larger or smaller one.
    fn extremes(&self, module: &Module, operands: &[ValueId], of: fn(i64, i64) -> i64) -> Option<Range> {
        let ranges = operands.iter().map(|&value| self.of(module, value));
        ranges.reduce(|a, b| Range {
            low: of(a.low, b.low),
            high: of(a.high, b.high),
            is_size: a.is_size && b.is_size,
        })
    }

    fn constant(&self, module: &Module, value: ValueId) -> Option<Range> {
        let constant = module.constant(module.constant_of(value)?);
        let ty = module.tensor_type(constant.ty)?;
        let (element, width) = (ty.element, ty.element.bytes());
        let count = usize::try_from(ty.count()?).ok().filter(|&count| count <= READ)?;
        let bytes = match constant.data.splat() {
            Some(splat) => splat.into(),
            None => constant.data.bytes(self.source, count, width),
        };
        let numbers = bytes.chunks_exact(width).map(|chunk| number(chunk, element));
        let ends = numbers.fold(None, |ends: Option<(i64, i64)>, number| {
            let (low, high) = ends.unwrap_or((number, number));
            Some((low.min(number), high.max(number)))
        });
        let (low, high) = ends.unwrap_or_default();
        Some(Range { is_size: low.unsigned_abs().max(high.unsigned_abs()) < SMALL as u64, low, high })
    }
}

/// An integer from its bytes. One of `ui64` is the `i64` of the same bits.
fn number(bytes: &[u8], element: Element) -> i64 {
    let mut wide = [0; 8];
    wide[..bytes.len()].copy_from_slice(bytes);
    let number = i64::from_le_bytes(wide);
    let unused = 64 - 8 * bytes.len() as u32;
    if element.is_signed() { number << unused >> unused } else { number }
}

/// How many elements become one, in a reduction whose axes and sizes are known.
pub fn reduced(module: &Module, op: OpId) -> Option<u64> {
    let operands = &module.op(op).operands;
    let tensor = module.tensor(*operands.first()?)?;
    let axes = match operands.get(1).filter(|&&axes| axes != module.absent()) {
        Some(&axes) => module.known_integers(axes)?,
        None => (0..tensor.rank() as i64).collect(),
    };
    axes.into_iter().map(|axis| u64::try_from(size(tensor, axis)?).ok()).product()
}

/// The size of a dimension.
pub fn size(tensor: &TensorType, axis: i64) -> Option<i64> {
    tensor.dims[axis_index(axis, tensor.rank())?].known()
}
