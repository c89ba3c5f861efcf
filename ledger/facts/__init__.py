"""The catalogue of facts: one module per group of articles; envelope: CloudEvents in, leaves out."""

from ledger.facts import consumption, mail

__all__ = ["consumption", "mail"]
