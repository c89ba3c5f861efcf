"""What may be erased of an account's personal values (arts. 14.2.2, 18.3)."""

from __future__ import annotations

from datetime import datetime

from ledger.contract.clauses.recovery import Ending
from ledger.contract.clauses.retention import Keeping, keepings
from ledger.contract.finding import PRIMARY
from projections.answers import Answers
from projections.obligations import OBLIGATIONS
from projections.obligations.case import Case
from projections.obligations.recovery import holds_of


def erasable(answers: Answers, account: str, as_of: datetime) -> list[Keeping]:
    """Of each class of personal values, whether it may be erased at ``as_of`` (UTC), and why not.

    Raises:
        NotRecordedError: there is no such account in the record.
    """
    asked = answers.prepare(account, as_of, None, PRIMARY)
    case = Case(asked.question)
    with answers.follower.facts(OBLIGATIONS.name, asked.scope) as facts:
        for fact in facts:
            case.take(fact)
    ending = Ending(case.dossier.relation(), asked.question.terms)
    return keepings(ending, tuple(holds_of(case)), as_of)
