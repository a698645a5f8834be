"""Images in NHWC and NCHW."""

import flax.linen as nn
import jax
import numpy as np
import pytest
from support import convert, names, random, run, shapes

import hlo2onnx

X = random(2, 16, 12, 3)


@pytest.fixture(scope="module")
def program():
    conv = nn.Conv(5, (3, 3))
    variables = conv.init(jax.random.key(0), X)

    def forward(image, scale):
        return {"map": conv.apply(variables, image) * scale, "mean": image.mean()}

    return forward


@pytest.mark.parametrize("places", [([0], [0]), (["image"], ["map"])])
def test_places(program, places):
    inputs, outputs = places
    model = convert(program, X, np.float32(2), inputs_as_nchw=inputs, outputs_as_nchw=outputs)
    assert shapes(model.graph.input) == [(2, 3, 16, 12), ()]
    assert shapes(model.graph.output)[0] == (2, 5, 16, 12)
    found = run(model, X.transpose(0, 3, 1, 2), np.float32(2))
    np.testing.assert_allclose(found[0].transpose(0, 2, 3, 1), program(X, 2)["map"], rtol=1e-4, atol=1e-4)


def test_symbolic_batch(program):
    model = convert(program, ("batch", 16, 12, 3), (), inputs_as_nchw=["image"])
    assert shapes(model.graph.input)[0] == ("batch", 3, 16, 12)
    assert names(model.graph.input) == ["image", "scale"]


def test_allclose(program):
    inputs = [("batch", 16, 12, 3), ()]
    model = convert(program, *inputs, inputs_as_nchw=[0], outputs_as_nchw=["map"])
    agrees, message = hlo2onnx.allclose(program, model, inputs, inputs_as_nchw=[0], outputs_as_nchw=["map"])
    assert agrees, message


def test_what_is_not_an_image(program):
    with pytest.raises(hlo2onnx.ConversionError, match="scale"):
        convert(program, X, np.float32(2), inputs_as_nchw=["scale"])
    with pytest.raises(hlo2onnx.ConversionError, match="nothing"):
        convert(program, X, np.float32(2), inputs_as_nchw=["nothing"])
    with pytest.raises(hlo2onnx.ConversionError, match="7"):
        convert(program, X, np.float32(2), inputs_as_nchw=[7])
