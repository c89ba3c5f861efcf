"""Penalties: what a broken promise is worth, its two caps, and when it is lost (art. 8, Annex B).

Amounts are without VAT, exact fractions until the one rounding at the end (R9). CAcm is the client's
average monthly revenue over the twelve months that end with a window.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

from ledger import instants, money
from ledger.contract.clauses.levels import DOWNTIME_READINGS, Figure, Levels, Target, applicability
from ledger.contract.clauses.payment import LATENESS_READINGS, Invoice, Movement, due_day
from ledger.contract.clauses.windows import Interval, Window, seconds, without
from ledger.contract.finding import Conclusion, Readings, Reason, clause
from ledger.contract.readings import choice, weighed
from ledger.contract.terms import InForce

PENALTY_READINGS = (*DOWNTIME_READINGS, "R7", "R9", *LATENESS_READINGS)
CAPPED_READINGS = (*PENALTY_READINGS, "R6")

_ONE_DAY = timedelta(days=1)
_FOREVER = instants.utc_midnight(date.max)
_HUNDRED = 100
_NOTHING = Fraction(0)


@dataclass(frozen=True, slots=True)
class Days:
    """Days of Paris, both ends included."""

    first: date
    last: date

    def __contains__(self, day: date) -> bool:
        """Whether a day is one of them."""
        return self.first <= day <= self.last


@dataclass(frozen=True, slots=True)
class Bill:
    """An invoice as revenue: its days, both included, and its net amount less credit notes."""

    invoice: Invoice
    first_day: date
    last_day: date
    net: Fraction

    def holds(self, day: date) -> bool:
        """Whether its period holds a day."""
        return self.first_day <= day <= self.last_day


@dataclass(frozen=True, slots=True)
class Portion:
    """A part of a penalty by when its downtime was: its month, and the bills that hold that day."""

    month: str
    bills: tuple[int, ...]
    amount: Fraction


@dataclass(frozen=True, slots=True)
class Due:
    """The penalty of one window, before the caps, with its parts; ``ceiling`` is the window's CAcm."""

    window: Window
    ceiling: Fraction
    portions: tuple[Portion, ...]

    @property
    def amount(self) -> Fraction:
        """The whole of it."""
        return sum((row.amount for row in self.portions), start=_NOTHING)


@dataclass(frozen=True, slots=True)
class Blocking:
    """When an art. 7 suspension interrupted services: those that ``scope`` names, all when it is empty."""

    span: Interval
    scope: frozenset[str] = frozenset()

    def interrupts(self, target: Target | None) -> bool:
        """Whether it interrupted what is meant: one service or resource, or all of them."""
        if not self.scope:
            return True
        return target is not None and not self.scope.isdisjoint({target.service, target.resource_id})


@dataclass(frozen=True)
class Billing:
    """The bills of an account, and when art. 7 suspensions interrupted its services.

    Bills of every currency can be late; those of ``currency`` alone are revenue, which is never added up
    with another.
    """

    bills: tuple[Bill, ...]
    terms: InForce
    as_of: datetime
    blockings: tuple[Blocking, ...] = ()
    because: tuple[Reason, ...] = ()
    currency: str = "EUR"
    _lateness: dict[tuple[int, ...], tuple[Interval | None, ...]] = field(default_factory=dict)
    _late: dict[tuple[object, ...], tuple[Interval, ...]] = field(default_factory=dict)

    def average(self, window: Window, readings: Readings) -> Fraction:
        """CAcm: what the bills of the year that ends with a window come to in a month (R7)."""
        months = self.terms.at(window.span.start).penalties.revenue_months
        bills = self.revenue(window)
        total = sum((bill.net for bill in bills), start=_NOTHING)
        if choice(readings, "R7") > 1:
            months = len({(bill.last_day.year, bill.last_day.month) for bill in bills}) or months
        return max(total / months, _NOTHING)

    def revenue(self, window: Window) -> list[Bill]:
        """The bills whose period ends in the twelve months that end with a window."""
        days = self.revenue_days(window)
        return [bill for bill in self.bills if self.counts(bill) and bill.last_day in days]

    def counts(self, bill: Bill) -> bool:
        """Whether a bill is in the currency that revenue is counted in."""
        return bill.invoice.currency == self.currency

    def revenue_days(self, window: Window) -> Days:
        """The twelve months that end with a window."""
        months = self.terms.at(window.span.start).penalties.revenue_months
        return Days(_months_before(window.last_day + _ONE_DAY, months), window.last_day)

    def late(self, target: Target | None, readings: Readings) -> tuple[Interval, ...]:
        """When the client was late while what is meant was not interrupted (R13, R15)."""
        blocked = tuple(row.span for row in self.blockings if row.interrupts(target))
        key = (blocked, *_lateness_key(readings))
        if key not in self._late:
            spans = (span for span in self.lateness(readings) if span is not None)
            known = Interval(instants.utc_midnight(date.min), self.as_of + timedelta(microseconds=1))
            seen = (part for span in spans if (part := span.within(known)) is not None)
            self._late[key] = without(seen, blocked)
        return self._late[key]

    def lateness(self, readings: Readings) -> tuple[Interval | None, ...]:
        """When each bill was late, worked out once for each choice of readings (R13, R15)."""
        key = _lateness_key(readings)
        if key not in self._lateness:
            self._lateness[key] = tuple(lateness(bill.invoice, readings) for bill in self.bills)
        return self._lateness[key]

    def late_at(self, instant: datetime, target: Target | None, readings: Readings) -> bool:
        """Whether the client was late at an instant, for what is meant: for all of it when ``None``."""
        return any(span.start <= instant < span.end for span in self.late(target, readings))

    def late_during(self, row: Figure, readings: Readings) -> bool:
        """Whether the client was late at any instant of a row's window."""
        return any(span.within(row.window.span) is not None for span in self.late(row.target, readings))

    def holding(self, day: date) -> tuple[int, ...]:
        """Which bills of the revenue's currency hold a day."""
        return tuple(
            number
            for number, bill in enumerate(self.bills)
            if bill.invoice.currency == self.currency and bill.holds(day)
        )


