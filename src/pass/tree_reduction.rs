//! Splits long float sums and means into stages.
//!
//! ONNX Runtime's reductions add elements one after the other: along the last dimensions in one register, along
//! others in one accumulator per result. The error grows with the element count and is systematic for similar
//! elements: the sum of 100,000 numbers near 1000 along the first dimension is off by 4e-4, while XLA, which adds in
//! stages, is off by 5e-8. Here each stage adds blocks of elements whose size divides the count, until few are left.
//! This takes no longer than one reduction, because only views change between stages.
//!
//! If no block size divides the count, the rest is sliced off and added separately. That copies elements, so only
//! longer sums do it. Along a symbolic dimension the blocks are counted at run time. Several dimensions of which one
//! is symbolic are summed one after the other: none of them is long in an image.
//!
//! Runs after `layout`, which moves Transposes through reductions but not through views.

use super::Context;
use crate::ir::{
    Attribute, Dim, DimExprs, Dims, Element, Module, OpId, OpName, Rewriter, ValueId, axis_index, onnx,
};

/// Sums up to this length are accurate to 1e-6 along the last dimensions, where several elements are added at once.
const LAST: Limits = Limits { long: 4096, few: 4096, uneven: 131_072, block: 1024, blocks: 256..=4096 };
/// As [`LAST`], along other dimensions.
const OTHER: Limits = Limits { long: 512, few: 128, uneven: 2048, block: 64, blocks: 24..=192 };
/// Longer rows slow kernels down, because their results leave the nearest cache.
const LONGEST_ROW: i64 = 16384;
/// The fewest elements for which a view that avoids a slow kernel pays off.
const MANY: i64 = 4096;

/// How to split sums along some dimensions.
struct Limits {
    /// Longer sums are split if a block size divides the count.
    long: i64,
    /// Splitting stops at this count.
    few: i64,
    /// Longer sums are split even if no block size divides the count.
    uneven: i64,
    /// The preferred block size.
    block: i64,
    /// The largest block size.
    blocks: std::ops::RangeInclusive<i64>,
}

impl Limits {
    fn of(inner: Dim) -> &'static Self {
        if inner == Dim::Known(1) { &LAST } else { &OTHER }
    }

    /// The block size that divides the remaining count and is nearest to the preferred one.
    fn next_block(&self, whole: i64, count: i64) -> Option<i64> {
        if whole <= self.long || count <= self.few {
            return None;
        }
        let distance = |block: &i64| (*block).max(self.block) * 1000 / (*block).min(self.block);
        self.blocks.clone().filter(|block| count % block == 0).min_by_key(distance)
    }
}

/// Runs the pass.
pub(super) fn run(module: &mut Module, _: &mut Context) {
    for function in module.functions() {
        Rewriter::new(module).function(function, &mut |rewriter, op| visit(rewriter, op).is_none());
    }
}

/// A candidate for splitting.
struct Sum {
    value: ValueId,
    result: ValueId,
    dims: Dims,
    /// The dimensions that are reduced.
    all_axes: Vec<i64>,
    /// Those with more than one element, in ascending order.
    axes: Vec<usize>,
    keepdims: bool,
    is_mean: bool,
}

impl Sum {
    fn read(module: &Module, op: OpId) -> Option<Self> {
        let (name, operation) = (module.op(op).name, module.op(op));
        let (value, result) = (*operation.operands.first()?, *operation.results.first()?);
        let tensor = module.tensor(value).filter(|tensor| tensor.element == Element::F32)?;
        let dims: Dims = tensor.dims.iter().copied().collect();
        let is_pool = name == onnx::GLOBAL_AVERAGE_POOL;
        let is_mean = match name {
            onnx::REDUCE_SUM => false,
            onnx::REDUCE_MEAN | onnx::GLOBAL_AVERAGE_POOL => true,
            _ => return None,
        };
        let axes: Vec<i64> = if is_pool {
            (2..dims.len() as i64).collect()
        } else {
            module.known_integers(*operation.operands.get(1)?)?
        };
        let mut axes: Vec<usize> = axes.into_iter().filter_map(|axis| axis_index(axis, dims.len())).collect();
        let all_axes: Vec<i64> = axes.iter().map(|&axis| axis as i64).collect();
        axes.retain(|&axis| dims[axis] != Dim::Known(1));
        axes.sort_unstable();
        let keepdims = is_pool || module.attribute(op, "keepdims").and_then(Attribute::as_integer) != Some(0);
        Some(Self { value, result, dims, all_axes, axes, keepdims, is_mean })
    }

