"""Every deadline of an account in one list: who must act until when, and how it ended."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from ledger import instants
from ledger.contract.clauses.contestation import Contested, contestable_until, dispute_standing
from ledger.contract.clauses.duty import Act, Delay, DutyStatus, Who, named
from ledger.contract.clauses.duty import standing as standing_of_act
from ledger.contract.clauses.notices import FormalNotice, notice_status, time_to_remedy, why_ineffective
from ledger.contract.clauses.payment import due_day, first_day_late
from ledger.contract.clauses.reservations import AUTOMATIC, is_long, time_to_request
from ledger.contract.clauses.reserves import Reserves, claim_delays, standing
from ledger.contract.finding import Reason
from ledger.contract.readings import check
from ledger.facts.recorded import Recorded
from projections.acceptance import RESERVE_TYPES
from projections.acceptance import Notices as ReserveNotices
from projections.dossier import DOSSIER_TYPES, Dossier
from projections.invoices import INVOICE_TYPES, Files
from projections.obligations import OBLIGATIONS, duties_of
from projections.question import Question
from projections.reservations import RESERVATION_TYPES, orders

DeadlineStatus = Literal["upcoming", "met", "missed", "arguable"]

_OF_DUTY: Final[dict[DutyStatus, DeadlineStatus]] = {
    "open": "upcoming",
    "met": "met",
    "missed": "missed",
    "arguable": "arguable",
    "undetermined": "arguable",
}
_OF_NOTICE: Final[dict[str, DeadlineStatus]] = {
    "running": "upcoming",
    "remedied": "met",
    "arguable": "arguable",
    "unremedied": "missed",
}


@dataclass(frozen=True, slots=True)
class Deadline:
    """One row: acting is safe before ``act_by``, and lost from ``forfeit_after`` on."""

    act_by: datetime
    who: Who
    what: str
    subject: str
    article: str
    status: DeadlineStatus
    forfeit_after: datetime | None = None
    met_by: Reason | None = None

    def to_json(self) -> dict[str, Any]:
        """As in the answer."""
        met_by = self.met_by
        return {
            "at": self.act_by,
            "for": self.who,
            "what": self.what,
            "subject": self.subject,
            "article": self.article,
            "status": self.status,
            "act_by": self.act_by,
            "forfeit_after": self.forfeit_after or self.act_by,
            "met_by": None if met_by is None else named(met_by),
        }


def _invoices(facts: list[Recorded], question: Question) -> Iterator[Deadline]:
    """To dispute an invoice, and to pay it (art. 15.3)."""
    files = Files(question.terms)
    for fact in facts:
        if fact.type in INVOICE_TYPES:
            files.take(fact)
    for _, contested in files.contested():
        yield _dispute(contested, question)
        yield from _payment(contested, question)


def _dispute(contested: Contested, question: Question) -> Deadline:
    invoice, terms, readings = contested.invoice, question.terms, question.readings
    until = contestable_until(invoice, terms, readings)
    status: DeadlineStatus = "upcoming" if question.as_of < until else "missed"
    met_by = None
    if contested.disputes:
        stood = dispute_standing(contested.disputes, invoice, terms, readings).value
        status = {"in_time": "met", "undetermined": "arguable"}.get(stood, status)  # type: ignore[assignment]
        met_by = contested.disputes[0].fact if stood == "in_time" else None
    what = "dispute the invoice, or accept it irrevocably"
    return Deadline(until, "client", what, invoice.fact.subject, "15.3", status, met_by=met_by)


def _payment(contested: Contested, question: Question) -> Iterator[Deadline]:
    invoice, readings, as_of = contested.invoice, question.readings, question.as_of
    due = due_day(invoice, readings)
    if due is None:
        return
    late_from = instants.paris_midnight(due + timedelta(days=1))
    paid = invoice.unpaid == 0
    if first_day_late(invoice, as_of, readings) is not None:
        status: DeadlineStatus = "missed"
    else:
        status = "met" if paid or as_of >= late_from else "upcoming"
    moves = invoice.movements
    met_by = moves[-1].fact if status == "met" and moves else None
    what = "pay the invoice"
    yield Deadline(late_from, "client", what, invoice.fact.subject, "15.3", status, met_by=met_by)


def _orders(facts: list[Recorded], question: Question) -> Iterator[Deadline]:
    """To ask for the cancellation of a long order that a program made (art. 3.6.2)."""
    for order in orders(facts):
        if order.channel not in AUTOMATIC or not is_long(order, question.terms):
            continue
        until = time_to_request(order, question.terms, question.readings)
        asked = order.requests[0] if order.requests else None
        act = None if asked is None else Act(asked.fact, asked.at, asked.at)
        status = standing_of_act(Delay.until(until), act, question.as_of)
        what = "ask to cancel the order, if it was made in error"
        met_by = asked.fact if asked is not None and status == "met" else None
        yield Deadline(until, "client", what, order.fact.subject, "3.6.2", _OF_DUTY[status], met_by=met_by)


def _notices(facts: list[Recorded], question: Question) -> Iterator[Deadline]:
    """To remedy a breach (art. 7); a notice without effect sets no deadline."""
    dossier = Dossier.of(fact for fact in facts if fact.type in DOSSIER_TYPES)
    addresses = dossier.post.known_addresses()
    for notice in dossier.notices():
        if why_ineffective(notice, addresses, question.readings) is not None:
            continue
        ends = time_to_remedy(notice, question.terms, question.readings)
        status = notice_status(notice, addresses, question.terms, question.as_of, question.readings)
        yield Deadline(
            ends.act_by,
            _other(notice),
            "remedy the breach",
            notice.fact.subject,
            "7",
            _OF_NOTICE[status.value],
            ends.forfeit_after,
            notice.remedied if status.value == "remedied" else None,
        )


def _claims(facts: list[Recorded], question: Question) -> Iterator[Deadline]:
    """To claim penalties for each window that a reserve feeds (art. 11)."""
    notices = ReserveNotices(question)
    for fact in facts:
        if fact.type in RESERVE_TYPES:
            notices.take(fact)
    reserves = Reserves(notices.reserves(), (), question.terms, question.as_of)
    for reserve in reserves.all:
        if not _may_claim(standing(reserve, reserves, question.readings).value):
            continue
        for delay in claim_delays(reserve, (), question.terms, question.readings):
            claim = delay.claim
            act = None if claim is None else Act(claim.fact, claim.stamped_at, claim.not_after)
            status = standing_of_act(Delay(delay.act_by, delay.forfeit_after), act, question.as_of)
            yield Deadline(
                delay.act_by,
                "client",
                f"claim penalties for {delay.first_day} to {delay.last_day}",
                reserve.fact.subject,
                "11",
                _OF_DUTY[status],
                delay.forfeit_after,
                act.fact if act is not None and status == "met" else None,
            )


def _may_claim(status: str) -> bool:
    """Whether there is, or was, something to claim on a reserve."""
    return status in ("admissible", "lapsed", "undetermined")


def _other(notice: FormalNotice) -> Who:
    return "client" if notice.by == "outscale" else "outscale"


def _duties(facts: list[Recorded], question: Question) -> Iterator[Deadline]:
    """Every obligation that has an end; one that is open past it lasted its least, and is behind it."""
    for duty in duties_of((fact for fact in facts if fact.type in OBLIGATIONS.types), question):
        if duty.delay is not None:
            lasted = duty.status.value == "open" and question.as_of >= duty.delay.forfeit_after
            yield Deadline(
                duty.delay.act_by,
                duty.who,
                duty.what,
                duty.subject,
                duty.status.article,
                "met" if lasted else _OF_DUTY[duty.status.value],
                duty.delay.forfeit_after,
                duty.met_by,
            )


_SOURCES: Final[tuple[Callable[[list[Recorded], Question], Iterator[Deadline]], ...]] = (
    _invoices,
    _orders,
    _notices,
    _claims,
    _duties,
)


class Deadlines:
    """Every deadline of an account, sorted by the instant until which acting is safe.

    They stay listed once passed. Beside the fields of the interface a row names the fact that met it.
    """

    name = "deadlines"
    asks_first_use = OBLIGATIONS.asks_first_use
    types = INVOICE_TYPES | RESERVATION_TYPES | RESERVE_TYPES | OBLIGATIONS.types

    def answer(self, facts: Iterable[Recorded], question: Question) -> list[dict[str, Any]]:
        """The ``result``.

        Raises:
            WrongCallError: a reading does not exist.
        """
        check(question.readings)
        kept = list(facts)
        rows = [row for source in _SOURCES for row in source(kept, question)]
        return [row.to_json() for row in sorted(rows, key=lambda row: (row.act_by, row.subject, row.what))]


DEADLINES = Deadlines()
