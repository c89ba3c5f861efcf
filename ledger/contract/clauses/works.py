"""Professional services: what of their price is owed when, and what counts as acceptance.

« Conditions de fourniture des Services Professionnels », after Annex B. Amounts are without VAT.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from fractions import Fraction

from ledger import money
from ledger.contract.clauses.duty import Act, DutyStatus, Matter
from ledger.contract.finding import Conclusion, Readings, Reason, clause
from ledger.contract.readings import choice, weighed
from ledger.contract.terms import InForce, WorksTerms


@dataclass(frozen=True, slots=True)
class Works:
    """Professional services: their order, how far they are (in percent), and their acceptance."""

    fact: Reason
    ordered_at: datetime
    amount: Decimal | None
    progress: Decimal
    progressed: Reason | None = None
    accepted: Act | None = None

    @property
    def reasons(self) -> tuple[Reason, ...]:
        """Order, progress and acceptance."""
        facts = (self.fact, self.progressed, None if self.accepted is None else self.accepted.fact)
        return tuple(fact for fact in facts if fact is not None)


@clause("Services Professionnels")
def works_owed(works: Works, terms: InForce, readings: Readings) -> Conclusion[Decimal | None]:
    """What is owed so far: on order, by progress, and the rest on acceptance (R9).

    « payables avec un acompte
    de trente pour cent (30%) lors de la commande du CLIENT, ils sont ensuite payables au prorata de leur
    avancement (sur une base de 50 % de leur prix), avec le solde de 20 % à la recette du Projet »
    """
    rules = terms.at(works.ordered_at).works

    def conclude(chosen: Readings) -> Conclusion[Decimal | None]:
        if works.amount is None:
            return Conclusion(None, works.reasons)
        exact = Fraction(works.amount) * _percent_due(works, rules) / 100
        rounded = money.half_up_to_the_cent if choice(chosen, "R9") == 1 else money.unrounded
        return Conclusion(rounded(exact), works.reasons)

    return weighed(readings, ("R9",), conclude)


def _percent_due(works: Works, rules: WorksTerms) -> Fraction:
    """The share of the price that has fallen due, in percent.

    The balance (« solde ») is what is left of the price, whatever came before it; until acceptance it is
    not owed, unless a larger deposit leaves less.
    """
    whole = Fraction(100)
    if works.accepted is not None:
        return whole
    progress = min(Fraction(works.progress), whole) / whole
    by_progress = Fraction(rules.order_percent) + Fraction(rules.progress_percent) * progress
    before_balance = max(Fraction(rules.order_percent), whole - Fraction(rules.acceptance_percent))
    return min(by_progress, before_balance, whole)


@clause("Services Professionnels")
def works_accepted(matter: Matter, as_of: datetime) -> Conclusion[DutyStatus]:
    """Whether the works were accepted; use in production is acceptance.

    « La mise
    en production des résultats du Projet par le CLIENT vaut recette de celui-ci. »
    """
    return matter.standing(as_of)


@clause("Services Professionnels")
def works_paid(matter: Matter, as_of: datetime) -> Conclusion[DutyStatus]:
    """The client owes what has fallen due; its payment is followed on the invoices.

    « payables avec un acompte
    de trente pour cent (30%) lors de la commande du CLIENT »
    """
    return matter.standing(as_of)
