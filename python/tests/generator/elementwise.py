"""Ops that compute each element by itself."""

from __future__ import annotations

from .builder import Builder, Unfit, family
from .program import BITS, FLOATS, INTEGERS, Type, Value

PLAIN = ("abs", "negate", "sign", "floor", "ceil", "round_nearest_even", "round_nearest_afz")
SMOOTH = ("sine", "cosine", "tanh", "logistic", "exponential", "exponential_minus_one", "cbrt", "chlo.erf", "chlo.erfc")
SMOOTH += ("chlo.asinh", "chlo.atan", "chlo.sinh", "chlo.cosh", "chlo.square", "chlo.bessel_i1e", "tan")
POSITIVE = ("log", "log_plus_one", "sqrt", "rsqrt", "chlo.lgamma", "chlo.digamma")
UNIT = ("chlo.erf_inv", "chlo.asin", "chlo.acos", "chlo.atanh", "log_plus_one")
OF_COMPLEX = ("negate", "sine", "cosine", "tanh", "logistic", "exponential", "exponential_minus_one", "log", "log_plus_one")
OF_COMPLEX += ("sqrt", "rsqrt", "sign", "chlo.conj", "chlo.square", "chlo.sinh", "chlo.cosh", "tan")
OF_SPECIAL_COMPLEX = ("negate", "chlo.conj")
"""Functions of complex numbers at infinities and NaN; docs/elements.md lists how others differ there."""
DIRECTIONS = ("EQ", "NE", "LT", "LE", "GT", "GE")


@family(6)
def of_a_float(b: Builder) -> None:
    """Functions of a float, mostly where they are finite."""
    value = b.pick("f")
    kind = b.one(("plain", "smooth", "smooth", "positive", "unit", "large"))
    tame = not b.chance(0.12)
    if kind == "plain":
        b.unary(b.one(PLAIN), value)
    elif kind == "smooth":
        b.unary(b.one(SMOOTH), value)
    elif kind == "positive":
        b.unary(b.one(POSITIVE), positive(b, value) if tame else value)
    elif kind == "unit":
        b.unary(b.one(UNIT), below_one(b, value) if tame else value)
    else:
        b.unary("chlo.acosh", b.binary("add", positive(b, value), b.fill(1, value.type)) if tame else value)


def below_one(b: Builder, value: Value) -> Value:
    """A value between -1 and 1; ONNX Runtime's Tanh may be above 1 (docs/elements.md)."""
    return b.binary("multiply", b.unary("tanh", value), b.held(0.99, value.type))


def positive(b: Builder, value: Value) -> Value:
    """A value without zeros and negative numbers."""
    return b.binary("add", b.unary("abs", value), b.fill(0.25, value.type))


@family(1)
def classified(b: Builder) -> None:
    """Predicates of a float."""
    value = b.pick("f")
    b.op(b.one(("is_finite", "chlo.is_inf", "chlo.is_neg_inf", "chlo.is_pos_inf")), [value], value.type.of("i1"))


@family(1)
def rounded(b: Builder) -> None:
    """Fewer bits of exponent and mantissa."""
    value = b.pick("f")
    attributes = f"exponent_bits = {b.whole(3, 8)} : i32, mantissa_bits = {b.whole(1, 10)} : i32"
    b.op("reduce_precision", [value], value.type, attributes)


@family(2)
def of_an_integer(b: Builder) -> None:
    """Functions of an integer."""
    value = b.pick("iu")
    names = ["not", "popcnt", "count_leading_zeros", "negate"]
    b.unary(b.one([*names, "abs", "sign"] if value.type.kind == "i" else names), value)


@family(2)
def of_complex(b: Builder) -> None:
    """Functions of complex numbers, and their parts."""
    value = b.pick("c")
    part = value.type.of("f32" if value.type.element == "complex<f32>" else "f64")
    name = b.one([*(OF_SPECIAL_COMPLEX if b.special else OF_COMPLEX), "real", "imag", "abs"])
    b.op(name, [value], part if name in ("real", "imag", "abs") else value.type)


@family(0.7)
def made_complex(b: Builder) -> None:
    """A complex number of two floats."""
    value = b.pick("f", fits=lambda type: type.element in ("f32", "f64"))
    b.op("complex", [value, b.like(value.type)], value.type.of(f"complex<{value.type.element}>"))


@family(8)
def of_two_floats(b: Builder) -> None:
    """Arithmetic of floats."""
    left = b.pick("f")
    right = b.like(left.type)
    if b.chance(0.3):
        left, right = right, left
    names = ("add", "add", "subtract", "multiply", "multiply", "divide", "maximum", "minimum", "power")
    name = b.one((*names, "remainder", "atan2"))
    if name in ("divide", "remainder") and not b.chance(0.2):
        right = positive(b, right)
    if name == "power" and not b.chance(0.2):
        left = positive(b, left)
    b.binary(name, left, right)


