"""What was used and what it costs, month by month (arts. 15.1, 15.2, 15.4); the invoice binds."""

from __future__ import annotations

from array import array
from bisect import insort
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal, localcontext
from typing import Any, NamedTuple

from ledger import instants
from ledger.contract.clauses.suspension import Suspension, unbilled
from ledger.contract.clauses.usage import (
    MonthlyUse,
    Portion,
    Price,
    billed,
    in_force,
    region_of,
    total,
    usage_amount,
)
from ledger.contract.finding import Reason
from ledger.contract.readings import check, choice
from ledger.facts.recorded import Recorded
from projections.cited import Cited
from projections.question import Question
from projections.suspended import SUSPENSION_TYPES, SuspensionHistory

MOST_CITED = 100
"""How many deliveries a row names at the most, the first ones: a year of metering has thousands."""

_DIGITS = 80
_TAKEN_BACK = 2**32 - 1


class _Day(NamedTuple):
    """When a slice started: its day in Paris, and its month under each answer to R21.

    ``start`` is midnight in Paris, or on a day on which a price changes the last change before the slice.
    """

    start: datetime
    utc_month: str
    paris_month: str

    def month(self, option: int) -> str:
        return self.utc_month if option == 1 else self.paris_month


class _Slot(NamedTuple):
    """What is added up together: one resource type in one place, on one day.

    ``named`` is the resource itself, where a suspension has named it.
    """

    service: str
    resource: str | None
    subregion: str | None
    unit: str
    beta: bool
    named: str | None
    day: _Day


CONSUMPTION_TYPES = frozenset({"consumption.recorded", "consumption.corrected"})


class _Row(NamedTuple):
    """What one row of the answer is about."""

    month: str
    region: str | None
    service: str
    resource: str | None
    unit: str
    beta: bool
    suspended_wrongly: bool


class Usage:
    """Metered and billed use of an account by month, Region, service, resource and unit.

    Everything in it is ``indicative``: what the meters said, at the public tariff of the Region. Each row
    of its ``because`` names at most ``MOST_CITED`` deliveries. Memory grows with resource types × days,
    and by some bytes for each entry, kept so that a correction can take it back.
    """

    name = "usage"
    common_first = True  # a price published late still divides the day on which it takes effect
    types = frozenset(
        {
            "account.opened",
            "account.corrected",
            "consumption.recorded",
            "consumption.corrected",
            "price.published",
            "suspension.imposed",
            "suspension.lifted",
        }
    )

    def answer(self, facts: Iterable[Recorded], question: Question) -> list[dict[str, Any]]:
        """The ``result``: rows sorted by month, Region, service, resource and unit.

        Raises:
            WrongCallError: a chosen reading does not exist.
        """
        check(question.readings)
        meters, tariff, suspensions = _Meters(), _Tariff(question), SuspensionHistory()
        with localcontext(prec=_DIGITS):
            for fact in facts:
                if fact.type in CONSUMPTION_TYPES:
                    meters.take(fact)
                elif fact.type in SUSPENSION_TYPES:
                    suspensions.take(fact)
                    meters.divide(fact.legal_time, fact.fields["data"].get("scope", ()))
                elif changed_at := tariff.take(fact):
                    meters.divide(changed_at)
        stopped = unbilled(suspensions.all())
        return [_row(row, use, question) for row, use in _rows(meters, tariff, stopped, question)]


def _row(row: _Row, use: MonthlyUse, question: Question) -> dict[str, Any]:
    portions, terms = use.portions(question.readings), question.terms.at(use.began)
    amount = usage_amount(use, terms, question.readings)
    prices = {portion.price for portion in portions if portion.price is not None}
    return {
        "month": row.month,
        "region": row.region,
        "service": row.service,
        "resource": row.resource,
        "unit": row.unit,
        "beta": row.beta,
        "suspended_wrongly": row.suspended_wrongly,
        "metered": use.metered(question.readings),
        "billed": billed(use, terms, question.readings),
        "prices": [
            {
                "from": price.effective,
                "unit_price": price.unit_price,
                "unit": price.unit,
                "metered": total(portion.quantity for portion in portions if portion.price == price),
            }
            for price in sorted(prices, key=lambda price: price.starts)
        ],
        "amount": None if amount.value is None else amount,
        "currency": next((price.currency for price in prices), None),
        "indicative": True,
    }


