"""Reservations: firm, owed whatever ordered them, and the order made in error (arts. 3.6.1, 3.6.2, 4).

Amounts are without VAT, in the order's currency.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Literal

from ledger import instants, money
from ledger.contract.clauses.duty import delays_moved
from ledger.contract.finding import Conclusion, Readings, Reason, clause
from ledger.contract.readings import choice, weighed
from ledger.contract.terms import InForce

Admissibility = Literal["admissible", "inadmissible"]
ERROR_READINGS = ("R4", "R16")
NOTE_READINGS = (*ERROR_READINGS, "R9")

AUTOMATIC = frozenset({"api", "cockpit"})
"""The channels through which programs order (art. 3.6.1)."""

_ONE_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Grounds:
    """What is known of an order made in error, by a request or by its cancellation; ``None`` is unknown."""

    fact: Reason
    at: datetime
    reason: bool = False
    reproducible: bool | None = None
    third_party_commitment: bool | None = None
    setup_costs: Decimal | None = None
    consumed: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Use:
    """Services of a reservation were used from an instant on; ``consumed`` is their price, if it is known."""

    fact: Reason
    at: datetime
    consumed: Decimal | None

    @property
    def of_something(self) -> bool:
        """Whether anything was consumed: an amount of nothing tells of no use."""
        return self.consumed is None or self.consumed > 0


@dataclass(frozen=True, slots=True)
class Order:
    """A reservation as ordered; ``last_day`` is included, ``ends`` is its end as an instant (UTC)."""

    fact: Reason
    ordered_at: datetime
    begins: datetime
    ends: datetime
    amount: Decimal | None
    channel: str | None
    requests: tuple[Grounds, ...] = field(default=())
    cancelled: Grounds | None = None
    uses: tuple[Use, ...] = field(default=())

    @property
    def reasons(self) -> tuple[Reason, ...]:
        """Every fact of its history."""
        told = self.requests if self.cancelled is None else (*self.requests, self.cancelled)
        return (self.fact, *(row.fact for row in told), *(use.fact for use in self.uses))


@clause("4")
def reservation_firm(order: Order) -> Conclusion[bool]:
    """A reservation of virtual machines is firm: the contract cannot be ended early for it.

    « sauf les réservations de Machine Virtuelle qui sont
    toujours commandées à titre ferme et irrévocable sans faculté de résiliation anticipée »
    """
    return Conclusion(value=True, because=(order.fact,))


def time_to_request(order: Order, terms: InForce, readings: Readings) -> datetime:
    """The first instant too late to ask for cancellation (art. 3.6.2; R4)."""
    of_order = terms.at(order.ordered_at)
    moved = delays_moved(of_order, readings)
    days = of_order.error_order.request_days
    return instants.end_of_days(instants.paris_date(order.ordered_at), days, moved=moved)


def is_long(order: Order, terms: InForce) -> bool:
    """Whether the commitment lasts longer than the months that art. 3.6.2 names."""
    months = terms.at(order.ordered_at).error_order.over_months
    return order.ends > instants.same_hour(order.begins, months)


def failed_conditions(order: Order, terms: InForce, readings: Readings) -> list[str]:
    """The conditions of art. 3.6.2 that the record does not show to be met, by their names.

    What OUTSCALE committed to or paid is for it to show; the client shows the error and its causes.
    """
    return _best_request(order, terms, readings)[1]


def _best_request(order: Order, terms: InForce, readings: Readings) -> tuple[Grounds | None, list[str]]:
    """The request that lacks least, the first of those, and what it lacks.

    The article gives eight days, not one attempt: a complete request within them counts after another.
    """
    judged = [(row, _lacking(row, order, terms, readings)) for row in order.requests]
    return min(judged, key=lambda found: len(found[1]), default=(None, []))


def _lacking(request: Grounds, order: Order, terms: InForce, readings: Readings) -> list[str]:
    used_before = any(use.of_something and use.at <= request.at for use in order.uses)
    conditions = {
        "automatic_order": order.channel in AUTOMATIC,
        "within_8_days": request.at < time_to_request(order, terms, readings),
        "over_6_months": is_long(order, terms),
        "no_third_party_commitment": not request.third_party_commitment,
        "no_cost": not request.setup_costs,
        "error_documented": request.reason,
        "error_reproducible": request.reproducible is True,
        "unused": not used_before and not request.consumed,
    }
    if choice(readings, "R16") > 1:
        del conditions["no_cost"], conditions["unused"]
    return [name for name, met in conditions.items() if not met]


@clause("3.6.2")
def cancellation(order: Order, terms: InForce, readings: Readings) -> Conclusion[Admissibility]:
    """Whether a request to cancel an order made in error is admissible (R4, R16).

    « le CLIENT devra saisir d’une demande d’annulation, dans les 8 jours de cette commande, le service
    commercial d’OUTSCALE en expliquant que cette commande a été générée par erreur et les causes
    de cette erreur »
    « soit effectivement pour un engagement d’une durée supérieure à 6 mois »
    « à condition que les services liés à cette commande n’aient pas été
    utilisés »
    """

    def conclude(chosen: Readings) -> Conclusion[Admissibility]:
        failed = failed_conditions(order, terms, chosen)
        return Conclusion("inadmissible" if failed else "admissible", order.reasons)

    return weighed(readings, ERROR_READINGS, conclude)


@clause("3.6.2")
def credit_note(order: Order, terms: InForce, readings: Readings) -> Conclusion[Decimal | None]:
    """What is credited for an order made in error; ``None`` when inadmissible, or of no known amount.

    « d’un forfait de frais de gestion équivalent à 10% de la commande générée par erreur,
    - des frais supportés par OUTSCALE pour la mise en service de cette commande,
    - des consommations de services liés à cette commande »
    """

    def conclude(chosen: Readings) -> Conclusion[Decimal | None]:
        return Conclusion(_credited(order, terms, chosen), order.reasons)

    return weighed(readings, NOTE_READINGS, conclude)


def _credited(order: Order, terms: InForce, readings: Readings) -> Decimal | None:
    request, failed = _best_request(order, terms, readings)
    if request is None or order.amount is None or failed:
        return None
    known = [row for row in (order.cancelled, request) if row is not None]
    setup = next((row.setup_costs for row in known if row.setup_costs is not None), money.NIL)
    consumed = _consumed(request, order)
    fee = Fraction(terms.at(order.ordered_at).error_order.fee_percent) / 100
    left = Fraction(order.amount) * (1 - fee) - Fraction(setup) - Fraction(consumed)
    exact = max(left, Fraction(0))
    return money.half_up_to_the_cent(exact) if choice(readings, "R9") == 1 else money.unrounded(exact)


def _consumed(request: Grounds, order: Order) -> Decimal:
    """What OUTSCALE said when it cancelled; before that, what was said or was used, whichever is more."""
    if order.cancelled is not None and order.cancelled.consumed is not None:
        return order.cancelled.consumed
    used = money.exact_sum(use.consumed for use in order.uses if use.consumed is not None)
    return max(used, request.consumed or money.NIL)


@clause("3.6.1")
def order_owed(order: Order, terms: InForce, readings: Readings) -> Conclusion[Decimal | None]:
    """What is owed of an order, whatever the client's automation did wrong; less what is credited.

    « il ne pourra s’exonérer de ses obligations
    au titre des Prestations souscrites automatiquement, et en particulier celle de les payer »
    """

    def conclude(chosen: Readings) -> Conclusion[Decimal | None]:
        if order.amount is None:
            return Conclusion(None, order.reasons)
        credited = _credited(order, terms, chosen) if order.cancelled is not None else None
        return Conclusion(money.exact_sum((order.amount, -(credited or money.NIL))), order.reasons)

    return weighed(readings, NOTE_READINGS, conclude)


def first_day(day: date | datetime) -> datetime:
    """When a reservation begins: at an instant, or at the first one of a Paris day."""
    return day if isinstance(day, datetime) else instants.paris_midnight(day)


def after_last_day(day: date | datetime) -> datetime:
    """When a reservation ends: at an instant, or after a Paris day, which is included."""
    return day if isinstance(day, datetime) else instants.paris_midnight(day + _ONE_DAY)


def latest(rows: Iterable[Grounds]) -> Grounds | None:
    """What was said last."""
    return max(rows, key=lambda row: (row.at, row.fact.position), default=None)
