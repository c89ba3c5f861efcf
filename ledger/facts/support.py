"""Support requests (demandes de support; art. 19, Annex A SLA9)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ledger.facts.catalogue import Opening, fact
from ledger.facts.shape import FactModel, Name, RelationText

Severity = Annotated[int, Field(ge=1, le=3)]
"""1 « Majeure », 2 « Élevée », 3 « Mineure »; Annex A, SLA9."""


class Exchange(FactModel):
    """One exchange on a ticket, by web, mail or phone; art. 19."""

    channel: Literal["web", "mail", "phone"] | None = None
    text: RelationText | None = None


@fact("ticket.opened", "A/ticket/ID", opening=Opening.OPENS, article="19, Annexe A")
class TicketOpened(Exchange):
    """A support request got its ticket number (ouverture du ticket); art. 19, Annex A SLA9.

    ``information_complete`` is « l'ensemble des informations requises »; ``specific_support`` tells
    whether the client has the specific support service (Service de Support Spécifique).
    """

    severity: Severity | None = None
    service: Name | None = None
    information_complete: bool = False
    specific_support: bool = False


@fact("ticket.answered", "A/ticket/ID", opening=Opening.CONTINUES, article="19, Annexe A")
class TicketAnswered(Exchange):
    """The support answered (réponse du support); the first answer ends the GTI (Annex A SLA9)."""


@fact("ticket.question_asked", "A/ticket/ID", opening=Opening.CONTINUES, article="19, Annexe A")
class TicketQuestionAsked(Exchange):
    """The support asks the client (question du support): the time to answer is deducted from the GTR."""


@fact("ticket.question_answered", "A/ticket/ID", opening=Opening.CONTINUES, article="19, Annexe A")
class TicketQuestionAnswered(Exchange):
    """The client answered (réponse du CLIENT), with all that was required or not; Annex A SLA9."""

    information_complete: bool | None = None


@fact("ticket.resolved", "A/ticket/ID", opening=Opening.CONTINUES, article="19, Annexe A")
class TicketResolved(Exchange):
    """The incident is resolved (résolution de l'incident), the end of the GTR; Annex A SLA9."""
