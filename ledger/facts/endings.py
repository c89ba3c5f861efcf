"""Suspension, formal notice and termination (arts. 3.4.1, 4, 6, 7, 9.2, 27)."""

from __future__ import annotations

from typing import Literal

from ledger.facts.catalogue import Opening, fact
from ledger.facts.shape import FactModel, Name, RelationText, Subject

Party = Literal["client", "outscale"]


@fact("suspension.imposed", "A/suspension/ID", opening=Opening.OPENS, article="3.4.1, 6, 7, 9.2")
class SuspensionImposed(FactModel):
    """Resources were blocked (suspension, blocage); arts. 3.4.1, 6, 7 and 9.2."""

    ground: Literal["art3.4.1", "art6", "art7", "art9.2"]
    scope: list[Name] | None = None
    authority: RelationText | None = None
    rests_on: Subject | None = None
    wrongful: bool | None = None


@fact("suspension.lifted", "A/suspension/ID", opening=Opening.CONTINUES, article="6, 7")
class SuspensionLifted(FactModel):
    """Resources were unblocked (levée de la suspension); arts. 6 and 7."""

    wrongful: bool | None = None


@fact("formal_notice.sent", "A/formal-notice/ID", opening=Opening.OPENS, article="7")
class FormalNoticeSent(FactModel):
    """A formal notice to remedy a breach (mise en demeure); art. 7."""

    by: Party
    breach: RelationText | None = None


@fact("formal_notice.remedied", "A/formal-notice/ID", opening=Opening.CONTINUES, article="7")
class FormalNoticeRemedied(FactModel):
    """The breach was remedied (remède au manquement); art. 7."""


@fact("termination.notified", "A/termination/ID", opening=Opening.OPENS, article="4, 6, 7")
class TerminationNotified(FactModel):
    """A party gave notice of termination (notification de la résiliation); arts. 3.4.1, 4, 6, 7, 9.2, 27."""

    by: Party
    ground: Literal["convenience", "art3.4.1", "art6", "art7", "art9.2", "art27"] = "convenience"
    contracts: list[Name] | None = None
    rests_on: Subject | None = None


@fact("termination.acknowledged", "A/termination/ID", opening=Opening.CONTINUES, article="4")
class TerminationAcknowledged(FactModel):
    """OUTSCALE acknowledged the client's termination (accusé de réception de la résiliation); art. 4."""
