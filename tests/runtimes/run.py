"""Runs the project's models in many runtimes: `python tests/runtimes/run.py`, with Python 3.11 or newer.

    python tests/runtimes/run.py                                            # all runtimes, all fixtures
    python tests/runtimes/run.py --runtimes tract rten --suite jax flax     # suites of the conformance kit
    python tests/runtimes/run.py --runtimes openvino --target --filter gather --examples 20
    python tests/runtimes/run.py --tools                                    # quantisation and other tools on the flax suite
    python tests/runtimes/run.py --docs                                     # writes docs/runtimes.md

runtimes.toml has the runtimes. Each is installed once, under target/runtimes; one that cannot be installed is reported.
Each runs in processes of its own, so one that dies or hangs costs one case. The report counts what happened to the cases and
lists those that are not right, grouped by the fault. Outcomes are kept under target/runtimes/outcomes, and a model that did
not change since does not run again; --fresh runs all.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import environments
from environments import ROOT, NotInstalled

JUDGE = "HLO2ONNX_RUNTIMES_JUDGE"
SUITES = ("fixtures", "ops", "models", "jax", "flax")


def parse() -> argparse.Namespace:
    """The command line."""
    known = environments.runtimes()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runtimes", nargs="+", choices=list(known), default=list(known), metavar="NAME", help="one of " + ", ".join(known))
    parser.add_argument("--suite", nargs="+", choices=SUITES, help="fixtures without it, and the kit's with --docs")
    parser.add_argument("--filter", type=re.compile, help="only cases whose names contain this expression")
    parser.add_argument("--target", action=argparse.BooleanOptionalAction, help="convert with `--target` and the runtime's name")
    parser.add_argument("--converter", type=Path, help="the hlo2onnx to use; that of target/release or target/debug without it")
    parser.add_argument("--convert-args", default="", help="more arguments for `hlo2onnx convert`")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--timeout", type=float, default=60, help="of one model, in seconds")
    parser.add_argument("--examples", type=int, default=3, help="cases to show of each group")
    parser.add_argument("--fresh", action="store_true", help="run models again that have not changed")
    parser.add_argument("--check", action="store_true", help="exit status 1 if a case is not right or a runtime is missing")
    parser.add_argument("--json", type=Path, help="write all outcomes")
    parser.add_argument("--tools", action="store_true", help="apply tools that transform models to the flax suite")
    parser.add_argument("--docs", action="store_true", help="measure everything and write docs/runtimes.md")
    return parser.parse_args()


def main() -> int:
    """Runs the command; returns the exit status."""
    arguments = parse()
    if os.environ.get(JUDGE) is None:
        # The harness itself needs packages too.
        python = environments.install("judge", "judge.txt")
        os.environ[JUDGE] = "1"
        return subprocess.run([str(python), *sys.argv], check=False).returncode
    converter = find_converter(arguments.converter)
    if arguments.tools:
        import tools

        return tools.main(arguments, converter)
    return measure(arguments, converter)


def find_converter(given: Path | None) -> Path:
    """The binary that converts."""
    name = "hlo2onnx.exe" if os.name == "nt" else "hlo2onnx"
    candidates = [given] if given else [ROOT / "target" / build / name for build in ("release", "debug")]
    for candidate in candidates:
        if candidate.exists():
            return candidate.resolve()
    raise SystemExit(f"there is no converter at {', '.join(map(str, candidates))}: run `cargo build --release`")


def measure(arguments: argparse.Namespace, converter: Path) -> int:
    """Runs the cases in the runtimes, and reports."""
    import report
    from cases import NoSuite, cases
    from conversion import convert_all
    from execution import RIGHT, execute

    suites, modes = arguments.suite or ["fixtures"], ["target" if arguments.target else "default"]
    if arguments.docs:
        suites, modes = ["fixtures", "jax", "flax"], list(report.MODES)
    chosen = {}
    for suite in suites:
        try:
            found = list(cases(suite))
        except NoSuite as error:
            raise SystemExit(f"{suite}: {error}") from None
        chosen[suite] = [case for case in found if arguments.filter is None or arguments.filter.search(case.name)]
    extra = arguments.convert_args.split()
    known, missing, measured = environments.runtimes(), {}, {}
    for name in arguments.runtimes:
        runtime = known[name]
        try:
            command = runtime.install()
        except NotInstalled as error:
            missing[name] = str(error)
            print(f"{runtime.label} {runtime.version}: not installed: {error}\n", flush=True)
            continue
        for mode in modes:
            options = [*extra, "--target", runtime.target] if mode == "target" else extra
            for suite, some in chosen.items():
                start = time.monotonic()
                models = convert_all(some, converter, options, arguments.jobs)
                converted = time.monotonic()
                outcomes = execute(
                    runtime, command, some, models, arguments.jobs, arguments.timeout, not arguments.fresh
                )
                measured.setdefault(name, {}).setdefault(mode, {})[suite] = outcomes
                shown = " ".join(options) or "default"
                seconds = f"{converted - start:.0f} s to convert, {time.monotonic() - converted:.0f} s to run"
                print(f"{runtime.label} {runtime.version}, {shown}, {suite}: {report.counts(outcomes)} ({seconds})")
                print("\n".join(report.groups(outcomes, arguments.examples)), flush=True)
    if arguments.json:
        arguments.json.write_text(json.dumps({"missing": missing, "outcomes": measured}, indent=1))
    if arguments.docs:
        report.PAGE.write_text(report.page([known[name] for name in arguments.runtimes], measured, missing))
    if not arguments.check:
        return 0
    right = all(
        outcome == RIGHT
        for by_mode in measured.values()
        for by_suite in by_mode.values()
        for outcomes in by_suite.values()
        for outcome, _ in outcomes.values()
    )
    return 0 if right and not missing else 1


if __name__ == "__main__":
    sys.exit(main())
