"""The state of a contract, its formation and its end, from recorded facts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from facts_factory import in_order, recorded

from ledger import instants
from ledger.contract.finding import PRIMARY, Readings, jsonable
from ledger.facts.recorded import Recorded
from projections.contract import CONTRACT
from projections.question import Question
from projections.terms import TERMS, Agreements

EMAIL = "client@acc-1.example"
IDENTIFICATION = {
    "name": "Client SAS",
    "vat_number": "FR12345678901",
    "address": "1 rue X",
    "phone": "+33100000000",
}
AT = "2021-01-04T09:00:00Z"


def opened(at: str = AT, **data: str | bool | dict[str, str] | None) -> Recorded:
    """The account, opened."""
    return recorded("account.opened", "ACC-1", {"email": EMAIL, "identification": IDENTIFICATION, **data}, at)


def formed() -> list[Recorded]:
    """A contract formed by Internet on 4 January 2021."""
    return [
        opened(),
        recorded("contract.accepted", "ACC-1", {"route": "internet", "terms": "2021-06"}, AT),
        recorded("account.validated", "ACC-1", {}, AT),
        recorded("account.bank_details_received", "ACC-1", {}, AT),
    ]


def answer(*facts: Recorded, as_of: str, readings: Sequence[str] = ()) -> dict[str, Any]:
    """The result as of an instant, as JSON."""
    at = instants.parse_instant(as_of)
    chosen = Readings.parse(readings) if readings else PRIMARY
    agreements = Agreements()
    for fact in in_order(*facts):
        if fact.legal_time <= at and fact.type in TERMS.types:
            agreements.take(fact)
    question = Question("ACC-1", at, chosen, agreement=agreements.agreement(chosen))
    kept = [fact for fact in in_order(*facts) if fact.legal_time <= at and fact.type in CONTRACT.types]
    return jsonable(CONTRACT.answer(kept, question))


def state(*facts: Recorded, as_of: str) -> str:
    """The bare status as of an instant."""
    return answer(*facts, as_of=as_of)["status"]["value"]


def notice_by_mail(at: str, to: str = EMAIL, kind: str = "formal_notice", name: str = "n1") -> Recorded:
    """A notification to the account."""
    return recorded("notification.sent", f"ACC-1/notification/{name}", {"kind": kind, "to": to}, at)


def summoned(at: str = "2021-06-01T08:00:00Z", to: str = EMAIL) -> list[Recorded]:
    """A formal notice of OUTSCALE and its mail."""
    return [
        notice_by_mail(at, to),
        recorded(
            "formal_notice.sent",
            "ACC-1/formal-notice/f1",
            {"by": "outscale"},
            at,
            mail="ACC-1/notification/n1",
        ),
    ]


def terminated_by_outscale(ground: str, at: str, to: str = EMAIL, **more: str) -> list[Recorded]:
    """A termination by OUTSCALE and its mail."""
    return [
        notice_by_mail(at, to, "termination", "t1"),
        recorded(
            "termination.notified", "ACC-1/termination/t1", {"by": "outscale", "ground": ground, **more}, at,
            mail="ACC-1/notification/t1",
        ),
    ]  # fmt: skip


def client_mail(at: str, sender: str = EMAIL) -> Recorded:
    """A mail of the client to support."""
    return recorded("mail.received", "ACC-1/mail/m1", {"from": sender, "to": ["support@outscale.com"]}, at)


def terminated_by_client(at: str, ground: str = "convenience", sender: str = EMAIL) -> list[Recorded]:
    """A termination by the client and its mail."""
    data = {"by": "client", "ground": ground}
    return [
        client_mail(at, sender),
        recorded("termination.notified", "ACC-1/termination/t1", data, at, mail="ACC-1/mail/m1"),
    ]


class TestFormation:
    """When and how the contract is formed."""

    def test_nothing_before_opening(self) -> None:
        """Before the account is opened there is no contract, no error and no conclusion."""
        result = answer(as_of=AT)
        assert (result["status"]["value"], result["formed_at"]["value"], result["route"]) == (
            "none",
            None,
            None,
        )
        assert (result["terms_in_force"]["value"], result["termination"]) == (None, None)

    def test_by_internet(self) -> None:
        """Formed once validated with bank details, not before; the other readings are earlier (R22)."""
        facts = [
            opened(),
            recorded(
                "contract.accepted",
                "ACC-1",
                {"route": "internet", "terms": "2021-06"},
                "2021-01-04T10:00:00Z",
            ),
            recorded("account.bank_details_received", "ACC-1", {}, "2021-01-04T11:00:00Z"),
            recorded("account.validated", "ACC-1", {}, "2021-01-04T12:00:00Z"),
        ]
        assert state(*facts, as_of="2021-01-04T11:59:59.999999Z") == "incomplete"
        assert state(*facts, as_of="2021-01-04T12:00:00Z") == "active"
        formed_at = answer(*facts, as_of="2021-01-05T00:00:00Z")["formed_at"]
        assert [(r["reading"], r["value"]) for r in formed_at["readings"]] == [
            ("R22", "2021-01-04T12:00:00Z"), ("R22", "2021-01-04T10:00:00Z"), ("R22", "2021-01-04T09:00:00Z"),
        ]  # fmt: skip
        early = answer(*facts, as_of="2021-01-04T11:00:00Z")["status"]
        assert {reading["reading"] for reading in early["readings"]} == {"R22"}

    def test_by_order_form(self) -> None:
        """By order form it is formed when OUTSCALE accepts the form, whatever else is missing."""
        facts = [
            opened(),
            recorded("order_form.signed", "ACC-1/order/o1", {}, "2021-01-05T09:00:00Z"),
            recorded("order_form.accepted", "ACC-1/order/o1", {}, "2021-01-06T09:00:00Z"),
        ]
        assert state(*facts, as_of="2021-01-05T09:00:00Z") == "incomplete"
        result = answer(*facts, as_of="2021-01-06T09:00:00Z")
        assert (result["status"]["value"], result["route"]) == ("active", "order_form")
        assert result["formed_at"]["value"] == "2021-01-06T09:00:00Z"
        assert result["terms_in_force"]["value"] == "2021-06"

    def test_derogatory(self) -> None:
        """A derogatory contract is formed by its acceptance."""
        facts = [
            opened(),
            recorded("contract.accepted", "ACC-1", {"route": "derogatory"}, "2021-01-06T09:00:00Z"),
        ]
        assert answer(*facts, as_of="2021-01-07T00:00:00Z")["formed_at"]["value"] == "2021-01-06T09:00:00Z"

    def test_missing_information(self) -> None:
        """Missing information suspends OUTSCALE's obligations until corrected and then verified."""
        bare = recorded("account.opened", "ACC-1", {"email": EMAIL, "identification": {"name": "C"}}, AT)
        rest = formed()[1:]
        result = answer(bare, *rest, as_of="2021-01-05T00:00:00Z")
        assert result["obligations_suspended"]["value"] is True
        assert result["missing_information"] == ["vat_number", "address", "phone"]
        fixed = recorded(
            "account.corrected", "ACC-1", {"identification": IDENTIFICATION}, "2021-01-06T00:00:00Z"
        )
        assert (
            answer(bare, *rest, fixed, as_of="2021-01-06T00:00:00Z")["obligations_suspended"]["value"] is True
        )
        verified = recorded("account.validated", "ACC-1", {}, "2021-01-07T00:00:00Z")
        done = answer(bare, *rest, fixed, verified, as_of="2021-01-07T00:00:00Z")
        assert (done["obligations_suspended"]["value"], done["missing_information"]) == (False, [])
        assert (
            answer(opened(), *rest, as_of="2021-01-05T00:00:00Z")["obligations_suspended"]["value"] is False
        )


