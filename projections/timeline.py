"""Everything that happened on an account, in the order of legal time, in one sentence each (art. 23)."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from datetime import datetime, timedelta
from itertools import accumulate
from string import Formatter
from typing import Any

import ledger.facts  # noqa: F401 - fills the catalogue
from ledger.errors import WrongCallError
from ledger.facts.catalogue import COMMON, TYPES
from ledger.facts.personal import COMMITMENT
from ledger.facts.recorded import Recorded
from projections.question import Question

LATE_AFTER = timedelta(minutes=5)
"""A message is stamped when its sender is named, and its text may take this long (SMTP's time-out, 300 s):
what is recorded later than that after its legal time was recorded late."""

FIRST_VERSION = 1

SENTENCES: dict[str, tuple[str, ...]] = {
    "account.opened": ("Account opened", " in {region}"),
    "account.validated": ("Account validated",),
    "account.bank_details_received": ("Bank details received",),
    "account.email_changed": ("The account's e-mail address changed",),
    "contract.accepted": ("Terms", " {terms}", " accepted", " by {route}"),
    "terms.published": ("Terms {version} published", ", in force from {effective}"),
    "terms.refused": ("Terms", " {version}", " refused"),
    "price.published": (
        "Price of {service}", " {resource}", " published: {unit_price}", " {currency}", " per {unit}",
        " from {effective}",
    ),
    "rate.published": ("Rate {reference} published: {rate} %", " from {effective}"),
    "consumption.recorded": ("Consumption {id} recorded: {entries:count} entries",),
    "consumption.corrected": (
        "Consumption {id} corrected", ": {replaces:count} entries replaced", ", {entries:count} new",
    ),
    "reserve.notified": (
        "Reserve {id} notified", " on {service}", " {resource_id}", ", unavailable from {unavailable_from}",
        " to {unavailable_to}",
    ),
    "reserve.withdrawn": ("Reserve {id} withdrawn",),
    "mail.received": ("Mail {id} received",),
    "mail.attributed": ("Mail {id} attributed to {account}",),
    "notification.sent": ("Notification {id} sent", " ({kind})", " about {about}"),
    "notification.bounced": ("Notification {id} came back undelivered", " ({status})"),
    "notification.qualified": ("Notification {id} qualified as {kind}", " about {about}"),
    "invoice.issued": ("Invoice {id} issued", ": {total}", " {currency}"),
    "invoice.disputed": ("Invoice {id} disputed", " for {amount}"),
    "invoice.dispute_settled": ("Dispute of invoice {id} settled", ": {outcome}", " ({amount})"),
    "invoice.paid": ("Invoice {id} paid", ": {amount}", ", value date {value_date}"),
    "invoice.payment_rejected": ("Payment {reference} of invoice {id} rejected",),
    "invoice.credited": ("Invoice {id} credited", ": {amount}", " by credit note {credit_note}"),
    "suspension.imposed": ("Suspension {id} imposed", " under {ground}"),
    "suspension.lifted": ("Suspension {id} lifted",),
    "formal_notice.sent": ("Formal notice {id} sent", " by {by}"),
    "formal_notice.remedied": ("Breach of formal notice {id} remedied",),
    "termination.notified": ("Termination {id} notified", " by {by}", " ({ground})"),
    "termination.acknowledged": ("Termination {id} acknowledged",),
    "verification.requested": ("Verification {id} requested",),
    "maintenance.announced": ("Maintenance {id} announced", " in {region}", " from {from}", " to {to}"),
    "incident.opened": ("Incident {id} opened", " in {region}", ", cause {cause}"),
    "incident.closed": ("Incident {id} closed", ", ended {to}"),
    "reservation.ordered": (
        "Reservation {id} ordered", ": {count} × {resource}", ", {amount}", " {currency}",
    ),
}  # fmt: skip
"""Per type, pieces of a sentence; a piece whose fields are not all given is left out. ``id`` is the last
segment of the subject, ``:count`` the length of a list; no piece names a personal field."""

_KEPT_APART = frozenset({"flaw.reported", "flaw.closed"})


class Timeline:
    """All the facts of an account and those of no account that concern it, newest last.

    A row bears ``recorded_late`` when it was recorded more than ``LATE_AFTER`` after its legal time,
    ``clock_stepped_back`` when an earlier commit bears a later stamp, and ``before_opening`` when it
    continues a subject that was opened only later. ``after`` is a position: the page starts behind it.
    Memory grows with the page, the commits, and the names of subjects.
    """

    name = "timeline"
    types = frozenset(
        row.name for row in TYPES.values() if not (row.by_ledger and row.name != "person.erased")
    ) - _KEPT_APART  # fmt: skip

    def answer(self, facts: Iterable[Recorded], question: Question) -> list[dict[str, Any]]:
        """The ``result``.

        Raises:
            WrongCallError: ``after`` is the position of no row.
        """
        rows: list[dict[str, Any]] = []
        opened: set[str] = set()
        stamps: dict[datetime, int] = {}
        started = question.after is None
        for fact in facts:
            if not _concerns(fact, question.account):
                continue
            _earliest(stamps, fact)
            if fact.version == FIRST_VERSION:
                opened.add(fact.subject)
            if started and (question.limit is None or len(rows) < question.limit):
                rows.append(_row(fact, known=fact.subject in opened))
            started = started or str(fact.position) == question.after
        if not started:
            raise WrongCallError(f"after={question.after!r} is the position of no row of {question.account}")
        _mark_steps_back(rows, stamps)
        return rows


def _concerns(fact: Recorded, account: str) -> bool:
    """Whether a fact of no account concerns this one: an incident that names others does not."""
    if fact.account != COMMON:
        return True
    named = fact.fields["data"].get("accounts")
    return not named or account in named


def _earliest(stamps: dict[datetime, int], fact: Recorded) -> None:
    known = stamps.get(fact.recorded_at)
    if known is None or fact.position < known:
        stamps[fact.recorded_at] = fact.position


def _row(fact: Recorded, *, known: bool) -> dict[str, Any]:
    row: dict[str, Any] = {
        "position": fact.position,
        "legal_time": fact.legal_time,
        "recorded_at": fact.recorded_at,
        "type": fact.type,
        "subject": fact.subject,
        "summary": summary(fact),
        "clock": fact.clock,
    }
    if fact.mail is not None:
        row["mail"] = fact.mail
    if not fact.history and fact.recorded_at - fact.legal_time > LATE_AFTER:
        row["recorded_late"] = True
    if not known:
        row["before_opening"] = True
    return row


def _mark_steps_back(rows: Iterable[dict[str, Any]], stamps: dict[datetime, int]) -> None:
    """Mark what was recorded after something with a later stamp: the mail server's clock went back."""
    times = sorted(stamps)
    lowest = list(accumulate((stamps[at] for at in reversed(times)), min))[::-1]
    for row in rows:
        later = bisect_right(times, row["recorded_at"])
        if later < len(times) and lowest[later] < row["position"]:
            row["clock_stepped_back"] = True


def summary(fact: Recorded) -> str:
    """One sentence on a fact, without personal data."""
    pieces = SENTENCES.get(fact.type)
    if pieces is None:
        kind, _, act = fact.type.partition(".")
        return f"{kind.replace('_', ' ').capitalize()} {_last(fact.subject)}: {act.replace('_', ' ')}"
    said = {"id": _last(fact.subject), **fact.fields["data"]}
    return "".join(filter(None, (_piece(piece, said) for piece in pieces)))


def _last(subject: str) -> str:
    return subject.rpartition("/")[2]


def _piece(piece: str, said: dict[str, Any]) -> str:
    words: list[str] = []
    for text, name, form, _ in Formatter().parse(piece):
        words.append(text)
        if name is None:
            continue
        value = said.get(name)
        if form == "count":
            value = len(value) if isinstance(value, list) and value else None
        if not isinstance(value, str | int) or COMMITMENT.match(str(value)):
            return ""
        words.append(str(value))
    return "".join(words)


TIMELINE = Timeline()
