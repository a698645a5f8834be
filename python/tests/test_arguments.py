"""Wrong arguments are rejected before the trace, with a message that names them."""

import re

import jax
import numpy as np
import pytest
from support import names, random

import hlo2onnx

X = random(3, 8)
LOWERED = jax.jit(lambda x: x * 2).lower(X)


def never_traced(x):
    raise AssertionError("the function was traced")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"opset": "23"}, "opset is '23', but must be an integer"),
        ({"opset": 23.0}, "opset is 23.0, but must be an integer"),
        ({"opset": -1}, "opset is -1, but must be an integer from 0"),
        ({"opset": True}, "opset is True, but must be an integer"),
        ({"model_name": 3}, "model_name is 3, but must be a string"),
        ({"input_names": "x"}, "input_names is 'x', but must be a list"),
        ({"input_names": {"x": "y"}}, "input_names is {'x': 'y'}, but must be a list"),
        ({"output_names": [None]}, "output_names is [None], but must be a list of strings"),
        ({"inputs_as_nchw": 0}, "inputs_as_nchw is 0, but must be a list"),
        ({"outputs_as_nchw": [0.5]}, "outputs_as_nchw is [0.5], but must be a list of positions or names"),
        ({"dims": "B=3"}, "dims is 'B=3', but must be a list"),
        ({"dims": ["B"]}, "dims is ['B'], but must be a mapping"),
        ({"dims": {"B": 2.5}}, "dims['B'] is 2.5, but must be an integer"),
        ({"dims": {"B": -1}}, "dims['B'] is -1, but must be a size"),
        ({"dims": {"B": 2**70}}, "dims['B'] is 1180591620717411303424, but must be a size"),
        ({"dynamic": "x:0=b"}, "dynamic is 'x:0=b', but must be a list"),
        ({"dynamic": [("x", 0, "b")]}, "dynamic is [('x', 0, 'b')], but must be a list of strings"),
        ({"keep_functions": "yes"}, "keep_functions is 'yes', but must be True or False"),
        ({"max_ops": "many"}, "max_ops is 'many', but must be an integer"),
        ({"output_path": 3}, "output_path is 3, but must be a path"),
        ({"return_mode": "text"}, "return_mode is 'text', but must be 'proto', 'ir', 'file' or 'bytes'"),
    ],
)
def test_wrong_options(options, message):
    with pytest.raises((TypeError, ValueError), match=re.escape(message)):
        hlo2onnx.to_onnx(never_traced, [X], **options)
    with pytest.raises((TypeError, ValueError), match=re.escape(message)):
        hlo2onnx.convert(LOWERED, **options)


def test_wrong_normalization_mode():
    with pytest.raises(ValueError, match="must be 'auto', 'prefer_native' or 'force_decomposed'"):
        hlo2onnx.to_onnx(never_traced, [X], normalization_mode="fast")


def test_options_that_do_not_exist():
    for call in (hlo2onnx.convert, hlo2onnx.check):
        with pytest.raises(TypeError, match=r"unknown option `input_name`; did you mean `input_names`\?"):
            call(LOWERED, input_name=["x"])
    with pytest.raises(TypeError, match="unknown option `zzz`; the options are model_name, opset"):
        hlo2onnx.verify(LOWERED, hlo2onnx.convert(LOWERED), zzz=1)


def test_options_of_numpy():
    model = hlo2onnx.to_onnx(
        lambda x: x * 2,
        [("B", 4, 4, 3)],
        dims={"B": np.int64(2)},
        opset=np.int32(22),
        keep_functions=np.True_,
        inputs_as_nchw=(np.int64(0),),
    )
    assert model.opset_import[0].version == 22
    assert [dim.dim_value for dim in model.graph.input[0].type.tensor_type.shape.dim] == [2, 3, 4, 4]


def test_pairs_and_mappings_are_the_same():
    for dims in ({"B": 4}, [("B", 4)], [["B", 4]]):
        model = hlo2onnx.to_onnx(lambda x: x * 2, [("B", 8)], dims=dims)
        assert model.graph.input[0].type.tensor_type.shape.dim[0].dim_value == 4


def test_images_have_one_name_in_all_calls():
    images = random(2, 4, 4, 3)
    lowered = jax.jit(lambda x: x + 1).lower(images)
    options = {"inputs_as_nchw": [0], "outputs_as_nchw": [0]}
    model = hlo2onnx.convert(lowered, **options)
    assert [dim.dim_value for dim in model.graph.output[0].type.tensor_type.shape.dim] == [2, 3, 4, 4]
    assert hlo2onnx.verify(lambda x: x + 1, model, [images], **options)
    assert hlo2onnx.allclose(lambda x: x + 1, model, [images], **options)[0]


@pytest.mark.documented_jax
def test_files_of_weights_are_a_list_or_one(tmp_path):
    kernel = random(8, 2)
    np.savez(tmp_path / "weights.npz", **{"params/kernel": kernel})
    lowered = jax.jit(lambda params, x: x @ params["kernel"]).lower({"kernel": kernel}, X)
    text = lowered.as_text(debug_info=True)
    for weights in (tmp_path / "weights.npz", str(tmp_path / "weights.npz"), [tmp_path / "weights.npz"]):
        assert names(hlo2onnx.convert(text, weights=weights).graph.input) == ["x"]


def test_external_data_needs_a_file():
    with pytest.raises(ValueError, match="external_data='always' needs return_mode='file'"):
        hlo2onnx.convert(LOWERED, external_data="always")


def test_paths_of_bytes(tmp_path):
    path = str(tmp_path / "model.onnx")
    assert hlo2onnx.to_onnx(lambda x: x, [X], return_mode="file", output_path=path.encode()) == path


def test_what_is_not_a_function():
    for given in (LOWERED, "model.mlir"):
        with pytest.raises(TypeError, match="`convert` takes a lowered program"):
            hlo2onnx.to_onnx(given, [X])
    with pytest.raises(TypeError, match="`to_onnx` takes a function"):
        hlo2onnx.convert(lambda x: x)


class Transformed:
    def apply(self, params, rng, x):
        return x


def test_pairs_of_functions_have_a_hint():
    with pytest.raises(TypeError, match=r"pass a function, such as `lambda x: transformed\.apply"):
        hlo2onnx.to_onnx(Transformed(), [X])
