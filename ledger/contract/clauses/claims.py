"""Claims for penalties: in time or not, what defeats them, and the credit that they earn (arts. 8, 11).

``act_by`` and ``forfeit_after`` are first instants too late, in UTC. A claim is judged on the ledger's
own figures for the reserves that it lists, whatever availability it says was observed. Penalties are
full and final: what an earlier claim obtained for a window is not obtained again.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Literal

from ledger import instants
from ledger.contract.clauses.levels import Figure, Levels, Target, applicability
from ledger.contract.clauses.penalties import (
    CAPPED_READINGS,
    Billing,
    Ceilings,
    Due,
    Portion,
    due_for,
    penalty_facts,
    rounded,
)
from ledger.contract.clauses.reserves import time_to_claim
from ledger.contract.clauses.windows import Window
from ledger.contract.finding import Conclusion, Readings, Reason, clause
from ledger.contract.readings import weighed
from ledger.contract.terms import InForce

ClaimStatus = Literal["granted", "out_of_time", "arguable", "irregular", "lost", "excluded", "no_breach"]

_NOTHING = Fraction(0)
_EARNING = frozenset({"granted", "arguable"})


@dataclass(frozen=True, slots=True)
class Wanted:
    """A commitment that a claim names, and what of it where it says so."""

    commitment: str
    service: str | None = None
    resource_id: str | None = None

    def covers(self, target: Target) -> bool:
        """Whether a target is what it names."""
        return (
            self.commitment == target.commitment
            and self.service in (None, target.service)
            and self.resource_id in (None, target.resource_id)
        )


@dataclass(frozen=True, slots=True)
class PenaltyClaim:
    """A claim as notified: its period in Paris days, both included, what it names, and what it rests on.

    ``reserves`` are those on record that it lists; ``calculated`` tells whether the client's own
    calculation came with it.
    """

    fact: Reason
    stamped_at: datetime
    not_after: datetime
    first_day: date
    last_day: date
    wanted: tuple[Wanted, ...]
    reserves: frozenset[str]
    calculated: bool

    def concerns(self, figure: Figure) -> bool:
        """Whether it is about a row."""
        return figure.window.concerns(self.first_day, self.last_day) and (
            not self.wanted or any(row.covers(figure.target) for row in self.wanted)
        )


@dataclass(frozen=True, slots=True)
class Judged:
    """What a claim is worth under one choice of readings."""

    status: ClaimStatus
    credit: Fraction = _NOTHING


def expires_at(claimed_at: datetime, terms: InForce) -> datetime:
    """The first instant too late to use a credit: it is « valable pendant une durée de 1 (un) an »."""
    years = terms.at(claimed_at).penalties.credit_years
    return instants.end_of_years(instants.paris_date(claimed_at), years)


@dataclass
class Claims:
    """The claims of an account in order of legal time, each judged after those before it."""

    all: tuple[PenaltyClaim, ...]
    levels: Levels
    billing: Billing
    _known: dict[frozenset[tuple[str, int]], dict[str, Judged]] = field(default_factory=dict)

    def judged(self, claim: PenaltyClaim, readings: Readings) -> Judged:
        """What a claim is worth under a choice of readings; worked out once for each."""
        key = frozenset(readings.chosen.items())
        if key not in self._known:
            self._known[key] = _Hearing(self, readings).judge()
        return self._known[key][claim.fact.subject]

    def figures(self, claim: PenaltyClaim, readings: Readings, *before: str) -> list[Figure]:
        """The rows that a claim is about, from the reserves that it lists and others named ``before``."""
        only = claim.reserves | frozenset(before)
        return [
            figure
            for target in self.levels.targets()
            if any(row.reserve.fact.subject in claim.reserves for row in self.levels.feeding(target))
            for window in self.levels.windows(target, readings, only)
            if claim.concerns(figure := self.levels.figure(target, window, readings, only))
        ]


class _Hearing:
    """Every claim judged in turn; what an earlier one obtained is gone for the later ones."""

    def __init__(self, claims: Claims, readings: Readings) -> None:
        self._claims, self._readings = claims, readings
        self._levels, self._billing = claims.levels, claims.billing
        self._obtained: dict[tuple[Target, Window], Due] = {}
        self._listed: dict[Target, set[str]] = {}

    def judge(self) -> dict[str, Judged]:
        found: dict[str, Judged] = {}
        first = [self._due(figure) for claim in self._claims.all for figure in self._figures(claim)]
        self._ceilings = Ceilings.over((due for due in first if due), self._billing, self._readings)
        for claim in self._claims.all:
            found.setdefault(claim.fact.subject, self._judge(claim))
        return found

    def _figures(self, claim: PenaltyClaim) -> list[Figure]:
        return self._claims.figures(claim, self._readings)

    def _due(self, figure: Figure) -> Due | None:
        return due_for(figure, self._levels, self._billing, self._readings)

    def _judge(self, claim: PenaltyClaim) -> Judged:
        if not (claim.calculated and claim.reserves):
            return Judged("irregular")
        figures = self._figures(claim)
        timely = [(row, self._standing(claim, row.window.last_day)) for row in figures]
        standings = {standing for _, standing in timely} or {self._standing(claim, claim.last_day)}
        if standings == {"out_of_time"}:
            return Judged("out_of_time")
        timely_rows = [row for row, standing in timely if standing != "out_of_time"]
        rows = [row for row in timely_rows if not self._late(claim, row.target)]
        lost = self._is_lost(claim, rows)
        if "in_time" not in standings:
            return Judged("arguable", _NOTHING if lost else self._credit(claim, rows))
        if lost:
            return Judged("lost")
        new = self._new(claim, rows)
        if not any(due.amount or due.ceiling == 0 for due in new):
            return Judged("excluded" if self._is_excluded(rows) else "no_breach")
        return Judged("granted", self._take(new))

    def _standing(self, claim: PenaltyClaim, last_day: date) -> str:
        if last_day == date.max:
            return "in_time"
        ends = time_to_claim(last_day, self._levels.case.terms, self._readings)
        if claim.not_after < ends.act_by:
            return "in_time"
        return "out_of_time" if claim.stamped_at >= ends.forfeit_after else "arguable"

    def _late(self, claim: PenaltyClaim, target: Target | None) -> bool:
        """Whether the client was late at the stamp of the claim while what is meant was not interrupted."""
        return self._billing.late_at(claim.stamped_at, target, self._readings)

    def _is_lost(self, claim: PenaltyClaim, rows: list[Figure]) -> bool:
        """Whether lateness leaves no row: at the stamp of the claim, or during each of their windows."""
        if not rows:
            return self._late(claim, None)
        return all(self._billing.late_during(row, self._readings) for row in rows)

    def _is_excluded(self, rows: Iterable[Figure]) -> bool:
        """Whether what was reserved would break a promise but for an exclusion or an earlier claim.

        A promise that does not apply to the client excludes whatever was reserved.
        """
        return any(row.reserved_shortfall or not applicability(row, self._levels.case).value for row in rows)

    def _credit(self, claim: PenaltyClaim, rows: list[Figure]) -> Fraction:
        return self._take(self._new(claim, rows))

    def _take(self, dues: Iterable[Due]) -> Fraction:
        """What the caps leave: of one claim never more than CAcm."""
        dues = list(dues)
        taken = sum((self._ceilings.take(due) for due in dues), start=_NOTHING)
        return min(taken, max((due.ceiling for due in dues), default=_NOTHING))

    def _new(self, claim: PenaltyClaim, rows: list[Figure]) -> list[Due]:
        """The penalties of a claim's rows, less what earlier claims obtained for the same windows."""
        found = []
        for row in rows:
            earlier = self._listed.setdefault(row.target, set())
            together = self._levels.figure(row.target, row.window, self._readings, claim.reserves | earlier)
            due = self._due(together)
            if due is not None:
                key = row.target, row.window
                found.append(_less(due, self._obtained.get(key)))
                self._obtained[key] = due
        for row in rows:
            self._listed[row.target] |= claim.reserves
        return found


