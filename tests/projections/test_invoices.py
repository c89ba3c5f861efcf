"""Invoices: contestation, payment, indemnity and interest, from recorded facts."""

from __future__ import annotations

import itertools
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from facts_factory import in_order, recorded
from hypothesis import given
from hypothesis import strategies as st

from ledger import instants
from ledger.contract.finding import PRIMARY, Readings, jsonable
from ledger.errors import WrongCallError
from ledger.facts.recorded import Recorded
from projections.invoices import INVOICES
from projections.question import Question

F1 = "ACC-1/invoice/F1"


def issued(
    at: str = "2021-06-01T07:00:00Z", subject: str = F1, **data: str | bool | dict[str, str] | None
) -> Recorded:
    """An invoice, issued on 1 June 2021 unless told otherwise."""
    mail = data.pop("mail", None)
    history = data.pop("history", False)
    return recorded("invoice.issued", subject, {"total": "1200.00", **data}, at, mail=mail, history=history)


def rows(
    *facts: Recorded,
    as_of: str,
    readings: Readings = PRIMARY,
    limit: int | None = None,
    after: str | None = None,
) -> list[dict[str, Any]]:
    """The rows as of an instant."""
    return INVOICES.answer(
        [fact for fact in in_order(*facts) if fact.legal_time <= instants.parse_instant(as_of)],
        Question("ACC-1", instants.parse_instant(as_of), readings, limit=limit, after=after),
    )


def row(*facts: Recorded, as_of: str, readings: Readings = PRIMARY) -> dict[str, Any]:
    """The only row, as JSON."""
    (only,) = rows(*facts, as_of=as_of, readings=readings)
    return jsonable(only)


def paid(
    amount: str = "1200.00",
    value_date: str = "2021-06-11",
    at: str = "2021-06-12T08:00:00Z",
    **data: str | bool | dict[str, str] | None,
) -> Recorded:
    """A payment of the invoice."""
    return recorded("invoice.paid", F1, {"amount": amount, "value_date": value_date, **data}, at)


