"""Suspensions: lawful or not, and whether what they stop is billed (arts. 3.4.1, 6, 7, 9.2)."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from ledger import instants
from ledger.contract.clauses.notices import NOTICE_READINGS, FormalNotice, is_effective, is_remedied
from ledger.contract.clauses.notification import ADDRESS_READINGS, Addresses, Letter, why_no_effect
from ledger.contract.finding import Conclusion, Readings, Reason, clause
from ledger.contract.readings import weighed
from ledger.contract.terms import InForce

SuspensionGround = Literal["art3.4.1", "art6", "art7", "art9.2"]
_READINGS = {"art7": NOTICE_READINGS, "art3.4.1": ADDRESS_READINGS}


@dataclass(frozen=True, slots=True)
class Verification:
    """A verification procedure: the anomaly e-mail, the client's answer, and how it was closed.

    ``proven`` says of a closed one whether it verified; ``answered_at`` is when corrections or documents
    came.
    """

    fact: Reason
    begins: datetime
    letter: Letter = field(default_factory=Letter)
    answered: Reason | None = None
    answered_at: datetime | None = None
    closed: Reason | None = None
    ends: datetime | None = None
    proven: bool | None = None

    @property
    def reasons(self) -> tuple[Reason, ...]:
        """Request, mail, answer and close."""
        later = tuple(fact for fact in (self.answered, self.closed) if fact is not None)
        return (self.fact, *self.letter.reasons, *later)

    def why_not_begun(self, addresses: Addresses, readings: Readings) -> str | None:
        """Why the procedure has not begun: its e-mail did not validly leave."""
        return why_no_effect(self.letter, "outscale", self.begins, addresses, readings)

    def has_failed(self, at: datetime, terms: InForce) -> bool:
        """Whether by then the client had not answered in time, or had not proven what it told."""
        if self.ends is not None and self.ends <= at:
            return self.proven is False
        until = instants.hours_after(self.begins, terms.at(self.begins).verification.answer_hours)
        in_time = self.answered_at is not None and self.answered_at < until
        return at >= until and not in_time


@dataclass(frozen=True, slots=True)
class Suspension:
    """A blocking as imposed and lifted; ``wrongful`` is what was said of it last.

    ``scope`` names what is blocked, everything when it is empty.
    """

    fact: Reason
    begins: datetime
    ground: SuspensionGround
    rests_on: str | None = None
    scope: tuple[str, ...] = ()
    lifted: Reason | None = None
    ends: datetime | None = None
    wrongful: bool | None = None

    @property
    def reasons(self) -> tuple[Reason, ...]:
        """Imposed and lifted."""
        return (self.fact,) if self.lifted is None else (self.fact, self.lifted)

    def covers(self, names: Collection[str | None]) -> bool:
        """Whether it blocks something known by any of these names: everything when it has no scope."""
        return not self.scope or any(name in names for name in self.scope)

    def holds_at(self, instant: datetime) -> bool:
        """Whether it holds at an instant: from its stamp, until it is lifted."""
        return self.begins <= instant and (self.ends is None or instant < self.ends)


@dataclass(frozen=True, slots=True)
class Grounds:
    """What a suspension may rest on, all of one account."""

    addresses: Addresses = field(default_factory=Addresses)
    notices: tuple[FormalNotice, ...] = ()
    verifications: tuple[Verification, ...] = ()
    abuses: tuple[tuple[Reason, datetime], ...] = ()


@clause("3.4.1, 6, 7, 9.2")
def suspension_lawful(
    suspension: Suspension, grounds: Grounds, terms: InForce, readings: Readings
) -> Conclusion[bool]:
    """Whether OUTSCALE could block when it did, judged at the stamp of the blocking.

    Art. 3.4.1: « Pendant toute la durée de la Procédure de Vérification, OUTSCALE pourra, si elle
    l’estime nécessaire, suspendre le Compte du CLIENT ou limiter son activité. »
    Art. 6: « pourra bloquer lesdites ressources et suspendre ses Prestations ».
    Art. 7: « À compter de cette mise en demeure, et si la Partie défaillante est le CLIENT, OUTSCALE
    pourra à tout moment bloquer l’accès aux ressources ».
    Art. 9.2: « OUTSCALE pourrait alors immédiatement bloquer les Machines Virtuelles incriminées ».
    """
    rests_on = tuple(_rests_on(suspension, grounds))

    def conclude(chosen: Readings) -> Conclusion[bool]:
        why = why_unlawful(suspension, grounds, terms, chosen)
        return Conclusion(why is None, (*suspension.reasons, *rests_on))

    return weighed(readings, _READINGS.get(suspension.ground, ()), conclude)


def why_unlawful(suspension: Suspension, grounds: Grounds, terms: InForce, readings: Readings) -> str | None:
    """Why a suspension was not lawful when it was imposed, in a sentence; ``None`` when it was."""
    match suspension.ground:
        case "art6":
            return "it was wrong, as OUTSCALE itself says" if suspension.wrongful else None
        case "art7":
            return _without_notice(suspension, grounds, terms, readings)
        case "art9.2":
            return None if _abuses(suspension, grounds) else "no abnormal use was found before it (art. 9.2)"
        case "art3.4.1":
            return _without_procedure(suspension, grounds, readings)


def _without_procedure(suspension: Suspension, grounds: Grounds, readings: Readings) -> str | None:
    """Art. 3.4.1: during a procedure, which an e-mail to the client begins."""
    under_way = [
        row for row in _procedures(suspension, grounds) if row.ends is None or suspension.begins < row.ends
    ]
    if not under_way:
        return "no verification procedure was under way (art. 3.4.1)"
    untold = [row.why_not_begun(grounds.addresses, readings) for row in under_way]
    if None in untold:
        return None
    return f"the verification procedure had not begun (art. 3.4.1): {untold[0]}"


def _procedures(suspension: Suspension, grounds: Grounds) -> list[Verification]:
    return [
        row
        for row in grounds.verifications
        if row.begins <= suspension.begins and suspension.rests_on in (None, row.fact.subject)
    ]


def _without_notice(
    suspension: Suspension, grounds: Grounds, terms: InForce, readings: Readings
) -> str | None:
    """Art. 7: from a notice to the client on, while the breach was not remedied before the blocking."""
    told = [
        notice
        for notice in _notices(suspension, grounds)
        if is_effective(notice, grounds.addresses, readings)
    ]
    if not told:
        return "no formal notice to the client, by mail to its address, came before it (art. 7)"
    standing = [
        notice
        for notice in told
        if not (
            is_remedied(notice, terms, readings)
            and notice.remedied_at is not None
            and notice.remedied_at <= suspension.begins
        )
    ]
    return None if standing else "the breach had been remedied before it (art. 7)"


def _notices(suspension: Suspension, grounds: Grounds) -> list[FormalNotice]:
    return [
        notice
        for notice in grounds.notices
        if notice.by == "outscale"
        and notice.sent_at <= suspension.begins
        and suspension.rests_on in (None, notice.fact.subject)
    ]


def _abuses(suspension: Suspension, grounds: Grounds) -> list[Reason]:
    """Art. 9.2: the abnormal uses found by then, only the one that it rests on when it names one."""
    return [
        fact
        for fact, at in grounds.abuses
        if at <= suspension.begins and suspension.rests_on in (None, fact.subject)
    ]


def _rests_on(suspension: Suspension, grounds: Grounds) -> Iterable[Reason]:
    match suspension.ground:
        case "art7":
            for notice in _notices(suspension, grounds):
                yield from notice.reasons
        case "art9.2":
            yield from _abuses(suspension, grounds)
        case "art3.4.1":
            for row in _procedures(suspension, grounds):
                yield from (row.fact, *row.letter.reasons)
        case _:
            return


@clause("6")
def suspension_billed(suspension: Suspension) -> Conclusion[bool]:
    """Whether the services are billed although they are suspended: unless it is manifestly wrong.

    « Les Prestations seront facturées nonobstant la suspension des Prestations, sauf dans le cas où
    OUTSCALE a manifestement suspendu les Prestations à tort. »
    """
    return Conclusion(not suspension.wrongful, suspension.reasons)


def unbilled(suspensions: Iterable[Suspension]) -> list[Suspension]:
    """Those for whose time nothing is billed."""
    return [row for row in suspensions if not suspension_billed(row).value]
