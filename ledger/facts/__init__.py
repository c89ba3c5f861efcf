"""The catalogue of facts: one module per group of articles; envelope: CloudEvents in, leaves out.

Importing this package fills ``ledger.facts.catalogue.TYPES`` with every type there is.
"""

from ledger.facts import (
    accounts,
    agreements,
    compliance,
    consumption,
    damages,
    endings,
    invoices,
    levels,
    mail,
    privacy,
    proof,
    recovery,
    reservations,
    security,
    support,
    works,
)

__all__ = [
    "accounts",
    "agreements",
    "compliance",
    "consumption",
    "damages",
    "endings",
    "invoices",
    "levels",
    "mail",
    "privacy",
    "proof",
    "recovery",
    "reservations",
    "security",
    "support",
    "works",
]
