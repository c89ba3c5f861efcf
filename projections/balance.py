"""What is owed on an account, all invoices together (arts. 11, 15.3)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from ledger import money
from ledger.contract.clauses.balance import (
    EURO,
    Account,
    Credit,
    Use,
    amount_disputed,
    amount_due,
    amount_overdue,
    balance_total,
    days_of_interest,
    total_indemnity,
    total_interest,
    usable_credits,
)
from ledger.contract.clauses.claims import expires_at
from ledger.contract.clauses.contestation import Contested
from ledger.contract.rates import Rates
from ledger.contract.readings import check
from ledger.contract.terms import InForce
from ledger.facts.levels import SlaCreditGranted, SlaCreditUsed
from ledger.facts.recorded import Recorded
from projections.invoices import INVOICE_TYPES, Files, missing_rates
from projections.question import Question

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
            self.uses.append(Use(fact, fact.legal_time, data.amount))
        else:
            self.claims[fact.subject] = fact


class Balance:
    """The balance of an account.

    Two currencies are never added. When there are several, the balance of the first (the euro if any
    invoice is in it) is the result, and ``other_currencies`` holds one balance for each of the others.
    Service-level credits, which name no currency, count in the first; indemnities in the euro's.
    """

    name = "balance"
    types = INVOICE_TYPES | CREDIT_TYPES

    def answer(self, facts: Iterable[Recorded], question: Question) -> dict[str, Any]:
        """The ``result``.

        Raises:
            WrongCallError: a reading does not exist.
        """
        check(question.readings)
        files, credits_ = Files(), Credits(question.terms)
        for fact in facts:
            (credits_ if fact.type in CREDIT_TYPES else files).take(fact)
        first, *others = _accounts([row for _, row in files.contested()], credits_)
        rates = files.rates()
        result = _balance(first, rates, question)
        if others:
            result["other_currencies"] = [_balance(account, rates, question) for account in others]
        return result


def _accounts(contested: list[Contested], credits_: Credits) -> list[Account]:
    """One account for each currency; the euro's is there whenever something may count in it."""
    invoices = tuple(row.invoice for row in contested)
    found = {invoice.currency for invoice in invoices} or {EURO}
    currencies = sorted(
        found | {EURO}, key=lambda currency: (currency not in found, currency != EURO, currency)
    )
    return [
        Account(
            currency,
            tuple(row for row in contested if row.invoice.currency == currency),
            invoices if currency == EURO else (),
            tuple(credits_.granted) if place == 0 else (),
            tuple(credits_.uses) if place == 0 else (),
        )
        for place, currency in enumerate(currencies)
    ]


def _balance(account: Account, rates: Rates, question: Question) -> dict[str, Any]:
    terms, as_of, readings = question.terms, question.as_of, question.readings
    invoices = account.invoices
    segments = (
        segment
        for invoice in invoices
        for segment in days_of_interest(account, invoice, rates, terms, as_of, readings)
    )
    return {
        "currency": account.currency,
        "invoiced": money.exact_sum(invoice.total for invoice in invoices),
        "credited": money.exact_sum(invoice.credited for invoice in invoices),
        "paid": money.exact_sum(invoice.paid for invoice in invoices),
        "due": amount_due(account),
        "overdue": amount_overdue(account, as_of, readings),
        "disputed": amount_disputed(account, terms, readings),
        "late_indemnity": total_indemnity(account, terms, as_of, readings),
        "late_interest": total_interest(account, rates, terms, as_of, readings),
        "sla_credits": usable_credits(account, as_of),
        "total": balance_total(account, rates, terms, as_of, readings),
        "missing_rates": missing_rates(segments),
    }


BALANCE = Balance()
