"""Compares models of random programs with XLA.

    python python/tests/generated.py --seed 7 --count 1000
    python python/tests/generated.py --seed 7 --only 42 --show

Program K of a seed is the same in each run. It is converted with several options, and each model runs in ONNX Runtime and is
compared with what XLA computes. A difference is reported with a smaller program that still differs.
"""

from __future__ import annotations

import argparse
import sys
import time

from generator import workers


def main() -> int:
    """Runs the requested programs; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--count", type=int, default=100, help="how many programs")
    parser.add_argument("--start", type=int, default=0, help="the first of them")
    parser.add_argument("--only", type=int, help="only the program at this place")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--show", action="store_true", help="print the program of `--only`")
    asked = parser.parse_args()
    places = range(asked.start, asked.start + asked.count) if asked.only is None else range(asked.only, asked.only + 1)
    if asked.show and asked.only is not None:
        from generator.check import pretty
        from generator.generate import generate

        print(pretty(generate(asked.seed, asked.only).text()))
    started = time.monotonic()
    tally = workers.Tally()
    try:
        workers.run(asked.seed, places, asked.jobs, lambda failure: print(f"{failure}\n", flush=True), tally)
    except KeyboardInterrupt:
        print("interrupted")
    print(f"{tally}\n{time.monotonic() - started:.0f} s")
    return 1 if tally.failures else 0


if __name__ == "__main__":
    sys.exit(main())
