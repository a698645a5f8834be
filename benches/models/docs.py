"""Writes the tables of measured models to README.md and docs/performance.md, between marks."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import report
from report import Record

BEGIN, END = "<!-- models -->", "<!-- /models -->"
TITLES = {"ours": "hlo2onnx", "target": "with target", "jax2onnx": "jax2onnx", "torch": "torch", "jax": "JAX"}


def markdown(header: list[str], rows: list[list[str]]) -> str:
    """A table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def nodes(record: Record) -> str:
    """The nodes by default, with the target, and of jax2onnx."""
    return " / ".join(str(record["tools"].get(tool, {}).get("nodes", "-")) for tool in ("ours", "target", "jax2onnx"))


def cells(record: Record, threads: int) -> list[str]:
    """The times of one model."""
    return [report.milliseconds(report.time_of(record, tool, threads)) for tool in TITLES]


def means(records: list[Record], threads: int) -> list[list[str]]:
    """For each pair of tools the geometric means: all models, those of real size, and small ones."""
    groups = [records, [r for r in records if r["real"]], [r for r in records if not r["real"]]]
    rows = []
    for tool in ("ours", "target"):
        for other in ("jax2onnx", "torch", "jax"):
            values = [report.mean(report.ratio(record, tool, other, threads) for record in group) for group in groups]
            if values[0] is not None:
                rows.append([f"{TITLES[tool]} / {TITLES[other]}", *map(report.number, values)])
    return rows


def origin(document: dict[str, Any]) -> str:
    """When, where and with what it was measured."""
    versions = ", ".join(f"{name} {version}" for name, version in document["versions"].items())
    return f"Measured on {document['date']} on {document['machine']}, with {versions}."


def summary(document: dict[str, Any]) -> str:
    """The table of README.md."""
    records = document["models"]
    real = [record for record in records if record["real"]]
    table = markdown(
        ["model", "nodes", *(f"{title}, ms" for title in TITLES.values())],
        [[record["model"], nodes(record), *cells(record, 1)] for record in real],
    )
    shares = markdown(["ratio of times", "all", "real size", "small"], means(records, 1))
    return f"{origin(document)}\n\n{table}\n\nGeometric means over {len(records)} models:\n\n{shares}"


def whole(document: dict[str, Any]) -> str:
    """The tables of docs/performance.md."""
    records = document["models"]
    parts = [origin(document)]
    for threads in sorted({int(key) for r in records for note in r["tools"].values() for key in note.get("runs", {})}):
        kind = "One thread, CPU time" if threads == 1 else f"{threads} threads, wall time"
        header = ["model", "nodes", *(f"{title}, ms" for title in TITLES.values()), "/ jax2onnx", "/ JAX", "error / JAX's"]
        rows = []
        for record in records:
            both = [
                " / ".join(report.number(report.ratio(record, tool, other, threads)) for tool in ("ours", "target"))
                for other in ("jax2onnx", "jax")
            ]
            errors = [record["tools"].get(tool, {}).get("error_ratio") for tool in ("ours", "target")]
            error = " / ".join(report.number(value, 1) for value in errors)
            rows.append([record["model"], nodes(record), *cells(record, threads), *both, error])
        shares = markdown(["geometric mean", "all", "real size", "small"], means(records, threads))
        parts += [f"{kind}:", markdown(header, rows), shares]
    failed = [
        f"- `{record['model']}`: {note['error'].splitlines()[0]}"
        for record in records
        for tool, note in record["tools"].items()
        if tool == "jax2onnx" and "error" in note
    ]
    if failed:
        parts += [
            f"jax2onnx does not convert, or converts to a model that does not run, {len(failed)} models:",
            "\n".join(failed),
        ]
    return "\n\n".join(parts)


def write(document: dict[str, Any], root: Path) -> None:
    """Replaces what is between the marks."""
    for file, text in {"README.md": summary(document), "docs/performance.md": whole(document)}.items():
        path = root / file
        found = re.fullmatch(f"(.*{BEGIN}\n).*(\n{END}.*)", path.read_text(), flags=re.DOTALL)
        if found is None:
            raise SystemExit(f"{file} has no place for the table of models")
        path.write_text(f"{found[1]}{text}{found[2]}")
