"""The clauses of the contract as pure functions; importing this package fills ``finding.CLAUSES``."""

from __future__ import annotations

from ledger.contract.clauses import (
    acceptance,
    balance,
    contestation,
    endings,
    formation,
    notification,
    payment,
    reserves,
    usage,
)

__all__ = [
    "acceptance",
    "balance",
    "contestation",
    "endings",
    "formation",
    "notification",
    "payment",
    "reserves",
    "usage",
]
