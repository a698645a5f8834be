"""Compares a model with its function."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from . import _inputs
from ._models import as_model


def allclose(
    fn: Any,
    model: Any,
    inputs: Sequence[Any],
    input_params: Mapping[str, Any] | None = None,
    rtol: float = 1e-3,
    atol: float = 1e-5,
    *,
    variables: Any = None,
    enable_double_precision: bool = False,
    inputs_as_nchw: Sequence[int | str] | None = None,
    outputs_as_nchw: Sequence[int | str] | None = None,
) -> tuple[bool, str]:
    """Compare the results of ONNX Runtime and JAX, within tolerances.

    `verify` decides without tolerances and finds the cause of a difference.

    Args:
        fn: The function or model that was converted, as in `to_onnx`.
        model: A path, the bytes of a model, or an ``onnx.ModelProto``.
        inputs: Arrays, or shapes as in `to_onnx`, which get random numbers. A symbolic size is 2.
        input_params: As in `to_onnx`.
        rtol: The relative tolerance, as in `numpy.allclose`.
        atol: The absolute tolerance, as in `numpy.allclose`.
        variables: As in `to_onnx`.
        enable_double_precision: As in `to_onnx`.
        inputs_as_nchw: As in `to_onnx`.
        outputs_as_nchw: As in `to_onnx`.

    Returns:
        Whether all outputs agree, and a message: the largest difference, or the first output that differs.

    Raises:
        ImportError: `onnxruntime` is not installed.
        TypeError, ValueError: An argument is not valid.
    """
    import jax

    from . import _lowering
    from ._conversion import precision
    from ._verification._runtime import Runner

    runner = Runner(model)
    # Inside a trace of the caller, JAX would trace the function too.
    with precision(enable_double_precision), jax.ensure_compile_time_eval():
        target = as_model(fn, variables)
        read = _inputs.read(target.signature, inputs, input_params)
        arguments, keywords = concrete(inputs, input_params)
        expected = target.function(*arguments, **keywords, **read.flags)
        fed = [elements(leaf) for leaf in jax.tree_util.tree_leaves((arguments, keywords))]
        wanted = [elements(leaf) for leaf in jax.tree_util.tree_leaves(expected)]
        given, weights = runner.inputs[: len(fed)], runner.inputs[len(fed) :]
        # Weights that are inputs are arrays that the function closes over.
        held = _lowering.lower(target.function, read, target.names).arrays if weights else []
    by_name = {array.name: array.value for array in held}
    are_named = by_name.keys() >= set(weights)
    closed = [by_name[name] for name in weights] if are_named else [array.value for array in held]
    if len(given) != len(fed) or len(closed) != len(weights):
        return False, f"the model has {len(runner.inputs)} inputs, but {len(fed)} arrays were passed"
    for place in positions("inputs_as_nchw", inputs_as_nchw, given):
        fed[place] = _transposed(fed[place], (0, 3, 1, 2), f"the input `{given[place]}`")
    fed += closed
    try:
        got = runner(dict(zip(runner.inputs, map(as_fed, fed))))
    except Exception as error:
        # The exceptions of ONNX Runtime have no common class.
        return False, f"ONNX Runtime cannot run the model on these inputs: {error}"
    for place in positions("outputs_as_nchw", outputs_as_nchw, runner.outputs):
        got[place] = _transposed(got[place], (0, 2, 3, 1), f"the output `{runner.outputs[place]}`")
    return compare(wanted, got, rtol, atol)


def _transposed(array: np.ndarray, order: tuple[int, ...], what: str) -> np.ndarray:
    if array.ndim != len(order):
        raise ValueError(f"{what} has {array.ndim} dimensions, but an image has {len(order)}")
    return np.transpose(array, order)


def elements(leaf: Any) -> np.ndarray:
    """A JAX array or number as a NumPy array; for a typed key, its data."""
    import jax

    if not hasattr(leaf, "dtype"):
        # A function may return a Python number, which is a JAX array in the model.
        leaf = jax.numpy.asarray(leaf)
    if jax.numpy.issubdtype(leaf.dtype, jax.dtypes.prng_key):
        leaf = jax.random.key_data(leaf)
    return np.asarray(leaf)


def compare(expected: Sequence[Any], got: Sequence[Any], rtol: float, atol: float) -> tuple[bool, str]:
    """Whether results agree, and a message about the first one that differs."""
    if len(expected) != len(got):
        return False, f"JAX returns {len(expected)} arrays, but the model returns {len(got)}"
    largest = 0.0
    for index, (exact, array) in enumerate(zip(expected, got)):
        wanted, found = as_numbers(exact), as_numbers(array)
        if wanted.shape != found.shape:
            return False, f"output {index} has the shape {found.shape}, but JAX's result has {wanted.shape}"
        if wanted.size == 0:
            continue
        with np.errstate(invalid="ignore"):
            difference = np.abs(wanted - found)
        difference = np.where((wanted == found) | (np.isnan(wanted) & np.isnan(found)), 0, difference)
        largest = max(largest, float(np.max(difference)))
        if not np.allclose(found, wanted, rtol=rtol, atol=atol, equal_nan=True):
            worst = np.unravel_index(np.nanargmax(np.where(np.isnan(difference), np.inf, difference)), wanted.shape)
            place = tuple(map(int, worst))
            message = f"output {index} differs at {place}: {found[worst]} instead of JAX's {wanted[worst]}"
            if exact.dtype.itemsize <= 2 and exact.dtype.kind in "fV":
                message += f"; the rounding of {exact.dtype} may be that large, which `verify` measures"
            return False, message
    outputs = "the output agrees" if len(got) == 1 else f"all {len(got)} outputs agree"
    return True, f"{outputs}; the largest difference is {largest:.3g}"


def as_numbers(value: Any) -> np.ndarray:
    """An array in a type that NumPy computes in; complex numbers as two parts, as the model has them."""
    array = np.asarray(value)
    if np.iscomplexobj(array):
        return np.stack([array.real, array.imag], axis=-1).astype(np.float64)
    if array.dtype == np.bool_ or array.dtype.kind in "iu":
        return array.astype(np.float64) if array.dtype.itemsize < 8 else array.astype(np.longdouble)
    return array.astype(np.float64)


def as_fed(array: np.ndarray) -> Any:
    """An array in the form that ONNX Runtime accepts."""
    if np.iscomplexobj(array):
        array = np.stack([array.real, array.imag], axis=-1)
    return np.asarray(array, order="C")


def positions(option: str, places: Sequence[int | str] | None, names: Sequence[str]) -> list[int]:
    """Positions of values that the caller lists by position or name."""
    found = []
    for place in places or ():
        if place in names:
            found.append(list(names).index(str(place)))
        elif str(place).isdigit() and int(place) < len(names):
            found.append(int(place))
        else:
            raise ValueError(f"{option}: the model has no value `{place}`; it has {', '.join(names)}")
    return found


def open_session(model: Any, *, optimized: bool = True) -> Any:
    """A session of ONNX Runtime on one thread, without logging."""
    try:
        import onnxruntime
    except ImportError as error:
        raise ImportError("running a model needs the package `onnxruntime`") from error
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    if not optimized:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    if hasattr(model, "graph") and hasattr(model, "SerializeToString"):
        model = model.SerializeToString()
    elif isinstance(model, (bytearray, memoryview)):
        model = bytes(model)
    elif isinstance(model, (str, os.PathLike)):
        model = os.fsdecode(model)
    elif not isinstance(model, bytes):
        raise TypeError(f"a model is a path, bytes or an `onnx.ModelProto`, not `{type(model).__name__}`")
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def concrete(
    inputs: Sequence[Any], params: Mapping[str, Any] | None, sizes: Mapping[str, int] | None = None, seed: int = 0
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Arrays for the caller's inputs: those that were passed, and random ones for shapes."""
    import jax
    import jax.numpy as jnp

    random = np.random.default_rng(seed)

    def leaf(value: Any) -> Any:
        if not _inputs.is_shape(value) and not isinstance(value, jax.ShapeDtypeStruct):
            return jnp.asarray(value)
        shape = value if _inputs.is_shape(value) else value.shape
        dtype = jnp.dtype(jnp.result_type(float) if _inputs.is_shape(value) else value.dtype)
        numbers = tuple(_size(size, sizes or {}) for size in shape)
        return jnp.asarray(random_array(random, dtype, numbers))

    def tree(value: Any) -> Any:
        return jax.tree_util.tree_map(
            leaf, value, is_leaf=lambda item: _inputs.is_shape(item) or _inputs.is_array(item)
        )

    keywords = {name: tree(value) for name, value in (params or {}).items() if _inputs.is_data(value)}
    return tuple(map(tree, inputs)), keywords