    /// The dimensions with more than one element, merging neighbors that are both reduced or both kept. Reduced sizes
    /// are static, and at most one other is symbolic, which a Reshape can infer.
    fn runs(&self, sizes: &DimExprs) -> Option<Vec<DimRun>> {
        let unknown = |dim: &&Dim| dim.known().is_none();
        if self.axes.iter().any(|&axis| unknown(&&self.dims[axis]))
            || self.dims.iter().filter(unknown).count() > 1
        {
            return None;
        }
        let mut runs: Vec<DimRun> = Vec::new();
        for (axis, &size) in self.dims.iter().enumerate().filter(|(_, dim)| **dim != Dim::Known(1)) {
            let reduced = self.axes.contains(&axis);
            match runs.last_mut() {
                Some(last) if last.reduced == reduced => last.size = sizes.multiply(last.size, size),
                _ => runs.push(DimRun { size, reduced }),
            }
        }
        Some(runs)
    }

    /// The first dimension with more than one element.
    fn first(&self) -> Option<usize> {
        (0..self.dims.len()).find(|&axis| self.dims[axis] != Dim::Known(1))
    }

    /// The last dimension with more than one element.
    fn last(&self) -> Option<usize> {
        (0..self.dims.len()).rev().find(|&axis| self.dims[axis] != Dim::Known(1))
    }

    /// Whether ONNX Runtime has only a slow kernel: a kept dimension of size 1 first, then the reduced ones, then
    /// others.
    fn is_slow(&self) -> bool {
        let first = self.first().filter(|first| *first > 0 && self.axes.contains(first));
        first.is_some() && self.last().is_some_and(|last| !self.axes.contains(&last))
    }
}

/// Consecutive dimensions.
#[derive(Clone, Copy)]
struct DimRun {
    size: Dim,
    reduced: bool,
}

/// Sums along the middle one of three dimensions.
#[derive(Clone, Copy)]
struct Middle {
    outer: Dim,
    count: i64,
    inner: Dim,
}

/// Replaces a long reduction by stages.
fn visit(rewriter: &mut Rewriter, op: OpId) -> Option<()> {
    let sum = Sum::read(rewriter.module, op).filter(|sum| !sum.axes.is_empty())?;
    let value = match sum.runs(&rewriter.module.dim_exprs) {
        Some(runs) => in_views(rewriter, &sum, &runs)?,
        None => by_dimension(rewriter, &sum)?,
    };
    rewriter.replace(sum.result, value);
    Some(())
}

/// The stages of a sum along static dimensions.
fn in_views(rewriter: &mut Rewriter, sum: &Sum, runs: &[DimRun]) -> Option<ValueId> {
    let sizes = &rewriter.module.dim_exprs;
    let mut middles = Vec::new();
    let mut inner = Dim::Known(1);
    for (index, run) in runs.iter().enumerate().rev() {
        if run.reduced {
            let outer = sizes.product(runs[..index].iter().map(|run| run.size));
            middles.push(Middle { outer, count: run.size.known()?, inner });
        } else {
            inner = sizes.multiply(inner, run.size);
        }
    }
    let count: i64 = middles.iter().map(|middle| middle.count).product();
    let is_long = middles.iter().any(|middle| middle.count > Limits::of(middle.inner).long)
        || middles.len() > 1 && count > LAST.long;
    let total = sizes.product(runs.iter().map(|run| run.size));
    let is_slow = sum.is_slow() && total.known().is_some_and(|total| total >= MANY);
    if total == Dim::Known(0) || !(is_long || is_slow) {
        return None;
    }
    // The mean of equal blocks is the mean of their means.
    let is_even = middles.iter().all(Middle::is_even);
    let name = if sum.is_mean && is_even { onnx::REDUCE_MEAN } else { onnx::REDUCE_SUM };
    let mut stages = Stages { rewriter, sum, name };
    let value = middles.iter().fold(sum.value, |value, &middle| stages.middle(value, middle));
    let dims = stages.rewriter.module.tensor(sum.result)?.dims.clone();
    let value = stages.view(value, &dims);
    if sum.is_mean && !is_even {
        let count = stages.float(count as f64);
        return Some(stages.node(onnx::DIV, &[value, count], &dims));
    }
    Some(value)
}

