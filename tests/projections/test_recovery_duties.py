"""Recovery and erasure of data at the end of a contract, from recorded facts (arts. 18.1 to 18.3)."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from facts_factory import in_order, recorded
from hypothesis import given
from hypothesis import strategies as st

from ledger import instants
from ledger.contract.finding import PRIMARY, Readings, jsonable
from ledger.facts.recorded import Recorded
from projections.contract import CONTRACT
from projections.obligations import OBLIGATIONS
from projections.question import Question

EMAIL = "client@acc-1.example"
ORDER, QUOTE, PAY = "order recovery by mail, before the end, with nothing owed", "quote the recovery", (
    "pay for the recovery"
)  # fmt: skip
HAND, RECOVER, ERASE = "hand over the recovered data", "recover its data", "erase the client's data"
BILLING, LOG = "erase billing data", "delete the log of the erasure"
ASK, CERTIFY = "ask for the certificate of erasure", "certify the erasure in writing"
END = "2021-05-02T22:00:00Z"
"""3 May 2021, 0:00 in Paris: the end of the contract that art. 18 takes as its example."""


def opened() -> Recorded:
    """The account."""
    return recorded("account.opened", "ACC-1", {"email": EMAIL}, "2021-01-04T09:00:00Z")


def terminated(at: str = "2021-04-17T08:00:00Z") -> list[Recorded]:
    """OUTSCALE's termination, which takes effect on 3 May 2021 unless told otherwise."""
    mail = "ACC-1/notification/n1"
    return [
        opened(),
        recorded("notification.sent", mail, {"kind": "termination", "to": EMAIL}, at),
        recorded("termination.notified", "ACC-1/termination/t1", {"by": "outscale"}, at, mail=mail),
    ]


def disabled(at: str = "2022-01-01T10:00:00Z") -> Recorded:
    """OUTSCALE disabled the account."""
    return recorded("account.deactivated", "ACC-1", {}, at)


def ordered(at: str, not_after: str | None = None) -> list[Recorded]:
    """An order of recovery, and the client's mail that carried it."""
    mail = "ACC-1/mail/m1"
    return [
        recorded("mail.received", mail, {"from": EMAIL}, at, not_after=not_after),
        recorded("recovery.ordered", "ACC-1/recovery/r1", {}, at, mail=mail, not_after=not_after),
    ]


def recovery(step: str, at: str, **data: str) -> Recorded:
    """A step of the recovery."""
    return recorded(f"recovery.{step}", "ACC-1/recovery/r1", data, at)


def erasure(step: str, at: str) -> Recorded:
    """A step of the erasure."""
    return recorded(f"erasure.{step}", "ACC-1/erasure/e1", {}, at)


def duties(*facts: Recorded, as_of: str, readings: Readings = PRIMARY) -> dict[str, dict[str, Any]]:
    """The duties of art. 18 by what they ask, as JSON."""
    at = instants.parse_instant(as_of)
    kept = [f for f in in_order(*facts) if f.legal_time <= at and f.type in OBLIGATIONS.types]
    rows = jsonable(OBLIGATIONS.answer(kept, Question("ACC-1", at, readings)))
    return {row["what"]: row for row in rows if row["article"].startswith("18.")}


def status(*facts: Recorded, what: str, as_of: str, readings: Readings = PRIMARY) -> str:
    """The bare status of one duty."""
    value: str = duties(*facts, as_of=as_of, readings=readings)[what]["status"]["value"]
    return value


def contract(*facts: Recorded, as_of: str) -> dict[str, Any]:
    """The state of the contract, as JSON."""
    at = instants.parse_instant(as_of)
    kept = [fact for fact in in_order(*facts) if fact.legal_time <= at and fact.type in CONTRACT.types]
    result: dict[str, Any] = jsonable(CONTRACT.answer(kept, Question("ACC-1", at)))
    return result