def _rows(
    meters: _Meters, tariff: _Tariff, stopped: Sequence[Suspension], question: Question
) -> list[tuple[_Row, MonthlyUse]]:
    """Group what was metered into rows, under both answers to R21; those of the chosen one are shown."""
    portions: dict[tuple[_Row, int], list[Portion]] = defaultdict(list)
    cited: dict[tuple[_Row, int], set[Reason]] = defaultdict(set)
    began: dict[_Row, datetime] = {}
    for slot, quantity, facts in meters.slots():
        region = region_of(slot.subregion, tariff.account_region)
        price = tariff.price(slot, region)
        beta = slot.beta or (price is not None and price.beta)
        service, start = tariff.service_named(slot.service), slot.day.start
        names = {slot.service, service, slot.resource, slot.named}
        wrongly = [found for found in stopped if found.holds_at(start) and found.covers(names)]
        for option in (1, 2):
            month = slot.day.month(option)
            row = _Row(month, region, service, slot.resource, slot.unit, beta, bool(wrongly))
            began[row] = min(start, began.get(row, start))
            portions[row, option].append(Portion(quantity, price))
            cited[row, option].update(facts)
            cited[row, option].update(fact for found in wrongly for fact in found.reasons)
    chosen = choice(question.readings, "R21")
    shown = sorted(
        {row for row, option in portions if option == chosen}, key=lambda row: tuple(map(str, row))
    )
    return [
        (
            row,
            MonthlyUse(
                row.unit,
                row.beta,
                {option: _merged(portions[row, option]) for option in (1, 2) if (row, option) in portions},
                began[row],
                tuple(sorted(cited[row, chosen], key=lambda fact: fact.position)[:MOST_CITED]),
                row.suspended_wrongly,
            ),
        )
        for row in shown
    ]


def _merged(portions: Sequence[Portion]) -> list[Portion]:
    """One portion for each price."""
    quantities: dict[Price | None, list[Decimal]] = defaultdict(list)
    for portion in portions:
        quantities[portion.price].append(portion.quantity)
    return [Portion(total(found), price) for price, found in quantities.items()]