class TestContestation:
    """Ten days to contest."""

    @pytest.mark.parametrize(
        ("as_of", "acceptance"),
        [("2021-06-11T21:59:59.999999Z", "open"), ("2021-06-11T22:00:00Z", "irrevocably_accepted")],
    )
    def test_ten_days(self, as_of: str, acceptance: str) -> None:
        """An invoice issued 2021-06-01 09:00 Paris is contestable before 2021-06-11T22:00:00Z."""
        answer = row(issued(), as_of=as_of)
        assert answer["contestable_until"] == "2021-06-11T22:00:00Z"
        assert answer["acceptance"]["value"] == acceptance

    @pytest.mark.parametrize(
        ("at", "dispute", "acceptance"),
        [
            ("2021-06-11T21:59:59.999999Z", "in_time", "disputed"),
            ("2021-06-11T22:00:00Z", "late", "irrevocably_accepted"),
        ],
    )
    def test_day_ten_and_eleven(self, at: str, dispute: str, acceptance: str) -> None:
        """A dispute on the tenth day is in time, on the eleventh it is late and changes nothing."""
        answer = row(issued(), recorded("invoice.disputed", F1, {}, at), as_of="2021-06-20T00:00:00Z")
        assert (answer["dispute"]["value"], answer["acceptance"]["value"]) == (dispute, acceptance)

    def test_undetermined_by_the_clock(self) -> None:
        """A dispute whose mail is bounded only after the deadline is undetermined, and keeps the doubt."""
        dispute = recorded(
            "invoice.disputed", F1, {}, "2021-06-11T21:59:00Z", not_after="2021-06-11T22:01:00Z"
        )
        answer = row(issued(), dispute, as_of="2021-06-20T00:00:00Z")
        assert (answer["dispute"]["value"], answer["acceptance"]["value"]) == ("undetermined", "disputed")

    @pytest.mark.parametrize(
        ("outcome", "acceptance"),
        [("upheld", "settled"), ("partly", "settled"), ("rejected", "irrevocably_accepted")],
    )
    def test_settlement(self, outcome: str, acceptance: str) -> None:
        """A settlement settles earlier disputes; a rejection accepts the invoice at once."""
        facts = (
            issued(),
            recorded("invoice.disputed", F1, {}, "2021-06-02T08:00:00Z"),
            recorded("invoice.dispute_settled", F1, {"outcome": outcome}, "2021-06-03T08:00:00Z"),
        )
        assert row(*facts, as_of="2021-06-03T08:00:00Z")["acceptance"]["value"] == acceptance

    def test_a_second_dispute_after_a_settlement(self) -> None:
        """A new dispute in time after a settlement makes the invoice disputed again."""
        facts = (
            issued(),
            recorded("invoice.disputed", F1, {"amount": "50.00"}, "2021-06-02T08:00:00Z"),
            recorded("invoice.dispute_settled", F1, {"outcome": "upheld"}, "2021-06-03T08:00:00Z"),
            recorded("invoice.disputed", F1, {"amount": "10.00"}, "2021-06-04T08:00:00Z"),
        )
        assert row(*facts, as_of="2021-06-20T00:00:00Z")["acceptance"]["value"] == "disputed"

    def test_a_settlement_does_not_revive_a_late_dispute(self) -> None:
        """An invoice irrevocably accepted stays so when a late dispute is upheld by courtesy."""
        facts = (
            issued(),
            recorded("invoice.disputed", F1, {}, "2021-06-15T08:00:00Z"),
            recorded("invoice.dispute_settled", F1, {"outcome": "upheld"}, "2021-06-16T08:00:00Z"),
        )
        assert row(*facts, as_of="2021-06-20T00:00:00Z")["acceptance"]["value"] == "irrevocably_accepted"

    def test_disputed_in_part(self) -> None:
        """The rest is irrevocably accepted after ten days, or the whole is disputed (R14)."""
        facts = issued(), recorded("invoice.disputed", F1, {"amount": "200.00"}, "2021-06-02T08:00:00Z")
        answer = row(*facts, as_of="2021-06-20T00:00:00Z")
        assert answer["disputed_amount"]["value"] == "200.00"
        assert answer["accepted_amount"]["value"] == "1000.00"
        assert [reading["value"] for reading in answer["disputed_amount"]["readings"]] == [
            "200.00",
            "1200.00",
        ]

    def test_printed_date(self) -> None:
        """Printed the day before its stamp, an invoice is lost a day earlier under R13's second reading."""
        invoice = issued(issue_date="2021-05-31")
        answer = row(invoice, as_of="2021-06-11T10:00:00Z")
        assert answer["acceptance"]["value"] == "open"
        assert [(r["reading"], r["value"]) for r in answer["acceptance"]["readings"]] == [
            ("R13", "open"),
            ("R13", "irrevocably_accepted"),
        ]
        printed = row(invoice, as_of="2021-06-11T10:00:00Z", readings=Readings.parse(["R13=2"]))
        assert printed["contestable_until"] == "2021-06-10T22:00:00Z"

    def test_history(self) -> None:
        """An invoice from before the ledger counts from its asserted time, and its row says so."""
        answer = row(issued("2018-02-01T09:00:00Z", history=True), as_of="2021-01-05T00:00:00Z")
        assert (answer["acceptance"]["value"], answer["clock"]) == ("irrevocably_accepted", "asserted")

    @given(st.lists(st.integers(0, 30 * 24), max_size=3), st.lists(st.integers(0, 30 * 24), max_size=2))
    def test_accepted_for_ever(self, disputes: list[int], settlements: list[int]) -> None:
        """An invoice irrevocably accepted never becomes contestable again with the same facts."""
        start = instants.parse_instant("2021-06-01T07:00:00Z")
        facts = [issued()]
        facts += [recorded("invoice.disputed", F1, {}, start + timedelta(hours=hours)) for hours in disputes]
        facts += [
            recorded("invoice.dispute_settled", F1, {"outcome": outcome}, start + timedelta(hours=hours))
            for hours, outcome in zip(settlements, ("upheld", "rejected"), strict=False)
        ]
        seen = [
            row(*facts, as_of=instants.canonical(start + timedelta(hours=hours)))["acceptance"]["value"]
            for hours in range(0, 32 * 24, 24)
        ]
        first = next((n for n, value in enumerate(seen) if value == "irrevocably_accepted"), len(seen))
        assert set(seen[first:]) <= {"irrevocably_accepted"}


