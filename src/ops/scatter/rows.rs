//! Rows of a tensor replaced by, or combined with, updates.
//!
//! ONNX Runtime runs `ScatterND` on several threads once it writes some 210,000 elements (its thread pool's cost
//! model: 100,000 cycles a thread and one element a cycle), and then two updates of one row race: sums lose terms.
//! Below that, one thread writes in order. `ScatterElements` always does, but is slower and needs an index per element.

use crate::ir::{Dim, Dims, Element, ValueId, onnx};
use crate::ops::constant::integer_limits;
use crate::ops::{Combiner, Lower, LowerError};

/// Updates of fewer elements run on one thread, with a margin for runtimes with another cost model.
const LARGEST_IN_ORDER: i64 = 100_000;

/// A tensor seen as rows.
#[derive(Clone, Debug)]
pub(crate) struct RowView {
    /// How many.
    pub count: Dim,
    /// The sizes of one.
    pub inner: Dims,
}

impl RowView {
    /// The sizes of the tensor of rows.
    pub fn sizes(&self) -> Dims {
        let mut sizes = self.inner.clone();
        sizes.insert(0, self.count);
        sizes
    }

    /// The value as rows.
    pub fn of(&self, cx: &mut Lower, value: ValueId) -> ValueId {
        cx.reshape(value, &self.sizes())
    }
}

/// What is written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RowUpdate {
    /// Row numbers, all in range.
    pub positions: ValueId,
    /// One row per index.
    pub updates: ValueId,
    /// How a row and its update are combined.
    pub combiner: Combiner,
    /// Whether no row has two updates that count.
    pub distinct: bool,
}

/// The `reduction` of ONNX's scatters that combines elements, if there is one, and the first opset with it.
pub(super) fn reduction(combiner: Combiner, boolean: bool) -> Option<(&'static str, u32)> {
    Some(match combiner {
        Combiner::First | Combiner::Second => ("none", 0),
        Combiner::Add | Combiner::Maximum | Combiner::Or if boolean => ("max", 18),
        Combiner::Multiply | Combiner::Minimum | Combiner::And if boolean => ("min", 18),
        // The lowest bit of a sum is the exclusive or of the lowest bits.
        Combiner::Xor if boolean => ("add", 16),
        Combiner::Add => ("add", 16),
        Combiner::Multiply => ("mul", 16),
        Combiner::Minimum => ("min", 18),
        Combiner::Maximum => ("max", 18),
        Combiner::And | Combiner::Or | Combiner::Xor => return None,
    })
}

impl Lower<'_> {
    /// The neutral element of a combiner, as a scalar; replacements have none.
    pub(crate) fn neutral(&mut self, combiner: Combiner, element: Element) -> Option<ValueId> {
        let float = element.is_float();
        let (low, high) = if float { (0, 0) } else { integer_limits(element) };
        Some(match combiner {
            // Adding +0 would turn -0 into +0.
            Combiner::Add if float => self.scalar(element, -0.0),
            Combiner::Add | Combiner::Or | Combiner::Xor => self.integer(element, 0),
            Combiner::Multiply => self.integer(element, 1),
            Combiner::And => self.integer(element, if element == Element::Bool { 1 } else { -1 }),
            Combiner::Minimum if float => self.scalar(element, f64::INFINITY),
            Combiner::Maximum if float => self.scalar(element, f64::NEG_INFINITY),
            Combiner::Minimum => self.integer(element, high),
            Combiner::Maximum => self.integer(element, low),
            Combiner::First | Combiner::Second => return None,
        })
    }

    /// The operand as rows, with the updates written.
    ///
    /// # Errors
    /// If ONNX has no such reduction.
    pub(crate) fn write_rows(
        &mut self,
        operand: ValueId,
        rows: &RowView,
        write: &RowUpdate,
    ) -> Result<ValueId, LowerError> {
        let element = self.element(operand);
        let data = rows.of(self, operand);
        let boolean = element == Element::Bool;
        if write.combiner == Combiner::First {
            return Ok(data);
        }
        let (reduction, since) = reduction(write.combiner, boolean)
            .ok_or_else(|| LowerError::form("a bitwise update computation on integers"))?;
        self.require(onnx::SCATTER_ND, since)?;
        if reduction == "none" {
            return Ok(self.scatter_rows(
                data,
                rows,
                write.positions,
                write.updates,
                reduction,
                write.distinct,
            ));
        }
        // ONNX Runtime has no reductions of `bool` and of the small floats.
        let wide = match element {
            Element::Bool if reduction == "add" => Element::I32,
            Element::Bool | Element::F16 | Element::BF16 => Element::F32,
            element => element,
        };
        let (data, updates) = (self.cast(data, wide), self.cast(write.updates, wide));
        let scattered = self.scatter_rows(data, rows, write.positions, updates, reduction, write.distinct);
        let scattered = if element.is_float() && matches!(reduction, "min" | "max") {
            self.with_nans(scattered, data, updates, rows, write)
        } else {
            scattered
        };
        if boolean && reduction == "add" {
            let parity = self.parity(scattered);
            return Ok(self.cast(parity, element));
        }
        Ok(self.cast(scattered, element))
    }

    /// A minimum or maximum with NaN where one of its terms is NaN: ONNX Runtime keeps an update's NaN, but loses
    /// one that is there before.
    fn with_nans(
        &mut self,
        scattered: ValueId,
        data: ValueId,
        updates: ValueId,
        rows: &RowView,
        write: &RowUpdate,
    ) -> ValueId {
        let flags = |cx: &mut Self, value: ValueId| {
            let nan = cx.elementwise_to(onnx::IS_NAN, &[value], Element::Bool);
            cx.cast(nan, Element::F32)
        };
        let (data, updates) = (flags(self, data), flags(self, updates));
        let flags = self.scatter_rows(data, rows, write.positions, updates, "max", write.distinct);
        let flags = self.cast(flags, Element::Bool);
        let element = self.element(scattered);
        let nan = self.scalar(element, f64::NAN);
        self.node(onnx::WHERE, &[flags, nan, scattered]).like(scattered)
    }

    fn scatter_rows(
        &mut self,
        data: ValueId,
        rows: &RowView,
        positions: ValueId,
        updates: ValueId,
        reduction: &'static str,
        distinct: bool,
    ) -> ValueId {
        let count = self.module.dim_exprs.product(self.dims(updates));
        let few = self.module.dim_exprs.bounds(count).1.is_some_and(|count| count <= LARGEST_IN_ORDER);
        let element = self.element(data);
        if distinct || few {
            let mut sizes = self.dims(positions);
            sizes.push(Dim::Known(1));
            let positions = self.reshape(positions, &sizes);
            let node = self.node(onnx::SCATTER_ND, &[data, positions, updates]);
            let node = if reduction == "none" { node } else { node.string("reduction", reduction) };
            return node.out(element, &rows.sizes());
        }
        let sizes = &self.module.dim_exprs;
        let width = sizes.product(rows.inner.iter().copied());
        let written = sizes.product(self.dims(positions));
        let positions = self.reshape(positions, &[written, Dim::Known(1)]);
        let positions = self.broadcast_to(positions, &[written, width]);
        let updates = self.reshape(updates, &[written, width]);
        let data = self.reshape(data, &[rows.count, width]);
        let node = self.node(onnx::SCATTER_ELEMENTS, &[data, positions, updates]).int("axis", 0);
        let node = if reduction == "none" { node } else { node.string("reduction", reduction) };
        let scattered = node.out(element, &[rows.count, width]);
        self.reshape(scattered, &rows.sizes())
    }
}
