"""How long personal values are kept at least, class by class (arts. 14.2.2, 18.3)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from ledger.contract.clauses.duty import Act, DutyStatus
from ledger.contract.clauses.endings import DATA_READINGS
from ledger.contract.clauses.privacy import relation_data_until
from ledger.contract.clauses.recovery import Ending, Hold, billing_data_until
from ledger.contract.finding import PRIMARY, Conclusion, Readings, clause
from ledger.contract.readings import choosing, weighed, words
from ledger.facts.shape import Retention
from ledger.instants import plain

RELATION_ARTICLE, BILLING_ARTICLE, HOLD_ARTICLE = "14.2.2", "18.3", "18.3"
ARTICLES: dict[Retention, str] = {
    "relation": RELATION_ARTICLE,
    "mail": RELATION_ARTICLE,
    "identity": BILLING_ARTICLE,
    "billing": BILLING_ARTICLE,
}
"""What keeps each class: mail is part of the relation, what identifies the client goes with its bills."""


@dataclass(frozen=True, slots=True)
class Keeping:
    """Whether the values of one class may be erased, and why not.

    ``since`` is the first instant (UTC) at which they may, ``None`` when that is not known yet.
    """

    retention: Retention
    article: str
    allowed: bool
    since: datetime | None
    why: str


def held_until(until: datetime, holds: tuple[Hold, ...]) -> datetime | None:
    """The first instant from ``until`` on at which no legal hold stands; ``None`` while that is unknown."""
    for hold in sorted(holds, key=lambda hold: hold.since):
        if hold.stands(until):
            if hold.until is None:
                return None
            until = hold.until
    return until


def relation_kept_until(ending: Ending, holds: tuple[Hold, ...], readings: Readings) -> datetime | None:
    """The first instant at which nothing has the data of the relation kept; ``None`` while not known."""
    last_day = ending.last_day(readings)
    if last_day is None:
        return None
    return held_until(relation_data_until(last_day, ending.terms).act_by, holds)


def relation_erasable_from(ending: Ending, holds: tuple[Hold, ...]) -> datetime | None:
    """From when the data of the relation may go, and so must: the instant at which ``keepings`` allow it."""
    until, _ = _kept_until("relation", ending)
    return None if until is None else held_until(until, holds)


@clause("14.2.2")
def relation_data_kept(
    ending: Ending, erased: Act | None, holds: tuple[Hold, ...], as_of: datetime, readings: Readings
) -> Conclusion[DutyStatus]:
    """Data on the relation are kept for the contract and a year more, and as long as a legal hold stands.

    « En
    cas de fin de ce contrat, ces Données seront conservées pour une durée supplémentaire de 1 (un)
    an. »
    """

    def conclude(chosen: Readings) -> Conclusion[DutyStatus]:
        until = relation_kept_until(ending, holds, chosen)
        status: DutyStatus = "open" if until is None or as_of < until else "met"
        if erased is not None and (until is None or erased.at < until):
            status = "missed"
        facts = (*ending.reasons, *(hold.fact for hold in holds), None if erased is None else erased.fact)
        return Conclusion(status, tuple(fact for fact in facts if fact is not None))

    return weighed(readings, DATA_READINGS, conclude)


def keepings(ending: Ending, holds: tuple[Hold, ...], as_of: datetime) -> list[Keeping]:
    """What may be erased of each class at ``as_of``.

    What is erased does not come back, so every reading must allow it: the latest end counts, and an end
    that is none under some reading is none. A legal hold keeps everything.
    """
    standing = [hold for hold in holds if hold.stands(as_of)]
    return [_keeping(retention, ending, standing, as_of) for retention in ARTICLES]


def _keeping(retention: Retention, ending: Ending, standing: list[Hold], as_of: datetime) -> Keeping:
    article = ARTICLES[retention]
    until, why = _kept_until(retention, ending)
    if standing:
        ends = [hold.until for hold in standing]
        known = [end for end in ends if end is not None]
        since = max((until, *known)) if until is not None and len(known) == len(ends) else None
        names = ", ".join(hold.fact.subject for hold in standing)
        return Keeping(
            retention, HOLD_ARTICLE, allowed=False, since=since, why=f"a legal hold stands: {names}"
        )
    if until is None:
        return Keeping(retention, article, allowed=False, since=None, why=why)
    return Keeping(retention, article, allowed=as_of >= until, since=until, why=why)


def _kept_until(retention: Retention, ending: Ending) -> tuple[datetime | None, str]:
    """The first instant after the time of keeping, and a sentence on it."""
    latest: datetime | None = None
    for name, chosen in _each_reading():
        last_day = ending.last_day(chosen)
        if last_day is None:
            return None, f"the contract has not ended{name}"
        keep = relation_data_until if ARTICLES[retention] == RELATION_ARTICLE else billing_data_until
        until = keep(last_day, ending.terms).act_by
        latest = until if latest is None else max(latest, until)
    if latest is None:
        raise AssertionError("there is a primary reading")
    return latest, f"kept until {plain(latest)}, from the end of the contract"


def _each_reading() -> list[tuple[str, Readings]]:
    """The primary readings, then each other one that bears on the end of a contract."""
    others = [
        (f" under reading {point}={number}", choosing(PRIMARY, point, number))
        for point in DATA_READINGS
        for number in range(2, len(words(point)) + 1)
    ]
    return [("", PRIMARY), *others]
