"""The tests run on the CPU, and those that need a newer JAX are skipped."""

import os

os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("KERAS_BACKEND", "jax")

import jax
import pytest

DOCUMENTED = (0, 10)
"""The documentation is written for this JAX and later ones, which also printed the texts of fixtures/models."""


def pytest_configure(config: pytest.Config) -> None:
    """Declare the mark of tests that need this JAX."""
    config.addinivalue_line("markers", "documented_jax: needs the JAX that the documentation is written for")


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip marked tests with an older JAX."""
    if item.get_closest_marker("documented_jax") and jax.__version_info__ < DOCUMENTED:
        pytest.skip(f"JAX {jax.__version__} is older than the documentation")
