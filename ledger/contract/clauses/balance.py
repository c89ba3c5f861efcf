"""The balance of an account: what is owed, overdue, disputed, and what credits take off (arts. 11, 15.3).

One balance is of one currency: amounts of two currencies are never added. The indemnity for recovery
costs is fixed in euros (Code de commerce, art. D441-5), so it counts in the euro balance whatever the
currency of its invoice.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from ledger import money
from ledger.contract.clauses.contestation import DISPUTED_READINGS, Contested, disputed_of
from ledger.contract.clauses.payment import (
    LATENESS_READINGS,
    Invoice,
    Segment,
    indemnity_of,
    interest_of,
    interest_readings,
    interest_segments,
    is_overdue,
    lateness_readings,
)
from ledger.contract.finding import Conclusion, Readings, Reason, clause
from ledger.contract.rates import Rates
from ledger.contract.readings import choice, weighed
from ledger.contract.terms import InForce

EURO = "EUR"


@dataclass(frozen=True, slots=True)
class Credit:
    """A service-level credit: usable from ``granted_at``, and before ``expires_at``."""

    fact: Reason
    granted_at: datetime
    expires_at: datetime
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Use:
    """Some credit set against an invoice, which it may leave unnamed."""

    fact: Reason
    used_at: datetime
    amount: Decimal
    invoice: str | None = None


@dataclass(frozen=True, slots=True)
class Spending:
    """What uses took of credits: what each credit has left, what each use took, and those without effect."""

    left: tuple[tuple[Credit, Decimal], ...] = ()
    taken: tuple[tuple[Use, Decimal], ...] = ()
    void: tuple[Use, ...] = ()


def spend(granted: Iterable[Credit], uses: Iterable[Use], prices: Mapping[str, Decimal]) -> Spending:
    """Each use takes from the oldest credits usable at its own instant, at most the price that is left.

    ``prices`` are the invoices that credits can pay, by subject: a use that names another has no effect.
    """
    credits_ = sorted(granted, key=lambda credit: (credit.expires_at, credit.granted_at))
    left, room = [credit.amount for credit in credits_], dict(prices)
    taken, void = [], []
    for use in sorted(uses, key=lambda use: use.used_at):
        if use.invoice is not None and use.invoice not in room:
            void.append(use)
            continue
        wanted = use.amount if use.invoice is None else max(min(use.amount, room[use.invoice]), money.NIL)
        missing = wanted
        for place, credit in enumerate(credits_):
            if credit.granted_at <= use.used_at < credit.expires_at:
                part = min(missing, left[place])
                left[place] -= part
                missing -= part
        taken.append((use, wanted - missing))
        if use.invoice is not None:
            room[use.invoice] -= wanted - missing
    return Spending(tuple(zip(credits_, left, strict=True)), tuple(taken), tuple(void))


@dataclass(frozen=True, slots=True)
class Account:
    """The invoices of one currency, and what else the balance of that currency holds.

    ``indemnified`` are the invoices whose indemnities count in it: those of every currency in the euro
    balance, none in another. ``known`` keeps the days of interest under readings that were asked before.
    """

    currency: str
    contested: tuple[Contested, ...]
    indemnified: tuple[Invoice, ...]
    spending: Spending = Spending()
    known: dict[tuple[object, ...], list[Segment]] = field(default_factory=dict, compare=False)

    @property
    def invoices(self) -> tuple[Invoice, ...]:
        """The invoices of this currency."""
        return tuple(row.invoice for row in self.contested)

    @property
    def reasons(self) -> tuple[Reason, ...]:
        """Every fact of the history of its invoices."""
        return tuple(fact for invoice in self.invoices for fact in invoice.reasons)


@clause("15.3")
def amount_due(account: Account) -> Conclusion[Decimal]:
    """Invoiced less credited less paid; negative when the client paid more than it owed.

    « Les factures sont payables comptant »
    """
    return Conclusion(money.exact_sum(invoice.left for invoice in account.invoices), account.reasons)


@clause("15.3")
def amount_overdue(account: Account, as_of: datetime, readings: Readings) -> Conclusion[Decimal]:
    """What is unpaid of invoices that are late.

    « A défaut de disposition autre dans les “Conditions Particulières et Dérogatoires”, les factures sont
    payables à réception. »
    """

    def conclude(chosen: Readings) -> Conclusion[Decimal]:
        late = [invoice for invoice in account.invoices if is_overdue(invoice, as_of, chosen)]
        reasons = tuple(fact for invoice in late for fact in invoice.reasons)
        return Conclusion(money.exact_sum(invoice.unpaid for invoice in late), reasons)

    return weighed(readings, lateness_readings(*account.invoices), conclude)


@clause("15.3")
def amount_disputed(account: Account, terms: InForce, readings: Readings) -> Conclusion[Decimal]:
    """What is disputed in time and unsettled, of each invoice at most what is unpaid (R14).

    « À défaut de contestation d’une facture par le CLIENT, dans un délai de 10 (dix) jours après son
    émission, le CLIENT sera réputé l’avoir irrévocablement acceptée. »
    """
    facts = tuple(
        fact
        for row in account.contested
        if row.disputes
        for fact in (
            row.invoice.fact,
            *(dispute.fact for dispute in row.disputes),
            *(settlement.fact for settlement in row.settlements),
        )
    )

    def conclude(chosen: Readings) -> Conclusion[Decimal]:
        held = (min(disputed_of(row, terms, chosen), row.invoice.unpaid) for row in account.contested)
        return Conclusion(money.exact_sum(held), facts)

    return weighed(readings, DISPUTED_READINGS, conclude)


@clause("15.3")
def total_indemnity(
    account: Account, terms: InForce, as_of: datetime, readings: Readings
) -> Conclusion[Decimal]:
    """The indemnities for recovery costs, one per invoice ever late.

    « une indemnité forfaitaire pour frais de recouvrement d’un montant légal de 40 euros »
    """
    reasons = tuple(fact for invoice in account.indemnified for fact in invoice.reasons)
    return weighed(
        readings,
        lateness_readings(*account.indemnified),
        lambda chosen: Conclusion(_indemnities(account, terms, as_of, chosen), reasons),
    )


def _indemnities(account: Account, terms: InForce, as_of: datetime, readings: Readings) -> Decimal:
    return money.exact_sum(indemnity_of(invoice, terms, as_of, readings) for invoice in account.indemnified)


@clause("15.3")
def total_interest(
    account: Account, rates: Rates, terms: InForce, as_of: datetime, readings: Readings
) -> Conclusion[Decimal | None]:
    """The late interest of every invoice, each rounded by itself; ``None`` when a rate is missing.

    « Des pénalités de retard seront aussi dues dès le premier jour de retard de paiement au prorata
    temporis au taux de base de la Banque Centrale Européenne (BCE) majoré de 10 points de pourcentage. »
    """
    return weighed(
        readings,
        interest_readings(*account.invoices),
        lambda chosen: Conclusion(_interest(account, rates, terms, as_of, chosen), account.reasons),
    )


def _interest(
    account: Account, rates: Rates, terms: InForce, as_of: datetime, readings: Readings
) -> Decimal | None:
    amounts = []
    for invoice in account.invoices:
        interest = interest_of(days_of_interest(account, invoice, rates, terms, as_of, readings), readings)
        if interest is None:
            return None
        amounts.append(interest)
    return money.exact_sum(amounts)


def days_of_interest(
    account: Account, invoice: Invoice, rates: Rates, terms: InForce, as_of: datetime, readings: Readings
) -> list[Segment]:
    """The days of interest of one of an account's invoices, worked out once for each choice of readings."""
    points = ("R8", *LATENESS_READINGS)
    key = (invoice.fact.position, as_of, *(choice(readings, point) for point in points))
    if key not in account.known:
        account.known[key] = interest_segments(invoice, rates, terms, as_of, readings)
    return account.known[key]


