"""The state of a contract: formed or not, suspended, under notice, ending (arts. 3, 4, 6, 7, 18)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ledger.contract.clauses.agreement import terms_in_force
from ledger.contract.clauses.endings import (
    Relation,
    contract_status,
    decisive,
    erasable_from,
    firm_beyond,
    mandatory_retrieval,
    recover_data_before,
    termination_effective,
)
from ledger.contract.clauses.formation import formation, obligations_suspended
from ledger.contract.readings import check
from ledger.facts.recorded import Recorded
from projections.dossier import DOSSIER_TYPES, Dossier
from projections.question import Question


class Contract:
    """The state of an account's contract.

    Beside the fields of the interface it says whether missing or wrong information suspends OUTSCALE's
    obligations (art. 3.4.1) and what is missing, and of a termination its subject and why it has no
    effect. Before the account is opened the state is ``none``.
    """

    name = "contract"
    types = DOSSIER_TYPES

    def answer(self, facts: Iterable[Recorded], question: Question) -> dict[str, Any]:
        """The ``result``.

        Raises:
            WrongCallError: a reading does not exist.
        """
        check(question.readings)
        dossier = Dossier.of(facts)
        relation, terms, readings = dossier.relation(), question.terms, question.readings
        information = dossier.information()
        opened = relation.subscription.opened is not None
        return {
            "status": contract_status(relation, terms, question.as_of, readings),
            "formed_at": formation(relation.subscription, readings),
            "route": relation.subscription.route,
            "terms_in_force": terms_in_force(question.agreement, question.as_of),
            "obligations_suspended": obligations_suspended(information) if opened else None,
            "missing_information": list(information.missing) if opened else [],
            "termination": _termination(relation, question),
        }


def _termination(relation: Relation, question: Question) -> dict[str, Any] | None:
    found = decisive(relation, question.terms, question.readings)
    if found is None:
        return None
    termination, effect = found
    told = (mandatory_retrieval(termination, effect, question.terms), firm_beyond(relation, effect))
    warnings = [warning for warning in told if warning is not None]
    return {
        "subject": termination.fact.subject,
        "by": termination.by,
        "ground": termination.ground,
        "effective_date": termination_effective(relation, question.terms, question.readings),
        "why_not": effect.why,
        "recover_data_before": recover_data_before(relation, question.terms, question.readings),
        "warning": "; ".join(warnings) or None,
        "erasable_from": erasable_from(relation, question.terms, question.readings),
    }


CONTRACT = Contract()
