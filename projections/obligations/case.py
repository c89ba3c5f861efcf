"""The facts of an account, by subject, as the duties of every group of articles read them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import cached_property
from typing import Protocol

from ledger import instants
from ledger.contract.clauses.duty import Act, Duty, Who
from ledger.contract.clauses.notification import ANY_MAIL, Form, why_no_effect
from ledger.contract.clauses.recovery import Ending
from ledger.facts.recorded import Recorded
from projections.dossier import Dossier
from projections.question import Question

_FOREVER = instants.utc_midnight(date.max)


@dataclass
class Case:
    """What is known of an account at the question's instant."""

    question: Question
    dossier: Dossier = field(default_factory=Dossier)
    subjects: dict[str, list[Recorded]] = field(default_factory=dict)

    def take(self, fact: Recorded) -> None:
        """Add a fact; they come in the order of legal time, then position."""
        self.dossier.take(fact)
        self.subjects.setdefault(fact.subject, []).append(fact)

    def opened_by(self, *types: str) -> Iterator[list[Recorded]]:
        """The history of each subject that a fact of one of these types opened, in order.

        A continuation dated before the opening of its subject is kept; so the opening fact is put first.
        """
        for facts in self.subjects.values():
            opening = next((fact for fact in facts if fact.type in types), None)
            if opening is not None:
                yield [opening, *(fact for fact in facts if fact is not opening)]

    @cached_property
    def ending(self) -> Ending:
        """How the contract ends; asked for once every fact was taken."""
        return Ending(self.dossier.relation(), self.question.terms)

    @cached_property
    def over_from(self) -> datetime:
        """The first instant after the contract, the last one there is while nothing ends it."""
        last_day = self.ending.last_day(self.question.readings)
        return _FOREVER if last_day is None else instants.paris_midnight(last_day + timedelta(days=1))

    def client_during(self, began: datetime, ended: datetime | None) -> bool:
        """Whether there was a client at some instant from ``began`` to ``ended`` (``None``: still)."""
        opened = self.dossier.first.get("account.opened")
        return opened is not None and began < self.over_from and (ended is None or opened.legal_time <= ended)

    def carried(self, fact: Recorded, by: Who, form: Form = ANY_MAIL) -> str | None:
        """Why an act that must come by mail has no effect, in a sentence; ``None`` when it has (row 28)."""
        letter, addresses = self.dossier.letter(fact.mail), self.dossier.post.known_addresses()
        readings = self.question.readings
        return why_no_effect(letter, by, fact.legal_time, addresses, readings, form)


def act_of(fact: Recorded | None) -> Act | None:
    """A fact as something that was done."""
    return None if fact is None else Act(fact, fact.legal_time, fact.not_after)


def first(facts: list[Recorded], *types: str) -> Recorded | None:
    """The first fact of one of these types."""
    return next((fact for fact in facts if fact.type in types), None)


class Source(Protocol):
    """A module of this package: the duties of a group of articles."""

    TYPES: frozenset[str]

    def duties(self, case: Case) -> Iterator[Duty]:
        """Its duties, in the order of the facts that opened them."""
