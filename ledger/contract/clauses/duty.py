"""What a party must do until when, and how that stands: the common shape of every obligation.

``act_by`` and ``forfeit_after`` are first instants that are too late, in UTC. They are the same instant
but for an act within clear days, where the text bears two readings of the last day (R3): safe before
``act_by``, lost from ``forfeit_after`` on, arguable between the two (``clauses.md`` §1, Delays).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from ledger import instants
from ledger.contract.finding import Conclusion, Readings, Reason
from ledger.contract.readings import choice
from ledger.contract.terms import Terms

Who = Literal["client", "outscale"]
DutyStatus = Literal["open", "met", "missed", "arguable", "undetermined"]

_INSTANT = timedelta(microseconds=1)


def delays_moved(terms: Terms, readings: Readings) -> bool:
    """Whether a last day that is no working day moves to the next one: as the terms say, or R4."""
    return terms.delays.moved_to_working_day or choice(readings, "R4") > 1


@dataclass(frozen=True, slots=True)
class Delay:
    """Until when an act is in time."""

    act_by: datetime
    forfeit_after: datetime

    @classmethod
    def until(cls, instant: datetime) -> Delay:
        """In time before ``instant``, the first one too late."""
        return cls(instant, instant)

    @classmethod
    def hours(cls, start: datetime, hours: int) -> Delay:
        """So many hours: in time up to the last microsecond of the n-th hour, which is included."""
        return cls.until(instants.hours_after(start, hours) + _INSTANT)

    @classmethod
    def days(cls, start: datetime, days: int, *, moved: bool) -> Delay:
        """So many days after: the Paris day of ``start`` does not count (R4 for its last day)."""
        return cls.until(instants.end_of_days(instants.paris_date(start), days, moved=moved))

    @classmethod
    def months(cls, start: datetime, months: int) -> Delay:
        """So many months, until the end of the same Paris day n months later."""
        return cls.until(instants.end_of_months(instants.paris_date(start), months))


@dataclass(frozen=True, slots=True)
class Act:
    """Something that was done: ``not_after`` bounds from above when its mail reached the server."""

    fact: Reason
    at: datetime
    not_after: datetime


def standing(delay: Delay | None, act: Act | None, as_of: datetime) -> DutyStatus:
    """How a duty stands at ``as_of``; without a delay it is open until it is met.

    An act whose mail cannot be told to lie before or after the end is undetermined by the clock.
    """
    if delay is None:
        return "open" if act is None else "met"
    if act is None:
        return _unmet(delay, as_of)
    if act.not_after < delay.act_by:
        return "met"
    if act.at >= delay.forfeit_after:
        return "missed"
    return "undetermined" if act.at < delay.act_by else "arguable"


def _unmet(delay: Delay, as_of: datetime) -> DutyStatus:
    if as_of < delay.act_by:
        return "open"
    return "missed" if as_of >= delay.forfeit_after else "arguable"


@dataclass(frozen=True, slots=True)
class Matter:
    """What a clause judges: what opened a duty, until when it runs, and what was done about it.

    Without ``opened`` a duty lies in the contract itself (a responsible person at all times).
    """

    opened: Reason | None
    delay: Delay | None = None
    done: Act | None = None
    because: tuple[Reason, ...] = ()

    def standing(self, as_of: datetime) -> Conclusion[DutyStatus]:
        """How the duty stands, and the facts that it rests on."""
        facts = (self.opened, *self.because, None if self.done is None else self.done.fact)
        reasons = tuple(fact for fact in facts if fact is not None)
        return Conclusion(standing(self.delay, self.done, as_of), reasons)


@dataclass(frozen=True, slots=True)
class Duty:
    """One row of the obligations: who must do what until when, how it stands, and by which fact.

    ``note`` says in a sentence what follows from it, where something does.
    """

    subject: str
    who: Who
    what: str
    status: Conclusion[DutyStatus]
    delay: Delay | None = None
    met_by: Reason | None = None
    note: str | None = None

    @classmethod
    def of(cls, subject: str, who: Who, what: str, matter: Matter, status: Conclusion[DutyStatus]) -> Duty:
        """The row of a matter, as a clause concluded on it."""
        done = matter.done.fact if matter.done is not None and status.value == "met" else None
        return cls(subject, who, what, status, matter.delay, done)

    def to_json(self) -> dict[str, object]:
        """The row as the interface gives it, its conclusion in place."""
        return {
            "subject": self.subject,
            "article": self.status.article,
            "who": self.who,
            "what": self.what,
            "act_by": None if self.delay is None else self.delay.act_by,
            "forfeit_after": None if self.delay is None else self.delay.forfeit_after,
            "status": self.status,
            "met_by": None if self.met_by is None else named(self.met_by),
            "note": self.note,
        }


def named(fact: Reason) -> dict[str, object]:
    """A fact as rows name it."""
    return {
        "position": fact.position,
        "subject": fact.subject,
        "type": fact.type,
        "legal_time": fact.legal_time,
    }


def first_in_order(acts: Iterable[Act]) -> Act | None:
    """The act that came first, in the order of legal time, then position."""
    return min(acts, key=lambda act: (act.at, act.fact.position), default=None)
