"""Verification: correct models pass, and reports on broken models name the broken node."""

import re
from pathlib import Path

import broken
import flax.linen as nn
import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import onnx
import pytest
from jax import export
from onnx import numpy_helper

import hlo2onnx
from hlo2onnx._verification import FunctionSubject, _verify
from hlo2onnx._verification._errors import compare
from hlo2onnx._verification._reference import Executable
from hlo2onnx._verification._segments import Known, Segments


class Network(nn.Module):
    @nn.compact
    def __call__(self, x):
        x = nn.relu(nn.Conv(4, (3, 3))(x))
        x = nn.LayerNorm()(x)
        x = nn.gelu(nn.Dense(8)(x.reshape(x.shape[0], -1)))
        return nn.softmax(nn.Dense(5)(x))


NETWORK = Network()
VARIABLES = NETWORK.init(jax.random.key(0), jnp.ones((1, 6, 6, 3)))
IMAGES = [("B", 6, 6, 3)]


@pytest.fixture(scope="module")
def network():
    return hlo2onnx.to_onnx(NETWORK, IMAGES, variables=VARIABLES)


def copied(model):
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    return copy


def node_of(model, op_type):
    return next(node for node in model.graph.node if node.op_type == op_type)


@pytest.mark.documented_jax
@pytest.mark.parametrize("program", list(broken.models()), ids=lambda program: program.name)
def test_fixture_models_pass(program):
    model = program.convert()
    report = program.verify(model)
    assert report.passed, str(report)
    assert report.fault is None


def test_a_model_runs_at_two_sizes(network):
    report = hlo2onnx.verify(NETWORK, network, IMAGES, variables=VARIABLES)
    assert [case.sizes for case in report.cases] == [{"B": 2}, {"B": 5}]
    error = report.cases[0].errors[0]
    assert report.passed and 0 < error.absolute <= error.allowed
    assert error.jax > 0 and error.nudge > 0
    assert "The model agrees with JAX." in str(report)


def test_sizes_that_are_rounded_up():
    def program(x, y):
        return x.sum() + y * 2

    size, half = export.symbolic_shape("b, floordiv(b + 1, 2)")
    inputs = [jax.ShapeDtypeStruct((size,), jnp.float32), jax.ShapeDtypeStruct((half,), jnp.float32)]
    exported = export.export(jax.jit(program))(*inputs)
    model = hlo2onnx.convert(exported)
    assert model.graph.input[1].type.tensor_type.shape.dim[0].dim_param == "ceildiv(b, 2)"
    report = hlo2onnx.verify(exported, model)
    assert report.passed and report.checked, str(report)


def test_programs_that_jax_cannot_run_are_not_compared():
    runs = []

    def program(x):
        runs.append(x)
        if len(runs) > 1:
            raise RuntimeError("only once")
        return x * 2

    model = hlo2onnx.to_onnx(lambda x: x * 2, [(3,)])
    report = hlo2onnx.verify(program, model, [(3,)])
    assert not report.passed and not report.checked
    assert str(report).startswith("The model could not be compared with JAX.\n  JAX cannot run the program: only once")


def test_a_model_that_cannot_run_differs():
    report = hlo2onnx.verify(lambda x, y: x * y, hlo2onnx.to_onnx(lambda x: x * 2, [(3,)]), [(3,), (3,)])
    assert not report.passed and report.checked


def test_to_onnx_verifies():
    hlo2onnx.to_onnx(NETWORK, IMAGES, variables=VARIABLES, verify=True)
    hlo2onnx.to_onnx(NETWORK, [(2, 6, 6, 3)], variables=VARIABLES, verify=True, weights="inputs")
    hlo2onnx.to_onnx(NETWORK, [(2, 6, 6, 3)], variables=VARIABLES, verify=True, inputs_as_nchw=[0])


