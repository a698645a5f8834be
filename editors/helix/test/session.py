"""Tests the settings in a real Helix, which `HX` names or which is on `PATH`. The program hlo2onnx is on `PATH`.

Colors need the grammar as a folder with the C files of tree-sitter-mlir, which `TREE_SITTER_MLIR` names.
"""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import shutil
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Mapping
from pathlib import Path

HELIX = Path(__file__).parent.parent
TEXT = """\
func.func @main(%arg0: tensor<?x?xf32>) -> tensor<?x?xf32> {
  %0 = stablehlo.cholesky %arg0, lower = true : tensor<?x?xf32>
  return %0 : tensor<?x?xf32>
}
"""
ESCAPES = re.compile(r"\x1b\[[0-9;?<>=]*[A-Za-z]|\x1b[()=>][A-Za-z0-9]?")
SECONDS = 20


def configure(folder: Path) -> bool:
    """Write the settings into a folder, and return whether there is a grammar."""
    helix = folder / "helix"
    helix.mkdir()
    shutil.copy(HELIX / "languages.toml", helix)
    shutil.copytree(HELIX / "queries", helix / "runtime" / "queries")
    source = os.environ.get("TREE_SITTER_MLIR")
    if source is None:
        return False
    (helix / "runtime" / "grammars").mkdir()
    library = helix / "runtime" / "grammars" / "mlir.so"
    files = [f"{source}/parser.c", f"{source}/scanner.c"]
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", f"-I{source}", *files, "-o", library], check=True)
    return True


def session(helix: str, environment: Mapping[str, str], text: Path) -> str:
    """Open a text, go to its first diagnostic, and return what the terminal showed, with its colors."""
    child, terminal = pty.fork()
    if child == 0:
        os.execvpe(helix, [helix, str(text)], environment)
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 160, 0, 0))
    shown = b""
    end = time.monotonic() + SECONDS
    try:
        while time.monotonic() < end and "must be static" not in ESCAPES.sub("", shown.decode(errors="replace")):
            if select.select([terminal], [], [], 0.5)[0]:
                part = os.read(terminal, 1 << 16)
                shown += part
                # The terminal's answer to what it is.
                if b"\x1b[c" in part:
                    os.write(terminal, b"\x1b[?62;c")
            else:
                os.write(terminal, b"gg]d")
        os.write(terminal, b"\x1b:q!\r")
    finally:
        time.sleep(0.5)
        os.close(terminal)
        os.waitpid(child, 0)
    return shown.decode(errors="replace")


def main() -> int:
    """Run the tests, and return the exit status."""
    helix = os.environ.get("HX") or shutil.which("hx") or shutil.which("helix")
    if helix is None:
        print("skipped: Helix is not on PATH, and HX does not name it")
        return 0
    version = subprocess.run([helix, "--version"], capture_output=True, text=True, check=True).stdout.strip()
    results: list[tuple[str, bool]] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        has_grammar = configure(folder)
        terminal = {"TERM": "xterm-256color", "COLORTERM": "truecolor"}
        environment = {**os.environ, **terminal, "XDG_CONFIG_HOME": name, "XDG_CACHE_HOME": name}
        health = subprocess.run([helix, "--health", "mlir"], capture_output=True, text=True, check=True, env=environment).stdout
        health = ESCAPES.sub("", health)
        results.append(("the server is found", re.search(r"✓\W*hlo2onnx", health) is not None))
        text = folder / "broken.mlir"
        text.write_text(TEXT)
        shown = session(helix, environment, text)
        plain = ESCAPES.sub("", shown)
        results.append(("a diagnostic is shown", "must be static" in plain))
        release = tuple(int(part) for part in re.findall(r"\d+", version)[:2])
        if not has_grammar:
            print("skipped: the colors in Helix: TREE_SITTER_MLIR does not name the sources of the grammar")
        elif release < (25, 7):
            print(f"skipped: the colors in Helix: {version} is older than the grammar")
        else:
            parts = [r"Tree-sitter parser: *✓", r"Highlight queries: *✓", r"Indent queries: *✓"]
            results.append(("the grammar is found", all(re.search(part, health) for part in parts)))
            found = re.findall(r"\x1b\[38;2;([0-9;]+)m(?:stablehlo\.cholesky|%arg0|tensor)", shown)
            results.append(("the text has colors", len(set(found)) >= 3))
    for test, passed in results:
        print(f"{'ok' if passed else 'FAILED'}: {test}")
    failed = sum(not passed for _, passed in results)
    print(f"In {version}:\n{len(results) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