class TestPayment:
    """Paid, late, and what lateness costs."""

    def test_late_from_the_first_day(self) -> None:
        """The day after the day of issue brings €40 and a day of interest: 1200 × 10 % ÷ 365."""
        on_the_day = row(issued(), as_of="2021-06-01T21:59:59.999999Z")
        assert (on_the_day["payment"]["value"], on_the_day["late_indemnity"]["value"]) == ("due", "0.00")
        assert on_the_day["late_interest"]["value"] == "0.00"
        next_day = row(issued(), as_of="2021-06-01T22:00:00Z")
        assert (next_day["payment"]["value"], next_day["late_indemnity"]["value"]) == ("overdue", "40.00")
        assert next_day["late_interest"]["value"] == "0.33"

    def test_a_due_date(self) -> None:
        """With a date due, lateness begins on the day after it."""
        invoice = issued(due="2021-06-30")
        assert row(invoice, as_of="2021-06-30T21:59:59Z")["payment"]["value"] == "due"
        assert row(invoice, as_of="2021-06-30T22:00:00Z")["payment"]["value"] == "overdue"

    def test_interest_stops_with_payment(self) -> None:
        """Value date 11 June: ten days, 1200 × 10 % × 10 ÷ 365 = 3.29, whenever it is asked."""
        answer = row(issued(), paid(), as_of="2021-09-01T00:00:00Z")
        assert (answer["payment"]["value"], answer["unpaid"]) == ("paid", "0.00")
        assert (answer["late_interest"]["value"], answer["late_indemnity"]["value"]) == ("3.29", "40.00")

    @pytest.mark.parametrize(
        ("value_date", "costs"), [("2021-06-01", ("0.00", "0.00")), ("2021-06-02", ("40.00", "0.33"))]
    )
    def test_paid_in_time_however_late_recorded(self, value_date: str, costs: tuple[str, str]) -> None:
        """Value dated the due day nothing is owed for lateness; a day later it is."""
        answer = row(
            issued(), paid(value_date=value_date, at="2021-07-12T08:00:00Z"), as_of="2021-09-01T00:00:00Z"
        )
        assert (answer["late_indemnity"]["value"], answer["late_interest"]["value"]) == costs

    def test_a_rejected_debit_revives_the_debt(self) -> None:
        """Once the debit is rejected, interest runs as if it had never been paid."""
        payment = paid(value_date="2021-06-01", at="2021-06-01T08:00:00Z", reference="SDD-1")
        refusal = {"reference": "SDD-1", "reason": "AM04"}
        rejected = recorded("invoice.payment_rejected", F1, refusal, "2021-06-05T08:00:00Z")
        assert row(issued(), payment, as_of="2021-06-04T08:00:00Z")["payment"]["value"] == "paid"
        answer = row(issued(), payment, rejected, as_of="2021-06-11T08:00:00Z")
        assert (answer["payment"]["value"], answer["unpaid"], answer["late_interest"]["value"]) == (
            "overdue", "1200.00", "3.29",
        )  # fmt: skip

    def test_a_second_debit_under_the_same_reference_stands(self) -> None:
        """A rejection undoes the debit before it, not the one presented again after."""
        facts = (
            issued(),
            paid(value_date="2021-06-01", at="2021-06-01T08:00:00Z", reference="SDD-1"),
            recorded(
                "invoice.payment_rejected",
                F1,
                {"reference": "SDD-1", "reason": "AM04"},
                "2021-06-05T08:00:00Z",
            ),
            paid(value_date="2021-06-08", at="2021-06-08T08:00:00Z", reference="SDD-1"),
        )
        assert row(*facts, as_of="2021-06-20T00:00:00Z")["payment"]["value"] == "paid"

    def test_a_credit_note_reduces_from_the_day_after_its_own(self) -> None:
        """Six days on 1200 (2 to 7 June) and four on 200: (7200 + 800) × 10 % ÷ 365 = 2.19."""
        note = recorded(
            "invoice.credited", F1, {"amount": "1000.00", "date": "2021-06-07"}, "2021-06-09T08:00:00Z"
        )
        answer = row(issued(), note, as_of="2021-06-11T08:00:00Z")
        assert answer["late_interest"]["value"] == "2.19"
        assert [(s["from"], s["to"], s["principal"]) for s in answer["interest_segments"]] == [
            ("2021-06-02", "2021-06-07", "1200.00"),
            ("2021-06-08", "2021-06-11", "200.00"),
        ]

    def test_credited(self) -> None:
        """Wholly credited with no payment standing it is credited; with one it is paid."""
        note = recorded("invoice.credited", F1, {"amount": "1200.00"}, "2021-06-01T08:00:00Z")
        assert row(issued(), note, as_of="2021-06-02T08:00:00Z")["payment"]["value"] == "credited"
        part = recorded("invoice.credited", F1, {"amount": "200.00"}, "2021-06-01T08:00:00Z")
        payment = paid("1000.00", "2021-06-01", "2021-06-01T08:00:00Z")
        assert row(issued(), part, payment, as_of="2021-06-02T08:00:00Z")["payment"]["value"] == "paid"

    def test_part_paid(self) -> None:
        """Paid in part it is part paid until it is late, then overdue."""
        payment = paid("100.00", "2021-06-01", "2021-06-01T08:00:00Z")
        invoice = issued(due="2021-06-30")
        assert row(invoice, payment, as_of="2021-06-30T08:00:00Z")["payment"]["value"] == "part_paid"
        assert row(invoice, payment, as_of="2021-07-01T08:00:00Z")["payment"]["value"] == "overdue"

    def test_direct_debit(self) -> None:
        """Under a mandate it is late from D+1, or only once a debit was rejected (R15)."""
        invoice = issued(direct_debit=True)
        payment = row(invoice, as_of="2021-06-05T08:00:00Z")["payment"]
        assert payment["value"] == "overdue"
        assert [(r["reading"], r["value"]) for r in payment["readings"]] == [
            ("R15", "overdue"),
            ("R15", "due"),
        ]
        refusal = {"reference": "SDD-1", "reason": "AM04"}
        rejected = recorded("invoice.payment_rejected", F1, refusal, "2021-06-05T08:00:00Z")
        second = Readings.parse(["R15=2"])
        assert (
            row(invoice, rejected, as_of="2021-06-05T21:00:00Z", readings=second)["payment"]["value"] == "due"
        )
        late = row(invoice, rejected, as_of="2021-06-05T22:00:00Z", readings=second)
        assert (late["payment"]["value"], late["late_interest"]["value"]) == ("overdue", "0.33")

    def test_missing_rate_is_named(self) -> None:
        """Beyond the rates known, interest is null and the missing rate is named; a fact supplies it."""
        invoice = issued("2030-01-10T08:00:00Z")
        answer = row(invoice, as_of="2030-01-20T08:00:00Z")
        assert answer["late_interest"]["value"] is None
        assert jsonable(answer["missing_rates"]) == [
            {"reference": "ecb_main_refinancing", "day": "2030-01-01"}
        ]
        ecb, legal = (
            recorded(
                "rate.published",
                f"rate/{n}",
                {"reference": ref, "effective": "2030-01-01", "rate": rate},
                "2030-01-05T00:00:00Z",
            )
            for n, (ref, rate) in enumerate(
                (("ecb_main_refinancing", "2.00"), ("legal_interest_professional", "3.00"))
            )
        )
        assert row(invoice, ecb, as_of="2030-01-20T08:00:00Z")["missing_rates"][0]["reference"] == (
            "legal_interest_professional"
        )
        assert row(invoice, ecb, legal, as_of="2030-01-20T08:00:00Z")["late_interest"]["value"] == "3.95"

    @given(st.permutations(range(4)))
    def test_order_of_recording_at_one_instant(self, order: list[int]) -> None:
        """Facts of one instant conclude the same whatever order they were recorded in."""
        at = "2021-06-05T08:00:00Z"
        kinds = [
            ("invoice.paid", {"amount": "500.00", "value_date": "2021-06-04", "reference": "P"}),
            ("invoice.payment_rejected", {"reference": "P", "reason": "AM04"}),
            ("invoice.credited", {"amount": "100.00", "date": "2021-06-03"}),
            ("invoice.disputed", {"amount": "50.00"}),
        ]
        facts = [
            recorded(kinds[n][0], F1, kinds[n][1], at, position=1000 + place) for place, n in enumerate(order)
        ]
        answer = row(issued(), *facts, as_of="2021-06-20T00:00:00Z")
        assert answer["unpaid"] == "1100.00"
        assert answer["late_interest"]["value"] == "5.78"

    @given(st.integers(0, 400), st.integers(0, 400))
    def test_interest_never_falls(self, first: int, second: int) -> None:
        """Interest never falls as time goes by with the same facts."""
        start = instants.parse_instant("2021-06-01T07:00:00Z")
        earlier, later = sorted((first, second))
        amounts = [
            row(issued(), paid("400.00"), as_of=instants.canonical(max(start, start + timedelta(days=days))))
            for days in (max(earlier, 12), max(later, 12))
        ]
        assert Decimal(amounts[0]["late_interest"]["value"]) <= Decimal(amounts[1]["late_interest"]["value"])


class TestPaging:
    """Pages of invoices."""

    def test_pages_in_order_of_issue(self) -> None:
        """Pages of one follow each other without loss, and an unknown place is refused."""
        facts = [issued(f"2021-06-0{n}T07:00:00Z", f"ACC-1/invoice/F{n}") for n in range(1, 4)]
        seen, after = [], None
        for _ in itertools.repeat(None, 4):
            page = rows(*facts, as_of="2021-07-01T00:00:00Z", limit=1, after=after)
            if not page:
                break
            after = page[0]["subject"]
            seen.append(after)
        assert seen == ["ACC-1/invoice/F1", "ACC-1/invoice/F2", "ACC-1/invoice/F3"]
        with pytest.raises(WrongCallError):
            rows(*facts, as_of="2021-07-01T00:00:00Z", after="ACC-1/invoice/none")