class TestStates:
    """What shows between formation and end."""

    def test_verification(self) -> None:
        """A verification under way shows until it is closed, and suspends OUTSCALE's obligations."""
        facts = [
            *formed(),
            recorded("verification.requested", "ACC-1/verification/v", {}, "2021-02-01T08:00:00Z"),
            recorded(
                "verification.closed", "ACC-1/verification/v", {"outcome": "verified"}, "2021-02-02T08:00:00Z"
            ),
        ]
        during = answer(*facts, as_of="2021-02-01T08:00:00Z")
        assert (during["status"]["value"], during["obligations_suspended"]["value"]) == (
            "in_verification",
            True,
        )
        assert state(*facts, as_of="2021-02-02T08:00:00Z") == "active"
        assert answer(*facts, as_of="2021-02-02T08:00:00Z")["obligations_suspended"]["value"] is False

    def test_a_verification_that_proved_nothing(self) -> None:
        """Closed without proof, the procedure is over and the obligations stay suspended."""
        facts = [
            *formed(),
            recorded("verification.requested", "ACC-1/verification/v", {}, "2021-02-01T08:00:00Z"),
            recorded(
                "verification.closed",
                "ACC-1/verification/v",
                {"outcome": "unanswered"},
                "2021-02-02T08:00:00Z",
            ),
        ]
        after = answer(*facts, as_of="2021-02-03T08:00:00Z")
        assert (after["status"]["value"], after["obligations_suspended"]["value"]) == ("active", True)

    def test_notice_then_suspension_then_lifted(self) -> None:
        """Under notice, then suspended, then under notice again once lifted, active once remedied."""
        facts = [
            *formed(), *summoned(),
            recorded("suspension.imposed", "ACC-1/suspension/s", {"ground": "art7"}, "2021-06-02T08:00:00Z"),
            recorded("suspension.lifted", "ACC-1/suspension/s", {}, "2021-06-03T08:00:00Z"),
            recorded("formal_notice.remedied", "ACC-1/formal-notice/f1", {}, "2021-06-04T08:00:00Z"),
        ]  # fmt: skip
        days = [state(*facts, as_of=f"2021-06-0{day}T08:00:00Z") for day in range(1, 5)]
        assert days == ["under_notice", "suspended", "under_notice", "active"]

    def test_a_notice_to_a_wrong_address_has_no_effect(self) -> None:
        """A formal notice sent to another address leaves the contract active."""
        assert state(*formed(), *summoned(to="other@acc-1.example"), as_of="2021-06-02T00:00:00Z") == "active"

    def test_a_notice_without_mail_has_no_effect(self) -> None:
        """A formal notice that no mail carried is recorded, and has no effect (art. 7)."""
        bare = recorded(
            "formal_notice.sent", "ACC-1/formal-notice/f1", {"by": "outscale"}, "2021-06-01T08:00:00Z"
        )
        assert state(*formed(), bare, as_of="2021-06-02T00:00:00Z") == "active"


