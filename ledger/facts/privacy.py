"""Personal data and what must be kept (arts. 14.2.1, 14.2.2, 18.3)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ledger.facts.catalogue import Opening, fact
from ledger.facts.shape import DayOrInstant, FactModel, Name, RelationText, Subject


class Breach(FactModel):
    """What a notification of a personal-data breach describes; art. 14.2.1 (11)."""

    nature: RelationText | None = None
    consequences: RelationText | None = None
    measures: RelationText | None = None
    contact: RelationText | None = None


@fact("breach.discovered", "A/breach/ID", opening=Opening.OPENS, article="14.2.1")
class BreachDiscovered(Breach):
    """OUTSCALE learns of a breach (violation de données personnelles); art. 14.2.1 (11): 48 h."""


@fact("breach.notified", "A/breach/ID", opening=Opening.CONTINUES, article="14.2.1")
class BreachNotified(Breach):
    """The client is told of the breach (notification des violations), maybe in parts; art. 14.2.1 (11)."""


@fact("rights_request.received", "A/rights-request/ID", opening=Opening.OPENS, article="14.2.2")
class RightsRequestReceived(FactModel):
    """A person asks for its rights (droit d'accès, de rectification, d'opposition, de suppression).

    ``right`` is a word such as ``access``, ``rectification``, ``objection`` or ``erasure``. ``by`` is whose
    request it is: the ``client``'s, on its own data (art. 14.2.2: 30 days), or that of a ``person`` whose
    data the client hosts (art. 14.2.1 (7): it is passed on).
    """

    by: Literal["client", "person"] | None = None
    right: Name | None = None
    person: RelationText | None = None
    request: RelationText | None = None


@fact("rights_request.answered", "A/rights-request/ID", opening=Opening.CONTINUES, article="14.2.2")
class RightsRequestAnswered(FactModel):
    """The request is answered (réponse), or passed on to the client; arts. 14.2.1 (7) and 14.2.2."""

    answer: RelationText | None = None


@fact("subcontractors.changed", "subcontractors/ID", opening=Opening.OPENS, article="14.2.1")
class SubcontractorsChanged(FactModel):
    """The list of subcontractors changes (changement de sous-traitants); art. 14.2.1 (5)."""

    added: list[RelationText] = Field(default=[])
    removed: list[RelationText] = Field(default=[])
    effective: DayOrInstant | None = None


@fact("hold.placed", "A/hold/ID", opening=Opening.OPENS, article="18.3")
class HoldPlaced(FactModel):
    """A legal hold (conservation obligatoire): nothing of this account may be erased; art. 18.3.

    ``until`` is its end, a date being its last day; without it the hold lasts until it is released.
    ``rests_on`` is the subject of what it rests on.
    """

    reason: RelationText | None = None
    until: DayOrInstant | None = None
    rests_on: Subject | None = None


@fact("hold.released", "A/hold/ID", opening=Opening.CONTINUES, article="18.3")
class HoldReleased(FactModel):
    """The legal hold is lifted (levée de la conservation); art. 18.3."""

    reason: RelationText | None = None
