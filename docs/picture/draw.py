"""Draws docs/diagnostic.svg: what the command line prints about model.py.

    python docs/picture/draw.py [OUT.svg]

It needs jax, flax, rich and the installed package.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
COMMAND = ["convert", "tagger.mlir", "--dynamic", "x:0=batch"]
COLUMNS = 100


def lower() -> str:
    """The text of the model, with the locations of model.py relative to its folder."""
    import jax
    import numpy as np

    jax.config.update("jax_hlo_source_file_canonicalization_regex", r"^.*/(?=model\.py$)")
    sys.path.insert(0, str(FOLDER))
    from model import Tagger

    model = Tagger()
    x = np.zeros((2, 12, 16), np.float32)
    variables = model.init(jax.random.key(0), x)

    def tagger(x):
        return model.apply(variables, x)

    return jax.jit(tagger).lower(x).as_text(debug_info=True)


def output() -> str:
    """What the command line prints, with its colors."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "tagger.mlir").write_text(lower())
        shutil.copy(FOLDER / "model.py", folder)
        run = subprocess.run(
            [sys.executable, "-m", "hlo2onnx", *COMMAND, "--color", "always"],
            cwd=folder,
            env={**os.environ, "COLUMNS": str(COLUMNS), "LC_ALL": "C.UTF-8"},
            capture_output=True,
            text=True,
        )
    if run.returncode != 1:
        raise SystemExit(f"the exit status is {run.returncode}, and 1 was expected\n{run.stderr}")
    return run.stderr


def draw(text: str) -> str:
    """The text in a window, as a self-contained SVG."""
    from rich.console import Console
    from rich.text import Text

    console = Console(record=True, width=COLUMNS, file=open(os.devnull, "w"), force_terminal=True)
    console.print(Text.from_ansi(f"$ hlo2onnx {' '.join(COMMAND)}\n{text.rstrip()}"))
    svg = console.export_svg(title="hlo2onnx", unique_id="diagnostic")
    svg = re.sub(r"\s*@font-face \{.*?\}", "", svg, flags=re.DOTALL)
    return "\n".join(line.rstrip() for line in svg.splitlines()) + "\n"


if __name__ == "__main__":
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER.parent / "diagnostic.svg"
    target.write_text(draw(output()))
