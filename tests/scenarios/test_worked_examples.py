"""The contract's own numbers, and the ones worked out by hand from its articles, asked from outside."""

from __future__ import annotations

import json

import pytest

ENTRY = {
    "service": "fcu",
    "resource": "tinav5.c4r8p2",
    "resource_id": "i-12345678",
    "subregion": "eu-west-2a",
    "unit": "second",
}
SLICE = {**ENTRY, "from": "2026-03-28T08:00:00Z", "to": "2026-03-28T09:00:00Z", "quantity": "3600"}


def consumed(told, *quantities, at="2021-06-30T12:00:00Z", resource="tinav5.c4r8p2"):
    for place, quantity in enumerate(quantities):
        told.tell(at, "consumption.recorded", f"ACC-1/consumption/{resource}-{place}", {"entries": [
            {**ENTRY, "resource": resource, "from": "2021-06-10T08:00:00Z", "to": "2021-06-10T09:10:04Z", "quantity": quantity},
        ]})  # fmt: skip


class TestUsage:
    @pytest.mark.parametrize(
        ("metered", "billed"),
        [("4203.25", "4204"), ("3540", "3600"), ("3600", "3600"), ("3600.000001", "3601"), ("0.5", "3600")],
    )
    def test_seconds_of_a_month(self, told, metered, billed):
        """Seconds are rounded up over the month, and under an hour a whole hour is billed (art. 15.4)."""
        told.opened()
        consumed(told, metered)
        (row,) = told.ask("usage", "2021-07-10T00:00:00Z")
        assert (row["month"], row["region"], row["unit"]) == ("2021-06", "eu-west-2", "second")
        assert row["metered"] == metered
        assert row["billed"]["value"] == billed
        assert row["billed"]["article"].startswith("15")
        assert row["amount"]["value"] is None if row["amount"] else row["amount"] is None

    def test_rounding_is_once_for_the_month(self, told):
        """Two slices of 2101.625 s make 4203.25 s, billed 4204 and not 4204 twice rounded."""
        told.opened()
        consumed(told, "2101.625", "2101.625")
        (row,) = told.ask("usage", "2021-07-10T00:00:00Z")
        assert (row["metered"], row["billed"]["value"]) == ("4203.250", "4204") or row["billed"][
            "value"
        ] == "4204"

    def test_amount_at_the_public_price(self, told):
        """4204 billed seconds at 0.0001 a second are 0.42."""
        told.opened()
        told.tell("2021-01-05T00:00:00Z", "price.published", "price/p1", {
            "service": "fcu", "resource": "tinav5.c4r8p2", "region": "eu-west-2", "unit": "second",
            "unit_price": "0.0001", "currency": "EUR", "effective": "2021-01-05",
        })  # fmt: skip
        consumed(told, "4203.25")
        (row,) = told.ask("usage", "2021-07-10T00:00:00Z")
        assert row["amount"]["value"] == "0.42"