class TestTermination:
    """When the contract ends."""

    def test_by_the_client(self) -> None:
        """15 clear days after OUTSCALE's acknowledgement of 17 April: effective on 3 May (art. 4)."""
        facts = [
            *formed(), *terminated_by_client("2021-04-16T08:00:00Z"),
            recorded("termination.acknowledged", "ACC-1/termination/t1", {}, "2021-04-17T08:00:00Z"),
        ]  # fmt: skip
        assert state(*facts, as_of="2021-04-17T07:59:59Z") == "active"
        result = answer(*facts, as_of="2021-04-17T08:00:00Z")
        assert result["status"]["value"] == "terminating"
        assert result["termination"]["effective_date"]["value"] == "2021-05-03"
        assert result["termination"]["recover_data_before"]["value"] == "2021-05-02T22:00:00Z"
        assert result["termination"]["erasable_from"]["value"] == "2021-05-03T22:00:00Z"
        assert state(*facts, as_of="2021-05-03T21:59:59.999999Z") == "terminating"
        assert state(*facts, as_of="2021-05-03T22:00:00Z") == "terminated"

    def test_readings_of_midnight_and_of_access(self) -> None:
        """R5 moves the two ends to one midnight, R20 lets data be accessible for 90 days."""
        facts = [
            *formed(), *terminated_by_client("2021-04-16T08:00:00Z"),
            recorded("termination.acknowledged", "ACC-1/termination/t1", {}, "2021-04-17T08:00:00Z"),
        ]  # fmt: skip
        end = answer(*facts, as_of="2021-05-01T00:00:00Z")["termination"]["recover_data_before"]
        by_reading = [(r["reading"], r["value"]) for r in end["readings"]]
        assert ("R5", "2021-05-03T22:00:00Z") in by_reading
        assert ("R20", "2021-08-01T22:00:00Z") in by_reading

    def test_the_automatic_acknowledgement(self) -> None:
        """Read otherwise, the automatic acknowledgement of receipt starts the delay (R17)."""
        receipt = recorded(
            "notification.sent", "ACC-1/notification/a",
            {"kind": "acknowledgement", "to": EMAIL, "about": "ACC-1/mail/m1"},
            "2021-04-16T08:00:01Z",
        )  # fmt: skip
        facts = [*formed(), *terminated_by_client("2021-04-16T08:00:00Z"), receipt]
        result = answer(*facts, as_of="2021-04-16T09:00:00Z")
        assert result["status"]["value"] == "active"
        assert "not acknowledged" in result["termination"]["why_not"]
        second = answer(*facts, as_of="2021-04-16T09:00:00Z", readings=["R17=2"])
        assert second["termination"]["effective_date"]["value"] == "2021-05-02"

    def test_from_another_address(self) -> None:
        """The client must write from the account's address (art. 4)."""
        facts = [
            *formed(), *terminated_by_client("2021-04-16T08:00:00Z", sender="someone@else.example"),
            recorded("termination.acknowledged", "ACC-1/termination/t1", {}, "2021-04-17T08:00:00Z"),
        ]  # fmt: skip
        result = answer(*facts, as_of="2021-04-20T00:00:00Z")
        assert result["termination"]["effective_date"]["value"] is None
        assert result["status"]["value"] == "active"

    def test_by_outscale(self) -> None:
        """15 clear days after its own mail, counted in Paris; nothing when sent to a wrong address."""
        facts = [*formed(), *terminated_by_outscale("convenience", "2021-04-16T22:30:00Z")]
        assert (
            answer(*facts, as_of="2021-04-17T00:00:00Z")["termination"]["effective_date"]["value"]
            == "2021-05-03"
        )
        wrong = [*formed(), *terminated_by_outscale("convenience", "2021-04-16T22:30:00Z", to="x@y.example")]
        assert answer(*wrong, as_of="2021-04-17T00:00:00Z")["termination"]["effective_date"]["value"] is None

    @pytest.mark.parametrize(
        ("ground", "date"),
        [
            ("art6", "2021-04-27"),
            ("art9.2", "2021-04-27"),
            ("art3.4.1", "2021-04-16"),
            ("art27", "2021-04-16"),
        ],
    )
    def test_grounds_of_outscale(self, ground: str, date: str) -> None:
        """10 clear days under arts. 6 and 9.2; at once under arts. 3.4.1 and 27."""
        at = "2021-04-15T08:00:00Z"
        told = {"kind": "verification", "to": EMAIL}
        grounds = [
            recorded("notification.sent", "ACC-1/notification/v", told, at),
            recorded("verification.requested", "ACC-1/verification/v", {}, at, mail="ACC-1/notification/v"),
            recorded("suspension.imposed", "ACC-1/suspension/s", {"ground": "art6"}, at),
            recorded("abuse.found", "ACC-1/abuse/a", {}, at),
            recorded("corruption.found", "ACC-1/compliance/k1", {}, at),
        ]
        facts = [*formed(), *grounds, *terminated_by_outscale(ground, "2021-04-16T08:00:00Z")]
        assert answer(*facts, as_of="2021-04-16T09:00:00Z")["termination"]["effective_date"]["value"] == date

    def test_without_notice_both_ends_are_the_end_of_the_day(self) -> None:
        """The client's termination under art. 6 ends everything with its day."""
        blocked = recorded(
            "suspension.imposed", "ACC-1/suspension/s", {"ground": "art6"}, "2021-04-15T08:00:00Z"
        )
        facts = [*formed(), blocked, *terminated_by_client("2021-04-16T08:00:00Z", "art6")]
        end = answer(*facts, as_of="2021-04-16T09:00:00Z")["termination"]
        assert end["recover_data_before"]["value"] == end["erasable_from"]["value"] == "2021-04-16T22:00:00Z"
        assert state(*facts, as_of="2021-04-16T22:00:00Z") == "terminated"

    @pytest.mark.parametrize(
        ("at", "effective"), [("2021-06-09T21:59:59.999999Z", None), ("2021-06-09T22:00:00Z", "2021-06-21")]
    )
    def test_after_a_formal_notice(self, at: str, effective: str | None) -> None:
        """Under art. 7 only once the 7 clear days are lost: from 10 June for a notice of 1 June."""
        facts = [
            *formed(),
            *summoned(),
            *terminated_by_outscale("art7", at, rests_on="ACC-1/formal-notice/f1"),
        ]
        result = answer(*facts, as_of="2021-06-12T00:00:00Z")
        assert result["termination"]["effective_date"]["value"] == effective
        assert result["status"]["value"] == ("terminating" if effective else "under_notice")

    @pytest.mark.parametrize(
        ("at", "effective"), [("2021-06-09T21:59:59Z", None), ("2021-06-09T22:00:00Z", "2021-06-23")]
    )
    def test_after_a_remedy(self, at: str, effective: str | None) -> None:
        """A remedy before the delay is lost defeats the termination, a later one does not."""
        remedy = recorded("formal_notice.remedied", "ACC-1/formal-notice/f1", {}, at)
        facts = [*formed(), *summoned(), remedy, *terminated_by_outscale("art7", "2021-06-12T08:00:00Z")]
        assert (
            answer(*facts, as_of="2021-06-13T00:00:00Z")["termination"]["effective_date"]["value"]
            == effective
        )

    def test_art_7_without_a_notice(self) -> None:
        """Under art. 7 without a formal notice there is no date, and the answer says why."""
        result = answer(
            *formed(), *terminated_by_outscale("art7", "2021-06-12T08:00:00Z"), as_of="2021-06-13T00:00:00Z"
        )
        assert result["termination"]["effective_date"]["value"] is None
        assert "formal notice" in result["termination"]["why_not"]
        assert result["status"]["value"] == "active"
