"""What each party must do, until when, and whether it was done: every duty of the contract in one list.

Each module of this package holds the duties of a group of articles: ``TYPES``, the facts that they rest
on, and ``duties``, which reads them. Their rules are clauses of ``ledger.contract.clauses``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

from ledger.contract.clauses.duty import Duty
from ledger.contract.readings import check
from ledger.facts.recorded import Recorded
from projections.dossier import DOSSIER_TYPES
from projections.obligations import privacy, prudence, recovery, undertakings, works
from projections.obligations.case import Case, Source
from projections.question import Question

SOURCES: Final[tuple[Source, ...]] = (prudence, privacy, undertakings, recovery, works)
"""The groups of articles that know duties, in the order of the contract."""


class Obligations:
    """Duties of an account, by subject; those of the provider to everybody show in every account."""

    name = "obligations"
    asks_first_use = True  # an indirect client accepts the terms before it
    types = DOSSIER_TYPES.union(*(source.TYPES for source in SOURCES))

    def answer(self, facts: Iterable[Recorded], question: Question) -> list[dict[str, Any]]:
        """The ``result``.

        Raises:
            WrongCallError: a reading does not exist.
        """
        return [duty.to_json() for duty in duties_of(facts, question)]


def duties_of(facts: Iterable[Recorded], question: Question) -> Iterator[Duty]:
    """Every duty, in the order of the contract, then of the facts that opened them."""
    check(question.readings)
    case = Case(question)
    for fact in facts:
        case.take(fact)
    for source in SOURCES:
        yield from source.duties(case)


OBLIGATIONS = Obligations()
