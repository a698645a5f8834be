"""Holds the compiler to the numbers in tests/conformance.toml: `conformance.py KIT/run HLO2ONNX [--record]`.

Each suite has the least share of cases that pass, in percent, and the most cases that may end in each bad class. A
class that is not listed may not occur at all; a refusal with a diagnostic (UNSUPPORTED) is limited by the pass rate
alone. `--record` writes what a run reached, where that is better.
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
    """What is worse than the recorded numbers."""
    problems = [] if enough else [f"{suite}: {summary['rate']} % pass, at least {bounds['pass']} % must"]
    for name, count in summary["classes"].items():
        if name not in HARMLESS and count > bounds.get(name, 0):
            problems.append(f"{suite}: {count} {name}, at most {bounds.get(name, 0)} may be")
    return problems


def better(bounds: dict, summary: dict) -> dict:
    """The bounds, tightened by what a run reached."""
    # The rate is a rounded number; the bound must not be above it.
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
