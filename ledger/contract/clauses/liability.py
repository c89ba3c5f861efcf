"""What a party answers for at the most, and what excuses it (arts. 13.1, 13.2, 25).

Amounts are in the currency of the claim, and invoices of another currency do not count. What was cashed
counts as it was cashed, with VAT; the monthly amount of a service as its invoice lines say, without VAT.
A cap is the most that is owed for all claims together, not what earlier settlements leave of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Literal

from ledger import instants, money
from ledger.contract.clauses.payment import Invoice
from ledger.contract.clauses.windows import Interval, union, without
from ledger.contract.finding import Conclusion, Readings, Reason, clause
from ledger.contract.readings import choice, weighed
from ledger.contract.terms import InForce

DamageKind = Literal["interruption", "other", "third_party", "illicit_content", "indirect"]
Extent = Literal["limited", "unlimited", "excluded", "unknown"]
CAP_READINGS = ("R11", "R25", "R9")

EURO = "EUR"

_ONE_DAY = timedelta(days=1)


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
    currency: str = "EUR"


@dataclass(frozen=True, slots=True)
class Cashed:
    """An invoice with the days of its period and what it bills of each service."""

    invoice: Invoice
    first_day: date
    last_day: date
    by_service: tuple[tuple[str, Decimal], ...] = ()

    @property
    def months(self) -> int:
        """The whole months of its period, one at the least."""
        after, whole = self.last_day + _ONE_DAY, 1
        while instants.same_day(self.first_day, whole + 1) <= after:
            whole += 1
        return whole

    def monthly(self, service: str | None) -> Fraction:
        """What it bills of a service for a month."""
        billed = sum((Fraction(amount) for name, amount in self.by_service if name == service), Fraction(0))
        return billed / self.months


@dataclass(frozen=True, slots=True)
class Event:
    """Force majeure that struck a service for a time."""

    facts: tuple[Reason, ...]
    span: Interval


@dataclass(frozen=True, slots=True)
class Limit:
    """A cap before rounding, why in a sentence, and the facts it rests on beside the claim.

    ``amount`` is ``None`` when there is no limit, or when none can be told; ``currency`` is ``None`` when it
    is that of the claim.
    """

    extent: Extent
    amount: Fraction | None
    why: str
    because: tuple[Reason, ...] = ()
    currency: str | None = None


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
    « Dans l’hypothèse où une faute du CLIENT aurait pour conséquences des dommages aux tiers, cette
    limitation ne sera pas non plus applicable. »
    « Aucune des limites ci-dessus ne s’applique en cas d’atteinte à l’intégrité des personnes physiques. »
    """

    def conclude(chosen: Readings) -> Conclusion[Decimal | None]:
        limit = limit_of(damage, cashed, events, terms, as_of, chosen)
        because = (damage.fact, *limit.because)
        if limit.amount is None:
            return Conclusion(None, because)
        rounded = money.half_up_to_the_cent if choice(chosen, "R9") == 1 else money.unrounded
        return Conclusion(rounded(limit.amount), because)

    return weighed(readings, CAP_READINGS, conclude)


def limit_of(
    damage: Damage,
    cashed: tuple[Cashed, ...],
    events: tuple[Event, ...],
    terms: InForce,
    as_of: datetime,
    readings: Readings,
) -> Limit:
    """The cap under one choice of readings, before rounding."""
    fixed = _whatever_was_cashed(damage, terms)
    if fixed is not None:
        return fixed
    counted = tuple(row for row in cashed if row.invoice.currency == damage.currency)
    general = _half_of_cashed(damage, counted, terms)
    if damage.kind != "interruption" or damage.by != "client":
        return general
    own = _interruption(damage, counted, events, terms, as_of, readings)
    if own.amount is None or general.amount is None or choice(readings, "R25") == 1:
        return own
    return general if general.amount < own.amount else own


def _whatever_was_cashed(damage: Damage, terms: InForce) -> Limit | None:
    """Where neither payments nor invoices matter; harm to persons comes first, even of a Beta service.

    The sum of art. 25 limits OUTSCALE's liability, and does not bring back what art. 13.1 excludes.
    """
    if damage.bodily_harm:
        return Limit("unlimited", None, "no limit applies to harm to persons (art. 13.1)")
    excluded = damage.kind == "indirect" and not damage.gross_fault
    if damage.beta and damage.by == "client" and not excluded:
        cap = Fraction(terms.at(damage.claimed_at).beta.liability_cap)
        why = "a Beta service: a fixed sum in euros for each client (art. 25)"
        return Limit("limited", cap, why, currency=EURO)
    unlimited = _unlimited(damage)
    if unlimited is not None:
        return Limit("unlimited", None, unlimited)
    if excluded:
        return Limit("excluded", Fraction(0), "indirect damage is excluded (art. 13.1)")
    return None


