"""Conversions and checks of lowered programs."""

import gzip
import json
import os

import jax
import jax.numpy as jnp
import numpy as np
import onnx
import pytest
from jax import export
from support import agree, names, random, shapes

import hlo2onnx

X = random(3, 4)
TEXT = """module @doubled {
  func.func public @main(%x: tensor<3x4xf32>) -> tensor<3x4xf32> {
    %0 = stablehlo.add %x, %x : tensor<3x4xf32>
    return %0 : tensor<3x4xf32>
  }
}
"""
BROKEN = TEXT.replace("stablehlo.add", "stablehlo.nothing")


def double(x):
    return x + x


def sources(folder):
    path = folder / "model.mlir"
    path.write_text(TEXT)
    packed = folder / "packed.mlir"
    packed.write_bytes(gzip.compress(TEXT.encode()))
    return {
        "path": path,
        "name of a path": str(path),
        "compressed": packed,
        "text": TEXT,
        "bytes": TEXT.encode(),
        "memoryview": memoryview(TEXT.encode()),
        "compressed bytes": packed.read_bytes(),
        "lowered": jax.jit(double).lower(X),
        "exported": export.export(jax.jit(double))(X),
    }


@pytest.mark.parametrize(
    "kind",
    [
        "path",
        "name of a path",
        "compressed",
        "text",
        "bytes",
        "memoryview",
        "compressed bytes",
        "lowered",
        "exported",
    ],
)
def test_sources(tmp_path, kind):
    source = sources(tmp_path)[kind]
    model = hlo2onnx.convert(source)
    onnx.checker.check_model(model, full_check=True)
    agree(double, model, X)
    assert {item.severity for item in hlo2onnx.check(source)} <= {"advice"}


def test_names_of_lowered_and_exported():
    for source in (jax.jit(double).lower(X), export.export(jax.jit(double))(X)):
        assert names(hlo2onnx.convert(source).graph.input) == ["x"]


def test_symbolic_export():
    (size,) = export.symbolic_shape("rows")
    exported = export.export(jax.jit(double))(jax.ShapeDtypeStruct((size, 4), jnp.float32))
    assert shapes(hlo2onnx.convert(exported).graph.input) == [("rows", 4)]
    assert shapes(hlo2onnx.convert(exported, dims={"rows": 5}).graph.input) == [(5, 4)]


def test_bytecode():
    exported = export.export(jax.jit(lambda weights, x: x @ weights["w"]))(
        {"w": jnp.ones((4, 2))}, jax.ShapeDtypeStruct(export.symbolic_shape("n, 4"), jnp.float32)
    )
    model = hlo2onnx.convert(exported)
    for program in (exported.serialize(), exported.mlir_module_serialized):
        assert hlo2onnx.convert(bytes(program)) == model
        assert not [diagnostic for diagnostic in hlo2onnx.check(bytes(program)) if diagnostic.severity == "error"]
        assert hlo2onnx.verify(bytes(program), model)


def test_damaged_bytecode():
    program = export.export(jax.jit(double))(X).mlir_module_serialized
    with pytest.raises(hlo2onnx.ConversionError, match="E0011") as caught:
        hlo2onnx.convert(bytes(program[:-20]))
    assert "cut off" in str(caught.value)


def test_options():
    model = hlo2onnx.convert(
        TEXT, model_name="mine", input_names=["left"], output_names=["right"], opset=20, dynamic=["left:0=rows"]
    )
    assert (model.graph.name, names(model.graph.input), names(model.graph.output)) == ("mine", ["left"], ["right"])
    assert model.opset_import[0].version == 20
    assert shapes(model.graph.input) == [("rows", 4)]
    with pytest.raises(TypeError, match="color"):
        hlo2onnx.convert(TEXT, color="red")
    with pytest.raises(ValueError, match="external_data is 'somewhere'"):
        hlo2onnx.convert(TEXT, external_data="somewhere")


def test_file(tmp_path):
    path = tmp_path / "model.onnx"
    assert hlo2onnx.convert(TEXT, return_mode="file", output_path=path) == str(path)
    agree(double, str(path), X)
    assert hlo2onnx.convert(TEXT, return_mode="bytes", output_path=path) == path.read_bytes()
    with pytest.raises(ValueError, match="needs an output_path"):
        hlo2onnx.convert(TEXT, return_mode="file")
    with pytest.raises(ValueError, match="return_mode is 'text'"):
        hlo2onnx.convert(TEXT, return_mode="text")


def test_weights(tmp_path):
    text = jax.jit(lambda params, x: x @ params["kernel"]).lower({"kernel": jnp.ones((4, 5))}, X)
    kernel = random(4, 5, seed=2)
    np.savez(tmp_path / "weights.npz", kernel=kernel)
    model = hlo2onnx.convert(text, weights=[tmp_path / "weights.npz"])
    assert names(model.graph.input) == ["x"]
    assert names(model.graph.initializer) == ["kernel"]
    agree(lambda x: x @ kernel, model, X)


def test_a_model_that_is_too_large_for_its_form(tmp_path):
    count = 600_000_000
    header = json.dumps({"w": {"dtype": "F32", "shape": [count], "data_offsets": [0, 4 * count]}}).encode()
    with open(tmp_path / "w.safetensors", "wb") as file:
        file.write(len(header).to_bytes(8, "little") + header + np.arange(16, dtype=np.float32).tobytes())
        # The rest is a hole in the file, which takes no space.
        file.truncate(8 + len(header) + 4 * count)
    text = f"""func.func public @main(%w: tensor<{count}xf32> loc("w"), %i: tensor<i32>) -> tensor<4xf32> {{
      %0 = stablehlo.dynamic_slice %w, %i, sizes = [4] : (tensor<{count}xf32>, tensor<i32>) -> tensor<4xf32>
      return %0 : tensor<4xf32>
    }}
    """
    weights = [tmp_path / "w.safetensors"]
    with pytest.raises(hlo2onnx.ConversionError, match="E0403") as raised:
        hlo2onnx.convert(text, return_mode="bytes", weights=weights)
    assert any('`return_mode="file"`' in str(item.help) for item in raised.value.diagnostics)
    path = tmp_path / "model.onnx"
    with pytest.raises(hlo2onnx.ConversionError, match="E0403") as raised:
        hlo2onnx.convert(text, return_mode="file", output_path=path, external_data="never", weights=weights)
    assert any('omit `external_data="never"`' in str(item.help) for item in raised.value.diagnostics)


def test_broken_text():
    (error,) = [item for item in hlo2onnx.check(BROKEN) if item.severity == "error"]
    assert "nothing" in error.message
    assert BROKEN.splitlines()[error.labels[0].line - 1].strip().startswith("%0")
    with pytest.raises(hlo2onnx.ConversionError) as raised:
        hlo2onnx.convert(BROKEN)
    assert raised.value.diagnostics[0].code == error.code
    assert "<text>:3:" in str(raised.value)


def test_what_is_missing(tmp_path):
    with pytest.raises(hlo2onnx.ConversionError, match="cannot read"):
        hlo2onnx.convert(tmp_path / "none.mlir")
    assert [item.severity for item in hlo2onnx.check(tmp_path / "none.mlir")] == ["error"]
    with pytest.raises(hlo2onnx.ConversionError, match=r"none\.npz"):
        hlo2onnx.convert(TEXT, weights=[tmp_path / "none.npz"])
    assert os.listdir(tmp_path) == []


def test_what_is_not_a_program():
    with pytest.raises(TypeError, match="not `int`"):
        hlo2onnx.convert(7)
    with pytest.raises(TypeError, match="not `function`"):
        hlo2onnx.check(double)