impl Middle {
    /// Whether blocks divide the sum without a rest.
    fn is_even(&self) -> bool {
        let limits = Limits::of(self.inner);
        let mut count = self.count;
        while let Some(block) = limits.next_block(self.count, count) {
            count /= block;
        }
        count <= limits.uneven
    }
}

/// Where to insert the ops of a sum.
struct Stages<'s, 'r, 'm> {
    rewriter: &'r mut Rewriter<'m>,
    sum: &'s Sum,
    name: OpName,
}

impl Stages<'_, '_, '_> {
    /// The sums along the middle one of three dimensions, which is removed.
    fn middle(&mut self, mut value: ValueId, middle: Middle) -> ValueId {
        let Middle { outer, mut count, inner } = middle;
        let limits = Limits::of(inner);
        while let Some(block) = limits.next_block(middle.count, count) {
            let blocks = count / block;
            // Neighboring blocks form longer rows.
            let beside = match inner {
                Dim::Known(1) => 1,
                Dim::Known(inner) => {
                    (1..=LONGEST_ROW / inner).rev().find(|beside| blocks % beside == 0).unwrap_or(1)
                }
                _ => 1,
            };
            let sizes = &self.rewriter.module.dim_exprs;
            let outer = sizes.multiply(outer, Dim::Known(blocks / beside));
            let inner = sizes.multiply(inner, Dim::Known(beside));
            value = self.reduce(value, Middle { outer, count: block, inner });
            count = blocks;
        }
        let left = Middle { outer, count, inner };
        if count > limits.uneven { self.uneven(value, left, limits.block) } else { self.reduce(value, left) }
    }

    /// Like [`Stages::middle`], if no block size divides the count.
    fn uneven(&mut self, value: ValueId, middle: Middle, block: i64) -> ValueId {
        let Middle { outer, count, inner } = middle;
        let whole = count - count % block;
        let value = self.view(value, &[outer, Dim::Known(count), inner]);
        let [first, rest] = [(0, whole), (whole, count)].map(|(from, to)| {
            let operands = [value, self.integers(&[from]), self.integers(&[to]), self.integers(&[1])];
            self.node(onnx::SLICE, &operands, &[outer, Dim::Known(to - from), inner])
        });
        let first = self.middle(first, Middle { count: whole, ..middle });
        let rest = self.reduce(rest, Middle { count: count - whole, ..middle });
        let [first, rest] = [first, rest].map(|part| self.view(part, &[outer, inner]));
        self.node(onnx::ADD, &[first, rest], &[outer, inner])
    }

    /// One reduction along the middle one of three dimensions.
    fn reduce(&mut self, value: ValueId, Middle { outer, count, inner }: Middle) -> ValueId {
        let mut dims: Vec<Dim> = [outer, Dim::Known(count), inner].to_vec();
        dims.retain(|&dim| dim != Dim::Known(1));
        let axis = usize::from(outer != Dim::Known(1));
        if count == 1 {
            return self.view(value, &dims);
        }
        let value = self.view(value, &dims);
        dims.remove(axis);
        self.reduction(value, axis, &dims, false)
    }

    fn reduction(&mut self, value: ValueId, axis: usize, dims: &[Dim], keepdims: bool) -> ValueId {
        let axes = self.integers(&[axis as i64]);
        self.typed(self.name, &[value, axes], Element::F32, dims, &[("keepdims", i64::from(keepdims))])
    }

    /// Reshapes a value to sizes of which at most one is symbolic.
    fn view(&mut self, value: ValueId, dims: &[Dim]) -> ValueId {
        if self.rewriter.module.tensor(value).is_some_and(|tensor| tensor.dims[..] == *dims) {
            return value;
        }
        let sizes: Vec<i64> = dims.iter().map(|dim| dim.known().unwrap_or(-1)).collect();
        let shape = self.integers(&sizes);
        self.node(onnx::RESHAPE, &[value, shape], dims)
    }

    fn node(&mut self, name: OpName, operands: &[ValueId], dims: &[Dim]) -> ValueId {
        self.typed(name, operands, Element::F32, dims, &[])
    }

    fn size_node(
        &mut self,
        name: OpName,
        operands: &[ValueId],
        attributes: &[(&'static str, i64)],
    ) -> ValueId {
        self.typed(name, operands, Element::I64, &[Dim::Known(1)], attributes)
    }

    fn typed(
        &mut self,
        name: OpName,
        operands: &[ValueId],
        element: Element,
        dims: &[Dim],
        attributes: &[(&'static str, i64)],
    ) -> ValueId {
        let builder = self.rewriter.create(name, operands);
        attributes.iter().fold(builder, |builder, &(name, value)| builder.int(name, value)).out(element, dims)
    }

    fn integers(&mut self, values: &[i64]) -> ValueId {
        self.rewriter.integers(values)
    }

    fn float(&mut self, value: f64) -> ValueId {
        self.rewriter.bytes(Element::F32, &[], &(value as f32).to_le_bytes())
    }

    /// The sums of the blocks along a symbolic dimension, and of the rest, concatenated along it.
    fn blocks(&mut self, value: ValueId, dims: &[Dim], axis: usize, block: i64) -> ValueId {
        let (rank, along) = (dims.len(), axis as i64);
        let place = axis + usize::from(axis + 1 == rank);
        let size = self.size_node(onnx::SHAPE, &[value], &[("start", along), ("end", along + 1)]);
        let block_size = self.integers(&[block]);
        let rest = self.size_node(onnx::MOD, &[size, block_size], &[]);
        let whole = self.size_node(onnx::SUB, &[size, rest], &[]);
        let [zero, end, axes] = [0, i64::MAX, along].map(|number| self.integers(&[number]));

        let sizes = &self.rewriter.module.dim_exprs;
        let count = sizes.quotient(dims[axis], Dim::Known(block));
        let rest = sizes.remainder(dims[axis], Dim::Known(block));
        let even = sizes.multiply(count, Dim::Known(block));
        let with = |size: Dim| -> Vec<Dim> {
            let mut dims = dims.to_vec();
            dims[axis] = size;
            dims
        };
        let all = sizes.add(count, Dim::Known(1));
        let (even, count, rest, all, single) =
            (with(even), with(count), with(rest), with(all), with(Dim::Known(1)));

        let first = self.node(onnx::SLICE, &[value, zero, whole, axes], &even);
        let left = self.node(onnx::SLICE, &[value, whole, end, axes], &rest);
        // Along the last dimension, blocks consist of neighbors, so that the processor adds several at once.
        let mut split = count.clone();
        split.insert(place, Dim::Known(block));
        let is_only =
            |dims: &[Dim]| dims.iter().enumerate().all(|(other, dim)| other == axis || dim.known() > Some(0));
        let split = if is_only(dims) {
            self.view(first, &split)
        } else {
            let shape = self.shape_with(value, axis, [whole, block_size]);
            self.typed(onnx::RESHAPE, &[first, shape], Element::F32, &split, &[("allowzero", 1)])
        };
        self.name = onnx::REDUCE_SUM;
        let sums = self.reduction(split, place, &count, false);
        // The rest is summed separately: next to sums of blocks its elements would lose precision.
        let left = self.reduction(left, axis, &single, true);
        let sums = self.typed(onnx::CONCAT, &[sums, left], Element::F32, &all, &[("axis", along)]);
        if !self.sum.is_mean {
            return sums;
        }
        let cast = self.rewriter.create(onnx::CAST, &[size]).element("to", Element::F32);
        let number = cast.out(Element::F32, &[1]);
        self.node(onnx::DIV, &[sums, number], &all)
    }
}

impl Stages<'_, '_, '_> {
    /// The sizes of a value with one dimension split into blocks.
    fn shape_with(&mut self, value: ValueId, axis: usize, [whole, block]: [ValueId; 2]) -> ValueId {
        let rank = self.rewriter.module.tensor(value).map_or(0, |tensor| tensor.rank());
        let number = self.size_node(onnx::DIV, &[whole, block], &[]);
        let mut part = |from: usize, to: usize| {
            let list = [Dim::Known((to - from) as i64)];
            let ends = [("start", from as i64), ("end", to as i64)];
            (from < to).then(|| self.typed(onnx::SHAPE, &[value], Element::I64, &list, &ends))
        };
        let (before, after) = (part(0, axis), part(axis + 1, rank));
        let middle = if after.is_none() { [number, block] } else { [block, number] };
        let parts: Vec<ValueId> = before.into_iter().chain(middle).chain(after).collect();
        let list = [Dim::Known(rank as i64 + 1)];
        self.typed(onnx::CONCAT, &parts, Element::I64, &list, &[("axis", 0)])
    }
}

/// A sum along several dimensions, some of which are symbolic or next to symbolic ones: one after the other, keeping
/// size 1 until the last is done, or in blocks along the only one.
fn by_dimension(rewriter: &mut Rewriter, sum: &Sum) -> Option<ValueId> {
    let most = |axis: usize| rewriter.module.dim_exprs.bounds(sum.dims[axis]).1;
    let is_last = sum.last().is_some_and(|last| sum.axes.contains(&last));
    let limits = if is_last { &LAST } else { &OTHER };
    let count = sum.axes.iter().try_fold(1i64, |count, &axis| count.checked_mul(most(axis)?));
    if count.is_some_and(|count| count <= limits.long) {
        return None;
    }
    let mut order = sum.axes.clone();
    if is_last {
        order.reverse();
    }
    let name = if sum.is_mean { onnx::REDUCE_MEAN } else { onnx::REDUCE_SUM };
    // Dimensions of size 1 before the reduced ones would make kernels slow.
    let unknown = sum.dims.iter().filter(|dim| dim.known().is_none()).count();
    let ones = if sum.is_slow() && unknown == 1 { sum.first()? } else { 0 };
    let mut stages = Stages { rewriter, sum, name };
    let mut dims = sum.dims[ones..].to_vec();
    let mut value = if ones > 0 { stages.view(sum.value, &dims) } else { sum.value };
    if let [axis] = order[..] {
        value = stages.blocks(value, &dims, axis - ones, 4 * limits.block);
    }
    let last = order.pop()?;
    for axis in order {
        dims[axis - ones] = Dim::Known(1);
        value = stages.reduction(value, axis - ones, &dims, true);
    }
    let result = stages.rewriter.module.tensor(sum.result)?.dims.to_vec();
    if sum.keepdims && ones == 0 {
        return Some(stages.reduction(value, last, &result, true));
    }
    let axes: Vec<i64> =
        sum.all_axes.iter().map(|axis| axis - ones as i64).filter(|&axis| axis >= 0).collect();
    let mut kept = dims;
    let mut index = 0;
    kept.retain(|_| {
        index += 1;
        !axes.contains(&(index - 1))
    });
    let axes = stages.integers(&axes);
    let value = stages.typed(stages.name, &[value, axes], Element::F32, &kept, &[("keepdims", 0)]);
    Some(if ones > 0 { stages.view(value, &result) } else { value })
}