def random_array(random: np.random.Generator, dtype: np.dtype[Any], shape: tuple[int, ...]) -> np.ndarray:
    """Random elements of any type that JAX has: normal floats, and small non-negative integers."""
    if dtype == np.bool_:
        return random.integers(0, 2, shape).astype(bool)
    # The types of `ml_dtypes` have one kind, and NumPy converts them from floats of 32 bits.
    if dtype.kind in "iu" or (dtype.kind == "V" and "int" in dtype.name):
        return random.integers(0, 2 if dtype.name in ("int2", "uint2") else 5, shape).astype(dtype)
    if dtype.kind == "c":
        return (random.standard_normal(shape) + 1j * random.standard_normal(shape)).astype(dtype)
    numbers = np.asarray(random.standard_normal(shape))
    return (numbers.astype(np.float32) if dtype.kind == "V" else numbers).astype(dtype)


def _size(size: Any, sizes: Mapping[str, int]) -> int:
    if isinstance(size, (int, np.integer)):
        return int(size)
    from jax import export

    symbols = export.symbolic_shape(f"({size},)") if isinstance(size, str) else (size,)
    text = str(symbols[0])
    return int(eval_size(text, sizes))


def eval_size(text: str, sizes: Mapping[str, int]) -> int:
    """The value of a size such as ``2*b + 1``, as JAX or the compiler spells it. A name without a number counts as 2."""
    scope: dict[str, Any] = {name: sizes.get(name, 2) for name in size_names(text)}
    return eval(text, {**scope, **_SIZE_FUNCTIONS, "__builtins__": {}})


def size_names(text: str) -> list[str]:
    """The names of symbolic sizes in a size."""
    return [name for name in re.findall(r"[A-Za-z_]\w*", text) if name not in _SIZE_FUNCTIONS]


_SIZE_FUNCTIONS: dict[str, Callable[..., int]] = {
    "floordiv": lambda x, y: x // y,
    "ceildiv": lambda x, y: -(-x // y),
    "mod": lambda x, y: x % y,
    "max": max,
    "min": min,
}