def test_to_onnx_raises_for_a_model_that_differs(monkeypatch):
    def load(model):
        proto = onnx.ModelProto.FromString(model)
        node_of(proto, "Softmax").attribute[0].i = 0
        return proto

    class Broken(_verify.Verification):
        def __init__(self, subject, model, proto, *rest):
            super().__init__(subject, proto, proto, *rest)

    monkeypatch.setattr(_verify, "load", load)
    monkeypatch.setattr(_verify, "Verification", Broken)
    with pytest.raises(hlo2onnx.VerificationError, match="differs from JAX") as caught:
        hlo2onnx.to_onnx(NETWORK, IMAGES, variables=VARIABLES, verify=True)
    assert caught.value.report.fault.ops == ("Softmax",)


def test_a_fault_has_its_line_and_module(network):
    model = copied(network)
    node = node_of(model, "Gemm" if any(node.op_type == "Gemm" for node in model.graph.node) else "MatMul")
    tensor = next(tensor for tensor in model.graph.initializer if tensor.name == node.input[1])
    array = numpy_helper.to_array(tensor).copy()
    array[0, 0] += 1
    tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))
    report = hlo2onnx.verify(NETWORK, model, IMAGES, variables=VARIABLES)
    fault = report.fault
    assert not report.passed and node.output[0] in fault.nodes
    assert fault.python.startswith(__file__) and "Network.__call__" in fault.python
    assert fault.module_path.startswith("Network/Dense_0")
    assert fault.cause == "nodes" and fault.error.example is not None
    text = str(report)
    assert "The first part that differs" in text and f"line: {__file__}" in text


@pytest.fixture(scope="module")
def verify_network():
    """Verifies models of the network. JAX compiles each of its programs only once, not for each model."""
    subject = FunctionSubject(NETWORK, IMAGES, None, VARIABLES, False)
    subject.compile(("<program>", subject.program.text.encode()), subject.request(hlo2onnx.Options(), False))
    compiled = {}

    def executable(text, arrays):
        key = (text, *((array.shape, array.dtype) for array in arrays))
        if key not in compiled:
            compiled[key] = Executable(text, arrays)
        return compiled[key]

    def verify(model):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(_verify, "Executable", executable)
            return _verify.Verification(subject, model, model, hlo2onnx.Options(), None, 0).report()

    return verify


@pytest.mark.parametrize("change", ["another axis", "a wrong constant"])
def test_broken_nodes_are_named(network, verify_network, change):
    named = 0
    random = np.random.default_rng(0)
    for index, node in enumerate(network.graph.node):
        model = copied(network)
        if not broken.CHANGES[change](model.graph, model.graph.node[index], random):
            continue
        report = verify_network(model)
        if report.passed:
            continue
        assert report.fault is not None, f"{change} of {node.name}\n{report}"
        assert node.output[0] in report.fault.nodes, f"{change} of {node.name}\n{report}"
        named += 1
    assert named > 0


def test_a_missing_broadcast_is_named():
    def spread(x):
        return jnp.concatenate([jnp.broadcast_to(x, (3, 4)), jnp.ones((1, 4))])

    model = hlo2onnx.to_onnx(spread, [(1, 4)])
    node = node_of(model, "Expand")
    assert broken.drop_broadcast(model.graph, node, np.random.default_rng(0))
    report = hlo2onnx.verify(spread, model, [(1, 4)])
    assert node.output[0] in report.fault.nodes, str(report)


def test_a_shifted_index_is_named():
    def pick(x):
        return jnp.tanh(x[1:3]) * 2

    model = hlo2onnx.to_onnx(pick, [(5, 4)])
    node = node_of(model, "Slice")
    assert broken.shift_index(model.graph, node, np.random.default_rng(0))
    report = hlo2onnx.verify(pick, model, [(5, 4)])
    assert node.output[0] in report.fault.nodes, str(report)


