"""Checks the compiler against the bounds in tests/conformance.toml: `conformance.py KIT/run HLO2ONNX [--record]`.

Each suite has a lower bound of passing cases, in percent, and an upper bound of cases in each bad class. A class that is
not listed must not occur; only the pass rate limits refusals with a diagnostic (UNSUPPORTED). `--record` writes the
results of a run where they are better.
"""

import json
import os
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

RATCHET = Path(__file__).resolve().parent.parent / "tests" / "conformance.toml"
HARMLESS = {"PASS", "UNSUPPORTED", "CONST_GRAPH"}


def measure(kit: str, compiler: str, suite: str, least: float) -> tuple[bool, dict]:
    """Runs one suite: whether enough cases pass, and the summary."""
    with tempfile.TemporaryDirectory() as folder:
        report = os.path.join(folder, "report.json")
        convert = f"{os.path.abspath(compiler)} convert {{in}} -o {{out}} --quiet"
        command = [kit, suite, "--convert", convert, "--weights-format", "none", "--list", "5", "--min-pass", str(least), "--json", report]
        status = subprocess.run(command).returncode
        if status not in (0, 1) or not os.path.exists(report):
            sys.exit(f"{suite}: the kit itself fails with status {status}")
        with open(report) as file:
            return status == 0, json.load(file)["summary"][suite]


def problems_of(suite: str, bounds: dict, enough: bool, summary: dict) -> list[str]:
    """The results that are worse than the bounds."""
    problems = [] if enough else [f"{suite}: {summary['rate']} % pass, fewer than {bounds['pass']} %"]
    for name, count in summary["classes"].items():
        if name not in HARMLESS and count > bounds.get(name, 0):
            problems.append(f"{suite}: {count} {name}, more than {bounds.get(name, 0)}")
    return problems


def better(bounds: dict, summary: dict) -> dict:
    """The bounds, tightened to the results of a run."""
    # The rate is rounded; the bound must not exceed it.
    tightened = {"pass": max(bounds["pass"], int(summary["rate"] * 100) / 100)}
    for name, count in summary["classes"].items():
        bound = min(bounds.get(name, 0), count)
        if name not in HARMLESS and bound:
            tightened[name] = bound
    return tightened


def main() -> int:
    kit, compiler, *options = sys.argv[1:]
    text = RATCHET.read_text()
    ratchet = tomllib.loads(text)
    problems = []
    for suite, bounds in ratchet.items():
        enough, summary = measure(kit, compiler, suite, bounds["pass"])
        problems += problems_of(suite, bounds, enough, summary)
        ratchet[suite] = better(bounds, summary)
    if "--record" in options:
        comment = [line for line in text.splitlines() if line.startswith("#")]
        lines = [f"\n[{s}]\n" + "".join(f"{k} = {v}\n" for k, v in b.items()) for s, b in ratchet.items()]
        RATCHET.write_text("\n".join(comment) + "\n" + "".join(lines))
    print("\n".join(problems or ["conformance: as good as recorded"]))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
