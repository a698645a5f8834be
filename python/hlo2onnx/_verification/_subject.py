"""The program that a model is compared with: a function or a text."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from .. import _inputs, _lowering, _native
from .._comparison import concrete, elements, eval_size, random_array, size_names
from .._conversion import _text, precision
from .._models import as_model
from .._options import Options
from ._reference import Executable
from ._values import ValueMap, dtype_of


class Subject:
    """A program that JAX can run, and the map from the values of its model."""

    values: ValueMap | None = None
    """The map; ``None`` for a program that does not convert."""
    notes: list[str]
    """Remarks for the report."""
    symbols: list[str]
    """The names of symbolic sizes."""

    def arguments(self, sizes: Mapping[str, int], seed: int) -> list[np.ndarray]:
        """Arrays for all arguments: those that the caller passed, and random ones for the others."""
        raise NotImplementedError

    def run(self, arguments: Sequence[np.ndarray]) -> list[np.ndarray]:
        """JAX's results."""
        raise NotImplementedError

    def compile(self, source: Any, request: dict[str, Any]) -> None:
        """Compile the program again, with the map of its values."""
        converted = _native.convert_text(source, {**request, "value_map": True}, None)
        if converted.values is None:
            self.notes.append("this program does not convert, so faults cannot be traced to nodes")
        else:
            self.values = ValueMap(converted.values)


class FunctionSubject(Subject):
    """A Python function or model."""

    def __init__(
        self,
        target: Any,
        inputs: Sequence[Any],
        params: Mapping[str, Any] | None,
        variables: Any,
        double: bool,
        program: _lowering.Program | None = None,
    ) -> None:
        self.notes = []
        self.inputs, self.params, self.double = inputs, params, double
        with precision(double):
            self.model = as_model(target, variables)
            self.read = _inputs.read(self.model.signature, inputs, params)
            self.program = program or _lowering.lower(self.model.function, self.read, self.model.names)
        self.symbols = sorted(set(_names(inputs)) | set(_names(list((params or {}).values()))))
        self.weights: list[np.ndarray] = []

    def request(self, options: Options, weights_are_inputs: bool) -> dict[str, Any]:
        """The request to the native half."""
        request = options._request()
        if weights_are_inputs:
            request["weight_inputs"] = [(array.id, array.name) for array in self.program.arrays]
            self.weights = [np.asarray(array.value) for array in self.program.arrays]
        else:
            request["arrays"] = [array.request() for array in self.program.arrays]
        return request

    def arguments(self, sizes: Mapping[str, int], seed: int) -> list[np.ndarray]:
        import jax

        with precision(self.double):
            arguments, keywords = concrete(self.inputs, self.params, sizes, seed)
        leaves, self._tree = jax.tree_util.tree_flatten((arguments, keywords))
        is_key = [jax.numpy.issubdtype(leaf.dtype, jax.dtypes.prng_key) for leaf in leaves]
        self._keys = {place: jax.random.key_impl(leaf) for place, leaf in enumerate(leaves) if is_key[place]}
        return [*map(elements, leaves), *self.weights]

    @functools.cached_property
    def _jitted(self) -> Callable[..., Any]:
        """The function, which JAX compiles once for each choice of sizes."""
        import jax

        return jax.jit(lambda *args, **kwargs: self.model.function(*args, **kwargs, **self.read.flags))

    def run(self, arguments: Sequence[np.ndarray]) -> list[np.ndarray]:
        import jax

        own = list(arguments[: len(arguments) - len(self.weights)])
        with precision(self.double):
            keyed = [
                jax.random.wrap_key_data(jax.numpy.asarray(array), impl=self._keys[place]) if place in self._keys else array
                for place, array in enumerate(own)
            ]
            positional, keywords = jax.tree_util.tree_unflatten(self._tree, keyed)
            results = self._jitted(*positional, **keywords)
        return [elements(leaf) for leaf in jax.tree_util.tree_leaves(results)]


