"""Matrix products and convolutions."""

from __future__ import annotations

from .builder import Builder, Unfit, family, i64s
from .program import Type, Value


@family(4)
def product(b: Builder) -> None:
    """Any `dot_general`."""
    # docs/elements.md, infinities in sums.
    kinds = "fi" if b.special else "fic"
    left = b.pick(kinds if b.chance(0.3) else "f", low=1, fits=lambda type: type.element not in ("i8", "i16"))
    shape = left.type.shape
    places = b.shuffled(range(len(shape)))
    batch = [0] if b.batch and shape[0] == b.batch and len(shape) > 1 else []
    if not batch and len(shape) > 2 and b.chance(0.4):
        batch = sorted(places[: b.whole(1, len(shape) - 2)])
    contracted = [axis for axis in places if axis not in batch][: b.one((0, 1, 1, 1, 1, 2))]
    # The dimensions of the right side are in any order.
    roles = [*[("batch", axis) for axis in batch], *[("contracted", axis) for axis in contracted]]
    roles += [("free", place) for place in range(b.whole(0, 2))]
    roles = b.shuffled(roles)
    sizes = [b.size() if role == "free" else shape[axis] for role, axis in roles]
    right = b.like(left.type.shaped(sizes))
    right_batch = [roles.index(("batch", axis)) for axis in batch]
    right_contracted = [roles.index(("contracted", axis)) for axis in contracted]
    result = [shape[axis] for axis in batch]
    result += [size for axis, size in enumerate(shape) if axis not in (*batch, *contracted)]
    result += [size for (role, _), size in zip(roles, sizes) if role == "free"]
    attributes = (
        f"dot_dimension_numbers = #stablehlo.dot<lhs_batching_dimensions = {batch}, rhs_batching_dimensions = {right_batch}, "
        f"lhs_contracting_dimensions = {contracted}, rhs_contracting_dimensions = {right_contracted}>"
    )
    element = "f32" if left.type.element in ("f16", "bf16") and b.chance(0.3) else left.type.element
    b.op("dot_general", [left, right], Type(element, tuple(result)), attributes)


def dense(b: Builder, value: Value, features: int) -> Value:
    """A layer with weights and a bias, as Flax prints it."""
    kernel = b.constant(value.type.shaped((value.type.shape[-1], features)), "normal")
    rank = value.type.rank
    attributes = (
        f"dot_dimension_numbers = #stablehlo.dot<lhs_contracting_dimensions = [{rank - 1}], rhs_contracting_dimensions = [0]>"
    )
    type = value.type.shaped((*value.type.shape[:-1], features))
    result = b.op("dot_general", [value, kernel], type, attributes)
    bias = b.constant(value.type.shaped((features,)), "normal")
    return b.binary("add", result, b.broadcast(bias, type.shape, [rank - 1]))


def _padding(pairs: list[tuple[int, int]]) -> str:
    return f"dense<{[list(pair) for pair in pairs]}> : tensor<{len(pairs)}x2xi64>"


@family(3)
def convolution(b: Builder) -> None:
    """Any convolution of one or two spatial dimensions."""
    value = b.pick("f", low=3, high=4, fits=lambda type: 0 not in type.shape and type.size <= 400)
    rank = value.type.rank
    spatial = rank - 2
    layouts = ("b01f", "bf01", "fb01") if spatial == 2 else ("b0f", "bf0", "f0b")
    layout = b.one(layouts if b.chance(0.2) else layouts[:2])
    convolved(b, value, layout, plain=b.chance(0.4))


def convolved(b: Builder, value: Value, layout: str, *, plain: bool) -> Value:
    """A convolution of a value in a layout such as ``b01f``."""
    if b.special:
        # docs/elements.md, infinities in sums.
        raise Unfit
    spatial = value.type.rank - 2
    sizes = dict(zip(layout, value.type.shape))
    features, batch = sizes["f"], sizes["b"]
    groups = b.one([count for count in (1, 1, 1, 2, 3, features) if features % count == 0])
    batch_groups = 1
    if not plain and groups == 1 and b.chance(0.1):
        batch_groups = b.one([count for count in (1, 2, 3) if batch % count == 0])
    outputs = groups * batch_groups * b.whole(1, 2)
    windows = [b.one((1, 1, 2, 3)) for _ in range(spatial)]
    strides = [1 if plain and b.chance(0.6) else b.one((1, 1, 2)) for _ in range(spatial)]
    base = [1 if plain else b.one((1, 1, 1, 2)) for _ in range(spatial)]
    dilation = [1 if plain else b.one((1, 1, 2)) for _ in range(spatial)]
    padding = [(b.whole(0, 2), b.whole(0, 2)) if plain else (b.whole(-1, 3), b.whole(-1, 3)) for _ in range(spatial)]
    reversal = [not plain and b.chance(0.15) for _ in range(spatial)]
    results = {"b": batch // batch_groups, "f": outputs}
    for place in range(spatial):
        size = (sizes[str(place)] - 1) * base[place] + 1 + sum(padding[place])
        window = (windows[place] - 1) * dilation[place] + 1
        results[str(place)] = max(0, (size - window) // strides[place] + 1)
        if size < window or size <= 0:
            raise Unfit
    kernel_sizes = {"i": features // groups, "o": outputs} | {str(place): windows[place] for place in range(spatial)}
    orders = ("01io", "oi01") if spatial == 2 else ("0io", "oi0")
    order = b.one(orders)
    output = layout if b.chance(0.8) else "".join(b.shuffled(layout))
    kernel_type = value.type.shaped([kernel_sizes[letter] for letter in order])
    kernel = b.constant(kernel_type, "normal") if b.chance(0.6) else b.like(kernel_type)

    def numbers(letters: str) -> str:
        return "[" + ", ".join(letters) + "]"

    attributes = (
        f"dimension_numbers = #stablehlo.conv<{numbers(layout)}x{numbers(order)}->{numbers(output)}>, "
        f"feature_group_count = {groups} : i64, batch_group_count = {batch_groups} : i64, "
        f"window_strides = {i64s(strides)}, padding = {_padding(padding)}, lhs_dilation = {i64s(base)}, "
        f"rhs_dilation = {i64s(dilation)}, window_reversal = array<i1: {', '.join(str(r).lower() for r in reversal)}>"
    )
    type = value.type.shaped([results[letter] for letter in output])
    return b.op("convolution", [value, kernel], type, attributes)