def _less(due: Due, obtained: Due | None) -> Due:
    """A penalty without what was already obtained for its window, part by part."""
    if obtained is None:
        return due
    gone: dict[tuple[str, tuple[int, ...]], Fraction] = {
        (part.month, part.bills): part.amount for part in obtained.portions
    }
    parts = (
        Portion(
            part.month, part.bills, max(part.amount - gone.get((part.month, part.bills), _NOTHING), _NOTHING)
        )
        for part in due.portions
    )
    return Due(due.window, due.ceiling, tuple(parts))


@clause("11")
def claim_status(claim: PenaltyClaim, claims: Claims, readings: Readings) -> Conclusion[ClaimStatus]:
    """Whether a claim earns a credit, or the first reason why it does not.

    « Le CLIENT disposera d’un délai de 5 (cinq) jours francs à compter de la fin de la période considérée
    pour notifier, à OUTSCALE l’application des pénalités » with « Le calcul du CLIENT » and « Les
    références des réserves notifiées ».
    """
    return weighed(
        readings,
        CAPPED_READINGS,
        lambda chosen: Conclusion(claims.judged(claim, chosen).status, _facts(claim, claims, chosen)),
    )


@clause("8")
def penalty_lost(claim: PenaltyClaim, claims: Claims, readings: Readings) -> Conclusion[ClaimStatus]:
    """Penalties are lost while the client is late in paying and its services were not interrupted.

    « dans le cas où le CLIENT se retrouverait en situation de retard de paiement, sans que OUTSCALE n’ait
    interrompu les Prestations, le système de pénalité serait alors automatiquement suspendu » and « les
    pénalités qui auraient pu être exigées par le CLIENT pendant la période de suspension des pénalités
    seront perdues ».
    """
    return claim_status(claim, claims, readings)


def standing(claim: PenaltyClaim, claims: Claims, readings: Readings) -> Conclusion[ClaimStatus]:
    """The status of a claim, by the clause that decides it."""
    lost = claims.judged(claim, readings).status == "lost"
    return (penalty_lost if lost else claim_status)(claim, claims, readings)


@clause("11")
def claim_credit(claim: PenaltyClaim, claims: Claims, readings: Readings) -> Conclusion[Decimal]:
    """The credit that a claim earns, within what the caps leave after earlier claims.

    « il bénéficiera d’un crédit à valoir sur le prix des Prestations, valable pendant une durée de 1 (un)
    an, dont les montants et modalités de calculs sont définis à l’Annexe B »
    """

    def conclude(chosen: Readings) -> Conclusion[Decimal]:
        credit = rounded(claims.judged(claim, chosen).credit, chosen)
        return Conclusion(credit, _facts(claim, claims, chosen))

    return weighed(readings, CAPPED_READINGS, conclude)


def earns(status: ClaimStatus) -> bool:
    """Whether a status leaves a credit that expires."""
    return status in _EARNING


def _facts(claim: PenaltyClaim, claims: Claims, readings: Readings) -> tuple[Reason, ...]:
    rows = claims.figures(claim, readings)
    return tuple(dict.fromkeys((claim.fact, *penalty_facts(rows, claims.billing, readings))))