def test_a_large_element_does_not_hide_a_fault():
    scale = np.array([1e6, 1, 2, 3, 4, 5], np.float32)

    def program(x):
        return (jnp.tanh(x) * scale)[:, 1:]

    x = np.random.default_rng(0).standard_normal((3, 6)).astype(np.float32)
    model = copied(hlo2onnx.to_onnx(program, [x]))
    node = node_of(model, "Mul")
    tensor = next(tensor for tensor in model.graph.initializer if tensor.name in node.input)
    tensor.CopyFrom(numpy_helper.from_array(np.where(scale == 3, 3.5, scale).astype(np.float32), tensor.name))
    report = hlo2onnx.verify(program, model, [x])
    assert not report.passed and report.fault.nodes == (node.name,)
    assert "The part with the largest relative error: this node computes" in str(report)


@pytest.mark.documented_jax
@pytest.mark.parametrize("folder", ["cnn", "dense_bf16", "recurrent", "symbolic_transformer"])
def test_no_part_of_a_correct_model_differs(folder):
    """The map of values is correct: each segment computes JAX's values from JAX's values."""
    program = next(program for program in broken.models() if f"models/{folder}/" in program.name)
    assert broken.false_place(program, program.convert()) is None


def test_integers_are_compared_exactly():
    def count(x):
        return x * 3 + 1

    x = np.arange(6, dtype=np.int32)
    model = hlo2onnx.to_onnx(count, [x])
    assert hlo2onnx.verify(count, model, [x]).passed
    assert not hlo2onnx.verify(lambda x: x * 3 + 2, model, [x]).passed


def test_nan_and_infinity_must_be_where_jax_has_them():
    numbers = np.array([1.0, np.nan, np.inf], np.float32)
    assert compare("x", numbers, numbers).ok
    assert not compare("x", np.array([1.0, 2.0, np.inf], np.float32), numbers).ok
    assert not compare("x", np.array([1.0, np.nan, -np.inf], np.float32), numbers).ok


def test_the_verdict_is_relative_to_the_error_of_jax():
    exact = np.array([1.0, 2.0])
    jax_ = np.array([1.0, 2.001], np.float32)
    found = np.array([1.0, 1.995], np.float32)
    assert compare("x", found, jax_, exact).ok
    assert not compare("x", found, exact.astype(np.float32), exact).ok
    assert compare("x", found, exact.astype(np.float32), exact, [np.array([1.001, 2.0], np.float32)]).ok


def test_a_model_of_other_inputs_is_reported():
    model = hlo2onnx.to_onnx(lambda x, y: x + y, [(2,), (2,)])
    report = hlo2onnx.verify(lambda x: x, model, [(2,)])
    assert not report.passed and "the model has 2 inputs" in str(report)


@pytest.mark.parametrize(
    ("shape", "dtype", "found"),
    [((3, 5), np.float32, "float[3, 5]"), ((4,), np.float32, "float[4]"), ((3, 4), np.int32, "int32[3, 4]")],
)
def test_inputs_that_the_model_does_not_take_are_reported(shape, dtype, found):
    model = hlo2onnx.to_onnx(lambda x: x * 2, [("B", 4)])
    report = hlo2onnx.verify(lambda x: x * 2, model, [np.ones(shape, dtype)])
    assert not report.passed and report.fault is None
    assert f"the model takes float[B, 4] as `x`, but the program takes {found}" in str(report)


def test_an_empty_model_is_an_error():
    with pytest.raises(ValueError, match="the model is empty"):
        hlo2onnx.verify(lambda x: x, b"", [(2,)])


def test_a_segment_that_only_fails_when_optimized_is_a_fault_of_the_runtime(monkeypatch):
    model = hlo2onnx.to_onnx(jnp.tanh, [(3,)])
    output = model.graph.output[0].name
    x = np.ones(3, np.float32)
    segments = Segments(model, {output: Known(np.tanh(x), None, [])}, {model.graph.input[0].name: x})
    right = Segments.check

    def check(self, segment, *, optimized=True):
        error = right(self, segment, optimized=optimized)
        return error if not optimized else compare(segment.value, np.zeros(3, np.float32), np.tanh(x))

    monkeypatch.setattr(Segments, "check", check)
    fault = segments.first_fault()
    assert fault.cause == "runtime" and "optimization is at fault" in fault.message