class _Meters:
    """Entries added up by slot, with what each delivery added, so that a correction can take it back.

    It adds in the decimal context of its caller, whose precision must hold every sum.
    """

    def __init__(self) -> None:
        self._slots: dict[tuple[str, str | None, str | None, str, bool, str | None, _Day], int] = {}
        self._sums: list[Decimal] = []
        self._entries: list[int] = []
        self._cited: list[list[Reason]] = []
        self._days: dict[str, _Day] = {}
        self._changes: list[datetime] = []
        self._named: set[str] = set()
        self._added: dict[str, list[tuple[array[int], str]]] = {}
        self._early: dict[str, list[Recorded]] = {}

    def take(self, fact: Recorded) -> None:
        """Take a delivery or a correction; a correction dated before its delivery waits for it."""
        fields = fact.fields
        subject = fields["subject"]
        if fields["type"] == "consumption.recorded":
            self._added[subject] = []
            self._add(fact)
            for correction in self._early.pop(subject, ()):
                self._correct(correction)
        elif subject in self._added:
            self._correct(fact)
        else:
            self._early.setdefault(subject, []).append(fact)

    def _add(self, fact: Recorded) -> None:
        sums, slots, days, counts, named = self._sums, self._slots, self._days, self._entries, self._named
        fields = fact.fields
        numbers, quantities = array("I"), []
        for entry in fields["data"].get("entries", ()):
            get, start, quantity = entry.get, entry["from"], entry["quantity"]
            day = days.get(start[:13]) or self._day(start)
            key = (
                entry["service"],
                get("resource"),
                get("subregion"),
                entry["unit"],
                get("beta", False),
                resource if named and (resource := get("resource_id")) in named else None,
                day,
            )
            slot = slots.get(key)
            if slot is None:
                slot = self._slot(_Slot(*key))
            sums[slot] += Decimal(quantity)
            counts[slot] += 1
            numbers.append(slot)
            quantities.append(quantity)
        self._added[fields["subject"]].append((numbers, " ".join(quantities)))
        self._cite(fact, numbers)

    def _cite(self, fact: Recorded, numbers: array[int]) -> None:
        """Keep a fact as a reason for each slot that it added to, of the first few."""
        cited: Cited | None = None
        for slot in numbers if len(numbers) == 1 else set(numbers):
            reasons = self._cited[slot]
            if len(reasons) < MOST_CITED:
                cited = cited or Cited.of(fact)
                reasons.append(cited)

    def divide(self, instant: datetime, named: Iterable[str] = ()) -> None:
        """Add up apart what starts before and after an instant of a day, and the resources ``named``.

        A price changes there, or a suspension begins or ends.
        """
        insort(self._changes, instant)
        self._named.update(named)
        self._days.clear()

    def _day(self, start: str) -> _Day:
        """The day of a slice by its start; remembered for the whole hour when no price changes in it."""
        instant, hour = datetime.fromisoformat(start), start[:13]
        paris = instants.paris_date(instant)
        begins = max(
            [instants.paris_midnight(paris), *(change for change in self._changes if change <= instant)]
        )
        day = _Day(begins, start[:7], paris.isoformat()[:7])
        if all(instants.canonical(change)[:13] != hour for change in self._changes):
            self._days[hour] = day
        return day

    def _slot(self, key: _Slot) -> int:
        number = self._slots[key] = len(self._sums)
        self._sums.append(Decimal(0))
        self._entries.append(0)
        self._cited.append([])
        return number

    def _correct(self, fact: Recorded) -> None:
        """Take replaced entries back and add the new ones, numbered after the last."""
        by, first = Cited.of(fact), 0
        replaced = sorted(set(fact.fields["data"].get("replaces", ())))
        for numbers, written in self._added[fact.subject]:
            quantities = written.split(" ")
            for place in (number - first for number in replaced if first <= number < first + len(numbers)):
                if numbers[place] != _TAKEN_BACK:
                    self._take_back(numbers[place], quantities[place], by)
                    numbers[place] = _TAKEN_BACK
            first += len(numbers)
        self._add(fact)

    def _take_back(self, slot: int, quantity: str, by: Reason) -> None:
        self._sums[slot] -= Decimal(quantity)
        self._entries[slot] -= 1
        if len(self._cited[slot]) < MOST_CITED:
            self._cited[slot].append(by)

    def slots(self) -> Iterable[tuple[_Slot, Decimal, list[Reason]]]:
        """Every slot in which an entry still stands, with its sum and the facts that made it."""
        for slot, number in self._slots.items():
            if self._entries[number]:
                yield _Slot(*slot), self._sums[number], self._cited[number]


class _Tariff:
    """The public tariff by Region, and the Region of the account."""

    def __init__(self, question: Question) -> None:
        self._terms = question.terms.at(question.as_of)
        self._prices: dict[tuple[str, str | None, str | None], list[Price]] = {}
        self.account_region: str | None = None

    def take(self, fact: Recorded) -> datetime | None:
        """Take a price, or what says where the account is.

        Returns the instant from which a price holds when that is within a day.
        """
        data = fact.fields["data"]
        if fact.type != "price.published":
            self.account_region = data.get("region", self.account_region)
            return None
        starts, within_a_day = _starts(data["effective"])
        key = self.service_named(data["service"]), data.get("resource"), data.get("region")
        self._prices.setdefault(key, []).append(
            Price(
                Cited.of(fact),
                starts,
                data["effective"],
                data["unit"],
                Decimal(data["unit_price"]),
                data.get("currency", "EUR"),
                data.get("beta", False),
            )
        )
        return starts if within_a_day else None

    def service_named(self, name: str) -> str:
        """What the contract calls a service: the name of a row of the answer."""
        return self._terms.service_named(name)

    def price(self, slot: _Slot, region: str | None) -> Price | None:
        """The price in force when a slot was consumed: the resource's own, else the service's.

        A price of another Region does not count; one that names no Region is of every Region.
        """
        service = self.service_named(slot.service)
        for resource in dict.fromkeys((slot.resource, None)):
            for place in dict.fromkeys((region, None)):
                price = in_force(self._prices.get((service, resource, place), ()), slot.unit, slot.day.start)
                if price is not None:
                    return price
        return None


def _starts(effective: str) -> tuple[datetime, bool]:
    """The instant from which a price holds, and whether it is other than midnight in Paris."""
    if "T" not in effective:
        return instants.paris_midnight(date.fromisoformat(effective)), False
    starts = datetime.fromisoformat(effective)
    return starts, starts != instants.paris_midnight(instants.paris_date(starts))


USAGE = Usage()
