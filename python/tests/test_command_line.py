"""The console script, which is the whole command line."""

import pathlib
import signal
import subprocess
import sys

import onnx
import pytest
from support import agree, random

import hlo2onnx
from hlo2onnx._command_line import main

TEXT = """module @doubled {
  func.func public @main(%x: tensor<3x4xf32>) -> tensor<3x4xf32> {
    %0 = stablehlo.add %x, %x : tensor<3x4xf32>
    return %0 : tensor<3x4xf32>
  }
}
"""


def run(*arguments, **options):
    return subprocess.run(
        [sys.executable, "-m", "hlo2onnx", *map(str, arguments)], capture_output=True, text=True, timeout=60, **options
    )


def test_help_and_version():
    assert "convert" in run("--help").stdout
    assert run("--version").stdout.split() == ["hlo2onnx", hlo2onnx.__version__]
    assert "E0201" in run("explain", "E0201").stdout


def test_convert(tmp_path):
    (tmp_path / "model.mlir").write_text(TEXT)
    done = run("convert", tmp_path / "model.mlir")
    assert done.returncode == 0, done.stderr
    agree(lambda x: x + x, str(tmp_path / "model.onnx"), random(3, 4))


def test_standard_input_and_output():
    done = subprocess.run(
        [sys.executable, "-m", "hlo2onnx", "convert", "-", "-o", "-"], input=TEXT.encode(), capture_output=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert onnx.load_from_string(done.stdout).graph.node[0].op_type == "Add"


def test_statuses(tmp_path):
    (tmp_path / "broken.mlir").write_text(TEXT.replace("stablehlo.add", "stablehlo.nothing"))
    done = run("convert", tmp_path / "broken.mlir")
    assert done.returncode == 1
    assert "error[E" in done.stderr
    assert run("convert").returncode == 2
    assert run("unknown").returncode == 2


def test_main_returns_the_status(tmp_path):
    (tmp_path / "model.mlir").write_text(TEXT)
    handler = signal.getsignal(signal.SIGINT)
    assert main(["check", str(tmp_path / "model.mlir")]) == 0
    assert main(["check", str(tmp_path / "none.mlir")]) == 1
    # A caller in the same process keeps its handler of interrupts.
    assert signal.getsignal(signal.SIGINT) is handler


def test_no_library_is_imported():
    code = "import sys, hlo2onnx; print({'jax', 'flax', 'onnx', 'onnxruntime', 'onnx_ir'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "set()", done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="signals are different there")
def test_interrupt():
    process = subprocess.Popen(
        [sys.executable, "-m", "hlo2onnx", "convert", "-", "-o", "-"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL
    )
    try:
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(1)
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == -signal.SIGINT
    finally:
        process.kill()


def test_typed():
    folder = pathlib.Path(hlo2onnx.__file__).parent
    assert (folder / "py.typed").exists()
    assert (folder / "_native.pyi").exists()
