"""Models of random programs agree with XLA, however they are converted."""

import pytest
from generator import workers

SEED = 2026
COUNT = 200


@pytest.mark.documented_jax
def test_models_of_random_programs_agree_with_xla():
    tally = workers.run(SEED, range(COUNT), jobs=2)
    assert not tally.failures, "\n\n".join(map(str, tally.failures))
    assert tally.programs == COUNT
    # Programs that are refused or that XLA cannot run compare nothing.
    assert tally.outcomes["agrees: default"] > 0.9 * COUNT
    for variant in ("not optimized", "without fuse and layout", "constants", "functions", "dynamic"):
        assert tally.outcomes[f"agrees: {variant}"] > 0.03 * COUNT, f"{variant}:\n{tally}"
    for opset in range(18, 27):
        assert tally.outcomes[f"agrees: opset {opset}"], f"{opset}:\n{tally}"


def test_a_program_of_a_seed_is_the_same_in_each_run():
    from generator.generate import generate

    for place in range(20):
        assert generate(SEED, place).text() == generate(SEED, place).text()
        assert generate(SEED, place).text() != generate(SEED + 1, place).text()
