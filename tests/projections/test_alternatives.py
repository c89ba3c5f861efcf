"""What each other reading would move: conclusions, and euros."""

from __future__ import annotations

import pytest

from ledger import instants
from ledger.contract.finding import Readings


def moved(registry, as_of, reading, option=2):
    answer = registry.answers.alternatives("ACC-1", as_of=instants.parse_instant(as_of))
    (row,) = [row for row in answer["result"] if (row["reading"], row["option"]) == (reading, option)]
    return row


@pytest.fixture
def indebted(registry):
    """An account whose invoice is disputed in part and late."""
    registry.opened()
    invoice = {"net": "1000", "vat": "200", "total": "1200", "issue_date": "2025-03-03"}
    registry.tell("2025-03-03T09:00:00Z", "invoice.issued", "ACC-1/invoice/F1", invoice)
    registry.tell("2025-03-05T09:00:00Z", "invoice.disputed", "ACC-1/invoice/F1", {"amount": "100"})
    return registry


def test_each_other_reading_is_told_once(indebted):
    """Every option but the primary one of every point of the register has its row, with its words."""
    answer = indebted.answers.alternatives("ACC-1", as_of=instants.parse_instant("2025-04-01T00:00:00Z"))
    told = [(row["reading"], row["option"]) for row in answer["result"]]
    assert len(told) == len(set(told))
    assert ("R8", 3) in told
    assert all(option >= 2 for _, option in told)
    assert {"R14", "R2"} <= {name for name, _ in told}


def test_what_a_reading_moves_is_what_it_decides(indebted):
    """R14's second reading disputes the whole, and the rows say from what to what."""
    row = moved(indebted, "2025-03-10T00:00:00Z", "R14")
    (change,) = [change for change in row["conclusions"] if change["path"].endswith("disputed_amount")]
    assert (change["primary"], change["value"], change["moves"]) == ("100.00", "1200.00", "1100.00")
    as_asked = indebted.ask("invoices", "2025-03-10T00:00:00Z", readings=Readings.parse(["R14=2"]))
    assert as_asked["result"][0]["disputed_amount"]["value"] == change["value"]


def test_the_euros_are_those_of_the_balance(indebted):
    """Without rounding the balance moves by the fraction of a cent that interest has."""
    row = moved(indebted, "2025-04-01T00:00:00Z", "R9")
    primary = indebted.ask("balance", "2025-04-01T00:00:00Z")["result"]["total"]["value"]
    other = indebted.ask("balance", "2025-04-01T00:00:00Z", readings=Readings.parse(["R9=2"]))["result"][
        "total"
    ]["value"]
    (change,) = [
        change
        for change in row["conclusions"]
        if change["projection"] == "balance" and change["path"] == "total"
    ]
    assert (change["primary"], change["value"]) == (primary, other)
    assert row["euros"]["balance"] == change["moves"]


def test_a_reading_that_changes_nothing_moves_nothing(indebted):
    """A point on which nothing in the account rests has no conclusion and no euro."""
    row = moved(indebted, "2025-03-10T00:00:00Z", "R22")
    assert (row["conclusions"], row["euros"]) == ([], {}) or all(
        change["projection"] == "contract" for change in row["conclusions"]
    )