class TestAcceptance:
    def delivered(self, told):
        told.opened()
        told.tell(
            "2026-03-28T09:05:00Z", "consumption.recorded", "ACC-1/consumption/c1", {"entries": [SLICE]}
        )

    @pytest.mark.parametrize(
        ("as_of", "status"),
        [
            ("2026-03-28T09:05:00Z", "provisional"),
            ("2026-03-30T08:00:00Z", "provisional"),
            ("2026-03-30T08:00:00.000001Z", "partly_final"),
            ("2026-03-30T09:00:00Z", "partly_final"),
            ("2026-03-30T09:00:00.000001Z", "final"),
        ],
    )
    def test_final_after_48_elapsed_hours(self, told, as_of, status):
        """48 hours are elapsed hours, across the change to summer time, and the 48th is in time (art. 9.4)."""
        self.delivered(told)
        (delivery,) = told.ask("acceptance", as_of)["deliveries"]
        assert delivery["status"]["value"] == status
        assert delivery["final_from"] == "2026-03-30T08:00:00Z"
        assert delivery["final_after"] == "2026-03-30T09:00:00Z"

    def reserve(self, told, stamped, recorded=None, data=None, *, mail=True):
        recorded = recorded or stamped
        body = {"service": "fcu", "unavailable_from": "2026-03-28T08:10:00Z", "unavailable_to": "2026-03-28T08:50:00Z",
                "evidence": ["graph"]} if data is None else data  # fmt: skip
        extra = {}
        if mail:
            told.tell(
                recorded,
                "mail.received",
                "ACC-1/mail/m1",
                {"from": "client@acc-1.example", "to": ["support@outscale.com"]},
                stamped_at=stamped,
            )
            extra["mail"] = "ACC-1/mail/m1"
        told.tell(recorded, "reserve.notified", "ACC-1/reserve/r1", body, **extra)

    def test_reserve_at_47_hours(self, told):
        """A documented reserve by mail 47 hours after the outage covers it, and reserves the delivery."""
        self.delivered(told)
        self.reserve(told, "2026-03-30T07:30:00Z")
        result = told.ask("acceptance", "2026-03-30T12:00:00Z")
        (reserve,) = result["reserves"]
        assert reserve["status"]["value"] == "admissible"
        assert reserve["stamped_at"] == "2026-03-30T07:30:00Z"
        assert reserve["covers"] == {"from": "2026-03-28T08:10:00Z", "to": "2026-03-28T08:50:00Z"}
        assert result["deliveries"][0]["status"]["value"] == "reserved"

    def test_reserve_at_49_hours(self, told):
        """A reserve 49 hours after the outage is out of time, and the delivery is final."""
        self.delivered(told)
        self.reserve(told, "2026-03-30T09:50:00.000001Z")
        result = told.ask("acceptance", "2026-03-30T12:00:00Z")
        assert result["reserves"][0]["status"]["value"] == "out_of_time"
        assert result["reserves"][0]["covers"] is None
        assert result["deliveries"][0]["status"]["value"] == "final"

    def test_reserve_at_exactly_48_hours(self, told):
        """A reserve stamped exactly 48 hours after the end of the outage is admissible for that instant."""
        self.delivered(told)
        self.reserve(told, "2026-03-30T08:50:00Z")
        result = told.ask("acceptance", "2026-03-30T08:55:00Z")
        assert result["reserves"][0]["status"]["value"] == "admissible"
        assert result["reserves"][0]["covers"] == {
            "from": "2026-03-28T08:50:00Z",
            "to": "2026-03-28T08:50:00Z",
        }

    def test_reserve_without_mail(self, told):
        """A reserve that came by no mail is irregular: art. 9.4 wants a mail."""
        self.delivered(told)
        self.reserve(told, "2026-03-29T08:00:00Z", mail=False)
        result = told.ask("acceptance", "2026-03-29T09:00:00Z")
        assert result["reserves"][0]["status"]["value"] == "irregular"

    def test_reserve_without_hours(self, told):
        """A reserve that gives no start hour is undocumented, and counts as withdrawn."""
        self.delivered(told)
        self.reserve(told, "2026-03-29T08:00:00Z", data={"service": "fcu", "evidence": ["graph"]})
        result = told.ask("acceptance", "2026-03-29T09:00:00Z")
        assert result["reserves"][0]["status"]["value"] == "undocumented"

    def test_partly_saved(self, told):
        """A reserve saves only what lies in the 48 hours before its stamp (R2, primary)."""
        self.delivered(told)
        self.reserve(told, "2026-03-30T08:30:00Z")
        (reserve,) = told.ask("acceptance", "2026-03-30T08:40:00Z")["reserves"]
        assert reserve["covers"] == {"from": "2026-03-28T08:30:00Z", "to": "2026-03-28T08:50:00Z"}

    def test_second_reading_of_r2(self, told):
        """Read from the end of the outage (R2, second), the whole outage is saved."""
        self.delivered(told)
        self.reserve(told, "2026-03-30T08:30:00Z")
        (reserve,) = told.ask("acceptance", "2026-03-30T08:40:00Z", "ACC-1", "--reading", "R2=2")["reserves"]
        assert reserve["covers"] == {"from": "2026-03-28T08:10:00Z", "to": "2026-03-28T08:50:00Z"}

    def test_undetermined_by_the_clock(self, told):
        """A deadline between a mail's stamp and the stamp that recorded it is undetermined by the clock."""
        self.delivered(told)
        self.reserve(told, "2026-03-30T08:49:59Z", recorded="2026-03-30T10:00:00Z")
        (reserve,) = told.ask("acceptance", "2026-03-30T12:00:00Z")["reserves"]
        assert reserve["status"]["value"] == "undetermined"

    def test_recorded_late_but_in_time(self, told):
        """A mail recorded late keeps its own legal time, and known_at tells what was known before."""
        self.delivered(told)
        self.reserve(told, "2026-03-29T08:00:00Z", recorded="2026-03-29T20:00:00Z")
        later = told.ask("acceptance", "2026-03-29T10:00:00Z")
        assert later["deliveries"][0]["status"]["value"] == "reserved"
        then = told.ask("acceptance", "2026-03-29T10:00:00Z", "ACC-1", "--known-at", "2026-03-29T12:00:00Z")
        assert then["deliveries"][0]["status"]["value"] == "provisional"
        assert then["reserves"] == []


