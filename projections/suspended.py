"""Suspensions as facts come in: when each was imposed and lifted, and what was said of it last."""

from __future__ import annotations

from dataclasses import dataclass, field

from ledger.contract.clauses.suspension import Suspension
from ledger.facts.endings import SuspensionImposed, SuspensionLifted
from ledger.facts.recorded import Recorded

SUSPENSION_TYPES = frozenset({"suspension.imposed", "suspension.lifted"})


@dataclass
class SuspensionHistory:
    """The facts of suspensions, by subject."""

    by_subject: dict[str, list[Recorded]] = field(default_factory=dict)

    def take(self, fact: Recorded) -> None:
        """Add a fact."""
        self.by_subject.setdefault(fact.subject, []).append(fact)

    def all(self) -> list[Suspension]:
        """The suspensions, in the order in which they were imposed."""
        return [row for facts in self.by_subject.values() if (row := _suspension(facts)) is not None]


def _suspension(facts: list[Recorded]) -> Suspension | None:
    imposed = next((fact for fact in facts if isinstance(fact.data, SuspensionImposed)), None)
    lifted = next((fact for fact in facts if isinstance(fact.data, SuspensionLifted)), None)
    if imposed is None or not isinstance(imposed.data, SuspensionImposed):
        return None
    said = [
        fact.data.wrongful for fact in facts if isinstance(fact.data, SuspensionImposed | SuspensionLifted)
    ]
    return Suspension(
        imposed,
        imposed.legal_time,
        imposed.data.ground,
        imposed.data.rests_on,
        tuple(imposed.data.scope),
        lifted,
        None if lifted is None else lifted.legal_time,
        next((word for word in reversed(said) if word is not None), None),
    )
