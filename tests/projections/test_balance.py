"""The balance of an account from recorded facts."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from facts_factory import in_order, recorded
from hypothesis import given
from hypothesis import strategies as st

from ledger import instants
from ledger.contract.finding import PRIMARY, jsonable
from ledger.facts.recorded import Recorded
from projections.balance import BALANCE
from projections.question import Question

CENTS = st.integers(0, 300_000).map(lambda cents: f"{Decimal(cents) / 100:.2f}")


def balance(*facts: Recorded, as_of: str) -> dict[str, Any]:
    """The result as of an instant, as JSON."""
    at = instants.parse_instant(as_of)
    kept = [fact for fact in in_order(*facts) if fact.legal_time <= at]
    return jsonable(BALANCE.answer(kept, Question("ACC-1", at, PRIMARY)))


def issued(
    total: str = "1200.00",
    name: str = "F1",
    at: str = "2021-06-01T07:00:00Z",
    **data: str | bool | dict[str, str] | None,
) -> Recorded:
    """An invoice, issued on 1 June 2021 unless told otherwise."""
    return recorded("invoice.issued", f"ACC-1/invoice/{name}", {"total": total, **data}, at)


def test_nothing() -> None:
    """An account with no invoice owes nothing, in full: every nil amount is 0.00."""
    answer = balance(as_of="2021-06-01T00:00:00Z")
    values = {key: value["value"] if isinstance(value, dict) else value for key, value in answer.items()}
    assert values.pop("currency") == "EUR"
    assert values.pop("missing_rates") == []
    assert values.pop("void_credit_uses") == []
    assert set(values.values()) == {"0.00"}


def test_worked_example() -> None:
    """1200 paid ten days late: nothing due, 40 and 3.29 for lateness, 43.29 in total."""
    paid = recorded(
        "invoice.paid",
        "ACC-1/invoice/F1",
        {"amount": "1200.00", "value_date": "2021-06-11"},
        "2021-06-12T08:00:00Z",
    )
    answer = balance(issued(), paid, as_of="2021-09-01T00:00:00Z")
    assert (answer["invoiced"], answer["paid"], answer["due"]["value"]) == ("1200.00", "1200.00", "0.00")
    assert (answer["late_indemnity"]["value"], answer["late_interest"]["value"]) == ("40.00", "3.29")
    assert answer["total"]["value"] == "43.29"


def test_interest_adds_the_rounded_rows() -> None:
    """Two invoices of one day late at 0.33 each owe 0.66, not the 0.66 of an unrounded sum by luck."""
    answer = balance(issued(), issued(name="F2"), issued(name="F3"), as_of="2021-06-02T08:00:00Z")
    assert answer["late_interest"]["value"] == "0.99"  # the exact sum is 0.986…, rows of 0.33 make 0.99
    answer = balance(*(issued("1500.00", f"F{n}") for n in range(9)), as_of="2021-06-02T08:00:00Z")
    assert answer["late_interest"]["value"] == "3.69"  # nine rows of 0.41; the exact sum is 3.698…


def test_disputed_at_most_what_is_unpaid() -> None:
    """A dispute in part counts its amount, both readings shown, and never more than is unpaid."""
    dispute = recorded("invoice.disputed", "ACC-1/invoice/F1", {"amount": "200.00"}, "2021-06-02T08:00:00Z")
    disputed = balance(issued(), dispute, as_of="2021-06-03T00:00:00Z")["disputed"]
    assert disputed["value"] == "200.00"
    assert [reading["value"] for reading in disputed["readings"]] == ["200.00", "1200.00"]
    paid = recorded("invoice.paid", "ACC-1/invoice/F1", {"amount": "1100.00"}, "2021-06-02T09:00:00Z")
    assert balance(issued(), dispute, paid, as_of="2021-06-03T00:00:00Z")["disputed"]["value"] == "100.00"


class TestCurrencies:
    """Balances in several currencies."""

    def test_two_currencies_are_never_added(self) -> None:
        """Euros stand first, dollars beside them; the euro indemnity of a dollar invoice is in euros."""
        answer = balance(issued(), issued("500.00", "F2", currency="USD"), as_of="2021-06-02T08:00:00Z")
        (dollars,) = answer["other_currencies"]
        assert (answer["currency"], answer["due"]["value"], answer["late_indemnity"]["value"]) == (
            "EUR",
            "1200.00",
            "80.00",
        )
        assert (dollars["currency"], dollars["due"]["value"], dollars["late_indemnity"]["value"]) == (
            "USD",
            "500.00",
            "0.00",
        )

    def test_dollars_alone(self) -> None:
        """With dollars alone the result is in dollars, and the euro balance holds the indemnities."""
        answer = balance(issued("500.00", currency="USD"), as_of="2021-06-02T08:00:00Z")
        assert (answer["currency"], answer["due"]["value"]) == ("USD", "500.00")
        assert answer["other_currencies"][0]["late_indemnity"]["value"] == "40.00"


class TestCredits:
    """Service-level credits."""

    def facts(self, *uses: tuple[str, str]) -> list[Recorded]:
        """A claim, its credit of 100.00, and uses of it."""
        claim = "ACC-1/claim/c1"
        return [
            recorded("sla.claimed", claim, {}, "2021-03-01T08:00:00Z"),
            recorded("sla.credit_granted", claim, {"amount": "100.00"}, "2021-04-01T08:00:00Z"),
            *(recorded("sla.credit_used", claim, {"amount": amount}, at) for amount, at in uses),
        ]

    @pytest.mark.parametrize(
        ("as_of", "usable"),
        [
            ("2021-04-01T07:59:59Z", "0.00"),
            ("2021-04-01T08:00:00Z", "100.00"),
            ("2022-03-01T22:59:59.999999Z", "100.00"),
            ("2022-03-01T23:00:00Z", "0.00"),
        ],
    )
    def test_one_year_from_the_claim(self, as_of: str, usable: str) -> None:
        """Usable from its grant until a year after the stamp of its claim."""
        answer = balance(*self.facts(), as_of=as_of)
        assert answer["sla_credits"]["value"] == usable
        assert answer["total"]["value"] == ("0.00" if usable == "0.00" else "-100.00")

    def test_used(self) -> None:
        """What was used is gone, and never more than there was."""
        assert (
            balance(*self.facts(("30.00", "2021-05-01T00:00:00Z")), as_of="2021-06-01T00:00:00Z")[
                "sla_credits"
            ]["value"]
            == "70.00"
        )
        assert (
            balance(*self.facts(("130.00", "2021-05-01T00:00:00Z")), as_of="2021-06-01T00:00:00Z")[
                "sla_credits"
            ]["value"]
            == "0.00"
        )


def test_total_unknown_without_a_rate() -> None:
    """Where a rate is missing, interest and total are null and the rate is named."""
    answer = balance(issued(at="2030-01-01T08:00:00Z"), as_of="2030-02-01T00:00:00Z")
    assert (answer["late_interest"]["value"], answer["total"]["value"]) == (None, None)
    assert [row["reference"] for row in answer["missing_rates"]] == ["ecb_main_refinancing"]


@given(st.lists(st.tuples(CENTS, CENTS, CENTS), max_size=4))
def test_identity(invoices: list[tuple[str, str, str]]) -> None:
    """Due is invoiced less credited less paid, and total adds indemnities and interest to it."""
    facts = []
    for place, (total, credited, paid) in enumerate(invoices):
        subject = f"ACC-1/invoice/F{place}"
        facts.append(issued(total, f"F{place}"))
        facts.append(recorded("invoice.credited", subject, {"amount": credited}, "2021-06-05T08:00:00Z"))
        facts.append(recorded("invoice.paid", subject, {"amount": paid}, "2021-06-06T08:00:00Z"))
    answer = balance(*facts, as_of="2021-06-20T00:00:00Z")
    amount = {
        key: Decimal(answer[key]["value"])
        for key in ("due", "overdue", "late_indemnity", "late_interest", "total")
    }
    assert amount["due"] == Decimal(answer["invoiced"]) - Decimal(answer["credited"]) - Decimal(
        answer["paid"]
    )
    assert amount["total"] == amount["due"] + amount["late_indemnity"] + amount["late_interest"]
    assert amount["overdue"] >= max(amount["due"], Decimal(0))
