"""Undertakings beside the service: secrets, security, compliance, references, resale (arts. 1, 8 … 29).

A duty to keep something lasts until ``act_by`` and is over after it, unless the record shows a breach.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from ledger import instants
from ledger.contract.clauses.duty import Delay, DutyStatus, Matter
from ledger.contract.finding import Conclusion, Readings, Reason, clause
from ledger.contract.readings import options
from ledger.contract.terms import InForce


def secret_until(last_day: date, terms: InForce) -> Delay:
    """The least that confidentiality lasts after the end of the services (art. 16)."""
    years = terms.at(instants.paris_midnight(last_day)).undertakings.confidentiality_years
    return Delay.until(instants.end_of_years(last_day, years))


@clause("16")
def secret_kept(matter: Matter) -> Conclusion[DutyStatus]:
    """The duty of confidentiality lasts, for five years after the services at the least.

    « Les engagements ci-dessus dureront tant que lesdites Informations Confidentielles ne feront pas partie
    du domaine public, et, en tout état de cause, au moins pendant 5 (cinq) ans après la fin des
    Prestations. »
    """
    return Conclusion("open", _facts(matter))


@clause("8")
def incident_communicated(matter: Matter, as_of: datetime) -> Conclusion[DutyStatus]:
    """Whether the client was told of a security incident; « sans délai » names no number of hours.

    « Communiquer sans délai aux CLIENTS les incidents de sécurité et les préconisations
    associées pour en limiter les impacts »
    """
    return matter.standing(as_of)


@clause("8")
def incident_resolved(matter: Matter, as_of: datetime) -> Conclusion[DutyStatus]:
    """Whether a security incident was dealt with to its end.

    « Traiter les incidents de sécurité jusqu’à leur résolution et en informer les CLIENTS concernés,
    et garder les éléments de preuve relatifs aux incidents de sécurité »
    """
    return matter.standing(as_of)


def logs_until(found_at: datetime, terms: InForce) -> Delay:
    """Until when event logs are kept at the least (art. 8)."""
    return Delay.months(found_at, terms.at(found_at).undertakings.log_months)


@clause("8")
def logs_kept(matter: Matter, as_of: datetime) -> Conclusion[DutyStatus]:
    """Event logs are kept, six months at the least.

    « Mettre en œuvre une journalisation des évènements et conserver (au minimum 6 mois),
    protéger ces éléments et en limiter l’accès »
    """
    over = matter.delay is not None and as_of >= matter.delay.act_by
    return Conclusion("met" if over else "open", _facts(matter))


@clause("8")
def evidence_kept(matter: Matter) -> Conclusion[DutyStatus]:
    """The evidence of a security incident is kept; the article gives it no end.

    « garder les éléments de preuve relatifs aux incidents de sécurité »
    """
    return Conclusion("open", _facts(matter))


@clause("21.3")
def flaw_closed(matter: Matter, as_of: datetime) -> Conclusion[DutyStatus]:
    """Whether a flaw that was reported is dealt with.

    « une procédure lui permettant de signaler tout incident de
    sécurité, avéré ou suspecté et toute faille de sécurité »
    """
    return matter.standing(as_of)


@clause("27")
def no_corruption(matter: Matter) -> Conclusion[DutyStatus]:
    """Corruption that was found is a breach, and allows immediate termination for fault.

    « OUTSCALE sera en droit de mettre fin pour faute à la relation contractuelle avec effet immédiat »
    """
    return Conclusion("missed", _facts(matter))


@clause("27")
def conflict_declared(matter: Matter, as_of: datetime) -> Conclusion[DutyStatus]:
    """A conflict of interest that was declared.

    « Le CLIENT est tenu d’informer
    immédiatement OUTSCALE de tout risque de conflit d’intérêt »
    """
    return matter.standing(as_of)


@clause("9.1")
def regulated_data_declared(matter: Matter, as_of: datetime) -> Conclusion[DutyStatus]:
    """Whether specially regulated data were declared before they were used.

    « Informer le Prestataire si des données soumises à des contraintes légales, réglementaires ou
    sectorielles spécifiques lui sont confiées. »
    """
    return matter.standing(as_of)


@clause("9.1")
def risk_analysed(matter: Matter, as_of: datetime) -> Conclusion[DutyStatus]:
    """Whether a risk analysis of regulated data was made before they were used: a « préliminaire » one.

    « Pour toute donnée soumise à des contraintes
    spécifiques, OUTSCALE demande une analyse de risque préliminaire pour ces données. »
    """
    return matter.standing(as_of)


@clause("9.1")
def derogatory_contract_needed(matter: Matter, as_of: datetime) -> Conclusion[DutyStatus]:
    """Health data and systems of vital importance take a derogatory contract, from their first use on.

    Data whose first use is not on record count as hosted already.

    « Le CLIENT ne peut pas héberger des données
    de santé à caractère personnel »
    « OUTSCALE proposera des offres spécifiques à
    cet effet qui nécessitent un Contrat dérogatoire aux présentes CGV »
    """
    standing = matter.standing(as_of)
    hosted = matter.delay is None and matter.done is None
    return Conclusion("missed" if hosted else standing.value, standing.because)


@dataclass(frozen=True, slots=True)
class Citation:
    """What was said about one party's naming the other, in order of legal time."""

    noticed: Reason | None = None
    agreed: Reason | None = None
    refused: Reason | None = None

    @property
    def reasons(self) -> tuple[Reason, ...]:
        """Every fact of it."""
        return tuple(fact for fact in (self.noticed, self.agreed, self.refused) if fact is not None)

    @property
    def ended(self) -> bool:
        """Whether the last word was a refusal."""
        if self.refused is None:
            return False
        agreed = self.agreed
        return agreed is None or (agreed.legal_time, agreed.position) < (
            self.refused.legal_time,
            self.refused.position,
        )


