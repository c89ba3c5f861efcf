"""Service-level credits granted and used, and the price of the invoices that they pay (art. 11)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ledger import instants, money
from ledger.contract.clauses.balance import EURO, Credit, Spending, Use, spend
from ledger.contract.clauses.claims import expires_at
from ledger.contract.clauses.payment import Invoice, Movement
from ledger.contract.terms import InForce
from ledger.facts.levels import SlaCreditGranted, SlaCreditUsed
from ledger.facts.recorded import Recorded

CREDIT_TYPES = frozenset({"sla.claimed", "sla.credit_granted", "sla.credit_used"})


@dataclass
class Credits:
    """Service-level credits granted and used, as facts come in."""

    terms: InForce
    claims: dict[str, Recorded] = field(default_factory=dict)
    granted: list[Credit] = field(default_factory=list)
    uses: list[Use] = field(default_factory=list)

    def take(self, fact: Recorded) -> None:
        """Add a fact; a credit whose claim is not on record counts its year from its grant."""
        data = fact.data
        if isinstance(data, SlaCreditGranted):
            claim = self.claims.get(fact.subject, fact)
            self.granted.append(
                Credit(fact, fact.legal_time, expires_at(claim.legal_time, self.terms), data.amount)
            )
        elif isinstance(data, SlaCreditUsed):
            self.uses.append(Use(fact, fact.legal_time, data.amount, data.invoice))
        else:
            self.claims[fact.subject] = fact

    def spending(self, invoices: Mapping[str, Invoice]) -> Spending:
        """What uses took, each at most the price of its invoice less credit notes.

        Credits name no currency: they are in that of the first balance, and pay no other invoice.
        """
        first = first_currency(invoices.values())
        prices = {
            subject: money.exact_sum((invoice.total, -invoice.credited))
            for subject, invoice in invoices.items()
            if invoice.currency == first
        }
        return spend(self.granted, self.uses, prices)


def first_currency(invoices: Iterable[Invoice]) -> str:
    """The euro if any invoice is in it, or if there is none; else the first of their currencies."""
    currencies = {invoice.currency for invoice in invoices}
    return EURO if EURO in currencies else min(currencies, default=EURO)


def paid_by_credit(spending: Spending) -> dict[str, list[Movement]]:
    """What credits paid of each invoice, from the Paris day on which each was used."""
    paid: dict[str, list[Movement]] = {}
    for use, amount in spending.taken:
        if use.invoice is not None and amount > 0:
            movement = Movement(use.fact, instants.paris_date(use.used_at), amount)
            paid.setdefault(use.invoice, []).append(movement)
    return paid
