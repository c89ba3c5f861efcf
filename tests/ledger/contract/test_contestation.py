"""Contestation of invoices against worked examples."""

from __future__ import annotations

import tomllib
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from facts_factory import recorded
from hypothesis import given
from hypothesis import strategies as st

from ledger import instants
from ledger.contract import terms
from ledger.contract.clauses.contestation import (
    Contested,
    Dispute,
    contestable_until,
    dispute_standing,
    invoice_acceptance,
)
from ledger.contract.clauses.payment import Invoice
from ledger.contract.finding import PRIMARY

VECTORS = tomllib.loads(
    (Path(__file__).parents[2] / "vectors" / "invoices.toml").read_text(encoding="utf-8")
)["vector"]
FACT = recorded("invoice.issued", "ACC-1/invoice/F1", {"total": "1.00"})
TERMS = terms.load()


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_worked_examples(vector: dict[str, Any]) -> None:
    """Deadline, acceptance and standing of a dispute, as worked out by hand."""
    invoice = Invoice(FACT, instants.parse_instant(vector["issued"]), Decimal("1200.00"), "EUR")
    disputes = ()
    if "disputed" in vector:
        at = instants.parse_instant(vector["disputed"])
        disputes = (Dispute(FACT, at, at, None),)
        assert dispute_standing(disputes, invoice, TERMS, PRIMARY).value == vector["dispute"]
    as_of = instants.parse_instant(vector["as_of"])
    assert contestable_until(invoice, TERMS, PRIMARY) == instants.parse_instant(vector["contestable_until"])
    assert (
        invoice_acceptance(Contested(invoice, disputes), TERMS, as_of, PRIMARY).value == vector["acceptance"]
    )
    assert vector["quotation"] in " ".join(TERMS.wording().split())


@given(st.datetimes(instants.parse_instant("2021-01-01T00:00:00Z").replace(tzinfo=None)))
def test_ten_whole_days(naive: datetime) -> None:
    """Between issue and deadline lie at least ten whole Paris days, and the deadline is a midnight."""
    issued_at = naive.replace(tzinfo=instants.UTC, year=2021 + naive.year % 20, day=min(naive.day, 28))
    invoice = Invoice(FACT, issued_at, Decimal("1.00"), "EUR")
    until = contestable_until(invoice, TERMS, PRIMARY)
    assert until == instants.paris_midnight(instants.paris_date(issued_at) + timedelta(days=11))
    assert timedelta(days=10) - timedelta(hours=1) <= until - issued_at <= timedelta(days=11, hours=1)