@clause("12.3, 29")
def citation_allowed(citation: Citation, readings: Readings) -> Conclusion[DutyStatus]:
    """Whether a party may name the other as a reference (R24): ``met`` when it may, ``missed`` once refused.

    « Toutefois, chaque Partie, sans avoir à le motiver, peut notifier
    à l’autre Partie de ne plus la citer. » (12.3)
    « à condition de l'en informer préalablement et d'obtenir son accord préalable formalisé
    par écrit » (29)
    """
    ended = citation.ended
    agreed: DutyStatus = "missed" if ended else "met" if citation.agreed is not None else "open"
    free: DutyStatus = "missed" if ended else "met"
    return readings.decide("R24", *options("R24", agreed, free), because=citation.reasons)


@clause("14.1")
def disclosure_told(matter: Matter, as_of: datetime) -> Conclusion[DutyStatus]:
    """Whether the client was told at once that an authority ordered disclosure.

    « OUTSCALE en informerait
    immédiatement le CLIENT. » To say why it was not told is not to tell it.
    """
    return matter.standing(as_of)


@clause("17")
def no_controlled_export(matter: Matter) -> Conclusion[DutyStatus]:
    """Data under export control that were found are a breach of the client's undertaking.

    « Le CLIENT s’engage à ne pas traiter, stocker ou télécharger sur son environnement de partage des
    informations ou des Données dont l’exportation est contrôlée, réglementée ou soumise à un permis ou
    une licence. »
    """
    return Conclusion("missed", _facts(matter))


@clause("1")
def indirect_client_accepted(matter: Matter, as_of: datetime) -> Conclusion[DutyStatus]:
    """Whether an indirect client accepted the terms before it consumed.

    « Les Clients Indirects doivent accepter les présentes CGVU avant de pouvoir consommer des Prestations.
    Le Revendeur est en charge de l’acceptation des présentes CGVU par le Client Indirect. »
    """
    return matter.standing(as_of)


def _facts(matter: Matter) -> tuple[Reason, ...]:
    facts = (matter.opened, *matter.because, None if matter.done is None else matter.done.fact)
    return tuple(fact for fact in facts if fact is not None)
