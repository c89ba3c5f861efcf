"""Whether a notification is valid, against worked examples."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
from facts_factory import recorded

from ledger import instants
from ledger.contract import terms
from ledger.contract.clauses.notification import (
    Addresses,
    KnownAddress,
    Notification,
    notification_validity,
)
from ledger.contract.finding import Readings

SOURCE = Path(__file__).parents[2] / "vectors" / "notifications.toml"
VECTORS = tomllib.loads(SOURCE.read_text(encoding="utf-8"))["vector"]
FACT = recorded("account.opened", "ACC-1", {})
LEFT_AT = instants.parse_instant("2021-06-01T08:00:00Z")


@pytest.mark.parametrize("vector", VECTORS)
def test_worked_examples(vector: dict[str, Any]) -> None:
    """Valid or not as worked out by hand, under each reading of R12."""
    known = (KnownAddress(FACT, instants.parse_instant(since), row) for since, row in vector["addresses"])
    notification = Notification(FACT, LEFT_AT, vector["kind"], vector["channel"], vector.get("to"))
    addresses = Addresses(tuple(known))
    for number, expected in enumerate(vector["valid"], start=1):
        concluded = notification_validity(notification, addresses, Readings.parse([f"R12={number}"]))
        assert concluded.value is expected
    assert vector["quotation"] in " ".join(terms.load().wording().split())
