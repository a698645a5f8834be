"""Builds the site, and redraws its picture."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import hlo2onnx

ROOT = Path(__file__).resolve().parents[2]
MARKS = ("E0305", "model.py:12:16", "Attention.__call__")
"""The picture must show these, with any version of JAX and the renderer."""


def test_site_builds_without_a_warning(tmp_path: Path) -> None:
    for package in ("mkdocs", "material", "mkdocs_jupyter", "mkdocstrings"):
        pytest.importorskip(package)
    run = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    assert "to_onnx" in (tmp_path / "api" / "index.html").read_text()


@pytest.mark.documented_jax
def test_picture_shows_what_is_printed(tmp_path: Path) -> None:
    pytest.importorskip("rich")
    environment = {**os.environ, "PYTHONPATH": str(Path(hlo2onnx.__file__).parents[1])}
    drawn = tmp_path / "drawn.svg"
    subprocess.run([sys.executable, ROOT / "docs/picture/draw.py", drawn], env=environment, check=True)
    for picture in (drawn, ROOT / "docs/diagnostic.svg"):
        text = picture.read_text()
        assert all(mark in text for mark in MARKS), picture