class TestCommand:
    TEXT = """
    func.func public @main(%x: tensor<3xf32>) -> tensor<3xf32> {
      %0 = stablehlo.tanh %x : tensor<3xf32>
      return %0 : tensor<3xf32>
    }
    """

    @pytest.fixture
    def files(self, tmp_path):
        text, model = tmp_path / "model.mlir", tmp_path / "model.onnx"
        text.write_text(self.TEXT)
        hlo2onnx.convert(text, return_mode="file", output_path=model)
        return text, model

    def run(self, *arguments):
        from hlo2onnx._command_line import main

        return main(["verify", *map(str, arguments)])

    def test_a_correct_model(self, files, capsys):
        assert self.run(*files) == 0
        assert "The model agrees with JAX." in capsys.readouterr().out

    def test_a_wrong_model(self, files, capsys):
        text, model = files
        proto = onnx.load(model)
        proto.graph.node[0].op_type = "Sigmoid"
        onnx.save(proto, model)
        assert self.run(text, model) == 1
        assert "nodes: Sigmoid" in capsys.readouterr().out

    def test_given_inputs_and_outputs(self, files, tmp_path, capsys):
        x = np.array([0.5, -1, 2], np.float32)
        np.savez(tmp_path / "in.npz", x=x)
        np.savez(tmp_path / "out.npz", y=np.tanh(x))
        np.savez(tmp_path / "other.npz", y=np.sin(x))
        inputs = ("--inputs", tmp_path / "in.npz")
        assert self.run(*files, *inputs, "--expected", tmp_path / "out.npz") == 0
        assert self.run(*files, *inputs, "--expected", tmp_path / "other.npz") == 1
        assert "the recorded `result0` differs from JAX's result" in capsys.readouterr().out

    def test_a_missing_file(self, files, capsys):
        assert self.run("missing.mlir", files[1]) == 2
        assert "missing.mlir" in capsys.readouterr().err


def test_messages_are_plain():
    """No message of a report has a path of this package."""
    report = hlo2onnx.verify(jnp.sin, hlo2onnx.to_onnx(jnp.cos, [(3,)]), [(3,)])
    assert not re.search(re.escape(str(Path(hlo2onnx.__file__).parent)), str(report))


@pytest.mark.parametrize("name", ["bfloat16", "float8_e4m3fn", "float8_e4m3fnuz", "float8_e5m2", "float8_e5m2fnuz"])
def test_types_that_numpy_lacks_reach_onnx_runtime(name):
    from hlo2onnx._verification._runtime import Runner, element_type

    values = np.array([1, -2, 0.5], getattr(ml_dtypes, name))
    info = onnx.helper.make_tensor_value_info
    node = onnx.helper.make_node
    graph = onnx.helper.make_graph(
        [node("Cast", ["x"], ["y"], to=onnx.TensorProto.FLOAT), node("Identity", ["x"], ["z"])],
        "cast",
        [info("x", element_type(values.dtype), [3])],
        [info("y", onnx.TensorProto.FLOAT, [3]), info("z", element_type(values.dtype), [3])],
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 21)], ir_version=10)
    wide, same = Runner(model)({"x": values})
    assert wide.tolist() == [1, -2, 0.5]
    assert same.dtype == values.dtype and same.tolist() == values.tolist()


def test_typed_keys():
    def sample(key, x):
        return x + jax.random.normal(key, x.shape), jax.random.split(key)[0]

    inputs = [jax.random.key(3), np.ones((2, 3), np.float32)]
    report = hlo2onnx.verify(sample, hlo2onnx.to_onnx(sample, inputs), inputs)
    assert report, str(report)