class TestOrders:
    """When an order of recovery is admissible."""

    def test_the_readings_of_midnight_show(self) -> None:
        """An order on 3 May is too late, and in time where « minuit » is the end of the day (R5)."""
        row = duties(*terminated(), *ordered("2021-05-03T08:00:00Z"), as_of="2021-05-10T00:00:00Z")[ORDER]
        found = [(r["reading"], r["value"]) for r in row["status"]["readings"] if r["reading"] == "R5"]
        assert row["status"]["value"] == "missed"
        assert found == [("R5", "missed"), ("R5", "met"), ("R5", "missed")]
        late = Readings.parse(["R5=2"])
        facts = [*terminated(), *ordered("2021-05-03T08:00:00Z")]
        assert status(*facts, what=ORDER, as_of="2021-05-10T00:00:00Z", readings=late) == "met"

    def test_settled_before_it_came(self) -> None:
        """A debt bars an order until it is paid: the same order a microsecond after the payment counts."""
        invoice = recorded("invoice.issued", "ACC-1/invoice/F1", {"total": "120"}, "2021-04-20T09:00:00Z")
        paid = recorded(
            "invoice.paid", "ACC-1/invoice/F1", {"amount": "120", "reference": "p"}, "2021-04-25T08:00:00Z"
        )
        facts = [*terminated(), invoice, paid]
        early = duties(*facts, *ordered("2021-04-25T07:59:59.999999Z"), as_of="2021-05-01T00:00:00Z")[ORDER]
        assert early["status"]["value"] == "missed"
        assert "ACC-1/invoice/F1" in {fact["subject"] for fact in early["status"]["because"]}
        after = duties(*facts, *ordered("2021-04-25T08:00:00Z"), as_of="2021-05-01T00:00:00Z")[ORDER]
        assert (after["status"]["value"], after["note"]) == ("met", None)
        assert "ACC-1/invoice/F1" not in {fact["subject"] for fact in after["status"]["because"]}

    def test_a_debit_rejected_later_does_not_undo_it(self) -> None:
        """What was settled when the order came counts, though the debit is rejected afterwards."""
        facts = [
            *terminated(),
            recorded("invoice.issued", "ACC-1/invoice/F1", {"total": "120"}, "2021-04-20T09:00:00Z"),
            recorded(
                "invoice.paid",
                "ACC-1/invoice/F1",
                {"amount": "120", "reference": "p"},
                "2021-04-21T08:00:00Z",
            ),
            *ordered("2021-04-25T08:00:00Z"),
            recorded(
                "invoice.payment_rejected", "ACC-1/invoice/F1", {"reference": "p"}, "2021-04-26T08:00:00Z"
            ),
        ]
        assert status(*facts, what=ORDER, as_of="2021-05-01T00:00:00Z") == "met"

    def test_a_stamp_that_cannot_be_told(self) -> None:
        """A mail that may have reached the server before or after the end is undetermined."""
        facts = [*terminated(), *ordered("2021-05-02T21:59:59Z", not_after="2021-05-02T22:00:01Z")]
        assert status(*facts, what=ORDER, as_of="2021-05-10T00:00:00Z") == "undetermined"

    def test_a_message_of_outscale_carries_no_order(self) -> None:
        """The order is the client's mail; what OUTSCALE sent carries none."""
        order = recorded(
            "recovery.ordered", "ACC-1/recovery/r1", {}, "2021-04-25T08:00:00Z", mail="ACC-1/notification/n1"
        )
        row = duties(*terminated(), order, as_of="2021-05-10T00:00:00Z")[ORDER]
        assert (row["status"]["value"], row["note"]) == (
            "missed",
            "no mail of the client carried it (art. 18.2)",
        )

    def test_while_the_contract_runs(self) -> None:
        """Without an end in sight an order by mail with nothing owed is admissible, and no delay runs."""
        row = duties(opened(), *ordered("2021-04-25T08:00:00Z"), as_of="2021-04-25T08:00:00Z")[ORDER]
        assert (row["status"]["value"], row["act_by"]) == ("met", None)


class TestCourse:
    """Quote, acceptance, payment and delivery."""

    STEPS = (
        *ordered("2021-04-20T08:00:00Z"),
        recovery("quoted", "2021-04-21T08:00:00Z", amount="100"),
        recovery("accepted", "2021-04-22T08:00:00Z"),
        recovery("paid", "2021-04-23T08:00:00Z"),
        recovery("delivered", "2021-05-04T08:00:00Z"),
    )

    @pytest.mark.parametrize(
        ("as_of", "expected"),
        [
            ("2021-04-20T08:00:00Z", {QUOTE: "open"}),
            ("2021-04-21T08:00:00Z", {QUOTE: "met"}),
            ("2021-04-22T08:00:00Z", {QUOTE: "met", PAY: "open"}),
            ("2021-04-23T08:00:00Z", {QUOTE: "met", PAY: "met", HAND: "open"}),
            ("2021-05-04T08:00:00Z", {QUOTE: "met", PAY: "met", HAND: "met"}),
        ],
    )
    def test_each_step_calls_for_the_next(self, as_of: str, expected: dict[str, str]) -> None:
        """An admissible order calls for a quote, its acceptance for the price, the price for the data."""
        rows = duties(*terminated(), *self.STEPS, as_of=as_of)
        found = {what: rows[what]["status"]["value"] for what in (QUOTE, PAY, HAND) if what in rows}
        assert found == expected

    def test_delivered_after_the_end(self) -> None:
        """A client that ordered in time did recover its data, though they were handed over after the end."""
        row = duties(*terminated(), *self.STEPS, as_of="2021-05-04T08:00:00Z")[RECOVER]
        assert (row["status"]["value"], row["met_by"]["type"]) == ("met", "recovery.delivered")

    def test_an_inadmissible_order_calls_for_no_quote(self) -> None:
        """Too late an order obliges OUTSCALE to nothing."""
        assert QUOTE not in duties(*terminated(), *ordered(END), as_of="2021-05-10T00:00:00Z")


