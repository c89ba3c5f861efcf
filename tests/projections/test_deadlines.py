"""Deadlines: who must act until when, and how it ended; over one account, over all, and as a calendar."""

from __future__ import annotations

import pytest
from icalendar import Calendar

from api.calendar import calendar_of
from ledger import instants
from ledger.errors import WrongCallError
from projections.everywhere import everywhere

INVOICE = {"net": "100", "vat": "20", "total": "120", "issue_date": "2021-06-01"}


@pytest.fixture
def account(registry):
    """An account with a responsible person, which owes nothing yet."""
    registry.opened()
    registry.tell("2021-01-04T09:00:00Z", "account.responsible_named", "ACC-1", {"name": "R"})
    return registry


def rows(registry, as_of, **more):
    return registry.ask("deadlines", as_of, **more)["result"]


def one(registry, as_of, what, **more):
    (row,) = [row for row in rows(registry, as_of, **more) if row["what"].startswith(what)]
    return row


class TestInvoices:
    def test_they_are_sorted_by_the_safe_end(self, account):
        """An invoice brings two deadlines, the nearer one first, each with who must act and its article."""
        account.tell("2021-06-01T07:00:00Z", "invoice.issued", "ACC-1/invoice/F1", INVOICE)
        pay, dispute = rows(account, "2021-06-01T08:00:00Z")
        assert (pay["at"], pay["for"], pay["article"], pay["status"]) == (
            "2021-06-01T22:00:00Z",
            "client",
            "15.3",
            "upcoming",
        )
        assert (dispute["at"], dispute["status"]) == ("2021-06-11T22:00:00Z", "upcoming")
        assert dispute["at"] == dispute["act_by"] == dispute["forfeit_after"]

    @pytest.mark.parametrize(
        ("disputed", "status"),
        [("2021-06-11T21:59:59.999999Z", "met"), ("2021-06-11T22:00:00Z", "missed"), (None, "missed")],
    )
    def test_a_dispute_in_time_meets_its_deadline(self, account, disputed, status):
        """Passed, a deadline stays listed as met, by the fact that met it, or as missed."""
        account.tell("2021-06-01T07:00:00Z", "invoice.issued", "ACC-1/invoice/F1", INVOICE)
        if disputed:
            account.tell(disputed, "invoice.disputed", "ACC-1/invoice/F1", {"reason": "x"})
        row = one(account, "2021-07-01T00:00:00Z", "dispute")
        assert row["status"] == status
        assert (row["met_by"] or {}).get("type") == ("invoice.disputed" if status == "met" else None)

    @pytest.mark.parametrize(
        ("value_date", "status"), [("2021-06-01", "met"), ("2021-06-02", "missed"), (None, "missed")]
    )
    def test_payment(self, account, value_date, status):
        """Paid on the due day by its value date it is met, a day later or never it is missed."""
        account.tell("2021-06-01T07:00:00Z", "invoice.issued", "ACC-1/invoice/F1", INVOICE)
        if value_date:
            account.tell(
                "2021-06-05T07:00:00Z",
                "invoice.paid",
                "ACC-1/invoice/F1",
                {"amount": "120", "value_date": value_date},
            )
        assert one(account, "2021-07-01T00:00:00Z", "pay")["status"] == status


class TestClaims:
    @pytest.mark.parametrize(
        ("as_of", "status"),
        [
            ("2021-07-05T21:59:59.999999Z", "upcoming"),
            ("2021-07-05T22:00:00Z", "arguable"),
            ("2021-07-06T21:59:59.999999Z", "arguable"),
            ("2021-07-06T22:00:00Z", "missed"),
        ],
    )
    def test_a_reserve_brings_the_deadline_of_its_claim(self, account, as_of, status):
        """Five clear days after the month: safe, then arguable on the day of expiry, then lost (R3)."""
        self.reserve(account)
        row = one(account, as_of, "claim penalties for 2021-06-01 to 2021-06-30")
        assert (row["act_by"], row["forfeit_after"]) == ("2021-07-05T22:00:00Z", "2021-07-06T22:00:00Z")
        assert row["status"] == status

    def test_a_claim_in_time_meets_it(self, account):
        """The claim that lists the reserve is named as what met it."""
        self.reserve(account)
        account.tell(
            "2021-07-02T09:00:00Z",
            "sla.claimed",
            "ACC-1/claim/k1",
            {
                "reserves": ["ACC-1/reserve/r1"],
                "calculation": "x",
                "period": {"from": "2021-06-01", "to": "2021-06-30"},
            },
        )
        row = one(account, "2021-08-01T00:00:00Z", "claim")
        assert (row["status"], row["met_by"]["subject"]) == ("met", "ACC-1/claim/k1")

    def reserve(self, registry):
        registry.mail("2021-06-10T11:00:00Z", "ACC-1/mail/m1")
        outage = {"unavailable_from": "2021-06-10T08:00:00Z", "unavailable_to": "2021-06-10T10:00:00Z"}
        registry.tell(
            "2021-06-10T11:00:00Z",
            "reserve.notified",
            "ACC-1/reserve/r1",
            {"service": "fcu", "evidence": ["graph"], **outage},
            mail="ACC-1/mail/m1",
        )


