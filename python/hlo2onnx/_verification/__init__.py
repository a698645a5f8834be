"""Verification: compares a model with JAX, and traces a fault to nodes of the model."""

from ._report import Report, VerificationError
from ._verify import require, verify

__all__ = ["Report", "VerificationError", "require", "verify"]
