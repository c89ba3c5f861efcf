"""The client's account (arts. 1, 3.4.1, 3.5, 9.1, 9.3, 18.3; Annex A for its zones)."""

from __future__ import annotations

from pydantic import Field

from ledger.facts.catalogue import Opening, fact
from ledger.facts.shape import Address, DayOrInstant, FactModel, IdentityText, Name, RelationText

Zones = dict[Name, list[Name]]
"""Availability zones (Zones de disponibilité) by Region."""


class Identification(FactModel):
    """Who the client says it is (données d'identification); art. 3.4.1. Any part may be missing."""

    name: IdentityText | None = None
    vat_number: IdentityText | None = None
    address: IdentityText | None = None
    phone: IdentityText | None = None


@fact("account.opened", "A", opening=Opening.OPENS, article="3.5")
class AccountOpened(FactModel):
    """The account was opened (ouverture du Compte); art. 3.5."""

    email: Address | None = None
    identification: Identification | None = None
    region: Name | None = None
    territory: Name | None = None
    services: list[Name] | None = None
    zones: Zones | None = None


@fact("account.corrected", "A", opening=Opening.CONTINUES, article="3.4.1")
class AccountCorrected(FactModel):
    """The client corrected its information (correction des informations); art. 3.4.1."""

    email: Address | None = None
    identification: Identification | None = None
    region: Name | None = None
    territory: Name | None = None
    services: list[Name] | None = None


@fact("account.email_changed", "A", opening=Opening.CONTINUES, article="3.5, 23")
class AccountEmailChanged(FactModel):
    """The account's e-mail changed (changement d'adresse email); arts. 3.5 and 23."""

    email: Address


@fact("account.bank_details_received", "A", opening=Opening.CONTINUES, article="3.4.1")
class AccountBankDetailsReceived(FactModel):
    """The client sent its bank details (envoi des informations bancaires); art. 3.4.1."""

    mandate: Name | None = None


@fact("account.validated", "A", opening=Opening.CONTINUES, article="3.4.1")
class AccountValidated(FactModel):
    """OUTSCALE validated the account (validation du Compte); art. 3.4.1."""


@fact("account.responsible_named", "A", opening=Opening.CONTINUES, article="9.3")
class AccountResponsibleNamed(FactModel):
    """The client named its responsible person (nomination d'un Responsable); art. 9.3."""

    person: RelationText
    email: Address | None = None


@fact("account.responsible_left", "A", opening=Opening.CONTINUES, article="9.3")
class AccountResponsibleLeft(FactModel):
    """A responsible person left (départ d'un Responsable); art. 9.3."""

    person: RelationText


@fact("account.deactivated", "A", opening=Opening.CONTINUES, article="18.3")
class AccountDeactivated(FactModel):
    """OUTSCALE disabled the account by hand (désactivation du compte); art. 18.3."""

    reason: RelationText | None = None


@fact("account.zones_deployed", "A", opening=Opening.CONTINUES, article="Annexe A")
class AccountZonesDeployed(FactModel):
    """Where the client has deployed its systems (déploiement sur les Zones); Annex A."""

    zones: Zones
    from_: DayOrInstant | None = Field(default=None, alias="from")
