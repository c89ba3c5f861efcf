"""Personal data: subcontractors, breaches, requests of persons, and how long data are kept (art. 14.2)."""

from __future__ import annotations

from datetime import date, datetime

from ledger import instants
from ledger.contract.clauses.duty import Delay, DutyStatus, Matter, delays_moved
from ledger.contract.finding import Conclusion, Readings, clause
from ledger.contract.readings import weighed
from ledger.contract.terms import InForce


@clause("14.2.1 (5)")
def subcontractors_told(matter: Matter, as_of: datetime) -> Conclusion[DutyStatus]:
    """Whether the client was told of a change of subcontractors before it took effect.

    « OUTSCALE s’engage à ne pas modifier la liste
    de ces tiers sans information préalable du CLIENT. »
    """
    return matter.standing(as_of)


@clause("14.2.1 (7)")
def request_passed_on(matter: Matter, as_of: datetime) -> Conclusion[DutyStatus]:
    """A person's request that reached OUTSCALE is passed on to the client, without a number of days.

    « OUTSCALE adressera ces demandes dans
    les meilleurs délais par courrier électronique au CLIENT »
    """
    return matter.standing(as_of)


def time_to_tell_of_breach(known_at: datetime, terms: InForce) -> Delay:
    """The hours to notify a personal-data breach, from when OUTSCALE learned of it (art. 14.2.1 (11))."""
    return Delay.hours(known_at, terms.at(known_at).privacy.breach_hours)


@clause("14.2.1 (11)")
def breach_notified(matter: Matter, as_of: datetime) -> Conclusion[DutyStatus]:
    """Whether a personal-data breach was notified by mail in time.

    « (et au maximum dans les QUARANTE-HUIT (48) HEURES après en avoir pris
    connaissance), au moyen d’un courrier électronique »
    What it must describe may follow later: « les informations peuvent être communiquées de manière
    échelonnée sans retard indu »
    """
    return matter.standing(as_of)


@clause("14.2.2")
def request_answered(
    received_at: datetime, matter: Matter, terms: InForce, as_of: datetime, readings: Readings
) -> Conclusion[DutyStatus]:
    """Whether a request for one's rights was answered in time (R4).

    « Une réponse sera apportée au CLIENT
    dans un délai de 30 jours suivant réception de la demande. »
    """

    def conclude(chosen: Readings) -> Conclusion[DutyStatus]:
        delay = time_to_answer_request(received_at, terms, chosen)
        return Matter(matter.opened, delay, matter.done, matter.because).standing(as_of)

    return weighed(readings, ("R4",), conclude)


def time_to_answer_request(received_at: datetime, terms: InForce, readings: Readings) -> Delay:
    """The days to answer a request, from its receipt (art. 14.2.2)."""
    of_request = terms.at(received_at)
    moved = delays_moved(of_request, readings)
    return Delay.days(received_at, of_request.privacy.request_days, moved=moved)


def relation_data_until(effective: date, terms: InForce) -> Delay:
    """Until when data on the relation are kept: a year more than the contract (art. 14.2.2)."""
    ended = instants.paris_midnight(effective)
    years = terms.at(ended).privacy.relation_data_years
    return Delay.until(instants.end_of_years(effective, years))


@clause("14.2.2")
def relation_data_erased(matter: Matter, as_of: datetime) -> Conclusion[DutyStatus]:
    """Data on the relation go once nothing has them kept; the article gives that no number of days.

    « Les Données Personnelles traitées par OUTSCALE afin de gérer la relation CLIENT sont
    conservées par OUTSCALE pour la durée du Contrat »
    """
    return matter.standing(as_of)
