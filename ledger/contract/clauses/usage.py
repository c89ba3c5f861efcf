"""What metered use costs: the units of art. 15.4, the prices of arts. 15.1 and 15.2, Beta services.

Consumption shown by the API, by Cockpit or here is indicative: the invoice binds (art. 15.3). Quantities
are exact decimals in the unit that the meter gives; prices are net of VAT, for one of their own unit.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_CEILING, Decimal, localcontext
from fractions import Fraction

from ledger import money
from ledger.contract.finding import Conclusion, Readings, Reason, clause
from ledger.contract.readings import choice, weighed
from ledger.contract.terms import Terms

_DIGITS = 80
_SUBREGION = re.compile(r"(.*[0-9])[a-z]\Z")
_UNITS_IN_ONE = {("second", "second"): 1, ("second", "hour"): 3600}
"""How many metered units make one unit of a price: a second may be priced by the hour."""


@dataclass(frozen=True, slots=True)
class Price:
    """A public tariff: ``unit_price`` for one ``unit``, in force from the instant ``starts``.

    ``effective`` is that date or instant as it was published: a date means midnight in Paris.
    """

    fact: Reason
    starts: datetime
    effective: str
    unit: str
    unit_price: Decimal
    currency: str
    beta: bool = False

    def units_in_one(self, metered: str) -> int | None:
        """How many metered units its own unit holds; ``None`` when it does not price that unit."""
        return _UNITS_IN_ONE.get((metered, self.unit), 1 if metered == self.unit else None)


@dataclass(frozen=True, slots=True)
class Portion:
    """What was metered at one price; ``price`` is ``None`` where none is known."""

    quantity: Decimal
    price: Price | None


@dataclass(frozen=True, slots=True)
class MonthlyUse:
    """The use of one type of resource in one Region in one month, by the price in force.

    ``by_month`` holds the portions under each answer to R21 (the number of the option: the portions);
    ``began`` is when the first of it started (UTC): the terms in force then decide it; ``because`` the
    facts that metered it.
    """

    unit: str
    beta: bool
    by_month: Mapping[int, Sequence[Portion]]
    began: datetime
    because: tuple[Reason, ...] = ()
    suspended_wrongly: bool = False

    def portions(self, readings: Readings) -> Sequence[Portion]:
        """The portions that fall into the month, as R21 is read."""
        return self.by_month.get(choice(readings, "R21"), ())

    def metered(self, readings: Readings) -> Decimal:
        """The exact sum of what was metered."""
        return total(portion.quantity for portion in self.portions(readings))


def total(quantities: object) -> Decimal:
    """Add quantities without ever rounding."""
    with localcontext(prec=_DIGITS):
        return sum(quantities, start=Decimal(0))  # type: ignore[call-overload,no-any-return]


def region_of(subregion: str | None, account_region: str | None) -> str | None:
    """The Region of a subregion (``eu-west-2a`` lies in ``eu-west-2``), else the account's."""
    if subregion is None:
        return account_region
    match = _SUBREGION.match(subregion)
    return match[1] if match else subregion


def in_force(prices: Sequence[Price], unit: str, at: datetime) -> Price | None:
    """The tariff in force at an instant for what is metered in ``unit``: the one that took effect last.

    ``prices`` are in the order of their facts; of two that took effect together the later fact holds.
    """
    found: Price | None = None
    for price in prices:
        applies = price.starts <= at and price.units_in_one(unit) is not None
        if applies and (found is None or price.starts >= found.starts):
            found = price
    return found


def billed(use: MonthlyUse, terms: Terms, readings: Readings) -> Conclusion[Decimal]:
    """The quantity billed for a month, in the unit metered, by the clause that decides it."""
    if use.suspended_wrongly:
        return suspended_quantity(use)
    return beta_quantity(use) if use.beta else billed_quantity(use, terms, readings)


@clause("15.4")
def billed_quantity(use: MonthlyUse, terms: Terms, readings: Readings) -> Conclusion[Decimal]:
    """The quantity billed for a month: seconds rounded up on the total, an hour at the least; GiB as metered.

    « Toute consommation est facturée sur la base de la consommation arrondie à la seconde supérieure. »
    « dans le cas où la consommation mensuelle d’un CLIENT serait inférieure à une heure sur un type de
    ressource, le CLIENT sera facturé d’une heure complète » (art. 15.1: « La facturation minimale mensuelle
    est d’une heure par type de Machine Virtuelle ou ressource utilisées »).
    « le réseau est facturé au GiB (Gibibyte ou gibioctet) et (3) que le Stockage est facturé au GiB/mois »
    """
    return weighed(
        readings,
        ("R21",),
        lambda chosen: Conclusion(_billed(use.metered(chosen), use.unit, terms), use.because),
    )


def _billed(metered: Decimal, unit: str, terms: Terms) -> Decimal:
    if unit != "second" or metered == 0:
        return metered
    with localcontext(prec=_DIGITS):
        return max(metered.to_integral_value(ROUND_CEILING), Decimal(terms.usage.minimum_seconds))


@clause("1, 25")
def beta_quantity(use: MonthlyUse) -> Conclusion[Decimal]:
    """A Beta service is not billed.

    « Les Services Bêtas, sauf dérogation dans leurs éventuelles Conditions Particulières, ne donnent pas
    lieu à facturation. »
    """
    return Conclusion(Decimal(0), use.because)


@clause("6")
def suspended_quantity(use: MonthlyUse) -> Conclusion[Decimal]:
    """What was metered while everything was suspended manifestly by mistake is not billed.

    « Les Prestations seront facturées nonobstant la suspension des Prestations, sauf dans le cas où
    OUTSCALE a manifestement suspendu les Prestations à tort. »
    """
    return Conclusion(Decimal(0), use.because)


@clause("15.1, 15.2")
def usage_amount(use: MonthlyUse, terms: Terms, readings: Readings) -> Conclusion[Decimal | None]:
    """What a month's use costs before VAT at the public tariff; ``None`` where a price is not known.

    « Le prix des Prestations est défini dans les Conditions Particulières et Dérogatoires ou à défaut le
    tarif public OUTSCALE affiché sur son site s’appliquera » ; « au tarif en vigueur ».
    Each portion counts at its own price; what rounding up and the minimum add, at the last price.
    """
    prices = {
        portion.price.fact
        for portions in use.by_month.values()
        for portion in portions
        if portion.price is not None
    }
    because = (*use.because, *prices)
    return weighed(readings, ("R9", "R21"), lambda chosen: Conclusion(_amount(use, terms, chosen), because))


def _amount(use: MonthlyUse, terms: Terms, readings: Readings) -> Decimal | None:
    if use.beta or use.suspended_wrongly:
        return money.NIL
    portions = use.portions(readings)
    prices = [portion.price for portion in portions if portion.price is not None]
    if len(prices) < len(portions) or len({price.currency for price in prices}) > 1:
        return None
    exact = sum((_cost(portion.quantity, portion.price, use.unit) for portion in portions), start=Fraction(0))
    if prices:
        metered = use.metered(readings)
        with localcontext(prec=_DIGITS):
            added = _billed(metered, use.unit, terms) - metered
        exact += _cost(added, max(prices, key=lambda price: price.starts), use.unit)
    return money.half_up_to_the_cent(exact) if choice(readings, "R9") == 1 else money.unrounded(exact)


def _cost(quantity: Decimal, price: Price | None, unit: str) -> Fraction:
    units = None if price is None else price.units_in_one(unit)
    if price is None or units is None:
        return Fraction(0)
    return Fraction(quantity) * Fraction(price.unit_price) / units
