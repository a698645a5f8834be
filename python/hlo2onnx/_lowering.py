"""Lowers a function to StableHLO text in which large arrays are placeholders.

JAX prints an array that a function closes over as a literal, which takes seconds and gigabytes for a large model. Here each
such array becomes ``stablehlo.custom_call @hlo2onnx.weight()``, and the array itself stays outside the text. JAX
has no public API for this: the handlers that print constants are replaced while a program is lowered.
"""

from __future__ import annotations

import contextlib
import dataclasses
import inspect
import keyword
import os
import re
import threading
import warnings
from collections.abc import Callable, Hashable, Iterator
from typing import Any

import numpy as np

from ._diagnostics import ConversionError
from ._functions import counted_calls
from ._inputs import Inputs
from ._names import Names, identity

TARGET = "hlo2onnx.weight"
"""The call target of the placeholders. The compiler knows this name."""

_SMALLEST = 1024
"""Arrays of fewer bytes become literals of the text, unless they have a name in the user's tree."""

_LOCK = threading.RLock()
"""Held while JAX's handlers are replaced."""


@dataclasses.dataclass(frozen=True)
class Array:
    """An array that a placeholder represents."""

    id: str
    name: str
    element: str
    """The element type as MLIR spells it."""
    value: np.ndarray
    held: Any
    """The user's object. It is identified by its address, so it must live as long as this object."""

    def request(self) -> tuple[str, str, str, list[int], np.ndarray]:
        """The form that the native half accepts."""
        flat = np.ascontiguousarray(self.value).reshape(-1)
        return self.id, self.name, self.element, list(self.value.shape), flat.view(np.uint8)


@dataclasses.dataclass(frozen=True)
class Program:
    """A program as text, with its arrays."""

    text: str
    arrays: list[Array]


def lower(function: Callable[..., Any], inputs: Inputs, names: Names) -> Program:
    """Lower ``function`` with abstract arguments for one CPU device.

    ``names`` names the arrays that the function closes over. Where JAX cannot keep arrays out of the text, this warns the
    caller two frames up.
    """
    import jax
    from jax.extend import source_info_util

    # Lines of this package are not the user's.
    source_info_util.register_exclusion(os.path.dirname(__file__))
    if not has_placeholders():
        warnings.warn(f"{_LITERALS}: the conversion is slow, and initializers lose their names", stacklevel=3)
    found: dict[Hashable, Array] = {}
    with _placeholders(found, names), counted_calls(), explained(inputs):
        # JAX caches traces by the function; placeholders must not get into that cache.
        jitted = jax.jit(_fresh(function, inputs), keep_unused=True)
        if inputs.symbolic:
            text = _export(jitted, inputs)
        else:
            traced = jitted.trace(*inputs.arguments, **inputs.keywords)
            module = traced.lower(lowering_platforms=("cpu",)).compiler_ir("stablehlo")
            _check_arguments(module)
            _check_tracers(module, len(jax.tree_util.tree_leaves((inputs.arguments, inputs.keywords))))
            text = module.operation.get_asm(enable_debug_info=True)
    return Program(text, list(found.values()))


def _export(jitted: Any, inputs: Inputs) -> str:
    from jax import export

    check = export.DisabledSafetyCheck.custom_call(TARGET)
    exported = export.export(jitted, platforms=["cpu"], disabled_checks=[check])
    return exported(*inputs.arguments, **inputs.keywords).mlir_module()


def _fresh(function: Callable[..., Any], inputs: Inputs) -> Callable[..., Any]:
    """The function as a new object, with the input names in its signature: JAX prints them."""

    def program(*arguments: Any, **keywords: Any) -> Any:
        return function(*arguments, **keywords, **inputs.flags)

    kinds = inspect.Parameter
    names = [kinds(name, kinds.POSITIONAL_ONLY) for name in inputs.parameters if _is_name(name)]
    names += [kinds(name, kinds.KEYWORD_ONLY) for name in inputs.keywords if _is_name(name)]
    if len({name.name for name in names}) == len(inputs.parameters) + len(inputs.keywords):
        program.__signature__ = inspect.Signature(names)  # type: ignore[attr-defined]
    program.__name__ = getattr(function, "__name__", "program")
    # JAX's errors name the location of the wrapped function.
    program.__wrapped__ = function  # type: ignore[attr-defined]
    return program


