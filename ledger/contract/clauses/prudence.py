"""What the client owes in prudence and collaboration (arts. 3.4.1, 9.1, 9.2, 9.3)."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from ledger.contract.clauses.duty import Act, Delay, DutyStatus, Matter
from ledger.contract.finding import Conclusion, clause
from ledger.contract.terms import InForce

_INSTANT = timedelta(microseconds=1)


def time_to_answer(asked_at: datetime, terms: InForce) -> Delay:
    """The hours to acknowledge an anomaly e-mail and to correct what it names (art. 3.4.1)."""
    return Delay.hours(asked_at, terms.at(asked_at).verification.answer_hours)


@clause("3.4.1")
def verification_answered(matter: Matter, as_of: datetime) -> Conclusion[DutyStatus]:
    """Whether the client answered an anomaly e-mail in time: with corrections or documents.

    « Le CLIENT disposera d’un délai de DEUX (2) HEURES pour accuser réception de cet email et
    apporter des corrections ou fournir les pièces justificatives »
    « En cas de non-réponse du CLIENT ou de non-fourniture des informations ou pièces justificatives
    probantes, OUTSCALE pourra résilier sans préavis le Contrat formé »
    """
    return matter.standing(as_of)


def time_to_renew(asked_at: datetime, terms: InForce) -> Delay:
    """The hours to renew access keys (art. 9.1)."""
    return Delay.hours(asked_at, terms.at(asked_at).prudence.access_keys_hours)


@dataclass(frozen=True, slots=True)
class Renewal:
    """A renewal of access keys: those that it names, or all of them when it names none."""

    act: Act
    keys: frozenset[str]


def renewed_by(asked: Collection[str], asked_at: datetime, renewals: Iterable[Renewal]) -> Act | None:
    """The renewal, in order of legal time, by which every key that was asked for is a new one.

    What was renewed before the request does not count; a request that names no key is met by any renewal.
    """
    left, not_after = set(asked), asked_at
    for renewal in renewals:
        if renewal.act.at < asked_at:
            continue
        left -= renewal.keys or left
        not_after = max(not_after, renewal.act.not_after)
        if not left:
            return Act(renewal.act.fact, renewal.act.at, not_after)
    return None


@clause("9.1")
def access_keys_renewal(matter: Matter, as_of: datetime) -> Conclusion[DutyStatus]:
    """Whether the client renewed its access keys in time; OUTSCALE answers for no damage otherwise.

    « à savoir dans les VINGT-QUATRE (24) HEURES suivant la demande) la responsabilité de OUTSCALE quant
    aux dommages pouvant survenir en lien avec cette absence de modification est écartée »
    """
    return matter.standing(as_of)


@clause("9.2")
def reasonable_use(matter: Matter, as_of: datetime) -> Conclusion[DutyStatus]:  # noqa: ARG001 - a breach is one at once
    """An abnormal use that OUTSCALE found is a breach from its finding on.

    « Le Client s'interdit en conséquence toute activité qui aurait pour conséquence une utilisation anormale
    des équipements et matériels sous-jacent aux services fournis. »
    « OUTSCALE pourrait alors immédiatement bloquer les Machines Virtuelles incriminées, voire toutes les
    Prestations et de lancer la procédure de résiliation du Contrat »
    """
    facts = (matter.opened, *matter.because)
    return Conclusion("missed", tuple(fact for fact in facts if fact is not None))


@clause("9.2")
def worn_equipment(matter: Matter, invoice: str | None, as_of: datetime) -> Conclusion[DutyStatus]:
    """The cost of worn equipment is owed on presentation of the supplier's invoice, not before.

    « l'indemnisation des matériels ainsi prématurément usés que le Client s'engage
    irrévocablement à rembourser sur présentation de la facture du fournisseur »
    """
    return Conclusion("undetermined" if invoice is None else "open", matter.standing(as_of).because)


def time_to_announce(begins: datetime, terms: InForce) -> Delay:
    """Until when an operation that raises load must be announced: the last instant is in time (art. 9.3)."""
    hours = terms.at(begins).prudence.operation_notice_hours
    return Delay.until(begins - timedelta(hours=hours) + _INSTANT)


@clause("9.3")
def operation_announced(matter: Matter, as_of: datetime) -> Conclusion[DutyStatus]:
    """Whether an operation was announced early enough not to be read as an anomaly.

    « dans un délai raisonnable (qui ne peut être inférieur à 72h) »
    « éviter que cet accroissement
    soudain d’activité ne soit analysé comme une anomalie de sécurité »
    """
    if matter.delay is None:
        return Conclusion("undetermined", matter.standing(as_of).because)
    return matter.standing(as_of)


@dataclass
class Appointed:
    """Who is responsible on the client's side, as persons are named and leave.

    A person is known by its name, however often it was named; one who was never named cannot leave. A
    departure that names nobody is of one of them, it is not known which.
    """

    names: set[str] = field(default_factory=set)
    nameless: int = 0
    gone: int = 0

    @property
    def anybody(self) -> bool:
        """Whether there is somebody."""
        return len(self.names) + self.nameless > self.gone

    def appoint(self, name: str | None) -> None:
        """Somebody was named; who is named again was perhaps the one who had left."""
        if name is None:
            self.nameless += 1
        elif name in self.names and self.gone:
            self.gone -= 1
        else:
            self.names.add(name)

    def leave(self, name: str | None) -> None:
        """Somebody left: a name that is not known may be that of a person who was named without one."""
        if name is None:
            self.gone += 1
        elif name in self.names:
            self.names.remove(name)
        elif self.nameless:
            self.nameless -= 1
        if not self.anybody:
            self.names, self.nameless, self.gone = set(), 0, 0


@clause("9.3")
def responsible_at_all_times(matter: Matter, as_of: datetime) -> Conclusion[DutyStatus]:  # noqa: ARG001 - a breach is one at once
    """A period of the contract without a responsible person is a breach from its first instant on.

    « Le CLIENT s’engage auprès de OUTSCALE à avoir en permanence un interlocuteur Responsable. »
    """
    done = () if matter.done is None else (matter.done.fact,)
    facts = (matter.opened, *matter.because, *done)
    return Conclusion("missed", tuple(fact for fact in facts if fact is not None))
