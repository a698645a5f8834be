"""ONNX's checker accepts the models of all fixtures."""

import re
import warnings
from pathlib import Path

import onnx
import pytest

import hlo2onnx

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures"


def operations():
    """The texts of fixtures/ops, with the options of their headers."""
    # Python 3.10 lacks it.
    tomllib = pytest.importorskip("tomllib")
    for path in sorted((FIXTURES / "ops").rglob("*.mlir")):
        text = path.read_text()
        head = tomllib.loads("\n".join(line[3:] for line in text.split("\n") if line.startswith("//!")))
        options = {name: head[name] for name in ("opset", "dynamic", "keep_functions", "strict_nan") if name in head}
        for index, case in enumerate(re.split(r"(?m)^// -----$", text)):
            yield f"{path.relative_to(FIXTURES)}::{index}", case, options


def models():
    """The texts of fixtures/models: as they are, with weights, and with modules as functions."""
    for path in sorted((FIXTURES / "models").rglob("*.mlir")):
        name, text, weights = str(path.relative_to(FIXTURES)), path.read_text(), path.with_name("weights.safetensors")
        yield name, text, {}
        if ".args" in path.name and weights.exists():
            yield f"{name} with weights", text, {"weights": (str(weights),)}
        if "#loc" in text:
            yield f"{name} with functions", text, {"keep_functions": True}


def faults(programs):
    """The number of models, and the errors of the checker."""
    count, found = 0, []
    for name, text, options in programs:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                model = hlo2onnx.convert(text, **options)
        except hlo2onnx.ConversionError:
            # The tests in Rust know which programs convert.
            continue
        count += 1
        try:
            onnx.checker.check_model(model, full_check=True)
            onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True, data_prop=True)
        except Exception as error:
            found.append(f"{name}: {str(error).strip()[:400]}")
    return count, found


@pytest.mark.documented_jax
@pytest.mark.parametrize(("programs", "least"), [(operations, 1100), (models, 40)])
def test_the_checker_accepts_the_models_of_fixtures(programs, least):
    count, found = faults(programs())
    assert not found, f"{len(found)} of {count} models:\n" + "\n".join(found)
    assert count >= least