def _is_name(name: str) -> bool:
    return name.isidentifier() and not keyword.iskeyword(name)


@contextlib.contextmanager
def explained(inputs: Inputs) -> Iterator[None]:
    """Add notes about the inputs to an error of the user's program, if this Python supports notes."""
    try:
        yield
    except Exception as error:
        if hasattr(error, "add_note"):
            for note in _notes(error, inputs):
                error.add_note(note)
        raise


def _notes(error: Exception, inputs: Inputs) -> Iterator[str]:
    import jax

    if inputs.numbers:
        names = ", ".join(f"`{name}`" for name in inputs.numbers)
        example = f"input_params={{{inputs.numbers[0]!r}: ...}}"
        yield f"hlo2onnx: these Python numbers are inputs of the model: {names}. Pass a flag by keyword: `{example}`"
    if not inputs.symbolic:
        return
    leaves = jax.tree_util.tree_leaves((inputs.arguments, inputs.keywords))
    words = {word for leaf in leaves for size in leaf.shape if not isinstance(size, int) for word in _words(str(size))}
    # JAX's own classes of such sizes and of their errors have no public names.
    told = _words(f"{type(error).__name__} {error}")
    if told & {"InconclusiveDimensionOperation", "_DimExpr", *words}:
        yield (
            f"hlo2onnx: the program was traced with the symbolic sizes {', '.join(sorted(words))}. Where it needs numbers, "
            'pass numbers and name the dimension by `dynamic=["x:0=B"]`, or give JAX constraints on the sizes: '
            '`jax.export.symbolic_shape("B", constraints=["B >= 2"])`'
        )


def _words(text: str) -> set[str]:
    return set(re.findall(r"[A-Za-z_]\w*", text)) - {"floordiv", "mod", "max", "min"}


def has_placeholders() -> bool:
    """Whether this JAX keeps arrays out of the text."""
    return _handlers() is not None


_LITERALS = "this release of JAX writes the arrays that a function closes over into the text of the program"


def check_weight_inputs() -> None:
    """Raise if weights cannot become inputs."""
    if not has_placeholders():
        raise ConversionError(f"{_LITERALS}, so that they cannot become inputs; use an older release, or weights='embed'")


def _main(module: Any) -> Any:
    return next(op for op in module.body.operations if op.operation.name == "func.func" and op.name.value == "main")


def _check_tracers(module: Any, wanted: int) -> None:
    """Reject a program with more arguments than the caller's inputs: JAX adds one for each tracer that it reads."""
    found = [argument for argument in _main(module).arguments if "token" not in str(argument.type)]
    if len(found) > wanted:
        raise TypeError(
            "the function reads a tracer, a value of an enclosing `jax.jit`, `jax.grad` or `jax.vmap`, whose elements are "
            "not known: make it an argument of the function, or convert outside of that transformation"
        )


def _check_arguments(module: Any) -> None:
    """Raise if JAX has turned arrays into arguments, which can happen where `_constants_in_place` has no effect."""
    main = _main(module)
    # In older releases the property `arg_attrs` raises where the attribute is missing, and attributes have no `get`.
    attributes = main.attributes["arg_attrs"] if "arg_attrs" in main.attributes else ()  # noqa: SIM401
    if any("jax.const" in of_argument for of_argument in attributes):
        raise ConversionError(
            "this release of JAX turns the arrays that a function closes over into arguments, and the model would lack their "
            "elements; use an older release, or pass the arrays as inputs"
        )


