"""A program of a seed."""

from __future__ import annotations

from . import contraction, control, elementwise, indexing, movement, patterns, reduction  # noqa: F401  (they register families)
from .builder import FAMILIES, Builder, Unfit
from .program import Program


def generate(seed: int, place: int) -> Program:
    """The program at a place of a seed."""
    b = Builder(seed * 1_000_003 + place)
    functions, weights = zip(*FAMILIES)
    if b.chance(0.5):
        # A program of few families, so that their ops follow each other.
        chosen = set(b.random.sample(range(len(functions)), 8))
        weights = tuple(weight if at in chosen else weight * 0.1 for at, weight in enumerate(weights))
    wanted, added = b.whole(1, 5), 0
    while added < wanted or b.arguments.keys() >= set(b.scope):
        function = b.random.choices(functions, weights)[0]
        try:
            with b.attempt():
                function(b)
        except Unfit:
            continue
        added += 1
    made = [value for value in b.scope if value not in b.arguments]
    unread = [value for value in made if value in b.unread]
    results = unread[-4:] or made[-1:]
    if b.chance(0.25):
        results.append(b.one(made))
    return b.program(results)
