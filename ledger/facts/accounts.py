"""Accounts and who stands behind them (arts. 3.4.1, 3.5, 9.1, 9.3, 18.3).

Nothing here is required that a client may leave out: missing information suspends OUTSCALE's
obligations (art. 3.4.1), so it must be possible to record that it is missing.
"""

from __future__ import annotations

from pydantic import Field

from ledger.facts.catalogue import Opening, fact
from ledger.facts.shape import Address, BillingText, DayOrInstant, FactModel, IdentityText, Name, RelationText

Zones = dict[Name, list[Name]]
"""Availability zones (Zones de disponibilité) by Region."""


class Identification(FactModel):
    """Who the client says it is (données d'identification); art. 3.4.1."""

    name: IdentityText | None = None
    vat_number: IdentityText | None = None
    address: IdentityText | None = None
    phone: IdentityText | None = None


class AccountInformation(FactModel):
    """What the client defines when it registers (informations renseignées); arts. 3.4.1 and 3.5."""

    email: Address | None = None
    identification: Identification | None = None
    region: Name | None = None
    territory: Name | None = None
    services: list[Name] = Field(default=[])
    zones: Zones = Field(default={})


@fact("account.opened", "A", opening=Opening.OPENS, article="3.4.1, 3.5")
class AccountOpened(AccountInformation):
    """The account is opened (ouverture du Compte); arts. 3.4.1 and 3.5.

    ``email`` is the address for every notification of the contract (art. 23).
    """


@fact("account.corrected", "A", opening=Opening.CONTINUES, article="3.4.1")
class AccountCorrected(AccountInformation):
    """Information is corrected (correction des informations); art. 3.4.1: what is given replaces."""


@fact("account.email_changed", "A", opening=Opening.CONTINUES, article="23")
class AccountEmailChanged(FactModel):
    """The account's address changes (changement de l'email associé au Compte); art. 23, reading R12."""

    email: Address


@fact("account.bank_details_received", "A", opening=Opening.CONTINUES, article="3.4.1, 15.3")
class AccountBankDetailsReceived(FactModel):
    """The client sent its bank details (envoi des informations bancaires); arts. 3.4.1 and 15.3.

    ``mandate`` tells whether a direct-debit mandate (mandat de prélèvement) came with them.
    """

    holder: BillingText | None = None
    iban: BillingText | None = None
    bic: BillingText | None = None
    mandate: bool | None = None


@fact("account.validated", "A", opening=Opening.CONTINUES, article="3.4.1")
class AccountValidated(FactModel):
    """OUTSCALE validated the account (validation du Compte); art. 3.4.1."""


class Responsible(FactModel):
    """The client's competent and empowered contact (Responsable); art. 9.3."""

    name: RelationText | None = None
    email: Address | None = None
    phone: RelationText | None = None


@fact("account.responsible_named", "A", opening=Opening.CONTINUES, article="9.3")
class AccountResponsibleNamed(Responsible):
    """The client named its responsible person (nomination d'un Responsable); art. 9.3."""


@fact("account.responsible_left", "A", opening=Opening.CONTINUES, article="9.3")
class AccountResponsibleLeft(Responsible):
    """The responsible person left (départ du Responsable): art. 9.3 asks for one at all times."""


@fact("account.deactivated", "A", opening=Opening.CONTINUES, article="18.3")
class AccountDeactivated(FactModel):
    """OUTSCALE disabled the account (désactivation du Compte); art. 18.3: terminated 90 days later."""

    reason: RelationText | None = None


@fact("account.zones_deployed", "A", opening=Opening.CONTINUES, article="Annexe A")
class AccountZonesDeployed(FactModel):
    """Where the client has deployed (déploiement sur les Zones de disponibilité); Annex A.

    ``from`` is when the deployment was there, its legal time when left out.
    """

    zones: Zones
    from_: DayOrInstant | None = Field(default=None, alias="from")
