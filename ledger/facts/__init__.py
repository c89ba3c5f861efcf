"""The catalogue of facts: one module per group of articles; envelope: CloudEvents in, leaves out."""

from ledger.facts import (
    accounts,
    agreements,
    consumption,
    endings,
    invoices,
    levels,
    mail,
    operations,
    proof,
    protection,
)

__all__ = [
    "accounts",
    "agreements",
    "consumption",
    "endings",
    "invoices",
    "levels",
    "mail",
    "operations",
    "proof",
    "protection",
]
