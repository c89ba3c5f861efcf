"""Formal notices (mises en demeure) and the breaches they summon a party to remedy (art. 7).

``act_by`` and ``forfeit_after`` are first instants too late, in UTC.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from ledger import instants
from ledger.contract.clauses.duty import delays_moved
from ledger.contract.clauses.notification import Addresses, Letter, why_no_effect
from ledger.contract.finding import Conclusion, Readings, Reason, clause
from ledger.contract.readings import choice, weighed
from ledger.contract.terms import InForce

Party = Literal["client", "outscale"]
NoticeStatus = Literal["running", "remedied", "arguable", "unremedied"]

NOTICE_READINGS = ("R3", "R4", "R12")


@dataclass(frozen=True, slots=True)
class FormalNotice:
    """A formal notice (mise en demeure), what carried it, and when its breach was remedied, if it was."""

    fact: Reason
    sent_at: datetime
    by: Party
    letter: Letter
    remedied: Reason | None = None
    remedied_at: datetime | None = None

    @property
    def reasons(self) -> tuple[Reason, ...]:
        """Notice, mail and remedy."""
        remedy = () if self.remedied is None else (self.remedied,)
        return (self.fact, *self.letter.reasons, *remedy)


def time_to_remedy(notice: FormalNotice, terms: InForce, readings: Readings) -> instants.ClearDays:
    """The two ends of the clear days in which a breach may be remedied (R4)."""
    of_notice = terms.at(notice.sent_at)
    moved = delays_moved(of_notice, readings)
    sent_on = instants.paris_date(notice.sent_at)
    return instants.act_within_clear_days(sent_on, of_notice.formal_notice.remedy_clear_days, moved=moved)


def lost_from(notice: FormalNotice, terms: InForce, readings: Readings) -> datetime:
    """From when the delay of a formal notice is over (R3)."""
    ends = time_to_remedy(notice, terms, readings)
    return ends.forfeit_after if choice(readings, "R3") == 1 else ends.act_by


def is_effective(notice: FormalNotice, addresses: Addresses, readings: Readings) -> bool:
    """Whether a formal notice came by mail, and to the right address (arts. 7, 23)."""
    return why_ineffective(notice, addresses, readings) is None


def is_remedied(notice: FormalNotice, terms: InForce, readings: Readings) -> bool:
    """Whether the breach was remedied before the delay was lost; a later remedy is none."""
    return notice.remedied_at is not None and notice.remedied_at < lost_from(notice, terms, readings)


@clause("7")
def notice_status(
    notice: FormalNotice, addresses: Addresses, terms: InForce, as_of: datetime, readings: Readings
) -> Conclusion[NoticeStatus]:
    """Whether the breach was remedied in time, can still be, or was not.

    Between the two ends of the clear days a breach that is not remedied is arguable (R3). A notice without
    effect (by no mail, or to a wrong address) starts no delay: it is shown as running.

    « l’autre Partie lui notifiera par email sa mise en
    demeure de remédier au manquement dans un délai de 7 (sept) jours francs »
    """

    def conclude(chosen: Readings) -> Conclusion[NoticeStatus]:
        return Conclusion(_status(notice, addresses, terms, as_of, chosen), notice.reasons)

    return weighed(readings, NOTICE_READINGS, conclude)


def _status(
    notice: FormalNotice, addresses: Addresses, terms: InForce, as_of: datetime, readings: Readings
) -> NoticeStatus:
    if is_remedied(notice, terms, readings):
        return "remedied"
    if not is_effective(notice, addresses, readings):
        return "running"
    if as_of < time_to_remedy(notice, terms, readings).act_by:
        return "running"
    return "unremedied" if as_of >= lost_from(notice, terms, readings) else "arguable"


@clause("7")
def termination_allowed(
    notice: FormalNotice, addresses: Addresses, terms: InForce, as_of: datetime, readings: Readings
) -> Conclusion[bool]:
    """Whether the party that gave notice may now give notice of termination.

    « Si cette mise en demeure de remédier au manquement reste infructueuse à l’issue de son délai, la
    Partie victime des manquements pourra notifier, par email, à la Partie défaillante, la résiliation du
    Contrat. »
    """
    return weighed(
        readings,
        NOTICE_READINGS,
        lambda chosen: Conclusion(
            _status(notice, addresses, terms, as_of, chosen) == "unremedied", notice.reasons
        ),
    )


def why_ineffective(notice: FormalNotice, addresses: Addresses, readings: Readings) -> str | None:
    """Why a formal notice starts no delay, in a sentence; ``None`` when it does."""
    return why_no_effect(notice.letter, notice.by, notice.sent_at, addresses, readings)