def _handlers() -> dict[Any, Callable[..., Any]] | None:
    """JAX's handlers of constants, if this JAX has a table of them."""
    try:
        from jax._src.interpreters import mlir

        return mlir._constant_handlers
    except (ImportError, AttributeError):
        return None


@contextlib.contextmanager
def _placeholders(found: dict[Hashable, Array], names: Names) -> Iterator[None]:
    """Replace JAX's handlers of constants. If this JAX has none, constants become literals of the text."""
    handlers = _handlers()
    if handlers is None:
        yield
        return
    with _LOCK, _constants_in_place():
        before = dict(handlers)
        for kind, handler in before.items():
            handlers[kind] = _replacement(handler, found, names, threading.get_ident())
        try:
            yield
        finally:
            # Restored one at a time, so that the table is never empty: other threads read it without the lock.
            for kind, handler in before.items():
                handlers[kind] = handler


def _constants_in_place() -> contextlib.AbstractContextManager[Any]:
    """Keep JAX from turning constants into arguments, as JAX 0.7 and later may do, and from warning about large ones.

    JAX warns because it would copy them into the program, which does not happen here.
    """
    from jax._src import config

    stack = contextlib.ExitStack()
    for name, value in (("use_simplified_jaxpr_constants", False), ("captured_constants_warn_bytes", -1)):
        # Not every release has these settings.
        if callable(setting := getattr(config, name, None)):
            stack.enter_context(setting(value))
    return stack


def _replacement(
    handler: Callable[..., Any], found: dict[Hashable, Array], names: Names, thread: int
) -> Callable[..., Any]:
    def placeholder(value: Any, *rest: Any) -> Any:
        # Other threads may lower their own programs.
        if threading.get_ident() != thread:
            return handler(value, *rest)
        held = getattr(value, "val", value) if type(value).__name__ == "TypedNdArray" else value
        if not _is_weight(value, held, names):
            return handler(value, *rest)
        array = found.get(identity(held))
        if array is None:
            array = _array(value, held, f"w{len(found)}", names)
            found[identity(held)] = array
        result = _custom_call(array)
        # Old handlers return a sequence of results, new ones the one result.
        return (result,) if _returns_results() else result

    return placeholder


def _is_weight(value: Any, held: Any, names: Names) -> bool:
    import jax

    if not hasattr(value, "dtype") or jax.numpy.issubdtype(value.dtype, jax.dtypes.extended):
        return False
    if isinstance(held, np.ndarray) and 0 in held.strides and held.size > 1:
        # JAX prints a broadcast array by its few distinct elements.
        return False
    return names.of(held) is not None or getattr(held, "nbytes", 0) >= _SMALLEST


def _array(value: Any, held: Any, id_: str, names: Names) -> Array:
    from jax._src.interpreters import mlir

    element = str(mlir.dtype_to_ir_type(np.dtype(value.dtype)))
    elements = np.asarray(held)
    if elements.dtype != value.dtype:
        elements = elements.astype(value.dtype)
    return Array(id_, names.of(held) or f"constant_{id_}", element, elements, held)


def _custom_call(array: Array) -> Any:
    from jax._src.interpreters import mlir
    from jax._src.lib.mlir import ir
    from jax._src.lib.mlir.dialects import hlo

    element = mlir.dtype_to_ir_type(array.value.dtype)
    return hlo.CustomCallOp(
        [ir.RankedTensorType.get(array.value.shape, element)],
        [],
        call_target_name=ir.StringAttr.get(TARGET),
        has_side_effect=ir.BoolAttr.get(False),
        backend_config=ir.StringAttr.get(array.id),
        api_version=ir.IntegerAttr.get(ir.IntegerType.get_signless(32), 2),
        called_computations=ir.ArrayAttr.get([]),
    ).result


def _returns_results() -> bool:
    import jax

    return jax.__version_info__ < (0, 4, 36)

