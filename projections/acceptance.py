"""What is accepted, provisionally or finally, and what the client's reserves are worth (arts. 9.4, 11)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

from ledger import instants
from ledger.contract.clauses.acceptance import delivery_acceptance, final_after, final_from, parts
from ledger.contract.clauses.reserves import Claim, Reserve, Reserves, Slice, reserve_coverage, standing
from ledger.contract.finding import Reason
from ledger.contract.readings import check
from ledger.errors import WrongCallError
from ledger.facts.catalogue import COMMON, account_of
from ledger.facts.recorded import Recorded
from projections.cited import Cited
from projections.question import Question

_INSTANT = timedelta(microseconds=1)

RESERVE_TYPES = frozenset(
    {"reserve.notified", "reserve.withdrawn", "sla.claimed", "mail.received", "mail.attributed"}
)
"""The types of fact that bear on a reserve."""


class Acceptance:
    """Deliveries and reserves of an account.

    Deliveries are in the order of their facts (legal time, position), then of their entries. The
    corrected entries of a delivery are numbered after its last one and stand where the correction
    does. Memory grows with the page asked for, the reserves, and the number of deliveries, not with
    the number of entries.
    """

    name = "acceptance"
    types = RESERVE_TYPES | frozenset({"consumption.recorded", "consumption.corrected"})

    def answer(self, facts: Iterable[Recorded], question: Question) -> dict[str, Any]:
        """The ``result``: a page of deliveries, every reserve, and ``next`` when the page was cut.

        A page holds at most ``limit`` entries that came after ``after`` (``SUBJECT#ENTRY``); it may
        hold fewer when some of them were corrected since.

        Raises:
            WrongCallError: ``after`` names no entry of the account, or a reading does not exist.
        """
        check(question.readings)
        deliveries, notices = Deliveries(question), Notices(question)
        for fact in facts:
            if fact.type.startswith("consumption."):
                deliveries.take(fact)
            else:
                notices.take(fact)
        slices = deliveries.page()
        reserves = Reserves(notices.reserves(), deliveries.reopened(), question.terms, question.as_of)
        result: dict[str, Any] = {
            "deliveries": [_delivery(slice_, reserves, question) for slice_ in slices],
            "reserves": [_reserve(reserve, reserves, question) for reserve in reserves.all],
        }
        if deliveries.cut:
            result["next"] = deliveries.cut
        return result


def _delivery(slice_: Slice, reserves: Reserves, question: Question) -> dict[str, Any]:
    subject, entry = slice_.key
    return {
        "subject": subject,
        "entry": entry,
        "service": slice_.named,
        "resource_id": slice_.resource_id,
        "from": slice_.start,
        "to": slice_.end,
        "final_from": final_from(slice_, question.terms),
        "final_after": final_after(slice_, question.terms),
        "status": delivery_acceptance(slice_, reserves, question.terms, question.as_of, question.readings),
        "parts": [
            part.to_json()
            for part in parts(slice_, reserves, question.terms, question.as_of, question.readings)
        ],
    }


def _reserve(reserve: Reserve, reserves: Reserves, question: Question) -> dict[str, Any]:
    worth = reserves.worth(reserve, question.readings)
    return {
        "subject": reserve.fact.subject,
        "stamped_at": reserve.stamped_at,
        "service": reserve.named,
        "resource_id": reserve.resource_id,
        "covers": worth.covers,
        "doubtful_before": worth.doubtful_before,
        "coverage": reserve_coverage(reserve, reserves, question.readings),
        "status": standing(reserve, reserves, question.readings),
    }


class Deliveries:
    """Consumption as it was delivered and corrected; keeps the page asked for and little else."""

    def __init__(self, question: Question) -> None:
        self._question = question
        self._terms = question.terms.at(question.as_of)
        self._lengths: dict[str, int] = {}
        self._replaced: dict[str, set[int]] = {}
        self._early: dict[str, list[Recorded]] = {}
        self._page: list[Slice] = []
        self._reopened: list[Slice] = []
        self._before_page = question.after is not None
        self.cut: str | None = None

    def take(self, fact: Recorded) -> None:
        """Take a delivery or a correction; a correction dated before its delivery waits for it."""
        if fact.type == "consumption.recorded":
            self._lengths[fact.subject] = 0
            self._enter(fact, corrected=False)
            for correction in self._early.pop(fact.subject, ()):
                self._correct(correction)
        elif fact.subject in self._lengths:
            self._correct(fact)
        else:
            self._early.setdefault(fact.subject, []).append(fact)

    def _correct(self, fact: Recorded) -> None:
        written = self._lengths[fact.subject]
        named = fact.fields["data"].get("replaces", ())
        self._replaced.setdefault(fact.subject, set()).update(number for number in named if number < written)
        self._enter(fact, corrected=True)

    def _enter(self, fact: Recorded, *, corrected: bool) -> None:
        subject, entries = fact.subject, fact.fields["data"].get("entries", ())
        first = self._lengths[subject]
        self._lengths[subject] = first + len(entries)
        if corrected:
            self._reopened += self._slices(fact, first, entries, corrected=True)
        wanted = self._wanted(subject, first, len(entries))
        if wanted:
            chosen = entries[wanted.start - first : wanted.stop - first]
            self._page += self._slices(fact, wanted.start, chosen, corrected=corrected)

    def _wanted(self, subject: str, first: int, count: int) -> range:
        """Which entries, numbered from ``first``, the page still takes; notes where it is cut."""
        start, stop = first, first + count
        if self._before_page:
            marker, _, entry = str(self._question.after).rpartition("#")
            if not (marker == subject and entry.isdecimal() and start <= int(entry) < stop):
                return range(0)
            self._before_page = False
            start = int(entry) + 1
        limit = self._question.limit
        if limit is None:
            return range(start, stop)
        room = limit - len(self._page)
        if stop - start > room and self.cut is None:
            last = self._page[-1].key if room == 0 and self._page else (subject, start + room - 1)
            self.cut = f"{last[0]}#{last[1]}"
        return range(start, min(stop, start + room))

    def _slices(
        self, fact: Recorded, first: int, entries: list[dict[str, Any]], *, corrected: bool
    ) -> Iterator[Slice]:
        cited = Cited.of(fact)
        for number, entry in enumerate(entries, first):
            yield Slice(
                key=(cited.subject, number),
                service=self._terms.service_named(entry["service"]),
                named=entry["service"],
                resource_id=entry.get("resource_id"),
                start=datetime.fromisoformat(entry["from"]),
                end=datetime.fromisoformat(entry["to"]),
                recorded=cited,
                corrected_at=cited.legal_time if corrected else None,
            )

    def _stands(self, slice_: Slice) -> bool:
        subject, number = slice_.key
        return number not in self._replaced.get(subject, ())

    def page(self) -> list[Slice]:
        """The page without the entries that corrections replaced."""
        if self._before_page:
            raise WrongCallError(f"after={self._question.after!r} names no entry of {self._question.account}")
        return [slice_ for slice_ in self._page if self._stands(slice_)]

    def reopened(self) -> list[Slice]:
        """The entries that corrections wrote and that stand."""
        return [slice_ for slice_ in self._reopened if self._stands(slice_)]


class Notices:
    """Reserves, and the mails, withdrawals and claims that decide what they are worth."""

    def __init__(self, question: Question) -> None:
        self._question = question
        self._terms = question.terms.at(question.as_of)
        self._notified: list[Recorded] = []
        self._withdrawn: dict[str, Reason] = {}
        self._mails: dict[str, Reason] = {}
        self._attributed: dict[str, Reason] = {}
        self._claims: dict[str, list[Claim]] = {}

    def take(self, fact: Recorded) -> None:
        """Take one fact of any type that bears on a reserve."""
        match fact.type:
            case "reserve.notified":
                self._notified.append(fact)
            case "reserve.withdrawn":
                self._withdrawn.setdefault(fact.subject, fact)
            case "mail.received":
                self._mails[fact.subject] = Cited.of(fact)
            case "mail.attributed":
                if fact.fields["data"]["account"] == self._question.account:
                    self._attributed[fact.subject] = fact
                else:
                    self._attributed.pop(fact.subject, None)
            case "sla.claimed":
                for subject in fact.fields["data"].get("reserves", ()):
                    self._claims.setdefault(subject, []).append(claim_of(fact))

    def reserves(self) -> list[Reserve]:
        """Every reserve in the order of legal time, then position."""
        return [self._reserve(fact) for fact in self._notified]

    def _reserve(self, fact: Recorded) -> Reserve:
        data, mail = fact.fields["data"], fact.mail or ""
        service = data.get("service")
        return Reserve(
            fact=fact,
            stamped_at=fact.legal_time,
            not_after=fact.not_after,
            by_mail=self._is_by_mail(fact),
            evidence=bool(data.get("evidence")),
            service=None if service is None else self._terms.service_named(service),
            named=service,
            resource_id=data.get("resource_id"),
            unavailable_from=_instant(data.get("unavailable_from")),
            unavailable_to=_instant(data.get("unavailable_to")),
            because=tuple(found[mail] for found in (self._mails, self._attributed) if mail in found),
            withdrawn=self._withdrawn.get(fact.subject),
            claims=tuple(self._claims.get(fact.subject, ())),
        )

    def _is_by_mail(self, fact: Recorded) -> bool:
        """Whether a mail from the client carried it: its own, or one that was attributed to it.

        A reserve from before the ledger cannot name a recorded mail: its channel is asserted with its
        time.
        """
        if fact.mail is None:
            return fact.history
        if account_of(fact.mail) == COMMON:
            return fact.mail in self._attributed
        return fact.mail.startswith(f"{self._question.account}/mail/")


def _instant(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def claim_of(fact: Recorded) -> Claim:
    """A claim for penalties as its reserves know it: when it came, and for which days."""
    period = fact.fields["data"].get("period", {})
    first, last = period.get("from"), period.get("to")
    return Claim(
        fact=fact,
        stamped_at=fact.legal_time,
        not_after=fact.not_after,
        first_day=date.min if first is None else _day(first),
        last_day=date.max if last is None else _day(last, before=True),
    )


def _day(text: str, *, before: bool = False) -> date:
    """A day as written, or the Paris day of an instant (of the one just ``before`` it, for an end)."""
    if "T" not in text:
        return date.fromisoformat(text)
    instant = datetime.fromisoformat(text).astimezone(UTC)
    return instants.paris_date(instant - _INSTANT if before else instant)


ACCEPTANCE = Acceptance()