class TextSubject(Subject):
    """A program as text."""

    def __init__(self, source: Any, inputs: Sequence[np.ndarray] | None, options: Options, model: Any) -> None:
        self.notes = []
        self.given = None if inputs is None else [np.asarray(array) for array in inputs]
        text = _text(source)
        self.compile(text, options._request())
        self.captured: list[np.ndarray] = []
        self.code: str | bytes
        if isinstance(text, tuple):
            self.code = text[1]
        else:
            with open(text, "rb") as file:
                self.code = file.read()
        # JAX parses neither compressed texts nor portable artifacts.
        is_text = b"\0" not in self.code[:4096] and self.code[:2] != b"\x1f\x8b"
        if options.weights or not is_text or self.code[:4] == b"\x28\xb5\x2f\xfd":
            if self.values is None:
                raise ValueError("the program cannot be read")
            self.code, self.captured = self.values.program()
            self.notes.append("JAX runs the program as the compiler reads it, with the weights that it binds")
        self.compiled: dict[tuple[tuple[int, ...], ...], Executable] = {}
        self.types = _argument_types(self.code)
        self.types = self.types[: len(self.types) - len(self.captured)]
        self.shapes = _shapes(self.types, model, self.values)
        self.symbols = sorted({name for shape in self.shapes for name in _names([tuple(shape)])})

    def arguments(self, sizes: Mapping[str, int], seed: int) -> list[np.ndarray]:
        if self.given is not None:
            return self.given
        random = np.random.default_rng(seed)
        arrays = []
        for (element, _), shape in zip(self.types, self.shapes):
            numbers = tuple(size if isinstance(size, int) else int(eval_size(size, sizes)) for size in shape)
            arrays.append(random_array(random, dtype_of(element), numbers))
        return arrays

    def run(self, arguments: Sequence[np.ndarray]) -> list[np.ndarray]:
        arrays = [*arguments, *self.captured]
        key = tuple(array.shape for array in arrays)
        if key not in self.compiled:
            self.compiled[key] = Executable(self.code, arrays)
        return self.compiled[key](arrays)


def _argument_types(text: str | bytes) -> list[tuple[str, list[int | None]]]:
    """The element types and sizes of a program's arguments; ``None`` for a size that is symbolic."""
    import jax
    from jax._src.interpreters import mlir
    from jax._src.lib.mlir import ir

    from ._reference import _entry

    with mlir.make_ir_context(), ir.Location.unknown():
        try:
            module = ir.Module.parse(text)
        except Exception as error:
            # The class of the error is private to jaxlib.
            raise ValueError(f"JAX {jax.__version__} cannot read the program: {error}") from error
        main = _entry([op for op in module.body.operations if op.operation.name == "func.func"])
        types = [ir.RankedTensorType(argument) for argument in ir.FunctionType(main.type).inputs]
        return [
            (
                str(of.element_type),
                [None if of.is_dynamic_dim(axis) else of.get_dim_size(axis) for axis in range(of.rank)],
            )
            for of in types
        ]


def _shapes(
    types: Sequence[tuple[str, list[int | None]]], model: Any, values: ValueMap | None
) -> list[list[int | str]]:
    """The sizes of arguments; symbolic ones by their names in the model."""
    shapes: list[list[int | str]] = []
    inputs = list(model.graph.input)
    for (_, sizes), value in zip(types, inputs):
        dims = value.type.tensor_type.shape.dim
        mapped = values.by_name.get(value.name) if values else None
        axes = mapped.axes if mapped else tuple(range(len(dims)))
        named = {axis: dim.dim_param or dim.dim_value for axis, dim in zip(axes, dims)}
        shapes.append([size if size is not None else named[axis] for axis, size in enumerate(sizes)])
    return shapes


def _names(value: Any) -> list[str]:
    """The names of symbolic sizes in a caller's description of inputs."""
    if isinstance(value, str):
        return size_names(value)
    if isinstance(value, Mapping):
        return [name for item in value.values() for name in _names(item)]
    if isinstance(value, (list, tuple)):
        return [name for item in value for name in _names(item)]
    shape = getattr(value, "shape", ())
    try:
        return [name for size in shape if not isinstance(size, int) for name in _names(str(size))]
    except TypeError:
        return []

