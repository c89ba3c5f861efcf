"""Support: response (GTI) and restoration (GTR) of tickets, and what ties exchanges (art. 19, SLA9).

Times are elapsed, to the microsecond; working time is counted on Paris days.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from ledger import instants
from ledger.contract.clauses.zones import Zones, zones_covered
from ledger.contract.finding import Conclusion, Readings, Reason, clause
from ledger.contract.readings import choice, weighed
from ledger.contract.terms import InForce, SupportTerms

Interval = tuple[datetime, datetime]

_ONE_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Question:
    """A question of the support, and when the client answered it."""

    asked: Reason
    asked_at: datetime
    answered: Reason | None = None
    answered_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Ticket:
    """A ticket; ``complete_at`` is when all mandatory information had been given, if it was."""

    fact: Reason
    opened_at: datetime
    severity: int | None
    specific_support: bool
    complete: Reason | None = None
    complete_at: datetime | None = None
    response: Reason | None = None
    response_at: datetime | None = None
    questions: tuple[Question, ...] = ()
    resolved: Reason | None = None
    resolved_at: datetime | None = None
    exchanges: tuple[Reason, ...] = field(default=())

    @property
    def reasons(self) -> tuple[Reason, ...]:
        """What response and restoration rest on."""
        facts = (self.fact, self.complete, self.response, self.resolved)
        asked = (fact for row in self.questions for fact in (row.asked, row.answered))
        return tuple(dict.fromkeys(fact for fact in (*facts, *asked) if fact is not None))


def working_time(
    start: datetime, end: datetime, terms: SupportTerms, readings: Readings
) -> Iterator[Interval]:
    """The parts of [start, end) that are working time in France (R10), in UTC."""
    day = instants.paris_date(start)
    while instants.paris_midnight(day) < end:
        if instants.working_day_from(day) == day:
            opens, closes = _hours_of(day, terms, readings)
            if max(opens, start) < min(closes, end):
                yield max(opens, start), min(closes, end)
        day += _ONE_DAY


def _hours_of(day: date, terms: SupportTerms, readings: Readings) -> Interval:
    if choice(readings, "R10") == 1:
        return instants.paris_midnight(day), instants.paris_midnight(day + _ONE_DAY)
    opens, closes = (
        datetime(day.year, day.month, day.day, hour, tzinfo=instants.PARIS).astimezone(UTC)
        for hour in (terms.office_opens, terms.office_closes)
    )
    return opens, closes


def _without(parts: Iterable[Interval], taken: Iterable[Interval]) -> list[Interval]:
    left = list(parts)
    for start, end in taken:
        left = [
            piece
            for first, last in left
            for piece in ((first, min(last, start)), (max(first, end), last))
            if piece[0] < piece[1]
        ]
    return left


def _measured(
    counted: list[Interval], limit: timedelta, *, ended: bool
) -> Mapping[str, bool | Decimal | None]:
    """Met or not, and the seconds that it took; not yet known while neither is decided."""
    took = sum((end - start for start, end in counted), start=timedelta())
    over = took > limit
    if not ended:
        return {"met": False if over else None, "seconds": None}
    return {"met": not over, "seconds": instants.exact_seconds(took)}


@clause("Annexe A")
def response_time(
    ticket: Ticket, terms: InForce, as_of: datetime
) -> Conclusion[Mapping[str, bool | Decimal | None] | None]:
    """Whether the support answered in time (GTI); ``None`` without a severity or all information.

    « Le calcul du délai de la Garantie de Temps d’Intervention (GTI) est la différence entre l’horaire
    d’ouverture du ticket par le CLIENT et la première réponse du support OUTSCALE. »
    « L’ouverture de ce ticket avec l’ensemble des informations requises est le préalable nécessaire et le
    point de départ pour évaluer le respect des engagements de OUTSCALE. »
    """
    start = ticket.complete_at
    if start is None or ticket.severity is None:
        return Conclusion(None, ticket.reasons)
    limit = timedelta(minutes=terms.at(ticket.opened_at).support.response_minutes[ticket.severity - 1])
    end = as_of if ticket.response_at is None else ticket.response_at
    counted = [(start, end)] if start < end else []
    return Conclusion(_measured(counted, limit, ended=ticket.response_at is not None), ticket.reasons)


@clause("Annexe A")
def restoration_time(
    ticket: Ticket, terms: InForce, as_of: datetime, readings: Readings
) -> Conclusion[Mapping[str, bool | Decimal | None] | None]:
    """Whether the incident was resolved in time (GTR), the client's answering time deducted (R10).

    « Le temps de réponse du CLIENT pour répondre à une question du support
    OUTSCALE est déduit du calcul du délai de la Garantie de Temps de Rétablissement (GTR). »
    « 48 heures ouvrées »
    """
    start, severity = ticket.complete_at, ticket.severity
    if start is None or severity is None:
        return Conclusion(None, ticket.reasons)
    support = terms.at(ticket.opened_at).support
    limit = timedelta(hours=support.restoration_hours[severity - 1])
    end = as_of if ticket.resolved_at is None else ticket.resolved_at
    waiting = [(row.asked_at, min(row.answered_at or end, end)) for row in ticket.questions]

    def conclude(chosen: Readings) -> Conclusion[Mapping[str, bool | Decimal | None] | None]:
        elapsed = [(start, end)] if start < end else []
        if severity >= support.working_hours_from and elapsed:
            elapsed = list(working_time(start, end, support, chosen))
        counted = _without(elapsed, waiting)
        return Conclusion(_measured(counted, limit, ended=ticket.resolved_at is not None), ticket.reasons)

    return weighed(readings, ("R10",), conclude)


@clause("Annexe A")
def support_applies(ticket: Ticket, zones: Zones, region: str | None, as_of: datetime) -> Conclusion[bool]:
    """Whether SLA9 applies: the specific support, all information, and every zone deployed meanwhile.

    A Region with one zone only leaves it out, as its last words say.

    « Ce SLA ne s’applique que dans le cas où le CLIENT a souscrit à un Service de Support Spécifique. »
    « Dans le cas où les ressources du CLIENT
    n'ont été déployées que sur une seule Zone de disponibilité, ce SLA ne s'appliquera pas. »
    """
    end = ticket.resolved_at or as_of
    covered, because = zones_covered(zones, region, ticket.opened_at, end, as_of, several=True)
    applies = ticket.specific_support and ticket.complete_at is not None and covered
    return Conclusion(applies, (*ticket.reasons, *because))


@clause("19")
def ticket_number(ticket: Ticket) -> Conclusion[str]:
    """The ticket that ties a request and every exchange on it together.

    « Le CLIENT doit utiliser ce
    numéro de ticket dans tous ses échanges avec le support client »
    """
    return Conclusion(ticket.fact.subject.rpartition("/")[2], (ticket.fact, *ticket.exchanges))
