"""Formation of the contract: when and by which route (arts. 3.1, 3.4.1 to 3.4.3, 3.5)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from ledger.contract.finding import Conclusion, Readings, Reason, clause
from ledger.contract.readings import options

Route = Literal["internet", "order_form", "derogatory"]

FORMATION_READINGS = ("R22",)


@dataclass(frozen=True, slots=True)
class Step:
    """One step towards the contract, and when it was taken."""

    fact: Reason
    at: datetime


@dataclass(frozen=True, slots=True)
class Acceptance(Step):
    """The client's acceptance: by which route, of which version of the terms (if it says)."""

    route: Route
    terms: str | None


@dataclass(frozen=True, slots=True)
class Subscription:
    """What was done to form a contract; each the first of its kind."""

    opened: Step | None = None
    accepted: Acceptance | None = None
    validated: Step | None = None
    bank_details: Step | None = None
    order_form: Step | None = None

    @property
    def route(self) -> Route | None:
        """By which of the three ways of art. 3.4, as far as the record says: the one that came first.

        What an accepted order form has formed stays formed, whatever is accepted by Internet later.
        """
        if self.accepted is None:
            return None if self.order_form is None else "order_form"
        if self.order_form is not None and self.order_form.at < self.accepted.at:
            return "order_form"
        return self.accepted.route


@clause("3.4")
def formation(subscription: Subscription, readings: Readings) -> Conclusion[datetime | None]:
    """When the contract was formed, ``None`` while it is not (R22 for a subscription by Internet).

    « Le Contrat sera irrévocablement réputé formé après la validation du Compte CLIENT et l’envoi par le
    CLIENT de ses informations bancaires à OUTSCALE. »
    « Après acceptation du Bon de Commande du CLIENT, par OUTSCALE, le Contrat est formé et le
    Compte ouvert. »
    « Le Contrat est irrévocablement formé dès l’acceptation par le CLIENT (i) des présentes CGV et, le cas
    échéant, (ii) des Conditions Particulières et Dérogatoires. »
    """
    match subscription.route:
        case "order_form":
            return _at(subscription.order_form)
        case "derogatory":
            return _at(subscription.accepted)
        case _:
            return _by_internet(subscription, readings)


def _at(step: Step | None) -> Conclusion[datetime | None]:
    return Conclusion(None) if step is None else Conclusion(step.at, (step.fact,))


def _by_internet(subscription: Subscription, readings: Readings) -> Conclusion[datetime | None]:
    validated, bank = subscription.validated, subscription.bank_details
    both = None if validated is None or bank is None else max(validated.at, bank.at)
    accepted = None if subscription.accepted is None else subscription.accepted.at
    opened = None if subscription.opened is None else subscription.opened.at
    steps = (subscription.opened, subscription.accepted, validated, bank)
    because = tuple(step.fact for step in steps if step is not None)
    return readings.decide("R22", *options("R22", both, accepted, opened), because=because)


@dataclass(frozen=True, slots=True)
class Information:
    """What the client told of itself.

    ``missing`` names what is missing now; ``completed`` is the correction that last filled a gap, and
    ``verified`` the last fact by which OUTSCALE verified. ``doubts`` are verification procedures under way.
    """

    missing: tuple[str, ...] = ()
    completed: Step | None = None
    verified: Step | None = None
    doubts: tuple[Reason, ...] = ()
    because: tuple[Reason, ...] = ()


@clause("3.4.1")
def obligations_suspended(information: Information) -> Conclusion[bool]:
    """Whether missing or wrong information suspends OUTSCALE's obligations.

    « Le CLIENT s’engage à donner des informations sincères et exactes et à jour, à défaut les obligations
    de OUTSCALE au titre des présentes sont suspendues jusqu’à correction et vérification des
    informations fournies par le CLIENT. »
    """
    completed, verified = information.completed, information.verified
    unverified = completed is not None and (verified is None or verified.at < completed.at)
    suspended = bool(information.missing or information.doubts or unverified)
    because = (*information.because, *information.doubts)
    if completed is not None:
        because = (*because, completed.fact)
    if verified is not None:
        because = (*because, verified.fact)
    return Conclusion(suspended, because)
