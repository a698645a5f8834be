"""Runs docs/notebook.ipynb: in a kernel if nbclient is installed, otherwise cell by cell."""

from __future__ import annotations

import importlib
import importlib.util
import json
import linecache
import os
from pathlib import Path
from typing import Any

import pytest

import hlo2onnx

NOTEBOOK = Path(__file__).resolve().parents[2] / "docs" / "notebook.ipynb"
HAS_KERNEL = all(importlib.util.find_spec(name) for name in ("nbformat", "nbclient", "ipykernel"))


@pytest.mark.skipif(HAS_KERNEL, reason="the notebook runs in a kernel")
def test_cells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, Any] = {"__name__": "__main__"}
    for number, cell in enumerate(json.loads(NOTEBOOK.read_text())["cells"]):
        if cell["cell_type"] != "code":
            continue
        source, name = "".join(cell["source"]), f"<cell {number}>"
        # IPython does the same, so that diagnostics can quote the line.
        linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
        exec(compile(source, name, "exec"), namespace)
    error = namespace["problem"]
    assert isinstance(error, hlo2onnx.ConversionError)
    assert "nn.softmax(scores, axis=0)" in str(error)


@pytest.mark.skipif(not HAS_KERNEL, reason="no kernel is installed")
def test_kernel(tmp_path: Path) -> None:
    nbclient, nbformat = map(importlib.import_module, ("nbclient", "nbformat"))
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(notebook)
    # The kernel imports the package from the same path as this process.
    environment = {**os.environ, "PYTHONPATH": str(Path(hlo2onnx.__file__).parents[1])}
    client = nbclient.NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(tmp_path)}})
    client.execute(env=environment)
    shown = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    pages = [output.data["text/html"] for output in shown if "text/html" in output.get("data", {})]
    assert any("nn.softmax(scores, axis=0)" in page for page in pages)