class TestNoticesAndDuties:
    def test_a_notice_binds_the_other_party(self, account):
        """OUTSCALE's formal notice sets the client a deadline, the client's sets OUTSCALE one."""
        account.mail("2021-06-01T08:00:00Z", "ACC-1/mail/m1")
        account.tell(
            "2021-06-01T08:00:00Z",
            "formal_notice.sent",
            "ACC-1/formal-notice/f1",
            {"by": "client"},
            mail="ACC-1/mail/m1",
        )
        row = one(account, "2021-06-02T00:00:00Z", "remedy")
        assert (row["for"], row["status"], row["act_by"]) == ("outscale", "upcoming", "2021-06-08T22:00:00Z")

    def test_a_notice_without_effect_sets_none(self, account):
        """A notice that no mail carried sets no deadline."""
        account.tell("2021-06-01T08:00:00Z", "formal_notice.sent", "ACC-1/formal-notice/f1", {"by": "client"})
        assert rows(account, "2021-06-02T00:00:00Z") == []

    def test_obligations_with_an_end_are_deadlines(self, account):
        """Access keys to renew within 24 hours stand in the list; a duty without a delay does not."""
        account.tell("2021-06-01T08:00:00Z", "access_keys.renewal_requested", "ACC-1/access-keys/k1")
        account.tell("2021-06-01T08:00:00Z", "flaw.reported", "flaw/v1")
        (row,) = rows(account, "2021-06-02T00:00:00Z")
        assert (row["subject"], row["act_by"]) == ("ACC-1/access-keys/k1", "2021-06-02T08:00:00.000001Z")


class TestEverywhere:
    def test_one_list_over_all_accounts(self, account):
        """The deadlines of every account stand in one list, sorted by ``at``, each with its account."""
        account.opened("ACC-2", "2021-01-05T09:00:00Z")
        account.tell("2021-06-01T07:00:00Z", "invoice.issued", "ACC-2/invoice/G1", INVOICE)
        account.tell(
            "2021-06-02T07:00:00Z",
            "invoice.issued",
            "ACC-1/invoice/F1",
            {**INVOICE, "issue_date": "2021-06-02"},
        )
        answer = everywhere(
            account.answers, "deadlines", as_of=instants.parse_instant("2021-06-03T00:00:00Z")
        )
        listed = [(row["account"], row["at"]) for row in answer["result"]]
        assert listed == sorted(listed, key=lambda row: row[1])
        assert {name for name, _ in listed} == {"ACC-1", "ACC-2"}
        assert answer["account"] is None

    def test_it_is_for_deadlines_alone(self, account):
        """A projection whose rows make no list over accounts is a wrong call."""
        with pytest.raises(WrongCallError, match="one account at a time"):
            everywhere(account.answers, "balance", as_of=None)

    def test_an_empty_ledger_has_none(self, registry):
        """Without an account the list is empty, and no error."""
        answer = everywhere(
            registry.answers, "deadlines", as_of=instants.parse_instant("2021-06-03T00:00:00Z")
        )
        assert answer["result"] == []


def test_a_calendar_says_until_when_it_is_safe(account):
    """Each deadline is an event at its last safe second; one identifier stays its own in every feed."""
    account.tell("2021-06-01T07:00:00Z", "invoice.issued", "ACC-1/invoice/F1", INVOICE)
    answer = account.ask("deadlines", "2021-06-02T00:00:00Z")
    at = instants.parse_instant(answer["as_of"])
    written = [
        Calendar.from_ical(calendar_of("ACC-1", answer["origin"], at, answer["result"])) for _ in range(2)
    ]
    events = list(written[0].walk("VEVENT"))
    assert [event.decoded("dtstart").isoformat() for event in events] == [
        "2021-06-01T21:59:59+00:00",
        "2021-06-11T21:59:59+00:00",
    ]
    assert "missed" in events[0]["summary"]
    assert "Safe before 2021-06-11T22:00:00Z" in events[1]["description"]
    assert [event["uid"] for event in events] == [event["uid"] for event in written[1].walk("VEVENT")]


class TestOrders:
    @pytest.mark.parametrize(
        ("asked", "status"), [("2021-06-09T21:59:59.999999Z", "met"), ("2021-06-09T22:00:00Z", "missed")]
    )
    def test_a_long_order_by_a_program_can_be_cancelled_within_eight_days(self, account, asked, status):
        """An order through the API for more than six months brings a deadline; a short one does not."""
        long = {"from": "2021-07-01", "to": "2022-06-30", "channel": "api"}
        account.tell("2021-06-01T10:00:00Z", "reservation.ordered", "ACC-1/reservation/r1", long)
        account.tell(
            "2021-06-01T10:00:00Z",
            "reservation.ordered",
            "ACC-1/reservation/r2",
            {**long, "to": "2021-08-31"},
        )
        account.tell(asked, "reservation.cancellation_requested", "ACC-1/reservation/r1", {"reason": "x"})
        (row,) = rows(account, "2021-07-01T00:00:00Z")
        assert (row["subject"], row["at"], row["status"]) == (
            "ACC-1/reservation/r1",
            "2021-06-09T22:00:00Z",
            status,
        )
