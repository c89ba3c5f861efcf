"""What a party answers for at the most, and what excuses it (arts. 13.1, 13.2, 25).

Amounts are in the currency of the claim. What was cashed counts as it was cashed, with VAT; the monthly
amount of a service as its invoice lines say, without VAT.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Literal

from ledger import instants, money
from ledger.contract.clauses.payment import Invoice
from ledger.contract.clauses.windows import Interval, length, union, without
from ledger.contract.finding import Conclusion, Readings, Reason, clause
from ledger.contract.readings import choice, weighed
from ledger.contract.terms import InForce

DamageKind = Literal["interruption", "other", "third_party", "illicit_content", "indirect"]
CAP_READINGS = ("R11", "R25", "R9")


@dataclass(frozen=True, slots=True)
class Damage:
    """A claim for damage; ``outage`` is the interruption that it is about, if it says when."""

    fact: Reason
    claimed_at: datetime
    by: Literal["client", "outscale"]
    kind: DamageKind
    last_event: date
    service: str | None = None
    outage: Interval | None = None
    gross_fault: bool = False
    bodily_harm: bool = False
    beta: bool = False


@dataclass(frozen=True, slots=True)
class Cashed:
    """An invoice with the first day of its period and what it bills a month of each service."""

    invoice: Invoice
    first_day: date
    last_day: date
    by_service: tuple[tuple[str, Decimal], ...] = ()


@dataclass(frozen=True, slots=True)
class Event:
    """Force majeure that struck a service for a time."""

    facts: tuple[Reason, ...]
    span: Interval


@clause("13.2")
def force_majeure_excuse(
    outage: Interval, events: tuple[Event, ...]
) -> Conclusion[tuple[Mapping[str, datetime], ...]]:
    """The parts of a failure for which force majeure excuses OUTSCALE.

    « La responsabilité de OUTSCALE, en cas de manquement à l’une quelconque de ses obligations aux
    termes du Contrat, ne sera pas engagée lorsque cette inexécution a pour origine un événement qui
    revêt les caractères de la force majeure. »
    """
    met = [event for event in events if event.span.within(outage) is not None]
    parts = union(part for event in met if (part := event.span.within(outage)) is not None)
    because = tuple(fact for event in met for fact in event.facts)
    return Conclusion(tuple({"from": part.start, "to": part.end} for part in parts), because)


@clause("13.1, 25")
def liability_cap(
    damage: Damage,
    cashed: tuple[Cashed, ...],
    events: tuple[Event, ...],
    terms: InForce,
    as_of: datetime,
    readings: Readings,
) -> Conclusion[Decimal | None]:
    """The most that is owed for a damage; ``None`` where no limit applies, or none can be told.

    « limitée, au total, à une somme plafonnée à la moitié du montant encaissé par OUTSCALE
    au cours de la période de douze mois précédant la date de survenance du dernier fait dommageable »
    « de 2 (deux) fois le montant mensuel facturé au CLIENT au titre de la Prestation à
    l’origine de la responsabilité de OUTSCALE si le manquement de OUTSCALE a duré au plus 15
    (quinze) jours ; si le manquement a duré 16 (seize) jours ou plus, le plafond sera porté à 3
    (trois) fois »
    « les Parties déclinent toute responsabilité quant aux dommages indirects et/ou
    immatériels »
    « Aucune des limites ci-dessus ne s’applique en cas d’atteinte à l’intégrité des personnes physiques. »
    """
    because = (damage.fact, *(fact for row in cashed for fact in row.invoice.reasons))
    because += tuple(fact for event in events for fact in event.facts)

    def conclude(chosen: Readings) -> Conclusion[Decimal | None]:
        exact, _ = capped(damage, cashed, events, terms, as_of, chosen)
        if exact is None:
            return Conclusion(None, because)
        rounded = money.half_up_to_the_cent if choice(chosen, "R9") == 1 else money.unrounded
        return Conclusion(rounded(exact), because)

    return weighed(readings, CAP_READINGS, conclude)


def capped(
    damage: Damage,
    cashed: tuple[Cashed, ...],
    events: tuple[Event, ...],
    terms: InForce,
    as_of: datetime,
    readings: Readings,
) -> tuple[Fraction | None, str]:
    """The cap before rounding, and why in a sentence."""
    if damage.bodily_harm:
        return None, "no limit applies to harm to persons (art. 13.1)"
    if damage.beta and damage.by == "client":
        cap = terms.at(damage.claimed_at).beta.liability_cap
        return Fraction(cap), "a Beta service: a fixed sum for each client (art. 25)"
    unlimited = _unlimited(damage)
    if unlimited is not None:
        return None, unlimited
    if damage.kind == "indirect":
        return Fraction(0), "indirect damage is excluded (art. 13.1)"
    return _limited(damage, cashed, events, terms, as_of, readings)


def _limited(
    damage: Damage,
    cashed: tuple[Cashed, ...],
    events: tuple[Event, ...],
    terms: InForce,
    as_of: datetime,
    readings: Readings,
) -> tuple[Fraction | None, str]:
    general = _half_of_cashed(damage, cashed, terms)
    if damage.kind != "interruption":
        return general, "half of what was cashed in the twelve months before (art. 13.1)"
    own, why = _interruption(damage, cashed, events, terms, as_of, readings)
    if own is not None and choice(readings, "R25") > 1 and general < own:
        return general, "half of what was cashed in the twelve months before, the lower cap (art. 13.1)"
    return own, why


def _unlimited(damage: Damage) -> str | None:
    if damage.gross_fault:
        return "no limit applies to gross fault (art. 13.1)"
    if damage.kind == "illicit_content":
        return "illicit content is gross fault, and the client's indemnity has no limit (art. 13.1)"
    if damage.kind == "third_party":
        return "no limit applies to damage to third parties (art. 13.1)"
    return None


def _half_of_cashed(damage: Damage, cashed: tuple[Cashed, ...], terms: InForce) -> Fraction:
    """Half of the payments that stand of the twelve months before; not for periods that had not begun."""
    rules = terms.at(damage.claimed_at).liability
    since = instants.same_day(damage.last_event, -rules.cashed_months)
    paid = sum(
        (
            Fraction(payment.amount)
            for row in cashed
            if row.first_day <= damage.last_event
            for payment in row.invoice.payments
            if since <= payment.day < damage.last_event
        ),
        start=Fraction(0),
    )
    return paid * Fraction(rules.cashed_percent) / 100


def _interruption(
    damage: Damage,
    cashed: tuple[Cashed, ...],
    events: tuple[Event, ...],
    terms: InForce,
    as_of: datetime,
    readings: Readings,
) -> tuple[Fraction | None, str]:
    """Two or three times the monthly amount of the service, by how long it failed without excuse."""
    if damage.outage is None:
        return None, "it does not say when the service was interrupted"
    outage = Interval(damage.outage.start, max(damage.outage.start, min(damage.outage.end, as_of)))
    excused = [part for event in events if (part := event.span.within(outage)) is not None]
    lasted = length(without((outage,), excused))
    if excused and lasted == timedelta():
        return Fraction(0), "force majeure excuses the whole interruption (art. 13.2)"
    monthly = _monthly(damage, cashed)
    if monthly is None:
        return None, "no invoice shows what the service costs a month"
    rules = terms.at(damage.claimed_at).liability
    short = lasted <= timedelta(days=rules.short_days)
    if choice(readings, "R11") > 1:
        short = lasted < timedelta(days=rules.long_days)
    factor = rules.short_factor if short else rules.long_factor
    return Fraction(monthly) * factor, f"{factor} times the monthly amount of the service (art. 13.1)"


def _monthly(damage: Damage, cashed: tuple[Cashed, ...]) -> Decimal | None:
    """What the invoice of the month of the interruption bills of the service; the last one before it else."""
    if damage.outage is None:
        return None
    began = instants.paris_date(damage.outage.start)
    known = [
        (row, amount)
        for row in cashed
        for service, amount in row.by_service
        if service == damage.service and row.first_day <= began
    ]
    return max(known, key=lambda pair: pair[0].first_day)[1] if known else None
