//! Values with their dimensions in the order and number that an op expects.

use super::axes::{Axes, Label, Labeled, Labels};
use super::pattern::Pattern;
use super::{Fused, FusedOperand};
use crate::ir::{Dim, Dims, Element, OpName, ValueId, stablehlo};

/// A value under construction.
pub(super) struct Arranged {
    operand: FusedOperand,
    element: Element,
    axes: Axes,
    dims: Dims,
}

impl Arranged {
    /// A value of the program.
    pub fn of(p: &Pattern, labeled: &Labeled) -> Option<Self> {
        let ty = p.tensor(labeled.value)?;
        let (element, dims) = (ty.element, ty.dims.clone());
        Some(Self { operand: FusedOperand::Value(labeled.value), element, axes: labeled.axes.clone(), dims })
    }

    /// A value of the program; of a constant, only the elements that are not repeated along a dimension.
    pub fn without_repeats(p: &Pattern, labels: &mut Labels, labeled: &Labeled) -> Option<Self> {
        let whole = Self::of(p, labeled)?;
        let Some((bytes, sizes)) = unrepeated(p, labeled.value) else { return Some(whole) };
        let dims: Dims = sizes.iter().map(|&size| Dim::Known(size as i64)).collect();
        if dims == whole.dims {
            return Some(whole);
        }
        let own = whole.axes.iter().zip(&dims);
        let axes =
            own.map(|(&label, &size)| if labels.size(label) == size { label } else { labels.add(size) });
        let axes: Axes = axes.collect();
        let operand = FusedOperand::Part(bytes.into(), whole.element, dims.clone(), labeled.value);
        Some(Self { operand, element: whole.element, axes, dims })
    }

    /// The elements of a constant whose dimension `place` has each number twice: as neighbours, or in both halves.
    pub fn without_twins(
        p: &Pattern,
        labeled: &Labeled,
        place: usize,
        half: Label,
        are_neighbours: bool,
    ) -> Option<Self> {
        let whole = Self::of(p, labeled)?;
        let constant = p.module.constant(p.module.constant_of(labeled.value)?);
        let width = whole.element.bytes();
        let sizes: Option<Vec<usize>> =
            whole.dims.iter().map(|dim| usize::try_from(dim.known()?).ok()).collect();
        let sizes = sizes.filter(|sizes| !sizes.contains(&0))?;
        let count = sizes.iter().product::<usize>();
        if count * width > MOST_BYTES {
            return None;
        }
        let bytes = constant.data.bytes(p.source(), count, width);
        let unit = width * sizes[place + 1..].iter().product::<usize>();
        let run = if are_neighbours { unit } else { unit * sizes[place] / 2 };
        let mut kept = Vec::with_capacity(bytes.len() / 2);
        for pair in bytes.chunks(2 * run) {
            let (first, second) = pair.split_at_checked(run)?;
            (first == second).then(|| kept.extend_from_slice(first))?;
        }
        let (mut axes, mut dims) = (whole.axes, whole.dims);
        axes[place] = half;
        dims[place] = Dim::Known(sizes[place] as i64 / 2);
        let operand = FusedOperand::Part(kept.into(), whole.element, dims.clone(), labeled.value);
        Some(Self { operand, element: whole.element, axes, dims })
    }

    /// One dimension for each part, which has size 1 if the value does not depend on the part. `None` if it depends on
    /// another dimension.
    pub fn spread(self, p: &Pattern, labels: &Labels, parts: &[Axes]) -> Option<Self> {
        let own: Axes = self.axes.iter().copied().filter(|&label| !labels.is_one(label)).collect();
        if !own.iter().all(|label| parts.iter().any(|part| part.contains(label))) {
            return None;
        }
        // A part of which it has some dimensions gets all.
        let mut order = Axes::new();
        for part in parts {
            if part.iter().any(|label| own.contains(label)) {
                order.extend(part.iter().copied().filter(|&label| !labels.is_one(label)));
            }
        }
        let present: Axes = order.iter().copied().filter(|label| own.contains(label)).collect();
        Some(self.ordered(labels, &present).broadcast(labels, &order).grouped(p, labels, parts))
    }

    /// The labels of its dimensions.
    pub fn axes(&self) -> &[Label] {
        &self.axes
    }

