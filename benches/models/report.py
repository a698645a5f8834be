"""Tables of measured models, and the bounds that the project sets itself."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

Record = dict[str, Any]

# The largest geometric mean of each ratio.
MEANS = {("ours", "jax2onnx"): 0.70, ("target", "jax2onnx"): 0.65, ("ours", "jax"): 0.85, ("target", "jax"): 0.85}
# The most nodes of each layer, or of the whole model if it has one.
NODES = {"bert-base": 12, "gpt2": 12, "vit-base": 11, "llama": 14, "resnet50": 125}
TOOLS = ("ours", "target", "jax2onnx", "torch", "jax")


def time_of(record: Record, tool: str, threads: int = 1) -> float | None:
    """Milliseconds: CPU time on one thread, wall time on more."""
    if tool == "jax":
        both = [time_of(record, f"jax {form}", threads) for form in ("constants", "arguments")]
        return min((time for time in both if time is not None), default=None)
    times = record["tools"].get(tool, {}).get("runs", {}).get(str(threads), {})
    value: float | None = times.get("cpu_ms" if threads == 1 else "wall_ms")
    return value


def ratio(record: Record, tool: str, other: str, threads: int = 1) -> float | None:
    """A tool's time, as a share of another's."""
    a, b = time_of(record, tool, threads), time_of(record, other, threads)
    return None if a is None or b is None else a / b


def mean(values: Iterable[float | None]) -> float | None:
    """The geometric mean of those that are known."""
    known = [math.log(value) for value in values if value is not None]
    return math.exp(sum(known) / len(known)) if known else None


def bound(record: Record, other: str) -> float:
    """The largest ratio of one model."""
    if other == "jax":
        return 0.95 if record["real"] else 3.0 if record["random"] else 2.0
    return 0.95 if other == "torch" else 1.0


def labels(records: list[Record]) -> list[str]:
    """The tools that are measured against others, which may be several builds of hlo2onnx."""
    seen = dict.fromkeys(tool for record in records for tool in record["tools"])
    return [tool for tool in seen if tool not in TOOLS[2:] and not tool.startswith("jax ")]


def number(value: float | None, digits: int = 2) -> str:
    """A ratio, or a dash."""
    return "-" if value is None else f"{value:.{digits}f}"


def milliseconds(value: float | None) -> str:
    """Three digits."""
    return "-" if value is None else f"{value:.3g}" if value < 100 else f"{value:.0f}"


def line(record: Record) -> str:
    """What is printed as soon as a model is measured."""
    parts = [record["model"]]
    if "error" in record:
        parts.append(f"failed: {record['error']}")
    for tool, note in record["tools"].items():
        if "error" in note:
            parts.append(f"{tool} failed")
            continue
        times = " ".join(milliseconds(time_of(record, tool, int(threads))) for threads in note.get("runs", {}))
        parts.append(f"{tool} {times} ms" + (f" {note['nodes']} nodes" if "nodes" in note else ""))
    return ", ".join(parts)


def rows(records: list[Record], threads: int) -> tuple[list[str], list[list[str]]]:
    """The header and the rows of the whole table."""
    tools = labels(records)
    others = [other for other in TOOLS[2:] if any(time_of(record, other, threads) for record in records)]
    header = ["model", *(f"nodes {tool}" for tool in (*tools, "jax2onnx")), *(f"{tool} ms" for tool in (*tools, *others))]
    pairs = [(tool, other) for other in others for tool in tools]
    header += [f"{tool}/{other}" for tool, other in pairs] + [f"error {tool}" for tool in tools]
    table = []
    for record in records:
        notes = record["tools"]
        row = [record["model"]]
        row += [str(notes.get(tool, {}).get("nodes", "-")) for tool in (*tools, "jax2onnx")]
        row += [milliseconds(time_of(record, tool, threads)) for tool in (*tools, *others)]
        for tool, other in pairs:
            value = ratio(record, tool, other, threads)
            row.append(number(value) + ("!" if value is not None and value > bound(record, other) else ""))
        row += [number(notes.get(tool, {}).get("error_ratio"), 1) for tool in tools]
        table.append(row)
    groups = {"all": records, "real": [r for r in records if r["real"]], "small": [r for r in records if not r["real"]]}
    for name, group in groups.items():
        blank = [""] * (1 + len(tools) + len(tools) + len(others))
        means = [mean(ratio(record, *pair, threads) for record in group) for pair in pairs]
        marks = [
            "!" if value is not None and name == "all" and value > MEANS.get(pair, math.inf) else ""
            for value, pair in zip(means, pairs)
        ]
        table.append([f"geometric mean, {name}", *blank, *(number(value) + mark for value, mark in zip(means, marks))])
        table[-1] += [""] * len(tools)
    return header, table


def aligned(header: list[str], table: list[list[str]]) -> str:
    """Text in columns."""
    lines = [header, *table]
    widths = [max(len(line[i]) for line in lines) for i in range(len(header))]
    return "\n".join(
        "  ".join(cell.ljust(width) if i == 0 else cell.rjust(width) for i, (cell, width) in enumerate(zip(line, widths)))
        for line in lines
    )


def faults(records: list[Record]) -> list[str]:
    """What is above a bound, on one thread, and what failed."""
    found = []
    for record in records:
        name = record["model"]
        if "error" in record:
            found.append(f"{name}: {record['error']}")
        for tool in labels(records):
            note = record["tools"].get(tool, {})
            if "error" in note:
                found.append(f"{name}: {tool}: {note['error']}")
            for other in ("jax2onnx", "torch", "jax"):
                value = ratio(record, tool, other)
                if value is not None and value > bound(record, other):
                    found.append(f"{name}: {tool} takes {value:.2f} of the time of {other}, more than {bound(record, other)}")
            most = NODES.get(name, math.inf) * record["layers"]
            if note.get("nodes", 0) > most:
                found.append(f"{name}: {tool} has {note['nodes']} nodes, more than {most}")
            if note.get("error_ratio", 0.0) > 4.0:
                found.append(f"{name}: the error of {tool} is {note['error_ratio']:.1f} times that of JAX")
    for pair, most in MEANS.items():
        value = mean(ratio(record, *pair) for record in records)
        if value is not None and value > most:
            found.append(f"the geometric mean of {pair[0]} against {pair[1]} is {value:.2f}, more than {most}")
    return found


def table(records: list[Record]) -> str:
    """The whole table for each number of threads, and what is above the bounds."""
    threads = sorted({int(key) for r in records for note in r["tools"].values() for key in note.get("runs", {})})
    parts = []
    for count in threads:
        kind = "CPU time" if count == 1 else "wall time"
        parts += [f"\n{count} thread{'s' if count > 1 else ''}, {kind}", aligned(*rows(records, count))]
    found = faults(records)
    parts += [f"\n{len(found)} above a bound:", *found] if found else ["\nAll bounds hold."]
    return "\n".join(parts)
