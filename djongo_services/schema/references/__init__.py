"""References that no document answers to: MongoDB enforces none of those that models declare."""

from djongo_services.schema.references.auditing import (
    DanglingExample,
    DanglingReferences,
    ForeignReference,
    audit_references,
)
from djongo_services.schema.references.declared import model_references, spec_references

__all__ = [
    "DanglingExample",
    "DanglingReferences",
    "ForeignReference",
    "audit_references",
    "model_references",
    "spec_references",
]