class TestInvoices:
    def issued(self, told, at="2021-06-01T07:00:00Z", **data):
        told.opened()
        told.tell(at, "invoice.issued", "ACC-1/invoice/F1", {
            "period": {"from": "2021-05-01", "to": "2021-05-31"}, "lines": [], "net": "1000.00", "vat": "200.00",
            "total": "1200.00", "currency": "EUR", "issue_date": "2021-06-01", "due": "on_receipt", **data,
        })  # fmt: skip

    def invoice(self, told, as_of, *options):
        (row,) = told.ask("invoices", as_of, "ACC-1", *options)
        return row

    @pytest.mark.parametrize(
        ("as_of", "acceptance"),
        [("2021-06-11T21:59:59.999999Z", "open"), ("2021-06-11T22:00:00Z", "irrevocably_accepted")],
    )
    def test_contestable_for_ten_days(self, told, as_of, acceptance):
        """An invoice issued 2021-06-01 09:00 Paris is contestable before 2021-06-11T22:00:00Z (art. 15.3)."""
        self.issued(told)
        row = self.invoice(told, as_of)
        assert row["contestable_until"] == "2021-06-11T22:00:00Z"
        assert row["acceptance"]["value"] == acceptance

    @pytest.mark.parametrize(
        ("at", "dispute", "acceptance"),
        [
            ("2021-06-11T21:59:59.999999Z", "in_time", "disputed"),
            ("2021-06-11T22:00:00Z", "late", "irrevocably_accepted"),
        ],
    )
    def test_dispute_on_day_10_and_11(self, told, at, dispute, acceptance):
        """A dispute on the tenth day is in time, on the eleventh it is late."""
        self.issued(told)
        told.tell(at, "invoice.disputed", "ACC-1/invoice/F1", {"amount": "1200.00", "reason": "quantities"})
        row = self.invoice(told, "2021-06-20T00:00:00Z")
        assert row["dispute"]["value"] == dispute
        assert row["acceptance"]["value"] == acceptance

    def test_late_from_the_first_day(self, told):
        """On the day after the day of issue, €40 and one day of interest at 0 + 10 % on the total are due."""
        self.issued(told)
        on_the_day = self.invoice(told, "2021-06-01T21:59:59Z")
        assert (on_the_day["payment"]["value"], on_the_day["late_indemnity"]["value"]) == ("due", "0.00")
        assert on_the_day["late_interest"]["value"] == "0.00"
        next_day = self.invoice(told, "2021-06-01T22:00:00Z")
        assert (next_day["payment"]["value"], next_day["late_indemnity"]["value"]) == ("overdue", "40.00")
        assert next_day["late_interest"]["value"] == "0.33"  # 1200 × 10 % ÷ 365

    def test_interest_stops_on_the_day_of_payment(self, told):
        """Paid with a value date of 11 June, ten days of interest: 1200 × 10 % × 10 ÷ 365 = 3.29."""
        self.issued(told)
        told.tell("2021-06-12T08:00:00Z", "invoice.paid", "ACC-1/invoice/F1", {
            "amount": "1200.00", "value_date": "2021-06-11", "method": "transfer", "reference": "P1",
        })  # fmt: skip
        row = self.invoice(told, "2021-09-01T00:00:00Z")
        assert row["payment"]["value"] == "paid"
        assert row["unpaid"] == "0.00"
        assert row["late_interest"]["value"] == "3.29"
        assert row["late_indemnity"]["value"] == "40.00"
        balance = told.ask("balance", "2021-09-01T00:00:00Z")
        assert (balance["invoiced"], balance["paid"], balance["due"]["value"]) == (
            "1200.00",
            "1200.00",
            "0.00",
        )
        assert balance["total"]["value"] == "43.29"

    def test_paid_in_time_however_late_recorded(self, told):
        """A payment whose value date is the due day leaves no indemnity and no interest."""
        self.issued(told)
        told.tell("2021-07-12T08:00:00Z", "invoice.paid", "ACC-1/invoice/F1", {
            "amount": "1200.00", "value_date": "2021-06-01", "method": "transfer", "reference": "P1",
        })  # fmt: skip
        row = self.invoice(told, "2021-09-01T00:00:00Z")
        assert (row["late_indemnity"]["value"], row["late_interest"]["value"]) == ("0.00", "0.00")
        assert self.invoice(told, "2021-07-01T00:00:00Z")["payment"]["value"] == "overdue"

    def test_history_is_asserted_and_not_contestable_again(self, told):
        """An invoice from before the ledger has its asserted time, and is long accepted."""
        told.tell(
            "2021-01-04T09:00:00Z",
            "account.opened",
            "ACC-1",
            {"email": "a@b.example"},
            history=True,
            time="2018-01-02T09:00:00Z",
        )
        told.tell("2021-01-04T09:00:00Z", "invoice.issued", "ACC-1/invoice/F0", {
            "net": "100.00", "vat": "20.00", "total": "120.00", "currency": "EUR", "issue_date": "2018-02-01",
            "due": "on_receipt",
        }, history=True, time="2018-02-01T09:00:00Z")  # fmt: skip
        answer = told.answer("invoices", "2021-01-05T00:00:00Z")
        assert answer["clock"] == "asserted"
        assert answer["result"][0]["acceptance"]["value"] == "irrevocably_accepted"
        assert answer["result"][0]["issued_at"] == "2018-02-01T09:00:00Z"


