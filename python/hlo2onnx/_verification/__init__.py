"""Verification: a model is compared with JAX, and a fault is traced to nodes of the model."""

from ._report import Report, VerificationError
from ._verify import require, verify

__all__ = ["Report", "VerificationError", "require", "verify"]