class TestEnd:
    """What a termination brings."""

    def test_the_client_may_have_recovered_them_itself(self) -> None:
        """Open until the end; after it the record cannot tell whether the client copied its data."""
        assert status(*terminated(), what=RECOVER, as_of="2021-05-02T21:59:59.999999Z") == "open"
        assert status(*terminated(), what=RECOVER, as_of=END) == "undetermined"

    @pytest.mark.parametrize(
        ("at", "expected"),
        [
            ("2021-05-03T21:59:59.999999Z", "missed"),
            ("2021-05-03T22:00:00Z", "met"),
            ("2021-08-01T21:59:59.999999Z", "met"),
            ("2021-08-01T22:00:00Z", "missed"),
        ],
    )
    def test_erased_neither_early_nor_late(self, at: str, expected: str) -> None:
        """Erased from the end of 3 May and within ninety days of it; a microsecond off is a breach."""
        done = erasure("done", at)
        assert status(*terminated(), done, what=ERASE, as_of="2021-09-01T00:00:00Z") == expected

    def test_ninety_days_count_from_disabling(self) -> None:
        """Disabled a week after the end, the account's data are certainly gone a week later (R20)."""
        facts = [*terminated(), disabled("2021-05-10T08:00:00Z")]
        assert duties(*facts, as_of="2021-06-01T00:00:00Z")[ERASE]["act_by"] == "2021-08-08T22:00:00Z"

    def test_a_legal_hold(self) -> None:
        """Held beyond the ninety days, data that are not erased are no breach; without a hold they are."""
        held = recorded("hold.placed", "ACC-1/hold/h1", {"until": "2021-12-31"}, "2021-06-01T08:00:00Z")
        row = duties(*terminated(), held, as_of="2021-09-01T00:00:00Z")[ERASE]
        assert (row["status"]["value"], row["act_by"]) == ("open", None)
        assert row["note"] == "a legal hold stands: ACC-1/hold/h1"
        assert "ACC-1/hold/h1" in {fact["subject"] for fact in row["status"]["because"]}
        released = recorded("hold.released", "ACC-1/hold/h1", {}, "2021-07-01T08:00:00Z")
        row = duties(*terminated(), held, released, as_of="2021-09-01T00:00:00Z")[ERASE]
        assert (row["status"]["value"], row["note"]) == ("missed", None)

    def test_billing_data(self) -> None:
        """Billing data may stay ten years; that they are gone afterwards leaves no trace."""
        row = duties(*terminated(), as_of="2031-05-03T21:59:59.999999Z")[BILLING]
        assert (row["act_by"], row["status"]["value"]) == ("2031-05-03T22:00:00Z", "open")
        assert "decree 2011-219" in row["note"]
        assert status(*terminated(), what=BILLING, as_of="2031-05-03T22:00:00Z") == "undetermined"

    def test_mandatory_retrieval(self) -> None:
        """From 12 September 2025 the duty warns of the Data Act; the eve it does not (R23)."""
        before = duties(*terminated("2025-08-26T08:00:00Z"), as_of="2025-09-01T00:00:00Z")[RECOVER]
        since = duties(*terminated("2025-08-27T08:00:00Z"), as_of="2025-09-01T00:00:00Z")[RECOVER]
        assert (before["act_by"], before["note"]) == ("2025-09-10T22:00:00Z", None)
        assert since["act_by"] == "2025-09-11T22:00:00Z"
        assert "2023/2854" in since["note"]
        added = Readings.parse(["R23=2"])
        facts = terminated("2025-08-27T08:00:00Z")
        longer = duties(*facts, as_of="2025-09-01T00:00:00Z", readings=added)[RECOVER]
        assert longer["act_by"] == "2025-10-12T22:00:00Z"


