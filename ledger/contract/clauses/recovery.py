"""Recovery and erasure of the client's data, and how long what remains is kept (arts. 18.1 to 18.3)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

from ledger import instants
from ledger.contract.clauses.duty import Act, Delay, DutyStatus, Matter
from ledger.contract.clauses.endings import (
    DATA_READINGS,
    Relation,
    decisive,
    disabled_end,
    erasable_from,
    recover_data_before,
)
from ledger.contract.finding import Conclusion, Readings, Reason, clause
from ledger.contract.readings import weighed
from ledger.contract.terms import InForce

_ONE_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Ending:
    """How the contract ends: by a termination, or because its account was disabled and nothing followed."""

    relation: Relation
    terms: InForce

    def recover_before(self, readings: Readings) -> datetime | None:
        """Before which instant data can be recovered: the end of the contract, whichever brings it first."""
        return self._first(recover_data_before(self.relation, self.terms, readings).value)

    def erasable_from(self, readings: Readings) -> datetime | None:
        """From which instant data may be erased."""
        return self._first(erasable_from(self.relation, self.terms, readings).value)

    def erased_by(self, readings: Readings) -> datetime | None:
        """When data are certainly gone: so many days after the account was disabled (art. 18.3; R20).

        An account that nobody disabled counts from the date of effect; mandatory retrieval (R23) may
        last longer than that.
        """
        disabled, effective = disabled_end(self.relation, self.terms), self._effective(readings)
        if disabled is not None or effective is None:
            return disabled
        days = self.terms.at(instants.paris_midnight(effective)).data.kept_after_disabling_days
        return instants.end_of_days(effective, days)

    def last_day(self, readings: Readings) -> date | None:
        """The last Paris day of the contract."""
        disabled, effective = disabled_end(self.relation, self.terms), self._effective(readings)
        if disabled is None:
            return effective
        of_disabling = instants.paris_date(disabled) - _ONE_DAY
        return of_disabling if effective is None else min(effective, of_disabling)

    @property
    def reasons(self) -> tuple[Reason, ...]:
        """The terminations and what they rest on, and the disabling of the account."""
        told = tuple(fact for item in self.relation.terminations for fact in item.reasons)
        return (*told, *self.relation.deactivations)

    def _effective(self, readings: Readings) -> date | None:
        found = decisive(self.relation, self.terms, readings)
        return None if found is None else found[1].effective

    def _first(self, told: datetime | None) -> datetime | None:
        ends = (told, disabled_end(self.relation, self.terms))
        return min((end for end in ends if end is not None), default=None)


@clause("18.1")
def data_recovered(
    ending: Ending, recovered: Act | None, as_of: datetime, readings: Readings
) -> Conclusion[DutyStatus]:
    """The client recovers its data before the end; that it did so itself leaves no trace in the record.

    « le CLIENT doit impérativement récupérer toutes ses Données
    hébergées chez OUTSCALE et les archiver ailleurs avant la date de résiliation effective »
    """

    def conclude(chosen: Readings) -> Conclusion[DutyStatus]:
        before = ending.recover_before(chosen)
        matter = Matter(None, None if before is None else Delay.until(before), recovered, ending.reasons)
        standing = matter.standing(as_of)
        unknown = recovered is None and standing.value != "open"
        return Conclusion("undetermined" if unknown else standing.value, standing.because)

    return weighed(readings, DATA_READINGS, conclude)


@dataclass(frozen=True, slots=True)
class RecoveryOrder:
    """An order to recover data: whether a mail of the client carried it, and what was owed when it came."""

    fact: Reason
    act: Act
    by_mail: bool
    owed: Decimal
    because: tuple[Reason, ...] = ()


def why_not_recovered(order: RecoveryOrder, before: datetime | None) -> str | None:
    """Why an order to recover data is not admissible, in a sentence; ``None`` when it is."""
    if not order.by_mail:
        return "no mail of the client carried it (art. 18.2)"
    if before is not None and order.act.at >= before:
        return "it came after the date of effect of the termination (art. 18.2)"
    if order.owed > 0:
        return "invoices were not settled when it came (art. 18.2)"
    return None


@clause("18.2")
def recovery_order(order: RecoveryOrder, ending: Ending, readings: Readings) -> Conclusion[DutyStatus]:
    """Whether an order to recover data is admissible: by mail, before the end, with nothing owed.

    « doit impérativement commander à OUTSCALE une Prestation de
    récupération des Données avant la date de résiliation effective »
    « Le CLIENT ne peut pas commander cette Prestation de récupération de Données s’il n’est pas à jour
    de ses factures OUTSCALE. »
    « La commande de Prestation de récupération de Données se fait par mail »
    """

    def conclude(chosen: Readings) -> Conclusion[DutyStatus]:
        before, because = ending.recover_before(chosen), (order.fact, *order.because, *ending.reasons)
        if why_not_recovered(order, before) is not None:
            return Conclusion("missed", because)
        doubtful = before is not None and order.act.not_after >= before
        return Conclusion("undetermined" if doubtful else "met", because)

    return weighed(readings, DATA_READINGS, conclude)


@clause("18.2")
def data_handed_over(matter: Matter, as_of: datetime) -> Conclusion[DutyStatus]:
    """Each step that follows an admissible order: the quote, its price once accepted, the data once paid.

    « qui émet un devis »
    « Si le CLIENT accepte le devis, les Données du CLIENT sont récupérées
    par OUTSCALE, puis transmises au CLIENT dès le paiement du prix de la Prestation de récupération
    des Données »
    """
    return matter.standing(as_of)


@dataclass(frozen=True, slots=True)
class Hold:
    """A legal hold: nothing of the account may be erased while it stands."""

    fact: Reason
    since: datetime
    until: datetime | None

    def stands(self, at: datetime) -> bool:
        """Whether it stands at an instant."""
        return self.since <= at and (self.until is None or at < self.until)


@clause("18.3")
def data_erased(
    ending: Ending, erased: Act | None, holds: tuple[Hold, ...], as_of: datetime, readings: Readings
) -> Conclusion[DutyStatus]:
    """Whether the client's data were erased in time, and not before they could be.

    « les Données du CLIENT seront
    effacées comme indiqué aux points 1 et 2 du présent article »
    « dès la désactivation d’un compte, les données restent accessibles pendant 90 jours »
    """

    def conclude(chosen: Readings) -> Conclusion[DutyStatus]:
        by, since = ending.erased_by(chosen), ending.erasable_from(chosen)
        kept = tuple(hold for hold in holds if by is not None and hold.stands(by))
        delay = None if by is None or kept else Delay.until(by)
        matter = Matter(None, delay, erased, (*ending.reasons, *(hold.fact for hold in kept)))
        standing = matter.standing(as_of)
        early = erased is not None and since is not None and erased.at < since
        return Conclusion("missed" if early else standing.value, standing.because)

    return weighed(readings, DATA_READINGS, conclude)


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

    That they are gone afterwards leaves no trace in the record.
    """
    standing = matter.standing(as_of)
    return Conclusion("open" if standing.value == "open" else "undetermined", standing.because)
