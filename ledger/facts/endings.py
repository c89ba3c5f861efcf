"""Suspension, formal notice and termination (arts. 3.4.1, 4, 6, 7, 9.2, 27)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ledger.facts.catalogue import Opening, fact
from ledger.facts.shape import FactModel, Name, Party, RelationText, Subject


@fact("suspension.imposed", "A/suspension/ID", opening=Opening.OPENS, article="3.4.1, 6, 7, 9.2")
class SuspensionImposed(FactModel):
    """OUTSCALE blocked resources (blocage des ressources, suspension des Prestations).

    Art. 3.4.1 (verification), 6 (malicious operations, an authority, the law), 7 (formal notice) or
    9.2 (abnormal use). ``scope`` names the resources, all of them when empty; ``rests_on`` is the
    subject of what it rests on; ``wrongful`` is « manifestement … à tort » (art. 6).
    """

    ground: Literal["art3.4.1", "art6", "art7", "art9.2"]
    scope: list[Name] = Field(default=[])
    authority: RelationText | None = None
    rests_on: Subject | None = None
    wrongful: bool | None = None


@fact("suspension.lifted", "A/suspension/ID", opening=Opening.CONTINUES, article="6, 7")
class SuspensionLifted(FactModel):
    """The resources are unblocked (levée de la suspension); ``wrongful`` corrects what was said."""

    reason: RelationText | None = None
    wrongful: bool | None = None


@fact("formal_notice.sent", "A/formal-notice/ID", opening=Opening.OPENS, article="7")
class FormalNoticeSent(FactModel):
    """One party summons the other to remedy a breach (mise en demeure); art. 7."""

    by: Party
    breach: RelationText | None = None


@fact("formal_notice.remedied", "A/formal-notice/ID", opening=Opening.CONTINUES, article="7")
class FormalNoticeRemedied(FactModel):
    """The breach is remedied (remède au manquement); art. 7."""

    remedy: RelationText | None = None


@fact("termination.notified", "A/termination/ID", opening=Opening.OPENS, article="4, 6, 7, 27")
class TerminationNotified(FactModel):
    """One party notifies termination (résiliation); arts. 3.4.1, 4, 6, 7, 9.2, 27.

    Without ``ground`` it is for convenience (pour convenance). ``contracts`` names the contracts
    ended, all of them when empty; ``rests_on`` is the subject of what it rests on.
    """

    by: Party
    ground: Literal["convenience", "art3.4.1", "art6", "art7", "art9.2", "art27"] = "convenience"
    contracts: list[Name] = Field(default=[])
    rests_on: Subject | None = None


@fact("termination.acknowledged", "A/termination/ID", opening=Opening.CONTINUES, article="4")
class TerminationAcknowledged(FactModel):
    """OUTSCALE acknowledged the client's termination (accusé de réception); art. 4, reading R17."""

    contracts: list[Name] = Field(default=[])
