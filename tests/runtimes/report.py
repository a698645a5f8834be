"""Prints the outcomes, and writes docs/runtimes.md."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping

from environments import ROOT, Runtime
from execution import DIES, FAILED, HANGS, NOT_CONVERTED, OUTCOMES, REFUSED, RIGHT, WRONG, Outcome

MODES = ("default", "target")
Outcomes = Mapping[str, Outcome]
"""The outcome of each case, by its name."""
PAGE = ROOT / "docs" / "runtimes.md"

# Names of values and nodes in the messages of the runtimes.
NAMES = (
    (r'#\d+ "[^"]*"', '#N "..."'),
    (r'\b(operator|node) "[^"]*"', r'\1 "..."'),
    (r"\b(Building node) \S*", r"\1 ..."),
    (r"(Name:|node named |with name |name: |[Nn]ode:? ?\(?)'[^']*'", r"\1'...'"),
)


def headline(message: str) -> str:
    """What a message has in common with those of the same fault: without names, numbers and shapes."""
    lines = [line.strip() for line in message.splitlines() if line.strip()] or [""]
    chosen = lines[0]
    # The last lines of a chain of causes and of a process that ends have the reason.
    if re.match(r"status -?\d+$", lines[0]):
        panic = next((index for index, line in enumerate(lines) if "panicked at" in line), None)
        reason = lines[1:] if panic is None else lines[panic : panic + 2]
        chosen = " ".join([lines[0], *reason])
    elif "Caused by:" in lines:
        chosen = f"{lines[0]} ... {lines[-1]}"
    elif "[ONNXRuntimeError]" in lines[0] or lines[0].startswith("RuntimeError: Exception from"):
        chosen = " ".join(lines[:3])
    chosen = re.sub(r"\x1b\[[\d;]*m", "", chosen)
    chosen = re.sub(r"(?:/[\w.@+-]+){2,}", "PATH", chosen)
    chosen = re.sub(r"PATH:\d+ [^()]*\((?:[^()]|\([^()]*\))*\)(?: const)? ", "", chosen)
    for pattern, name in NAMES:
        chosen = re.sub(pattern, name, chosen)
    chosen = re.sub(r"0x[0-9a-f]+", "N", chosen)
    chosen = re.sub(r"(?<![A-Za-z\d])-?\d+(?:\.\d+)?(?:e[+-]?\d+)?", "N", chosen)
    chosen = re.sub(r"\bN(?:, ?N)+,?", "N...", chosen)
    return chosen[:240]


def counts(outcomes: Outcomes) -> str:
    """How many cases have each outcome."""
    counter = Counter(outcome for outcome, _ in outcomes.values())
    parts = [f"{counter[outcome]} {outcome}" for outcome in OUTCOMES if counter[outcome]]
    return f"{share(outcomes)} right of {len(outcomes)}: {', '.join(parts)}"


def share(outcomes: Outcomes) -> str:
    """The share of right cases in percent, rounded down."""
    right = sum(outcome == RIGHT for outcome, _ in outcomes.values())
    return f"{int(1000 * right / len(outcomes)) / 10:.1f} %" if outcomes else "-"


def groups(outcomes: Outcomes, examples: int) -> Iterable[str]:
    """The failing cases by outcome and fault, the most frequent first."""
    found: dict[tuple[str, str], list[str]] = defaultdict(list)
    for name, (outcome, message) in outcomes.items():
        if outcome == WRONG and " value: " in message:
            message = "value"
        if outcome != RIGHT:
            found[outcome, headline(message)].append(name)
    for (outcome, fault), names in sorted(found.items(), key=lambda item: -len(item[1])):
        yield f"{len(names):5} {outcome}: {fault}"
        for name in names[:examples]:
            message = " ".join(outcomes[name][1].split())
            yield f"        {name}: {message[:300]}"


def page(
    runtimes: Iterable[Runtime], measured: Mapping[str, Mapping[str, Mapping[str, Outcomes]]], missing: Mapping[str, str]
) -> str:
    """The text of docs/runtimes.md: `measured` has the outcomes by runtime, mode and suite."""
    suites = list(dict.fromkeys(suite for modes in measured.values() for by in modes.values() for suite in by))
    sizes = {suite: max(len(by[suite]) for modes in measured.values() for by in modes.values() if suite in by) for suite in suites}
    titles = {suite: f"{suite} ({sizes[suite]})" for suite in suites}
    lines = [
        "# Runtimes",
        "",
        "Each model of the tests runs in each of these runtimes, on the CPU, with the runtime's own optimizations. A result is",
        "right if every output has the expected type, shape and values, within the tolerances of the test. `default` is",
        "`hlo2onnx convert` without options; `--target` names the runtime.",
        "",
        "`fixtures` are the cases of `fixtures/ops` and `fixtures/models` in the repository, which include types and ops that many",
        "runtimes lack; `jax` and `flax` are the suites of the [conformance kit](conformance.md). The numbers of cases are in",
        "brackets. The command that measured this and wrote the page:",
        "",
        "    HLO2ONNX_CONFORMANCE=KIT python tests/runtimes/run.py --docs",
        "",
        "## Share of right cases",
        "",
        "| runtime | version | options | " + " | ".join(titles[suite] for suite in suites) + " |",
        "| --- | --- | --- | " + " | ".join("---:" for _ in suites) + " |",
    ]
    details = [
        "## What happens to the other cases",
        "",
        "*Wrong* is a result that differs without an error. *Refused* is an error while the runtime loads the model, *failed* one",
        "while it runs. *Ends* is a process that dies or does not answer in time. *Not converted* is a diagnostic of hlo2onnx.",
        "",
        "| runtime | options | suite | wrong | refused | failed | ends | not converted |",
        "| --- | --- | --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for runtime in runtimes:
        if runtime.name in missing:
            lines.append(f"| {runtime.label} | {runtime.version} | not installed | " + " | ".join("" for _ in suites) + " |")
            continue
        for mode in MODES:
            by = measured.get(runtime.name, {}).get(mode)
            if by is None:
                continue
            options = "default" if mode == "default" else f"`--target {runtime.target}`"
            cells = " | ".join(share(by[suite]) if suite in by else "" for suite in suites)
            lines.append(f"| {runtime.label} | {runtime.version} | {options} | {cells} |")
            for suite in suites:
                counter = Counter(outcome for outcome, _ in by.get(suite, {}).values())
                ends = counter[DIES] + counter[HANGS]
                numbers = [counter[WRONG], counter[REFUSED], counter[FAILED], ends, counter[NOT_CONVERTED]]
                if any(numbers):
                    details.append(f"| {runtime.label} | {options} | {suite} | " + " | ".join(map(str, numbers)) + " |")
    return "\n".join([*lines, "", *details]) + "\n"