@family(0.6)
def rare(b: Builder) -> None:
    """Functions of two floats that JAX prints as CHLO."""
    left = b.pick("f", fits=lambda type: type.element in ("f32", "f64"))
    name = b.one(("chlo.next_after", "chlo.zeta", "chlo.polygamma"))
    if name == "chlo.next_after":
        b.binary(name, left, b.like(left.type))
        return
    step = b.binary("add", positive(b, left), b.fill(1.25, left.type))
    order = b.fill(b.whole(1, 3), left.type)
    b.binary(name, *((step, positive(b, left)) if name == "chlo.zeta" else (order, positive(b, left))))


@family(4)
def of_two_integers(b: Builder) -> None:
    """Arithmetic of integers, which wraps."""
    left = b.pick("iu")
    right = b.like(left.type)
    names = ("add", "subtract", "multiply", "maximum", "minimum", "and", "or", "xor", "divide", "remainder")
    name = b.one([*names, "shift_left", "shift_right_logical", "shift_right_arithmetic", "power"])
    if name == "power":
        right = b.binary("and", right, b.fill(3, right.type))
    b.binary(name, left, right)


@family(1.5)
def of_two_complex(b: Builder) -> None:
    """Arithmetic of complex numbers."""
    left = b.pick("c")
    right = b.like(left.type)
    name = b.one(("add", "subtract") if b.special else ("add", "subtract", "multiply", "multiply", "divide"))
    if name == "divide":
        right = b.binary("add", b.unary("exponential", b.unary("tanh", right)), b.fill(0.25, right.type))
    b.binary(name, left, right)


@family(2)
def logical(b: Builder) -> None:
    """Bits."""
    left = b.pick("b")
    name = b.one(("and", "or", "xor", "not", "maximum", "minimum", "add", "multiply"))
    if name == "not":
        b.unary(name, left)
    else:
        b.binary(name, left, b.like(left.type))


@family(3)
def compared(b: Builder) -> None:
    """Comparisons, and what they select."""
    left = b.pick("fiub")
    right = b.like(left.type)
    total = left.type.kind == "f" and b.chance(0.1)
    decided = b.compare(b.one(DIRECTIONS), left, right, "TOTALORDER" if total else None)
    if b.chance(0.5):
        select(b, decided, left, right)


@family(1)
def compared_complex(b: Builder) -> None:
    """Equality of complex numbers."""
    left = b.pick("c")
    b.compare(b.one(("EQ", "NE")), left, b.like(left.type))


@family(2)
def selected(b: Builder) -> None:
    """Selections by a mask of the same shape, or by one bit."""
    on_true = b.pick()
    mask = b.like(Type("i1", () if b.chance(0.2) else on_true.type.shape))
    select(b, mask, on_true, b.like(on_true.type))


def select(b: Builder, mask: Value, on_true: Value, on_false: Value) -> Value:
    """Elements of two values."""
    return b.op("select", [mask, on_true, on_false], on_true.type)


@family(1.5)
def clamped(b: Builder) -> None:
    """Bounds, which may be scalars."""
    value = b.pick("fiu")
    bounds = value.type.shaped(()) if b.chance(0.6) else value.type
    low = b.held(b.whole(0, 1), bounds)
    high = b.held(b.whole(1, 3), bounds) if b.chance(0.7) else b.like(bounds)
    b.op("clamp", [low, value, high], value.type)


@family(4)
def converted(b: Builder) -> None:
    """Conversions between all types."""
    value = b.pick()
    choices = [*FLOATS, *INTEGERS, "i1"]
    element = b.one([*choices, "complex<f32>"] if value.type.kind != "c" else ["complex<f32>", "complex<f64>", "f32"])
    b.convert(value, element)


@family(0.7)
def narrow(b: Builder) -> None:
    """Floats of eight bits and integers of four, and back."""
    value = b.pick("fi")
    floats = ("f8E4M3FN", "f8E5M2", "f8E4M3FNUZ", "f8E5M2FNUZ", "f8E4M3B11FNUZ", "f8E3M4", "f8E4M3", "f4E2M1FN")
    element = b.one(floats if value.type.kind == "f" else ("i4", "ui4"))
    if element[0] != "f":
        value = b.op("clamp", [b.held(0, value.type.shaped(())), value, b.held(7, value.type.shaped(()))], value.type)
    small = b.op("convert", [value], value.type.of(element))
    b.scope.remove(small)
    b.unread.discard(small)
    b.op("convert", [small], value.type.of("f32" if element[0] == "f" else "i32"))


@family(1)
def bits(b: Builder) -> None:
    """The bits of a value as another type of the same or of another width."""
    value = b.pick("fiu")
    if value.type.kind == "f" and value not in b.arguments:
        # Bits of what is rounded differ.
        value = b.argument(value.type)
    width = BITS[value.type.element]
    same = [element for element in (*FLOATS, *INTEGERS) if BITS[element] == width]
    if b.chance(0.7):
        b.op("bitcast_convert", [value], value.type.of(b.one([e for e in same if e[0] != "f" or value.type.kind != "f"] or same)))
        return
    element = b.one(INTEGERS)
    factor = BITS[element] / width
    shape = value.type.shape
    if factor < 1:
        b.op("bitcast_convert", [value], Type(element, (*shape, int(1 / factor))))
    elif factor > 1 and shape and shape[-1] == factor:
        b.op("bitcast_convert", [value], Type(element, shape[:-1]))
    else:
        raise Unfit
