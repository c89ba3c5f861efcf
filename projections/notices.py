"""Formal notices: until when the breach may be remedied, and whether it was (art. 7)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ledger.contract.clauses.notices import (
    notice_status,
    termination_allowed,
    time_to_remedy,
    why_ineffective,
)
from ledger.contract.readings import check
from ledger.facts.recorded import Recorded
from projections.dossier import DOSSIER_TYPES, Dossier
from projections.question import Question


class Notices:
    """Every formal notice, in the order of their stamps, with why one starts no delay."""

    name = "notices"
    types = DOSSIER_TYPES

    def answer(self, facts: Iterable[Recorded], question: Question) -> list[dict[str, Any]]:
        """The ``result``.

        Raises:
            WrongCallError: a reading does not exist.
        """
        check(question.readings)
        dossier = Dossier.of(facts)
        addresses, terms, readings = dossier.post.known_addresses(), question.terms, question.readings
        rows = []
        for notice in dossier.notices():
            ends = time_to_remedy(notice, terms, readings)
            rows.append(
                {
                    "subject": notice.fact.subject,
                    "by": notice.by,
                    "act_by": ends.act_by,
                    "forfeit_after": ends.forfeit_after,
                    "status": notice_status(notice, addresses, terms, question.as_of, readings),
                    "termination_allowed": termination_allowed(
                        notice, addresses, terms, question.as_of, readings
                    ),
                    "why_not": why_ineffective(notice, addresses, readings),
                }
            )
        return rows


NOTICES = Notices()
