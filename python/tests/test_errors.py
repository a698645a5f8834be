"""Exceptions, warnings and advice."""

import contextlib
import linecache
import logging
import pickle
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.experimental import io_callback
from support import convert, random

import hlo2onnx

X = random(3, 4)


def calls_python(x):
    return io_callback(np.sin, jax.ShapeDtypeStruct(x.shape, x.dtype), x) + 1


def refused(fn, *inputs, **options):
    with pytest.raises(hlo2onnx.ConversionError) as raised:
        hlo2onnx.to_onnx(fn, list(inputs), **options)
    return raised.value


def test_the_user_s_line_comes_first():
    error = refused(calls_python, X)
    line = calls_python.__code__.co_firstlineno + 1
    assert str(error).startswith(f"{__file__}:{line} in calls_python: error[E")
    assert "return io_callback(np.sin" in str(error)


def test_diagnostics():
    (diagnostic,) = [item for item in refused(calls_python, X).diagnostics if item.severity == "error"]
    assert diagnostic.code.startswith("E")
    assert diagnostic.python.file == __file__
    assert diagnostic.python.line == calls_python.__code__.co_firstlineno + 1
    assert diagnostic.python.function == "calls_python"
    assert diagnostic.labels[0].line > 0
    assert diagnostic.help
    assert str(diagnostic) in str(refused(calls_python, X))


def test_lines_of_this_package_are_never_the_user_s():
    def calls_only_libraries():
        return jax.tree_util.Partial(io_callback, np.sin, jax.ShapeDtypeStruct((3, 4), jnp.float32))

    for diagnostic in refused(calls_only_libraries(), X).diagnostics:
        assert diagnostic.python is None or diagnostic.python.file == __file__


def test_module_path():
    import flax.linen as nn

    class Inner(nn.Module):
        @nn.compact
        def __call__(self, x):
            return calls_python(x)

    class Outer(nn.Module):
        @nn.compact
        def __call__(self, x):
            return Inner(name="first")(x)

    module = Outer()
    error = refused(lambda x: module.apply({}, x), X)
    assert error.diagnostics[0].module_path == "Outer/first"


def test_notebook_cell():
    cell = "def from_a_cell(x):\n    return io_callback(np.sin, jax.ShapeDtypeStruct(x.shape, x.dtype), x)\n"
    name = "<ipython-input-7-abcdef>"
    linecache.cache[name] = (len(cell), None, cell.splitlines(True), name)
    scope = {"io_callback": io_callback, "np": np, "jax": jax}
    exec(compile(cell, name, "exec"), scope)
    error = refused(scope["from_a_cell"], X)
    assert str(error).startswith(f"{name}:2 in from_a_cell: error[")
    assert "return io_callback(np.sin" in str(error)


def test_html():
    html = refused(calls_python, X)._repr_html_()
    assert html.startswith("<pre") and html.endswith("</pre>")
    assert "&lt;calls_python&gt;" in html
    assert "font-weight: bold" in html
    assert "<calls_python>" not in html


def test_all_problems_at_once():
    def two(x):
        y = calls_python(x)
        return y, jax.pure_callback(np.cos, jax.ShapeDtypeStruct(x.shape, x.dtype), x)

    errors = [item for item in refused(two, X).diagnostics if item.severity == "error"]
    assert len({error.python.line for error in errors}) == 2


def test_pickle():
    error = refused(calls_python, X)
    again = pickle.loads(pickle.dumps(error))
    assert str(again) == str(error)
    assert again.diagnostics == error.diagnostics


def test_errors_of_the_user_s_program_pass_through():
    class Mine(Exception):
        pass

    def program(x):
        raise Mine("the user's own")

    with pytest.raises(Mine, match="the user's own"):
        convert(program, X)
    with pytest.raises(jax.errors.ConcretizationTypeError):
        convert(lambda x: x if x.sum() > 0 else -x, X)
    with pytest.raises(TypeError, match="incompatible shapes"):
        convert(lambda x: x + jnp.ones((5, 7)), X)


def test_handlers_are_restored_after_an_error():
    from jax._src.interpreters import mlir

    before = dict(mlir._constant_handlers)
    with pytest.raises(ZeroDivisionError):
        convert(lambda x: x / (1 // 0), X)
    refused(calls_python, X)
    assert mlir._constant_handlers == before


def test_warnings_have_the_caller_s_line():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        hlo2onnx.to_onnx(lambda x: x + 1, [X], record_primitive_calls_file="calls.txt")
    assert [warning.filename for warning in caught] == [__file__]
    assert "record_primitive_calls_file has no effect" in str(caught[0].message)


def test_conversion_warnings():
    def mean(x):
        return x / len(x)

    # The compiler does not know whether the divisor is the dynamic size.
    lowered = jax.jit(mean).lower(X)
    for convert_it in (
        lambda: hlo2onnx.to_onnx(mean, [X], dynamic=["x:0=batch"]),
        lambda: hlo2onnx.convert(lowered, dynamic=["x:0=batch"]),
    ):
        with pytest.warns(hlo2onnx.ConversionWarning, match="W0506") as caught:
            convert_it()
        assert [warning.filename for warning in caught] == [__file__]


def test_advice_is_logged(caplog):
    with caplog.at_level(logging.INFO, logger="hlo2onnx"):
        convert(lambda x: x + 1, X, normalization_mode="prefer_native")
    assert "normalization_mode='prefer_native' has no effect" in caplog.text


def test_tracers_of_another_trace():
    def outer(x):
        return hlo2onnx.to_onnx(lambda y: y + x, [X])

    for transform in (jax.jit, jax.vmap):
        with pytest.raises(TypeError, match="the function reads a tracer"):
            transform(outer)(X)


def test_large_constants_do_not_cause_a_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        setting = getattr(jax._src.config, "captured_constants_warn_bytes", None)
        weight = random(4, 4000)
        with contextlib.nullcontext() if setting is None else setting(1000):
            convert(lambda x: x @ weight, X)


def test_opset_that_is_too_old():
    error = refused(lambda x: x.astype(jnp.float8_e4m3fn).astype(jnp.float32), X, opset=18)
    assert any(item.severity == "error" for item in error.diagnostics)
    assert "opset" in str(refused(lambda x: x, X, opset=3))


def test_messages_spell_options_for_python():
    image = np.zeros((2, 3), np.float32)
    with pytest.raises(hlo2onnx.ConversionError, match="`inputs_as_nchw=` does not match") as caught:
        hlo2onnx.to_onnx(lambda x: x, [image], inputs_as_nchw=["x"])
    assert "--" not in str(caught.value)
    assert all("--" not in diagnostic.message for diagnostic in caught.value.diagnostics)
    found = hlo2onnx.check(jax.jit(lambda x: x + 1).lower(image), opset=3)
    assert not any("`--" in f"{diagnostic.message} {diagnostic.help}" for diagnostic in found)
