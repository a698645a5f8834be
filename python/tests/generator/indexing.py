"""Gathers and scatters, in JAX's forms and in any other."""

from __future__ import annotations

import numpy as np

from .builder import Builder, Unfit, family, i64s
from .program import Type, Value


def positions(b: Builder, shape: tuple[int, ...], size: int) -> Value:
    """Indices, at times out of bounds: constant, an argument, or computed."""
    element = b.one(("i32", "i32", "i32", "i64", "ui32", "ui8", "i8"))
    type = Type(element, shape)
    low, high = (-2 if element[0] == "i" else 0, size + 2) if b.chance(0.3) else (0, max(size - 1, 0))
    numbers = b.arrays.integers(low, high + 1, shape)
    known = [value for value in b.scope if value.type == type]
    if known and b.chance(0.25):
        return b.read(b.one(known))
    if b.chance(0.4):
        return b.held(numbers, type)
    value = b.argument(type)
    if value in b.arguments:
        b.arguments[value] = numbers.astype(type.dtype)
    return value


@family(2)
def taken(b: Builder) -> None:
    """Whole slices of one dimension, as `jnp.take` prints them."""
    value = b.pick(low=1)
    shape = value.type.shape
    axis = b.one(b.axes(value))
    indices = positions(b, (*b.shape(0, 2), 1), shape[axis])
    batch = indices.type.shape[:-1]
    offsets = [*range(axis), *range(axis + len(batch), value.type.rank - 1 + len(batch))]
    sizes = [1 if place == axis else size for place, size in enumerate(shape)]
    if not shape[axis]:
        sizes[axis] = 0
    result = [*shape[:axis], *batch, *shape[axis + 1 :]]
    if not shape[axis]:
        raise Unfit
    _gather(b, value, indices, result, offsets, [axis], [axis], sizes, len(batch))


@family(3)
def gathered(b: Builder) -> None:
    """Any gather."""
    value = b.pick(low=1, high=4, fits=lambda type: 0 not in type.shape)
    shape, rank = value.type.shape, value.type.rank
    sizes = [b.whole(1, size) if b.chance(0.6) else 1 for size in shape]
    batching = [0] if rank > 1 and b.chance(0.25) else []
    for axis in batching:
        sizes[axis] = 1
    free = [axis for axis in range(rank) if axis not in batching]
    indexed = b.shuffled(b.some(free))
    collapsed = [axis for axis in free if sizes[axis] == 1 and b.chance(0.7)]
    batch = [shape[axis] for axis in batching] + list(b.shape(0, 2))
    vector = b.whole(0, len(batch)) if b.chance(0.2) else len(batch)
    indices_shape = [*batch[:vector], len(indexed), *batch[vector:]]
    indices = positions(b, tuple(indices_shape), max(shape))
    batch_places = [place for place in range(len(indices_shape)) if place != vector]
    window = [sizes[axis] for axis in range(rank) if axis not in collapsed and axis not in batching]
    total = len(window) + len(batch)
    offsets = sorted(b.random.sample(range(total), len(window)))
    result, windows, batches = [], iter(window), iter(batch)
    for place in range(total):
        result.append(next(windows) if place in offsets else next(batches))
    _gather(b, value, indices, result, offsets, collapsed, indexed, sizes, vector, batching, batch_places[: len(batching)])


def _gather(
    b: Builder,
    value: Value,
    indices: Value,
    result: list[int],
    offsets: list[int],
    collapsed: list[int],
    indexed: list[int],
    sizes: list[int],
    vector: int,
    batching: list[int] | None = None,
    batched: list[int] | None = None,
) -> None:
    more = f", operand_batching_dims = {batching}, start_indices_batching_dims = {batched}" if batching else ""
    attributes = (
        f"dimension_numbers = #stablehlo.gather<offset_dims = {offsets}, collapsed_slice_dims = {collapsed}{more}, "
        f"start_index_map = {indexed}, index_vector_dim = {vector}>, slice_sizes = {i64s(sizes)}, indices_are_sorted = false"
    )
    b.op("gather", [value, indices], value.type.shaped(result), attributes)


COMBINERS = {
    "f": ("assign", "assign", "add", "add", "maximum", "minimum", "multiply"),
    "i": ("assign", "assign", "add", "add", "maximum", "minimum", "multiply"),
    "u": ("assign", "add", "maximum", "minimum", "or"),
    "b": ("assign", "or", "and"),
    "c": ("assign", "add"),
}


@family(3)
def scattered(b: Builder) -> None:
    """Any scatter. Where updates are assigned, the places differ, because their order is not specified."""
    value = b.pick(low=1, high=4, fits=lambda type: 0 not in type.shape)
    shape, rank = value.type.shape, value.type.rank
    combiner = b.one(COMBINERS[value.type.kind])
    sizes = [b.whole(1, size) if b.chance(0.5) else 1 for size in shape]
    batching = [0] if rank > 1 and b.chance(0.25) else []
    for axis in batching:
        sizes[axis] = 1
    free = [axis for axis in range(rank) if axis not in batching]
    indexed = b.shuffled(b.some(free))
    inserted = [axis for axis in free if sizes[axis] == 1 and b.chance(0.7)]
    rows = () if combiner == "assign" and b.chance(0.5) else b.shape(0, 1)
    batch = [shape[axis] for axis in batching] + list(rows)
    indices_shape = (*batch, len(indexed))
    if combiner == "assign" and rows:
        # The first index differs in each row by more than the window.
        axis = indexed[0]
        places = np.arange(rows[0]) * sizes[axis] - b.whole(0, 1)
        numbers = b.arrays.integers(0, max(shape) + 1, indices_shape)
        numbers[..., 0] = b.arrays.permutation(places)
        indices = b.held(numbers, Type(b.one(("i32", "i64")), indices_shape))
    else:
        indices = positions(b, indices_shape, max(shape))
    window = [sizes[axis] for axis in range(rank) if axis not in inserted and axis not in batching]
    total = len(window) + len(batch)
    offsets = sorted(b.random.sample(range(total), len(window)))
    windows, batches = iter(window), iter(batch)
    result = [next(windows) if place in offsets else next(batches) for place in range(total)]
    updates = b.like(value.type.shaped(result))
    scalar = value.type.shaped(())
    with b.region([scalar, scalar], isolated=True) as body:
        old, new = body.arguments
        body.results = [new if combiner == "assign" else b.binary(combiner, old, new)]
    more = f", input_batching_dims = {batching}, scatter_indices_batching_dims = {[*range(len(batching))]}" if batching else ""
    attributes = (
        f"scatter_dimension_numbers = #stablehlo.scatter<update_window_dims = {offsets}, "
        f"inserted_window_dims = {inserted}{more}, "
        f"scatter_dims_to_operand_dims = {indexed}, index_vector_dim = {len(batch)}>, indices_are_sorted = false, "
        "unique_indices = false"
    )
    b.op("scatter", [value, indices, updates], value.type, attributes, regions=[body])