class TestDisabled:
    """An account that OUTSCALE disabled and nobody terminated."""

    def test_terminated_after_ninety_days(self) -> None:
        """It is terminated from the first instant after the ninetieth day, and its disabling says why."""
        facts = [opened(), disabled()]
        assert contract(*facts, as_of="2022-04-01T21:59:59.999999Z")["status"]["value"] == "incomplete"
        over = contract(*facts, as_of="2022-04-01T22:00:00Z")["status"]
        assert over["value"] == "terminated"
        assert [fact["type"] for fact in over["because"]] == ["account.deactivated"]

    def test_it_ends_before_a_termination_takes_effect(self) -> None:
        """Ninety days after disabling the contract is over, though a termination would take effect later."""
        facts = [*terminated("2022-03-25T08:00:00Z"), disabled()]
        assert contract(*facts, as_of="2022-04-01T21:59:59.999999Z")["status"]["value"] == "terminating"
        assert contract(*facts, as_of="2022-04-01T22:00:00Z")["status"]["value"] == "terminated"

    def test_its_duties(self) -> None:
        """Its data stay accessible ninety days, are gone at their end, and billing data stay ten years."""
        rows = duties(opened(), disabled(), as_of="2022-02-01T00:00:00Z")
        ends = {what: (row["subject"], row["act_by"]) for what, row in rows.items()}
        assert ends == {
            RECOVER: ("ACC-1", "2022-04-01T22:00:00Z"),
            ERASE: ("ACC-1", "2022-04-01T22:00:00Z"),
            BILLING: ("ACC-1", "2032-04-01T22:00:00Z"),
        }

    def test_no_end_no_duty(self) -> None:
        """Without termination or disabling art. 18 asks nothing."""
        assert duties(opened(), as_of="2022-02-01T00:00:00Z") == {}


class TestCertificate:
    """What follows erasure."""

    def test_asked_for_and_issued(self) -> None:
        """Asked for in time, the certificate is open until it is issued."""
        facts = [
            erasure("done", "2021-05-04T10:00:00Z"),
            erasure("certificate_requested", "2021-06-01T08:00:00Z"),
            erasure("certificate_issued", "2021-06-02T08:00:00Z"),
        ]
        assert status(*facts, what=CERTIFY, as_of="2021-06-02T07:59:59.999999Z") == "open"
        assert status(*facts, what=CERTIFY, as_of="2021-06-02T08:00:00Z") == "met"

    def test_asked_for_too_late(self) -> None:
        """Asked for after six months, there is nothing to certify."""
        facts = [
            erasure("done", "2021-05-04T10:00:00Z"),
            erasure("certificate_requested", "2021-11-04T23:00:00Z"),
        ]
        rows = duties(*facts, as_of="2021-12-01T00:00:00Z")
        assert rows[ASK]["status"]["value"] == "missed"
        assert CERTIFY not in rows

    def test_the_log_is_gone_after_a_year(self) -> None:
        """The log of the erasure lasts until the end of the same day a year later, no longer."""
        done = erasure("done", "2020-02-29T10:00:00Z")
        assert status(done, what=LOG, as_of="2021-02-28T22:59:59.999999Z") == "open"
        assert status(done, what=LOG, as_of="2021-02-28T23:00:00Z") == "met"


class TestProperties:
    """What holds whenever it happens."""

    @given(st.integers(-15 * 86_400, 15 * 86_400))
    def test_an_order_is_in_time_or_too_late(self, seconds: int) -> None:
        """An order before the end is admissible and any later one is not, with no instant between."""
        at = instants.plain(instants.parse_instant(END) + timedelta(seconds=seconds))
        found = status(*terminated(), *ordered(at), what=ORDER, as_of="2021-06-01T00:00:00Z")
        assert found == ("met" if seconds < 0 else "missed")

    @given(st.dates(date(2021, 1, 5), date(2030, 1, 1)), st.integers(0, 86_399))
    def test_ninety_whole_days(self, day: date, second: int) -> None:
        """Whatever the hour of disabling, the account ends on the ninetieth midnight after its day."""
        at = instants.plain(instants.paris_midnight(day) + timedelta(seconds=min(second, 80_000)))
        ends = instants.paris_midnight(day + timedelta(days=91))
        facts = [opened(), disabled(at)]
        eve = instants.plain(ends - timedelta(microseconds=1))
        assert contract(*facts, as_of=eve)["status"]["value"] == "incomplete"
        assert contract(*facts, as_of=instants.plain(ends))["status"]["value"] == "terminated"