@clause("11")
def usable_credits(account: Account, as_of: datetime) -> Conclusion[Decimal]:
    """What is left of credits granted, within their year, the oldest used first whatever was named.

    « d’un crédit à valoir sur le prix des Prestations, valable pendant une durée de 1 (un) an »
    """
    left, taken = account.spending.left, account.spending.taken
    facts = (*(credit.fact for credit, _ in left), *(use.fact for use, _ in taken))
    usable = (amount for credit, amount in left if as_of < credit.expires_at)
    return Conclusion(money.exact_sum(usable), facts)


@clause("11")
def void_uses(account: Account) -> Conclusion[tuple[Mapping[str, object], ...]]:
    """The uses of credits that have no effect: they name no invoice that this account's credits can pay.

    « ne sont pas utilisables pour consommer des Prestations dans le cadre d’un autre Contrat attaché à un
    autre Compte »
    """
    void = account.spending.void
    rows = tuple(
        {
            "subject": use.fact.subject,
            "invoice": use.invoice,
            "amount": use.amount,
            "why": "it names no invoice of this account in the currency of its credits",
        }
        for use in void
    )
    return Conclusion(rows, tuple(use.fact for use in void))


@clause("15.3")
def balance_total(
    account: Account, rates: Rates, terms: InForce, as_of: datetime, readings: Readings
) -> Conclusion[Decimal | None]:
    """Due, indemnities and interest, less usable credits; ``None`` when the interest is not known.

    « En sus de l’indemnité et des pénalités ci-dessus »
    """
    due = amount_due(account).value
    credits_ = usable_credits(account, as_of).value

    def conclude(chosen: Readings) -> Conclusion[Decimal | None]:
        interest = _interest(account, rates, terms, as_of, chosen)
        if interest is None:
            return Conclusion(None, account.reasons)
        indemnities = _indemnities(account, terms, as_of, chosen)
        return Conclusion(money.exact_sum((due, indemnities, interest, -credits_)), account.reasons)

    touched = dict.fromkeys((*interest_readings(*account.invoices), *lateness_readings(*account.indemnified)))
    return weighed(readings, touched, conclude)
