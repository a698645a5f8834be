"""Loops, branches and calls."""

from __future__ import annotations

from .builder import FAMILIES, Builder, Unfit, family, i64s
from .program import Type, Value

INNER_DEPTH = 2
"""How deep regions nest."""


def body_ops(b: Builder, count: int) -> None:
    """Random ops in the open region."""
    families, weights = zip(*FAMILIES)
    added = 0
    for _ in range(count * 4):
        if added == count:
            return
        function = b.random.choices(families, weights)[0]
        if function.__module__ == __name__ and b.depth >= INNER_DEPTH:
            continue
        try:
            with b.attempt():
                function(b)
        except Unfit:
            continue
        added += 1


def result_like(b: Builder, type: Type) -> Value:
    """A value of the open region to return."""
    inner = [value for value in b.scope if value.type == type and value in b.unread]
    if inner:
        return b.read(b.one(inner))
    return b.like(type)


@family(2)
def branches(b: Builder) -> None:
    """An `if` or a `case`, whose branches read values from outside."""
    values = [b.pick() for _ in range(b.whole(1, 2))]
    types = [value.type for value in values]
    two = b.chance(0.6)
    index = b.like(Type("i1" if two else "i32"))
    regions = []
    for _ in range(2 if two else b.whole(1, 3)):
        with b.region([]) as branch:
            body_ops(b, b.whole(0, 3))
            branch.results = [result_like(b, type) for type in types]
        regions.append(branch)
    b.ops_of("if" if two else "case", [index], types, regions=regions)


@family(1.5)
def counted_loop(b: Builder) -> None:
    """A loop of a known count, or one that runs to an argument."""
    counter = Type(b.one(("i32", "i32", "i64")))
    first = b.held(b.whole(0, 1), counter)
    # docs/semantics.md, where XLA is wrong: loops that count to 1.
    count = b.whole(0, 5)
    limit = b.held(count, counter)
    if b.chance(0.3) and not b.depth:
        limit = b.argument(counter)
        if limit in b.arguments:
            b.arguments[limit] = b.arguments[limit] * 0 + count
    carried = [b.pick() for _ in range(b.whole(1, 2))]
    state = [first, *carried]
    types = [value.type for value in state]
    with b.region(types) as condition:
        condition.results = [b.compare("LT", condition.arguments[0], limit)]
    with b.region(types) as body:
        next_ = b.binary("add", body.arguments[0], b.held(b.whole(1, 2) if count > 1 else 1, counter))
        b.read(next_)
        body_ops(b, b.whole(1, 3))
        body.results = [next_, *(result_like(b, type) for type in types[1:])]
    b.ops_of("while", state, types, regions=[condition, body])


@family(1)
def scanned(b: Builder) -> None:
    """A loop over rows that also writes rows, as `lax.scan` prints it."""
    rows = b.pick("fic", low=1, high=3, fits=lambda type: 0 not in type.shape)
    length = rows.type.shape[0]
    row = rows.type.shaped(rows.type.shape[1:])
    carry = b.like(row)
    counter = Type("i32")
    first = b.held(0, counter)
    written = b.fill(0, rows.type)
    limit = b.held(length, counter)
    state = [first, carry, written]
    types = [value.type for value in state]
    with b.region(types) as condition:
        condition.results = [b.compare("LT", condition.arguments[0], limit)]
    with b.region(types) as body:
        place, old, output = body.arguments
        zeros = [b.held(0, counter) for _ in row.shape]
        at = place
        if b.chance(0.2):
            at = b.binary("subtract", b.held(length - 1, counter), place)
        one = rows.type.shaped((1, *row.shape))
        taken = b.op("dynamic_slice", [rows, at, *zeros], one, f"slice_sizes = {i64s(one.shape)}")
        step = b.reshape(taken, row.shape)
        new = b.binary(b.one(("add", "multiply", "subtract")), old, step)
        if row.kind == "f":
            new = b.unary("tanh", new)
        kept = b.op("dynamic_update_slice", [output, b.reshape(new, one.shape), at, *zeros], rows.type)
        body.results = [b.binary("add", place, b.held(1, counter)), new, kept]
    b.ops_of("while", state, types, regions=[condition, body])


@family(0.6)
def searched(b: Builder) -> None:
    """A loop that ends when a value is large enough."""
    value = b.pick("f", low=0, high=2, fits=lambda type: 0 not in type.shape)
    start = b.unary("logistic", b.convert(value, "f32"))
    scalar = Type("f32")
    limit = b.held(b.one((2.3, 11.7)), scalar)
    with b.region([start.type]) as condition:
        total = condition.arguments[0]
        if total.type.rank:
            total = b.reduce("maximum", total, 0, range(total.type.rank))
        condition.results = [b.compare("LT", b.binary("multiply", total, total), limit)]
    with b.region([start.type]) as body:
        (old,) = body.arguments
        body.results = [b.binary("add", b.binary("add", old, old), b.fill(0.5, old.type))]
    b.op("while", [start], start.type, regions=[condition, body])


@family(2)
def called(b: Builder) -> None:
    """Calls of private functions, at times of one function twice."""
    values = [b.pick() for _ in range(b.whole(1, 3))]
    types = [value.type for value in values]
    with b.region(types, isolated=True) as function:
        body_ops(b, b.whole(1, 4))
        made = [value for value in b.scope if value in b.unread] or list(b.scope)
        function.results = [b.one(made) for _ in range(b.whole(1, 2))]
    results = [value.type for value in function.results]
    b.ops_of("func.call", values, results, function=function)
    if b.chance(0.4):
        b.ops_of("func.call", [b.like(type) for type in types], results, function=function)


@family(0.5)
def separated(b: Builder) -> None:
    """A barrier for XLA's optimizations."""
    values = [b.pick() for _ in range(b.whole(1, 2))]
    b.ops_of("optimization_barrier", values, [value.type for value in values])


@family(0.4)
def random_bits(b: Builder) -> None:
    """Random bits of a constant or computed key."""
    key = b.like(Type("ui64", (2,)))
    words = Type(b.one(("ui32", "ui32", "ui64", "ui8")), b.shape(1, 2))
    algorithm = "rng_algorithm = #stablehlo<rng_algorithm THREE_FRY>"
    b.ops_of("rng_bit_generator", [key], [key.type, words], algorithm)


@family(0.5)
def transformed(b: Builder) -> None:
    """Fourier transforms of the last dimension."""
    if b.special:
        # docs/elements.md, infinities in sums.
        raise Unfit
    value = b.pick("fc", low=1, fits=lambda type: type.element not in ("f16", "bf16") and type.shape[-1] > 1)
    length = value.type.shape[-1]
    if value.type.kind == "c":
        kind, type = b.one(("FFT", "IFFT")), value.type
    else:
        kind = "RFFT"
        type = Type(f"complex<{value.type.element}>", (*value.type.shape[:-1], length // 2 + 1))
    b.op("fft", [value], type, f"fft_type = #stablehlo<fft_type {kind}>, fft_length = {i64s([length])}")