class TestContract:
    def test_states(self, told):
        """A contract is none, incomplete, then active; formed when validated with bank details (R22)."""
        told.tell("2021-01-04T09:00:00Z", "account.opened", "ACC-1", {"email": "a@b.example"})
        told.tell(
            "2021-01-04T10:00:00Z",
            "contract.accepted",
            "ACC-1",
            {"route": "internet", "terms": "2021-06", "on_demand": True},
        )
        told.tell("2021-01-04T11:00:00Z", "account.validated", "ACC-1")
        told.tell("2021-01-04T12:00:00Z", "account.bank_details_received", "ACC-1")
        states = {at: told.ask("contract", at)["status"]["value"] for at in (
            "2021-01-04T08:59:59Z", "2021-01-04T11:30:00Z", "2021-01-04T12:00:00Z")}  # fmt: skip
        assert list(states.values()) == ["none", "incomplete", "active"]
        formed = told.ask("contract", "2021-01-05T00:00:00Z")["formed_at"]
        assert formed["value"] == "2021-01-04T12:00:00Z"
        assert {reading["reading"] for reading in formed["readings"]} == {"R22"}

    def test_termination_for_convenience(self, told):
        """The client's termination takes effect 15 clear days after OUTSCALE's acknowledgement (art. 4)."""
        told.opened()
        told.tell(
            "2021-04-16T08:00:00Z",
            "mail.received",
            "ACC-1/mail/t",
            {"from": "client@acc-1.example", "to": ["support@outscale.com"]},
        )
        told.tell(
            "2021-04-16T08:00:00Z",
            "termination.notified",
            "ACC-1/termination/t1",
            {"by": "client", "ground": "convenience"},
            mail="ACC-1/mail/t",
        )
        told.tell("2021-04-17T08:00:00Z", "termination.acknowledged", "ACC-1/termination/t1")
        result = told.ask("contract", "2021-04-20T00:00:00Z")
        assert result["status"]["value"] == "terminating"
        assert result["termination"]["effective_date"]["value"] == "2021-05-03"
        assert told.ask("contract", "2021-05-03T21:59:59Z")["status"]["value"] == "terminating"
        assert told.ask("contract", "2021-05-03T22:00:00Z")["status"]["value"] == "terminated"


class TestCommand:
    def test_explains_a_subject(self, told):
        """An explanation names rule, article and facts of each conclusion on a subject."""
        TestInvoices().issued(told)
        told.record()
        out = told.run(
            "explain", "ACC-1/invoice/F1", "--as-of", "2021-06-02T00:00:00Z", "--db", told.db, "--json"
        )
        assert "15.3" in out
        json.loads(out)

    def test_audit_is_clean(self, told):
        """The audit of an honest ledger finds nothing and ends with status 0."""
        TestInvoices().issued(told)
        told.record()
        told.run("audit", "--db", told.db)

    def test_answers_say_what_they_are(self, told):
        """Every answer names account, instants, position, terms and clock."""
        TestInvoices().issued(told)
        answer = told.answer("balance", "2021-06-02T00:00:00Z")
        assert (answer["account"], answer["as_of"], answer["as_of_source"]) == (
            "ACC-1",
            "2021-06-02T00:00:00Z",
            "request",
        )
        assert (answer["known_at"], answer["terms"], answer["clock"]) == (None, "2021-06", "simulated")
        assert isinstance(answer["position"], int)
