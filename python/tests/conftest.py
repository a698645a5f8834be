"""The tests run on the CPU, with a warning as a failure unless a test expects it."""

import os

os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("KERAS_BACKEND", "jax")
