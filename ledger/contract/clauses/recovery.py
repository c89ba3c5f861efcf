"""Recovery and erasure of the client's data, and how long what remains is kept (arts. 18.1 to 18.3)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from ledger import instants
from ledger.contract.clauses.duty import Act, Delay, DutyStatus, Matter
from ledger.contract.finding import Conclusion, Reason, clause
from ledger.contract.terms import InForce


@clause("18.1")
def data_recovered(matter: Matter, as_of: datetime) -> Conclusion[DutyStatus]:
    """The client recovers its data before the end; that it did so itself leaves no trace in the record.

    « le CLIENT doit impérativement récupérer toutes ses Données
    hébergées chez OUTSCALE et les archiver ailleurs avant la date de résiliation effective »
    """
    standing = matter.standing(as_of)
    unknown = matter.done is None and standing.value != "open"
    return Conclusion("undetermined" if unknown else standing.value, standing.because)


@dataclass(frozen=True, slots=True)
class RecoveryOrder:
    """An order to recover data: what carried it, what was owed when it came, and the end of the contract."""

    fact: Reason
    act: Act
    by_mail: bool
    owed: Decimal
    before: datetime | None
    because: tuple[Reason, ...] = ()


def why_not_recovered(order: RecoveryOrder) -> str | None:
    """Why an order to recover data is not admissible, in a sentence; ``None`` when it is."""
    if not order.by_mail:
        return "no mail of the client carried it (art. 18.2)"
    if order.before is not None and order.act.at >= order.before:
        return "it came after the date of effect of the termination (art. 18.2)"
    if order.owed > 0:
        return "invoices were not settled when it came (art. 18.2)"
    return None


@clause("18.2")
def recovery_order(order: RecoveryOrder) -> Conclusion[DutyStatus]:
    """Whether an order to recover data is admissible: by mail, before the end, with nothing owed.

    « doit impérativement commander à OUTSCALE une Prestation de
    récupération des Données avant la date de résiliation effective »
    « Le CLIENT ne peut pas commander cette Prestation de récupération de Données s’il n’est pas à jour
    de ses factures OUTSCALE. »
    « La commande de Prestation de récupération de Données se fait par mail »
    """
    because = (order.fact, *order.because)
    if why_not_recovered(order) is not None:
        return Conclusion("missed", because)
    doubtful = order.before is not None and order.act.not_after >= order.before
    return Conclusion("undetermined" if doubtful else "met", because)


@clause("18.2")
def data_handed_over(matter: Matter, as_of: datetime) -> Conclusion[DutyStatus]:
    """Once the quote is accepted and paid, OUTSCALE hands the data over.

    « les Données du CLIENT sont récupérées
    par OUTSCALE, puis transmises au CLIENT dès le paiement du prix de la Prestation de récupération
    des Données »
    """
    return matter.standing(as_of)


def time_to_erase(effective: date, disabled_at: datetime | None, terms: InForce) -> Delay:
    """When data are certainly gone: so many days after the account was disabled (art. 18.3; R20)."""
    start = effective if disabled_at is None else instants.paris_date(disabled_at)
    days = terms.at(instants.paris_midnight(effective)).data.kept_after_disabling_days
    return Delay.until(instants.end_of_days(start, days))


@clause("18.3")
def data_erased(matter: Matter, erasable_from: datetime | None, as_of: datetime) -> Conclusion[DutyStatus]:
    """Whether the client's data were erased in time, and not before they could be.

    « les Données du CLIENT seront
    effacées comme indiqué aux points 1 et 2 du présent article »
    « dès la désactivation d’un compte, les données restent accessibles pendant 90 jours »
    """
    standing = matter.standing(as_of)
    early = matter.done is not None and erasable_from is not None and matter.done.at < erasable_from
    return Conclusion("missed" if early else standing.value, standing.because)


def time_to_ask(erased_at: datetime, terms: InForce) -> Delay:
    """Until when the certificate of erasure can be asked for (art. 18.3)."""
    return Delay.months(erased_at, terms.at(erased_at).data.certificate_months)


@clause("18.3, 14.2.1 (12)")
def certificate_asked(matter: Matter, as_of: datetime) -> Conclusion[DutyStatus]:
    """Whether the client asked for the certificate while it could.

    « L’attestation du bon effacement des Données pourra être communiquée au CLIENT s’il en fait la
    demande à OUTSCALE dans les six (6) mois. »
    """
    return matter.standing(as_of)


@clause("18.3, 14.2.1 (12)")
def certificate_issued(matter: Matter, as_of: datetime) -> Conclusion[DutyStatus]:
    """Whether the certificate that was asked for in time was given.

    « Une fois détruites, OUTSCALE pourra justifier par écrit de la destruction à la demande du
    CLIENT. »
    """
    return matter.standing(as_of)


def log_gone(erased_at: datetime, terms: InForce) -> Delay:
    """By when the log that proves the erasure is gone (art. 18.3)."""
    years = terms.at(erased_at).data.log_years
    return Delay.until(instants.end_of_years(instants.paris_date(erased_at), years))


@clause("18.3")
def log_kept(matter: Matter, as_of: datetime) -> Conclusion[DutyStatus]:
    """The log that proves the erasure is kept for a year at the most.

    « les informations nécessaires
    à l’élaboration du document lui-même seront toutes supprimées au plus tard au bout d’un (1) an »
    """
    over = matter.delay is not None and as_of >= matter.delay.act_by
    return Conclusion("met" if over else "open", matter.standing(as_of).because)


def billing_data_until(effective: date, terms: InForce) -> Delay:
    """Until when billing data are kept at the most, from the end of the contract (art. 18.3)."""
    years = terms.at(instants.paris_midnight(effective)).data.billing_years
    return Delay.until(instants.end_of_years(effective, years))


@clause("18.3")
def billing_data_kept(matter: Matter, as_of: datetime) -> Conclusion[DutyStatus]:
    """Billing data and what identifies the client stay, for ten years at the most.

    « les données de facturation et
    identifications associées seront conservées en raison des obligations légales auxquelles OUTSCALE
    doit se soumettre pour une durée pouvant aller jusqu’à dix (10) ans »
    """
    return matter.standing(as_of)