    /// The result of an op, with one dimension for each of these parts.
    pub fn made(fused: Fused, element: Element, dims: Dims) -> Self {
        Self {
            operand: FusedOperand::made_of(fused, element, dims.clone()),
            element,
            axes: Axes::new(),
            dims,
        }
    }

    /// The operand of an op.
    pub fn operand(self) -> FusedOperand {
        self.operand
    }

    /// The op, if it is not a value of the program.
    pub fn into_fused(self) -> Option<Fused> {
        match self.operand {
            FusedOperand::Made(fused, _) => Some(*fused),
            _ => None,
        }
    }

    /// One dimension for each part, which is the product of its labels. A label that the value lacks counts as 1.
    pub fn grouped(self, p: &Pattern, labels: &Labels, parts: &[Axes]) -> Self {
        let own = self.axes.clone();
        let order: Axes = parts.iter().flatten().copied().filter(|label| own.contains(label)).collect();
        let sizes = |part: &Axes| {
            let kept: Axes = part.iter().copied().filter(|label| own.contains(label)).collect();
            labels.count(p, &kept)
        };
        let dims: Dims = parts.iter().map(sizes).collect();
        self.ordered(labels, &order).reshaped(dims)
    }

    /// The dimensions with these labels in their order. The others, which are dropped, have size 1.
    pub fn ordered(self, labels: &Labels, order: &[Label]) -> Self {
        let kept: Axes = self.axes.iter().copied().filter(|label| order.contains(label)).collect();
        let dims = labels.sizes(&kept);
        let mut value = self.reshaped(dims);
        value.axes = kept;
        value.transposed(labels, order)
    }

    /// Another order of all dimensions.
    pub fn transposed(self, labels: &Labels, order: &[Label]) -> Self {
        let from: Vec<usize> =
            order.iter().filter_map(|label| self.axes.iter().position(|own| own == label)).collect();
        if from.is_sorted() {
            return self;
        }
        let dims = labels.sizes(order);
        let fused = Fused::of(stablehlo::TRANSPOSE, [self.operand]).positions("permutation", &from);
        let operand = FusedOperand::made_of(fused, self.element, dims.clone());
        Self { operand, element: self.element, axes: order.iter().copied().collect(), dims }
    }

    /// Other sizes with the same elements in the same order.
    pub fn reshaped(self, dims: Dims) -> Self {
        if self.dims == dims {
            return self;
        }
        let fused = Fused::of(stablehlo::RESHAPE, [self.operand]);
        let operand = FusedOperand::made_of(fused, self.element, dims.clone());
        Self { operand, element: self.element, axes: self.axes, dims }
    }

    /// Dimensions with these labels, whose sizes the value has.
    pub fn labeled(self, labels: &Labels, axes: &[Label]) -> Self {
        let dims = labels.sizes(axes);
        let mut value = self.reshaped(dims);
        value.axes = axes.iter().copied().collect();
        value
    }

    /// The elements in the dimensions `order`, as a value with the dimensions `stated`. Either may have more of size 1.
    pub fn restored(self, labels: &Labels, order: &[Label], stated: &[Label]) -> Self {
        let is_kept = |label: &Label| stated.contains(label) || !labels.is_one(*label);
        let order: Axes = order.iter().copied().filter(is_kept).collect();
        let new = stated.iter().copied().filter(|label| !order.contains(label));
        let (before, last) = order.split_at(order.len().saturating_sub(1));
        // New dimensions are there before the transpose, so that another transpose can cancel it.
        let all: Axes = before.iter().copied().chain(new).chain(last.iter().copied()).collect();
        let shown: Axes = stated.iter().copied().filter(|label| all.contains(label)).collect();
        self.labeled(labels, &all).transposed(labels, &shown).reshaped(labels.sizes(stated))
    }

