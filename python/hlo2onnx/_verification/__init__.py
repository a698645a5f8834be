"""Verification: compares a model with JAX, and traces a fault to nodes of the model."""

from ._report import Report, VerificationError
from ._subject import FunctionSubject
from ._verify import require, verify

__all__ = ["FunctionSubject", "Report", "VerificationError", "require", "verify"]
