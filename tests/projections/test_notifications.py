"""Notifications: validly made or not, from recorded facts."""

from __future__ import annotations

from typing import Any

import pytest
from facts_factory import in_order, recorded

from ledger import instants
from ledger.contract.finding import PRIMARY, jsonable
from ledger.facts.recorded import Recorded
from projections.notifications import NOTIFICATIONS
from projections.question import Question

OLD, NEW = "old@acc-1.example", "new@acc-1.example"
N1 = "ACC-1/notification/n1"
AT = "2021-06-01T08:00:00Z"


NUMBER = "+33600000000"


def opened() -> Recorded:
    """The account, opened."""
    data = {"email": OLD, "identification": {"phone": NUMBER}}
    return recorded("account.opened", "ACC-1", data, "2021-01-04T09:00:00Z")


def changed(at: str) -> Recorded:
    """The address, changed."""
    return recorded("account.email_changed", "ACC-1", {"email": NEW}, at)


def sent(
    kind: str = "reminder", to: str | None = OLD, at: str = AT, **data: str | bool | dict[str, str] | None
) -> Recorded:
    """A notification, sent on 1 June 2021 unless told otherwise."""
    return recorded("notification.sent", N1, {"kind": kind, **({"to": to} if to else {}), **data}, at)


def row(*facts: Recorded, as_of: str = "2021-07-01T00:00:00Z") -> dict[str, Any]:
    """The only row, as JSON."""
    (only,) = NOTIFICATIONS.answer(
        in_order(*facts), Question("ACC-1", instants.parse_instant(as_of), PRIMARY)
    )
    return jsonable(only)


class TestAddress:
    """To whom."""

    @pytest.mark.parametrize(("to", "valid"), [(OLD, True), ("other@acc-1.example", False), (None, False)])
    def test_the_accounts_own(self, to: str | None, valid: object) -> None:
        """A notification is valid when sent to the account's address, and only then; it says why not."""
        answer = row(opened(), sent(to=to))
        assert answer["valid"]["value"] is valid
        assert (answer["why_not"] is None) is valid

    @pytest.mark.parametrize(
        ("changed_at", "valid"), [("2021-06-01T08:00:00Z", False), ("2021-06-01T08:00:00.000001Z", True)]
    )
    def test_when_the_address_changed(self, changed_at: str, valid: object) -> None:
        """What counts is the address known when the notice left, else the one given at creation (R12)."""
        answer = row(opened(), changed(changed_at), sent(to=OLD))
        assert answer["valid"]["value"] is valid
        assert [r["value"] for r in answer["valid"].get("readings", [])] == ([] if valid else [False, True])

    def test_to_the_new_address(self) -> None:
        """To the new address it is valid under one reading and not under the other."""
        readings = row(opened(), changed("2021-05-01T00:00:00Z"), sent(to=NEW))["valid"]["readings"]
        assert [(r["reading"], r["value"]) for r in readings] == [("R12", True), ("R12", False)]

    def test_before_any_address(self) -> None:
        """Before the account has an address, nothing can be validly notified."""
        assert row(sent())["valid"]["value"] is False


class TestChannel:
    """By which channel."""

    @pytest.mark.parametrize(
        ("kind", "valid"), [("terms", True), ("formal_notice", False), ("reminder", False)]
    )
    def test_interface(self, kind: str, valid: object) -> None:
        """The management interface carries changes of terms (art. 5), nothing else."""
        assert row(opened(), sent(kind, None, channel="interface"))["valid"]["value"] is valid

    @pytest.mark.parametrize(
        ("ground", "number", "valid"),
        [
            ("art3.4.1", "+33600000000", True),
            ("art3.4.1", "+33611111111", False),
            ("art3.4.1", None, False),
            ("convenience", "+33600000000", False),
        ],
    )
    def test_sms(self, ground: str, number: str | None, valid: object) -> None:
        """An SMS carries a termination under art. 3.4.1, no other one, to the number that was given."""
        ending = recorded(
            "termination.notified", "ACC-1/termination/t", {"by": "outscale", "ground": ground}, AT, mail=N1
        )
        told = sent("termination", None, channel="sms", number=number)
        assert row(opened(), told, ending)["valid"]["value"] is valid


def test_bounce_is_shown_and_changes_nothing() -> None:
    """A bounce is shown; the notification left, so it stays valid (art. 23)."""
    bounce = recorded("notification.bounced", N1, {"status": "5.1.1"}, "2021-06-01T08:00:05Z")
    answer = row(opened(), sent(), bounce)
    assert answer["valid"]["value"] is True
    assert answer["bounces"] == [{"at": "2021-06-01T08:00:05Z", "status": "5.1.1"}]


def test_qualified() -> None:
    """A qualification replaces the kind that an outgoing copy left with."""
    said = recorded(
        "notification.qualified",
        N1,
        {"kind": "formal_notice", "about": "ACC-1/invoice/F1"},
        "2021-06-02T08:00:00Z",
    )
    before, after = row(opened(), sent("unqualified")), row(opened(), sent("unqualified"), said)
    assert (before["kind"], after["kind"], after["about"]) == (
        "unqualified",
        "formal_notice",
        "ACC-1/invoice/F1",
    )
