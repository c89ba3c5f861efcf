"""The clauses of the contract as pure functions; importing this package fills ``finding.CLAUSES``."""

from __future__ import annotations

from ledger.contract.clauses import acceptance, reserves, usage

__all__ = ["acceptance", "reserves", "usage"]
