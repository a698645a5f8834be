"""Return modes, and where the weights go."""

import os
import pathlib

import jax.numpy as jnp
import numpy as np
import onnx
import pytest
from support import agree, convert, initializers, names, random, run

import hlo2onnx

X = random(2, 64)
WEIGHTS = {"kernel": jnp.asarray(random(64, 512, seed=1)), "bias": jnp.asarray(random(512, seed=2))}


def dense(x):
    return x @ WEIGHTS["kernel"] + WEIGHTS["bias"]


def test_proto():
    model = hlo2onnx.to_onnx(dense, [X])
    assert isinstance(model, onnx.ModelProto)
    agree(dense, model, X)


def test_bytes():
    model = hlo2onnx.to_onnx(dense, [X], return_mode="bytes")
    assert isinstance(model, bytes)
    assert onnx.load_from_string(model) == hlo2onnx.to_onnx(dense, [X])


def test_ir():
    onnx_ir = pytest.importorskip("onnx_ir")
    model = hlo2onnx.to_onnx(dense, [X], return_mode="ir")
    assert isinstance(model, onnx_ir.Model)
    assert model.graph.inputs[0].name == "x"


@pytest.mark.parametrize("kind", [str, pathlib.Path])
def test_file(tmp_path, kind):
    path = kind(tmp_path / "model.onnx")
    assert hlo2onnx.to_onnx(dense, [X], return_mode="file", output_path=path) == str(path)
    agree(dense, str(path), X)
    assert os.listdir(tmp_path) == ["model.onnx"]
    # A second conversion replaces the file.
    hlo2onnx.to_onnx(lambda x: dense(x) * 2, [X], return_mode="file", output_path=path)
    agree(lambda x: dense(x) * 2, str(path), X)


def test_output_path_with_another_mode(tmp_path):
    model = hlo2onnx.to_onnx(dense, [X], output_path=tmp_path / "model.onnx")
    assert onnx.load(tmp_path / "model.onnx") == model


def test_external(tmp_path):
    path = tmp_path / "model.onnx"
    hlo2onnx.to_onnx(dense, [X], return_mode="file", output_path=path, weights="external")
    assert sorted(os.listdir(tmp_path)) == ["model.onnx", "model.onnx.data"]
    assert path.stat().st_size < 10_000
    assert (tmp_path / "model.onnx.data").stat().st_size >= 64 * 512 * 4
    agree(dense, str(path), X)
    # Without external data again, the old file of weights must not be what is read.
    hlo2onnx.to_onnx(dense, [X], return_mode="file", output_path=path)
    (tmp_path / "model.onnx.data").unlink(missing_ok=True)
    agree(dense, str(path), X)


def test_web(tmp_path):
    path = tmp_path / "model.onnx"
    hlo2onnx.to_onnx(dense, [X], return_mode="file", output_path=path, export_mode="web")
    assert os.listdir(tmp_path) == ["model.onnx"]


def test_weights_as_inputs():
    model = convert(dense, ("batch", 64), weights="inputs")
    assert set(names(model.graph.input)) == {"x", "kernel", "bias"}
    assert not {"kernel", "bias"} & initializers(model).keys()
    fed = {"x": X, **{name: np.asarray(array) for name, array in WEIGHTS.items()}}
    result = run(model, *(fed[name] for name in names(model.graph.input)))[0]
    np.testing.assert_allclose(result, dense(X), rtol=1e-5, atol=1e-5)


def test_weights_as_inputs_with_names():
    model = convert(dense, X, weights="inputs", input_names=["image"])
    assert names(model.graph.input)[0] == "image"
    assert set(names(model.graph.input)) == {"image", "kernel", "bias"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"return_mode": "text"}, "return_mode is 'text'"),
        ({"return_mode": "file"}, "needs an output_path"),
        ({"weights": "none"}, "weights is 'none'"),
        ({"weights": "external"}, "needs return_mode='file'"),
        ({"export_mode": "phone"}, "export_mode is 'phone'"),
        (
            {"export_mode": "web", "weights": "external", "return_mode": "file", "output_path": "model.onnx"},
            "one file",
        ),
    ],
)
def test_wrong_options(options, message):
    with pytest.raises(ValueError, match=message):
        hlo2onnx.to_onnx(dense, [X], **options)


def test_folder_that_is_missing(tmp_path):
    with pytest.raises(hlo2onnx.ConversionError, match="does not exist"):
        hlo2onnx.to_onnx(dense, [X], return_mode="file", output_path=tmp_path / "no" / "model.onnx")


def test_same_bytes_each_time():
    first, second = (hlo2onnx.to_onnx(dense, [("b", 64)], return_mode="bytes") for _ in range(2))
    assert first == second


def test_keep_functions_and_debug_info():
    import flax.linen as nn
    import jax

    class Outer(nn.Module):
        @nn.compact
        def __call__(self, x):
            return nn.Dense(3, name="second")(nn.relu(nn.Dense(5, name="first")(x)))

    module = Outer()
    variables = module.init(jax.random.key(0), X)
    model = convert(module, X, variables=variables, keep_functions=True)
    assert len(model.functions) >= 2
    agree(lambda x: module.apply(variables, x), model, X)
    noted = convert(module, X, variables=variables, debug_info=True)
    text = str([node.metadata_props for node in noted.graph.node])
    assert "test_results.py" in text
