"""Runs the Python snippets of README.md and docs/.

The ```python blocks of a page run in order, in one namespace and a temporary folder. Comments in front of a block mark it:

``<!-- not run: REASON -->``
    The block does not run.
``<!-- needs PACKAGE -->``
    The block, and the rest of the page, runs only if the package is installed.
``<!-- prints -->``
    The block is the output of the Python block above it. A line ``...`` matches any lines, and ``...`` within
    a line matches any characters.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import linecache
import logging
import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[2]
GENERATED = ["errors.md"]
"""tests/codes.rs runs the snippets of these pages, and writes the pages."""
PAGES = [ROOT / "README.md", *(page for page in sorted((ROOT / "docs").glob("*.md")) if page.name not in GENERATED)]
BLOCK = re.compile(
    r"(?:^<!-- (?P<mark>[^\n]*?) -->\n+)?^(?P<indent> *)```(?P<kind>\w+)[^\n]*\n(?P<body>.*?)^ *```$",
    re.MULTILINE | re.DOTALL,
)
FILE = "model.py"
"""The name of the file that the blocks of a page run in, as diagnostics show it."""


class Block(NamedTuple):
    """A block of a page, with its mark and the number of its first line."""

    kind: str
    mark: str
    line: int
    body: str


def blocks(page: Path) -> Iterator[Block]:
    """The blocks of a page that are Python or that Python prints."""
    text = page.read_text()
    for match in BLOCK.finditer(text):
        mark = match["mark"] or ""
        if match["kind"] != "python" and mark != "prints":
            continue
        indent = len(match["indent"])
        body = "".join(line[indent:] or "\n" for line in match["body"].splitlines(keepends=True))
        yield Block(match["kind"], mark, text.count("\n", 0, match.start("body")) + 1, body)


def has_python(page: Path) -> bool:
    return any(block.kind == "python" and not block.mark.startswith("not run: ") for block in blocks(page))


@pytest.mark.documented_jax
@pytest.mark.parametrize("page", list(filter(has_python, PAGES)), ids=lambda page: page.name)
def test_page(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    # A page may change how the package reports advice and warnings.
    monkeypatch.setattr(logging.getLogger("hlo2onnx"), "level", logging.NOTSET)
    monkeypatch.setattr(warnings, "filters", warnings.filters[:])
    file = tmp_path / FILE
    namespace: dict[str, object] = {"__name__": "__main__", "__file__": str(file)}
    source, printed = "", ""
    for block in blocks(page):
        place = f"{page.name}:{block.line}"
        if block.kind != "python":
            matches(block.body, printed.replace(f"{tmp_path}/", ""), place)
            continue
        if block.mark.startswith("not run: "):
            continue
        package = block.mark.removeprefix("needs ")
        if package != block.mark and importlib.util.find_spec(package) is None:
            pytest.skip(f"{place} needs {package}")
        above = source.count("\n")
        source += block.body
        file.write_text(source)
        linecache.checkcache(str(file))
        printed = run("\n" * above + block.body, file, namespace, place)


def run(source: str, file: Path, namespace: dict[str, object], place: str) -> str:
    """Run a block and return what it prints."""
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        try:
            exec(compile(source, str(file), "exec"), namespace)
        except Exception as error:
            raise AssertionError(f"the block at {place} raises {type(error).__name__}: {error}") from error
    return output.getvalue()


def matches(expected: str, printed: str, place: str) -> None:
    """Compare what was printed with what the page shows."""

    def pattern(line: str) -> str:
        return r"(?:.*\n)*?" if line.strip() == "..." else re.escape(line).replace(r"\.\.\.", ".*") + r"\n"

    lines = "".join(f"{line.rstrip()}\n" for line in printed.strip().splitlines())
    wanted = "".join(map(pattern, expected.strip().splitlines()))
    assert re.fullmatch(wanted, lines), f"{place} shows\n{expected}\nand Python prints\n{printed}"


def test_marks_are_known() -> None:
    """A misspelled mark would omit a block, or run one that cannot run."""
    for page in PAGES:
        for match in re.finditer(r"^<!-- (.*?) -->\n+ *```(\w+)", page.read_text(), re.MULTILINE):
            mark, kind = match.groups()
            known = mark == "prints" if kind == "text" else re.match(r"not run: \w|needs \w+$", mark)
            assert known or kind not in ("python", "text"), f"{page.name}: <!-- {mark} -->"


def test_matches() -> None:
    matches("a\n...\nd ... e\n", "a\nb\nc\nd 1 e\n", "here")
    with pytest.raises(AssertionError):
        matches("a\nb\n", "a\nc\n", "here")
