"""What is owed on an account, all invoices together (arts. 11, 15.3)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ledger import money
from ledger.contract.clauses.balance import (
    EURO,
    Account,
    Spending,
    amount_disputed,
    amount_due,
    amount_overdue,
    balance_total,
    days_of_interest,
    total_indemnity,
    total_interest,
    usable_credits,
    void_uses,
)
from ledger.contract.clauses.contestation import Contested
from ledger.contract.rates import Rates
from ledger.contract.readings import check
from ledger.facts.recorded import Recorded
from projections.invoices import INVOICE_TYPES, Files, missing_rates
from projections.question import Question


class Balance:
    """The balance of an account.

    Two currencies are never added. When there are several, the balance of the first (the euro if any
    invoice is in it) is the result, and ``other_currencies`` holds one balance for each of the others.
    Service-level credits, which name no currency, count in the first; indemnities in the euro's. What was
    used of them counts as ``credited``; a use that can have no effect is in ``void_credit_uses``.
    """

    name = "balance"
    types = INVOICE_TYPES

    def answer(self, facts: Iterable[Recorded], question: Question) -> dict[str, Any]:
        """The ``result``.

        Raises:
            WrongCallError: a reading does not exist.
        """
        check(question.readings)
        files = Files(question.terms)
        for fact in facts:
            files.take(fact)
        first, *others = _accounts([row for _, row in files.contested()], files.spending())
        rates = files.rates()
        result = _balance(first, rates, question)
        if others:
            result["other_currencies"] = [_balance(account, rates, question) for account in others]
        return result


def _accounts(contested: list[Contested], spending: Spending) -> list[Account]:
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
            spending if place == 0 else Spending(),
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
        "void_credit_uses": void_uses(account),
        "total": balance_total(account, rates, terms, as_of, readings),
        "missing_rates": missing_rates(segments),
    }


BALANCE = Balance()
