"""MLIR reads what ``hlo2onnx opt`` prints. ``printed.py`` checks all of fixtures, and other folders."""

import pathlib

import printed
import pytest

FIXTURES = pathlib.Path(__file__).parents[2] / "fixtures"
VALID = """func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> {
  %0 = stablehlo.add %x, %x : tensor<4xf32>
  return %0 : tensor<4xf32>
}
"""
SHARE = 8
"""One of so many cases of the families of ops."""


@pytest.mark.parametrize("folder", ["models", "passes", "ops/dynamic", "ops/mixed", "ops"])
def test_mlir_reads_what_opt_prints(folder):
    step = SHARE if folder == "ops" else 1
    cases = list(printed.cases([FIXTURES / folder]))[::step]
    verdicts = list(printed.check(cases, jobs=2))
    assert [str(verdict) for verdict in verdicts if verdict.outcome == "refused"] == []
    assert any(verdict.modules > 1 for verdict in verdicts)


def test_faults_are_found():
    worker = printed.Worker()
    try:
        assert worker.fault(VALID, unknown_ops=False) is None
        assert "expects different type" in worker.fault(VALID.replace("return %0 : tensor<4xf32>", "return %0 : f32"), False)
        own = VALID.replace("stablehlo.add %x, %x :", '"hlo2onnx.softplus"(%x) : (tensor<4xf32>) ->')
        assert "unregistered" in worker.fault(own, unknown_ops=False)
        assert worker.fault(own, unknown_ops=True) is None
    finally:
        worker.close()


def test_each_pass_is_printed():
    text = VALID.replace("main", "twice", 1)
    worker = printed.Worker()
    try:
        found = dict(printed.modules(printed.Case("two", text), worker.run))
    finally:
        worker.close()
    assert "no pass" in found and all("stablehlo.add" in module for module in found.values())
    assert set(found) <= {"no pass", *printed.passes()}
    assert printed.passes()[0] == "normalize" and "lower" not in printed.passes()


def test_options_of_fixtures():
    header = '//! dynamic = ["x:0=batch", "y:0=batch"]\n//! strict_nan = true\n//! rtol = 1e-4\n'
    assert list(printed.options(header)) == ["--dynamic", "x:0=batch", "--dynamic", "y:0=batch", "--strict-nan"]
