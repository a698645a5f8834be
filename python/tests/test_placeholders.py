"""JAX releases that do not keep arrays out of the text, as may happen with later ones."""

import jax
import jax.numpy as jnp
import pytest
from support import agree, convert, random

import hlo2onnx
from hlo2onnx import _lowering

X = random(2, 32)
WEIGHT = jnp.asarray(random(32, 32))


def program(x):
    return jnp.tanh(x @ WEIGHT)


@pytest.fixture
def without_handlers(monkeypatch):
    monkeypatch.setattr(_lowering, "_handlers", lambda: None)


@pytest.mark.usefixtures("without_handlers")
def test_weights_become_literals_with_a_warning():
    with pytest.warns(UserWarning, match="writes the arrays that a function closes over into the text") as warned:
        model = hlo2onnx.to_onnx(program, [X])
    assert [warning.filename for warning in warned] == [__file__]
    agree(program, model, X)


@pytest.mark.usefixtures("without_handlers")
def test_weights_cannot_become_inputs():
    with pytest.raises(hlo2onnx.ConversionError, match="they cannot become inputs"):
        convert(program, X, weights="inputs")


@pytest.mark.usefixtures("without_handlers")
def test_weights_still_go_to_their_own_file(tmp_path):
    with pytest.warns(UserWarning, match="lose their names"):
        path = hlo2onnx.to_onnx(program, [X], weights="external", return_mode="file", output_path=tmp_path / "model.onnx")
    assert (tmp_path / "model.onnx.data").stat().st_size >= WEIGHT.nbytes
    agree(program, path, X)


def test_weights_that_are_arguments_are_an_error():
    from jax._src.interpreters import mlir
    from jax._src.lib.mlir import ir

    def text(attributes):
        return f"""func.func public @main(%arg0: tensor<2xf32>{attributes}) -> tensor<2xf32> {{
          return %arg0 : tensor<2xf32>
        }}"""

    with mlir.make_ir_context(), ir.Location.unknown():
        _lowering._check_arguments(ir.Module.parse(text("")))
        _lowering._check_arguments(ir.Module.parse(text(' {mhlo.sharding = "{replicated}"}')))
        with pytest.raises(hlo2onnx.ConversionError, match="into arguments"):
            _lowering._check_arguments(ir.Module.parse(text(" {jax.const = true}")))


def test_this_release_keeps_arrays_out_of_the_text(recwarn):
    assert _lowering.has_placeholders(), jax.__version__
    agree(program, convert(program, X), X)
    assert not [warning for warning in recwarn if "closes over" in str(warning.message)]