def _unlimited(damage: Damage) -> str | None:
    """Why no limit applies: the client answers in full for its content and for harm to third parties."""
    if damage.gross_fault:
        return "no limit applies to gross fault (art. 13.1)"
    if damage.by == "client":
        return None
    if damage.kind == "illicit_content":
        return "illicit content is gross fault, and the client's indemnity has no limit (art. 13.1)"
    if damage.kind == "third_party":
        return "no limit applies to the client's fault that harms third parties (art. 13.1)"
    return None


def _half_of_cashed(damage: Damage, cashed: tuple[Cashed, ...], terms: InForce) -> Limit:
    """Half of the payments that stand of the twelve months before; not for periods that had not begun."""
    rules = terms.at(damage.claimed_at).liability
    since = instants.same_day(damage.last_event, -rules.cashed_months)
    counted = [
        (row, payment)
        for row in cashed
        if row.first_day <= damage.last_event
        for payment in row.invoice.payments
        if since <= payment.day < damage.last_event
    ]
    paid = sum((Fraction(payment.amount) for _, payment in counted), start=Fraction(0))
    facts = [fact for row, payment in counted for fact in (row.invoice.fact, payment.fact)]
    facts += [
        fact for row in cashed for fact in row.invoice.because if fact.type == "invoice.payment_rejected"
    ]
    return Limit(
        "limited",
        paid * Fraction(rules.cashed_percent) / 100,
        "half of what was cashed in the twelve months before (art. 13.1)",
        tuple(dict.fromkeys(facts)),
    )


def _interruption(
    damage: Damage,
    cashed: tuple[Cashed, ...],
    events: tuple[Event, ...],
    terms: InForce,
    as_of: datetime,
    readings: Readings,
) -> Limit:
    """Two or three times the monthly amount of the service, by how long it failed without excuse."""
    if damage.outage is None:
        return Limit("unknown", None, "it does not say when the service was interrupted")
    outage = Interval(damage.outage.start, max(damage.outage.start, min(damage.outage.end, as_of)))
    met = [event for event in events if event.span.within(outage) is not None]
    excused = tuple(fact for event in met for fact in event.facts)
    failed = without((outage,), (event.span for event in met))
    if met and not failed:
        why = "force majeure excuses the whole interruption (art. 13.2)"
        return Limit("excluded", Fraction(0), why, excused)
    bills = _bills_of(damage.service, instants.paris_date(outage.start), cashed)
    if not bills:
        return Limit("unknown", None, "no invoice shows what the service costs a month", excused)
    rules = terms.at(damage.claimed_at).liability
    lasted = in_paris_days(failed)
    short = lasted <= timedelta(days=rules.short_days)
    if choice(readings, "R11") > 1:
        short = lasted < timedelta(days=rules.long_days)
    factor = rules.short_factor if short else rules.long_factor
    monthly = sum((row.monthly(damage.service) for row in bills), start=Fraction(0))
    why = f"{factor} times the monthly amount of the service (art. 13.1)"
    return Limit("limited", monthly * factor, why, (*(row.invoice.fact for row in bills), *excused))


def in_paris_days(rows: Iterable[Interval]) -> timedelta:
    """How long intervals last by the clock of Paris: a day is a day on which the clocks change."""
    return sum((_wall(row.end) - _wall(row.start) for row in rows), start=timedelta())


def _wall(instant: datetime) -> datetime:
    return instant.astimezone(instants.PARIS).replace(tzinfo=None)


def _bills_of(service: str | None, began: date, cashed: tuple[Cashed, ...]) -> tuple[Cashed, ...]:
    """The invoices whose period holds the day the interruption began; the last ones before it else."""
    billing = [row for row in cashed if any(name == service for name, _ in row.by_service)]
    holding = tuple(row for row in billing if row.first_day <= began <= row.last_day)
    if holding:
        return holding
    before = [row for row in billing if row.last_day < began]
    last = max((row.last_day for row in before), default=None)
    return tuple(row for row in before if row.last_day == last)
