"""Bytecode becomes the model of its text, in every version that MLIR writes."""

import pathlib
import sys

import artifacts
import pytest

FIXTURES = pathlib.Path(__file__).parents[2] / "fixtures"
FOLDERS = ("ops/*", "passes/*", "models", "bytecode")
MOST_BYTES = 30_000
EACH = 3


def chosen():
    """The first files of each folder, without the large ones."""
    for folder in sorted(path for pattern in FOLDERS for path in FIXTURES.glob(pattern)):
        small = (path for path in sorted(folder.rglob("*.mlir")) if path.stat().st_size < MOST_BYTES)
        yield from list(small)[:EACH]


@pytest.fixture(scope="module")
def tally():
    settings = artifacts.Settings(mutations=2, parse=True)
    return artifacts.run(artifacts.programs(chosen()), settings, jobs=2)


def test_bytecode_and_its_text_become_the_same_model(tally):
    assert not tally.failures, "\n".join(tally.failures)
    assert tally.outcomes["same model"] > 500, f"{tally}"
    assert tally.outcomes["crashed"] < 10, f"{tally}"


def test_damaged_bytecode_is_read_or_refused(tally):
    assert tally.outcomes["damaged: refused"] > 100, f"{tally}"


def test_the_command(tmp_path, capsys, monkeypatch):
    text = "func.func @main(%x: tensor<2xf32>) -> tensor<2xf32> {\n  return %x : tensor<2xf32>\n}\n"
    program = tmp_path / "program.mlir"
    program.write_text(f"{text}// -----\n{text.replace('return', 'nothing')}")
    monkeypatch.setattr(sys, "argv", ["artifacts.py", str(tmp_path), "--versions", "0.9.0", "1.0.0"])
    assert artifacts.main() == 0
    lines = capsys.readouterr().out.split("\n")
    assert [line.strip() for line in lines[:3]] == ["2 artifacts", "2 same model", "0 same refusal"]
    assert "2 not serialized by MLIR" in map(str.strip, lines)
