"""Suspensions of an account: from when to when, on what ground, lawful or not, billed or not."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ledger.contract.clauses.suspension import suspension_billed, suspension_lawful, why_unlawful
from ledger.contract.readings import check
from ledger.facts.recorded import Recorded
from projections.dossier import DOSSIER_TYPES, Dossier
from projections.question import Question


class Suspensions:
    """Every suspension, in the order in which they were imposed, with why one is not lawful."""

    name = "suspensions"
    types = DOSSIER_TYPES

    def answer(self, facts: Iterable[Recorded], question: Question) -> list[dict[str, Any]]:
        """The ``result``.

        Raises:
            WrongCallError: a reading does not exist.
        """
        check(question.readings)
        dossier = Dossier.of(facts)
        grounds = dossier.grounds()
        return [
            {
                "subject": suspension.fact.subject,
                "from": suspension.begins,
                "to": suspension.ends,
                "ground": suspension.ground,
                "lawful": suspension_lawful(suspension, grounds, question.terms, question.readings),
                "why_not": why_unlawful(suspension, grounds, question.terms, question.readings),
                "billed": suspension_billed(suspension),
            }
            for suspension in dossier.suspensions()
        ]


SUSPENSIONS = Suspensions()