def _lateness_key(readings: Readings) -> tuple[int, ...]:
    return tuple(choice(readings, point) for point in LATENESS_READINGS)


def _months_before(day: date, months: int) -> date:
    """The same day some months before, or the first of the next month when there is none."""
    count = day.year * 12 + day.month - 1 - months
    try:
        return date(count // 12, count % 12 + 1, day.day)
    except ValueError:
        return date((count + 1) // 12, (count + 1) % 12 + 1, 1)


def lateness(invoice: Invoice, readings: Readings) -> Interval | None:
    """From the first instant of the first day late until the whole was paid; ``None`` if never late.

    A payment of the day on which it was recorded ends it at that instant, another with its value date.
    """
    due = due_day(invoice, readings)
    if due is None or invoice.principal_on(due + _ONE_DAY) <= 0:
        return None
    start, left = instants.paris_midnight(due + _ONE_DAY), invoice.total
    for movement in sorted(invoice.movements, key=_in_order):
        left = money.exact_sum((left, -movement.amount))
        if left <= 0:
            told = movement.fact.legal_time
            same_day = instants.paris_date(told) == movement.day
            end = told if same_day else instants.paris_midnight(movement.day + _ONE_DAY)
            return Interval(start, end) if start < end else None
    return Interval(start, _FOREVER)


def _in_order(movement: Movement) -> tuple[date, datetime]:
    return movement.day, movement.fact.legal_time


def due_for(row: Figure, levels: Levels, billing: Billing, readings: Readings) -> Due | None:
    """Ps = (Sg − Sc) × 10 × CAcm of a row; ``None`` when nothing is due or it is lost."""
    if not (row.shortfall and applicability(row, levels.case).value):
        return None
    if billing.late_during(row, readings):
        return None
    multiplier = billing.terms.at(row.window.span.start).penalties.multiplier
    ceiling = billing.average(row.window, readings)
    return Due(row.window, ceiling, _portions(row, row.shortfall * multiplier * ceiling, billing))


def _portions(row: Figure, penalty: Fraction, billing: Billing) -> tuple[Portion, ...]:
    """A penalty shared out over the days of its downtime, so that each month's invoice caps its own."""
    parts: dict[tuple[str, tuple[int, ...]], Fraction] = {}
    for day, lost in _by_day(row.downtime.counted):
        key = f"{day:%Y-%m}", billing.holding(day)
        parts[key] = parts.get(key, _NOTHING) + lost
    whole = sum(parts.values(), start=_NOTHING)
    return tuple(Portion(month, bills, penalty * lost / whole) for (month, bills), lost in parts.items())


def _by_day(spans: Iterable[Interval]) -> Iterable[tuple[date, Fraction]]:
    for span in spans:
        start = span.start
        while start < span.end:
            day = instants.paris_date(start)
            end = min(instants.paris_midnight(day + _ONE_DAY), span.end)
            yield day, seconds(end - start)
            start = end


@dataclass
class Ceilings:
    """What the caps leave, as penalties take from it: CAcm by window and by month, 30 % by invoice (R6)."""

    billing: Billing
    months: Mapping[str, Fraction]
    readings: Readings
    _windows: dict[Window, Fraction] = field(default_factory=dict)
    _months: dict[str, Fraction] = field(default_factory=dict)
    _bills: dict[int, Fraction] = field(default_factory=dict)

    @classmethod
    def over(cls, dues: Iterable[Due], billing: Billing, readings: Readings) -> Ceilings:
        """The caps for some penalties: a month's is the highest CAcm of the windows with downtime in it."""
        months: dict[str, Fraction] = {}
        for due in dues:
            for part in due.portions:
                months[part.month] = max(months.get(part.month, _NOTHING), due.ceiling)
        return cls(billing, months, readings)

    def take(self, due: Due) -> Fraction:
        """How much of a penalty the caps leave; it is then no longer there for others."""
        if not due.amount:
            return _NOTHING
        room = self._windows.setdefault(due.window, due.ceiling)
        share = min(room / due.amount, Fraction(1))
        taken = sum((self._take(part, part.amount * share) for part in due.portions), start=_NOTHING)
        self._windows[due.window] = room - taken
        return taken

    def _take(self, part: Portion, wanted: Fraction) -> Fraction:
        room = self._months.get(part.month, self.months.get(part.month, wanted))
        wanted = min(wanted, room)
        taken = self._from_invoices(part, wanted) if choice(self.readings, "R6") == 1 else wanted
        self._months[part.month] = room - taken
        return taken

    def _from_invoices(self, part: Portion, wanted: Fraction) -> Fraction:
        """What 30 % of the invoices that hold the incident leave; before there is one, all of it."""
        if not part.bills:
            return wanted
        left = wanted
        for number in part.bills:
            bill = self.billing.bills[number]
            terms = self.billing.terms.at(instants.paris_midnight(bill.first_day))
            cap = max(bill.net, _NOTHING) * Fraction(terms.penalties.invoice_share_percent) / _HUNDRED
            room = self._bills.get(number, cap)
            self._bills[number] = room - min(left, room)
            left -= min(left, room)
        return wanted - left


def rounded(amount: Fraction, readings: Readings) -> Decimal:
    """An amount as it is paid: half up to the cent, or not rounded (R9)."""
    return money.half_up_to_the_cent(amount) if choice(readings, "R9") == 1 else money.unrounded(amount)


def penalty_facts(rows: Iterable[Figure], billing: Billing, readings: Readings) -> tuple[Reason, ...]:
    """What penalties rest on: downtime, the bills that make CAcm or are paid late, and suspensions."""
    rows = list(rows)
    if not rows:
        return ()
    facts = [fact for row in rows for fact in row.downtime.because]
    years = [billing.revenue_days(row.window) for row in rows]
    for bill, late in zip(billing.bills, billing.lateness(readings), strict=True):
        counted = billing.counts(bill) and any(bill.last_day in days for days in years)
        if counted or any(late is not None and late.within(row.window.span) is not None for row in rows):
            facts += bill.invoice.reasons
    return tuple(dict.fromkeys((*facts, *billing.because)))


@clause("Annexe B")
def window_penalty(row: Figure, levels: Levels, billing: Billing, readings: Readings) -> Conclusion[Decimal]:
    """The penalty of one commitment over one window, before the caps; nil when it is lost (art. 8).

    « Ps= (Sg – Sc)*10*CAcm »
    """

    def conclude(chosen: Readings) -> Conclusion[Decimal]:
        same = levels.like(row, chosen)
        due = None if same is None else due_for(same, levels, billing, chosen)
        amount = _NOTHING if due is None else due.amount
        return Conclusion(rounded(amount, chosen), penalty_facts([row], billing, chosen))

    return weighed(readings, PENALTY_READINGS, conclude)


def dues_of(levels: Levels, billing: Billing, readings: Readings) -> list[Due]:
    """The penalty of every row that has one."""
    found = (due_for(row, levels, billing, readings) for row in levels.rows(readings))
    return [due for due in found if due is not None]


@clause("Annexe B")
def total_penalty(levels: Levels, billing: Billing, readings: Readings) -> Conclusion[Decimal]:
    """The penalties of every window added up, before the caps.

    « S’il y a plusieurs infractions des SLAs, les Pénalités se cumulent. »
    """

    def conclude(chosen: Readings) -> Conclusion[Decimal]:
        whole = sum((due.amount for due in dues_of(levels, billing, chosen)), start=_NOTHING)
        return Conclusion(rounded(whole, chosen), penalty_facts(levels.rows(chosen), billing, chosen))

    return weighed(readings, PENALTY_READINGS, conclude)


@clause("8")
def capped_penalty(levels: Levels, billing: Billing, readings: Readings) -> Conclusion[Decimal]:
    """What the two caps leave of the penalties: CAcm, and a share of the month's invoice (R6).

    « La Pénalité totale ne pourra jamais excéder la valeur CAcm. » « toutes les pénalités dans le cadre des
    présentes CGV ne peuvent excéder 30 % (trente pour cent) du montant de la facture du mois où les incidents
    ayant généré les pénalités se sont produits »
    """

    def conclude(chosen: Readings) -> Conclusion[Decimal]:
        dues = dues_of(levels, billing, chosen)
        ceilings = Ceilings.over(dues, billing, chosen)
        left = sum((ceilings.take(due) for due in dues), start=_NOTHING)
        return Conclusion(rounded(left, chosen), penalty_facts(levels.rows(chosen), billing, chosen))

    return weighed(readings, CAPPED_READINGS, conclude)