    /// Repeated along dimensions that it lacks.
    pub fn broadcast(self, labels: &Labels, order: &[Label]) -> Self {
        let own = self.axes.clone();
        if order.iter().all(|label| own.contains(label)) {
            return self;
        }
        let value = self
            .ordered(labels, &order.iter().copied().filter(|label| own.contains(label)).collect::<Axes>());
        let to: Vec<usize> = order
            .iter()
            .enumerate()
            .filter(|(_, label)| own.contains(label))
            .map(|(place, _)| place)
            .collect();
        let dims = labels.sizes(order);
        let fused =
            Fused::of(stablehlo::BROADCAST_IN_DIM, [value.operand]).positions("broadcast_dimensions", &to);
        let operand = FusedOperand::made_of(fused, value.element, dims.clone());
        Self { operand, element: value.element, axes: order.iter().copied().collect(), dims }
    }

    /// In another element type.
    pub fn converted(self, element: Element) -> Self {
        if self.element == element {
            return self;
        }
        let fused = Fused::of(stablehlo::CONVERT, [self.operand]);
        let operand = FusedOperand::made_of(fused, element, self.dims.clone());
        Self { operand, element, ..self }
    }

    /// Times a number.
    pub fn scaled(self, factor: f64) -> Self {
        if factor == 1.0 {
            return self;
        }
        let (element, dims) = (self.element, self.dims.clone());
        self.mapped(|operand| {
            let number = FusedOperand::Filled(factor, element, Vec::new(), None);
            let all = Fused::of(stablehlo::BROADCAST_IN_DIM, [number]).positions("broadcast_dimensions", &[]);
            Fused::of(stablehlo::MULTIPLY, [operand, FusedOperand::made_of(all, element, dims)])
        })
    }

    /// An elementwise op on it and another value of the same number of dimensions, which broadcast.
    pub fn combined(self, name: OpName, other: Self) -> Self {
        let both = self.dims.iter().zip(&other.dims);
        let dims: Dims = both.map(|(&one, &other)| if one == Dim::Known(1) { other } else { one }).collect();
        let element = self.element;
        let operands = [self.spread_to(&dims), other.converted(element).spread_to(&dims)];
        let operand = FusedOperand::made_of(Fused::of(name, operands), element, dims.clone());
        Self { operand, element, axes: Axes::new(), dims }
    }

    /// Broadcast to sizes.
    fn spread_to(self, dims: &Dims) -> FusedOperand {
        if self.dims == *dims {
            return self.operand;
        }
        let all: Vec<usize> = (0..dims.len()).collect();
        let fused =
            Fused::of(stablehlo::BROADCAST_IN_DIM, [self.operand]).positions("broadcast_dimensions", &all);
        FusedOperand::made_of(fused, self.element, dims.clone())
    }

    /// The result of an elementwise op on it.
    pub fn mapped(self, build: impl FnOnce(FusedOperand) -> Fused) -> Self {
        let operand = FusedOperand::made_of(build(self.operand), self.element, self.dims.clone());
        Self { operand, ..self }
    }
}

/// Larger constants are not read.
const MOST_BYTES: usize = 1 << 24;

/// The elements of a constant without those that repeat others along a dimension, and the sizes that are left.
fn unrepeated(p: &Pattern, value: ValueId) -> Option<(Vec<u8>, Vec<usize>)> {
    let constant = p.module.constant(p.module.constant_of(value)?);
    let ty = p.module.tensor_type(constant.ty)?;
    let width = ty.element.bytes();
    let sizes: Option<Vec<usize>> = ty.dims.iter().map(|dim| usize::try_from(dim.known()?).ok()).collect();
    let mut sizes = sizes.filter(|sizes| !sizes.contains(&0))?;
    if let Some(element) = constant.data.splat() {
        return Some((element.to_vec(), vec![1; sizes.len()]));
    }
    let count = ty
        .count()
        .filter(|count| count.checked_mul(width as i64).is_some_and(|all| all <= MOST_BYTES as i64))?;
    let mut bytes = constant.data.bytes(p.source(), usize::try_from(count).ok()?, width).into_owned();
    for axis in 0..sizes.len() {
        let inner = width * sizes[axis + 1..].iter().product::<usize>();
        let repeats = |block: &[u8]| block.chunks(inner).all(|part| part == &block[..inner]);
        if bytes.chunks(inner * sizes[axis]).all(repeats) {
            bytes = bytes.chunks(inner * sizes[axis]).flat_map(|block| block[..inner].to_vec()).collect();
            sizes[axis] = 1;
        }
    }
    Some((bytes, sizes))
}
