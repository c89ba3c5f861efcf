"""How a contract ends, and the state it is in (arts. 3.4.1, 4, 6, 7, 9.2, 18, 27).

Dates are Paris dates. ``effective`` is the date of effect; the contract has ended from the end of that
day on. ``recover_data_before`` and ``erasable_from`` are first instants too late, in UTC.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Literal

from ledger import instants
from ledger.contract.clauses.formation import FORMATION_READINGS, Subscription, formation
from ledger.contract.clauses.notices import (
    NOTICE_READINGS,
    FormalNotice,
    Party,
    is_effective,
    is_remedied,
    lost_from,
)
from ledger.contract.clauses.notification import ANY_MAIL, Addresses, Form, Letter, why_no_effect
from ledger.contract.clauses.suspension import Suspension, Verification
from ledger.contract.finding import Conclusion, Readings, Reason, clause
from ledger.contract.readings import choice, weighed
from ledger.contract.terms import InForce

Ground = Literal["convenience", "art3.4.1", "art6", "art7", "art9.2", "art27"]
ContractStatus = Literal[
    "none",
    "incomplete",
    "active",
    "in_verification",
    "under_notice",
    "suspended",
    "terminating",
    "terminated",
]

EFFECT_READINGS = (*NOTICE_READINGS, "R17")
DATA_READINGS = (*EFFECT_READINGS, "R5", "R20", "R23")
STATUS_READINGS = (*EFFECT_READINGS, *FORMATION_READINGS)

_ONE_DAY = timedelta(days=1)
_START_OF_DAY = 3


@dataclass(frozen=True, slots=True)
class Termination:
    """A termination as notified; ``acknowledged`` is OUTSCALE's answer, ``receipt`` the automatic one."""

    fact: Reason
    notified_at: datetime
    by: Party
    ground: Ground
    letter: Letter
    rests_on: str | None = None
    contracts: tuple[str, ...] = ()
    acknowledged: Reason | None = None
    acknowledged_at: datetime | None = None
    receipt: Reason | None = None
    receipt_at: datetime | None = None

    @property
    def names_others(self) -> bool:
        """Whether it names contracts, and this account's is not among them."""
        return bool(self.contracts) and self.fact.subject.partition("/")[0] not in self.contracts

    @property
    def without_notice(self) -> bool:
        """Whether it takes effect at once: arts. 3.4.1 and 27, and the client's under art. 6."""
        return self.ground in ("art3.4.1", "art27") or (self.ground == "art6" and self.by == "client")

    @property
    def reasons(self) -> tuple[Reason, ...]:
        """Termination, mail and acknowledgements."""
        answers = tuple(fact for fact in (self.acknowledged, self.receipt) if fact is not None)
        return (self.fact, *self.letter.reasons, *answers)


@dataclass(frozen=True, slots=True)
class Effect:
    """When a termination starts its delay and takes effect, or ``why`` it does not."""

    starts_at: datetime | None
    effective: date | None
    why: str | None = None


@dataclass(frozen=True, slots=True)
class Relation:
    """Everything that the state of a contract rests on, in order of legal time."""

    subscription: Subscription
    addresses: Addresses = field(default_factory=Addresses)
    notices: tuple[FormalNotice, ...] = ()
    terminations: tuple[Termination, ...] = ()
    suspensions: tuple[Reason, ...] = ()
    verifications: tuple[Reason, ...] = ()
    deactivated_at: datetime | None = None
    deactivations: tuple[Reason, ...] = ()
    corruption: tuple[tuple[Reason, datetime], ...] = ()
    abuses: tuple[tuple[Reason, datetime], ...] = ()
    blockings: tuple[Suspension, ...] = ()
    reservations: tuple[tuple[Reason, date], ...] = ()
    procedures: tuple[Verification, ...] = ()


def effect_of(termination: Termination, relation: Relation, terms: InForce, readings: Readings) -> Effect:
    """The effect of one termination under one choice of readings."""
    return (
        _refusal(termination, relation, terms, readings)
        or _immediate(termination)
        or _delayed(termination, terms, readings)
    )


def _refusal(
    termination: Termination, relation: Relation, terms: InForce, readings: Readings
) -> Effect | None:
    """What keeps a termination from having any effect: its mail, the contracts it names, or its ground."""
    why = _wrong_mail(termination, relation, terms, readings)
    if why is None and termination.names_others:
        why = "it names other contracts (art. 4)"
    if why is None:
        why = _no_ground(termination, relation, terms, readings)
    return None if why is None else Effect(None, None, why)


def _wrong_mail(
    termination: Termination, relation: Relation, terms: InForce, readings: Readings
) -> str | None:
    if termination.ground == "art27" and termination.letter.carrier is None:
        return None
    mailbox = terms.at(termination.notified_at).termination.mailbox
    form = {
        "convenience": Form(own_address=True, mailbox=mailbox),
        "art6": Form(mailbox=mailbox),
    }.get(termination.ground, ANY_MAIL)
    return why_no_effect(
        termination.letter, termination.by, termination.notified_at, relation.addresses, readings, form
    )


def _no_ground(
    termination: Termination, relation: Relation, terms: InForce, readings: Readings
) -> str | None:
    """Why the article that it rests on does not allow it."""
    match termination.ground:
        case "convenience":
            allowed = terms.at(termination.notified_at).termination.convenience == "any_time"
            return None if allowed else "special conditions exclude termination for convenience (art. 4)"
        case "art3.4.1":
            return _no_failure(termination, relation, terms, readings)
        case "art6":
            return _no_blocking(termination, relation)
        case "art7":
            return _no_notice(termination, relation, terms, readings)
        case "art9.2":
            return _no_finding(termination, relation.abuses, "9.2", "abnormal use")
        case "art27":
            return _no_finding(termination, relation.corruption, "27", "corruption")


def _no_failure(
    termination: Termination, relation: Relation, terms: InForce, readings: Readings
) -> str | None:
    """Art. 3.4.1: « En cas de non-réponse du CLIENT ou de non-fourniture des informations »."""
    if termination.by != "outscale":
        return "art. 3.4.1 lets OUTSCALE alone end the contract"
    told = [
        row
        for row in relation.procedures
        if row.begins <= termination.notified_at
        and termination.rests_on in (None, row.fact.subject)
        and row.why_not_begun(relation.addresses, readings) is None
    ]
    if not told:
        return "art. 3.4.1 asks for a verification procedure, and no anomaly e-mail had begun one"
    if not any(row.has_failed(termination.notified_at, terms) for row in told):
        return "the client had not failed to answer or to prove (art. 3.4.1)"
    return None


def _no_blocking(termination: Termination, relation: Relation) -> str | None:
    """Art. 6: « à tout moment, et sans débloquer les ressources »; the client « aussi »."""
    blocked = any(
        row.ground == "art6"
        and row.holds_at(termination.notified_at)
        and termination.rests_on in (None, row.fact.subject)
        for row in relation.blockings
    )
    return None if blocked else "nothing was blocked under art. 6 when it was notified"


def _no_finding(
    termination: Termination, found: Sequence[tuple[Reason, datetime]], article: str, what: str
) -> str | None:
    """Arts. 9.2 and 27: OUTSCALE may, once it has found what they forbid."""
    if termination.by != "outscale":
        return f"art. {article} lets OUTSCALE alone end the contract"
    if any(
        at <= termination.notified_at and termination.rests_on in (None, fact.subject) for fact, at in found
    ):
        return None
    return f"art. {article} asks for {what} that was found, and none had been"


def _no_notice(
    termination: Termination, relation: Relation, terms: InForce, readings: Readings
) -> str | None:
    of_this_party = [
        notice
        for notice in relation.notices
        if notice.by == termination.by and termination.rests_on in (None, notice.fact.subject)
    ]
    if not of_this_party:
        return "art. 7 asks for a formal notice, and it rests on none of the same party"
    valid = [notice for notice in of_this_party if is_effective(notice, relation.addresses, readings)]
    if not valid:
        return "the formal notice that it rests on came by no mail, or to a wrong address"
    open_ = [notice for notice in valid if not is_remedied(notice, terms, readings)]
    if not open_:
        return "the formal notice was remedied in time"
    if all(termination.notified_at < lost_from(notice, terms, readings) for notice in open_):
        return "the time to remedy was not over when it was notified"
    return None


def _immediate(termination: Termination) -> Effect | None:
    if not termination.without_notice:
        return None
    return Effect(termination.notified_at, instants.paris_date(termination.notified_at))


def _delayed(termination: Termination, terms: InForce, readings: Readings) -> Effect:
    starts_at = termination.notified_at
    if termination.by == "client" and termination.ground == "convenience":
        answered = termination.acknowledged_at
        if choice(readings, "R17") > 1:  # without an automatic one the answer acknowledges receipt
            answered = termination.receipt_at or answered
        if answered is None:
            return Effect(None, None, "OUTSCALE has not acknowledged it, so its delay has not begun")
        starts_at = answered
    delays = terms.at(termination.notified_at).termination
    days = {
        "convenience": delays.convenience_clear_days,
        "art7": delays.breach_clear_days,
    }.get(termination.ground, delays.blocking_clear_days)
    return Effect(starts_at, instants.effect_after_clear_days(instants.paris_date(starts_at), days))


def decisive(relation: Relation, terms: InForce, readings: Readings) -> tuple[Termination, Effect] | None:
    """The termination that takes effect first; when none does, the last one notified, and why not."""
    effects = [(item, effect_of(item, relation, terms, readings)) for item in relation.terminations]
    taking = [(item, effect) for item, effect in effects if effect.effective is not None]
    if taking:
        return min(taking, key=lambda pair: (pair[1].effective or date.max, pair[1].starts_at))
    return effects[-1] if effects else None


@clause("4, 6, 7")
def termination_effective(relation: Relation, terms: InForce, readings: Readings) -> Conclusion[date | None]:
    """The Paris date on which the contract ends; ``None`` when no termination takes effect.

    « La résiliation sera effective 15 (quinze) jours francs après (i) l’accusé de réception de OUTSCALE si
    la résiliation est à l’initiative du CLIENT ou (ii) la date d’envoi du mail de résiliation de OUTSCALE si
    cette dernière est à l’initiative de la résiliation. »
    « notifier au CLIENT par email la résiliation du Contrat
    sous 10 (dix) jours francs »
    « Le CLIENT pourra aussi notifier la résiliation sans préavis du Contrat »
    « En ce cas, la résiliation sera effective, de plein droit et sans recours au juge, 10 (dix) jours
    francs après l’envoi de l’email de résiliation. »
    « OUTSCALE sera en droit de mettre fin pour faute à la relation contractuelle avec effet immédiat »
    """

    def conclude(chosen: Readings) -> Conclusion[date | None]:
        found = decisive(relation, terms, chosen)
        return Conclusion(None if found is None else found[1].effective, _reasons(relation))

    return weighed(readings, EFFECT_READINGS, conclude)


def _reasons(relation: Relation) -> tuple[Reason, ...]:
    resting = tuple(fact for item in relation.terminations for fact in item.reasons)
    grounds = {item.ground for item in relation.terminations}
    more: list[Reason] = []
    if "art7" in grounds:
        more += [fact for notice in relation.notices for fact in notice.reasons]
    if "art27" in grounds:
        more += [fact for fact, _ in relation.corruption]
    if "art9.2" in grounds:
        more += [fact for fact, _ in relation.abuses]
    if "art6" in grounds:
        more += [fact for row in relation.blockings if row.ground == "art6" for fact in row.reasons]
    if "art3.4.1" in grounds:
        more += [fact for row in relation.procedures for fact in row.reasons]
    return (*resting, *more)


@clause("18.1")
def recover_data_before(
    relation: Relation, terms: InForce, readings: Readings
) -> Conclusion[datetime | None]:
    """Before which instant the client must have recovered its data (R5, R20).

    « si la date de résiliation effective tombe un 3 mai, le CLIENT devra impérativement avoir
    récupéré toutes ses Données avant le 3 mai minuit heure de Paris »
    """
    return _data_instant(relation, terms, readings, erasure=False)


@clause("18.1")
def erasable_from(relation: Relation, terms: InForce, readings: Readings) -> Conclusion[datetime | None]:
    """From which instant OUTSCALE may erase the client's data (R5, R20).

    « celles-ci seront irrévocablement effacées par OUTSCALE »
    « dès la désactivation d’un compte, les données restent accessibles pendant 90 jours »
    """
    return _data_instant(relation, terms, readings, erasure=True)


def _data_instant(
    relation: Relation, terms: InForce, readings: Readings, *, erasure: bool
) -> Conclusion[datetime | None]:
    def conclude(chosen: Readings) -> Conclusion[datetime | None]:
        found = decisive(relation, terms, chosen)
        at = None if found is None else _data_end(*found, relation, terms, chosen, erasure=erasure)
        return Conclusion(at, _reasons(relation))

    return weighed(readings, DATA_READINGS, conclude)


def _data_end(
    termination: Termination,
    effect: Effect,
    relation: Relation,
    terms: InForce,
    readings: Readings,
    *,
    erasure: bool,
) -> datetime | None:
    """One of the two ends of the client's data.

    Without notice both are the end of the day. Accessible for 90 days (R20, second reading): from the
    day the account was disabled, else from the date of effect. Under the second reading of R23 mandatory law
    adds days of retrieval after the date of effect.
    """
    if effect.effective is None:
        return None
    switching = terms.at(termination.notified_at).switching
    if choice(readings, "R23") > 1 and effect.effective >= switching.since:
        return instants.end_of_days(effect.effective, switching.retrieval_days)
    if choice(readings, "R20") > 1:
        disabled = relation.deactivated_at
        start = effect.effective if disabled is None else instants.paris_date(disabled)
        kept_days = terms.at(termination.notified_at).data.kept_after_disabling_days
        return instants.end_of_days(start, kept_days)
    number = choice(readings, "R5")
    at_start = not termination.without_notice and (number == _START_OF_DAY or (number == 1 and not erasure))
    return instants.paris_midnight(effect.effective if at_start else effect.effective + _ONE_DAY)


def disabled_end(relation: Relation, terms: InForce) -> datetime | None:
    """From when a disabled account is terminated without more, its data no longer accessible (art. 18.3)."""
    disabled = relation.deactivated_at
    if disabled is None:
        return None
    days = terms.at(disabled).data.kept_after_disabling_days
    return instants.end_of_days(instants.paris_date(disabled), days)


def mandatory_retrieval(termination: Termination, effect: Effect, terms: InForce) -> str | None:
    """A warning that mandatory law may grant days of retrieval that the contract does not (R23)."""
    switching = terms.at(termination.notified_at).switching
    if effect.effective is None or effect.effective < switching.since:
        return None
    return (
        f"since {switching.since}, Regulation (EU) 2023/2854, art. 25, may grant at least"
        f" {switching.retrieval_days} days of retrieval on switching (reading R23)"
    )


def firm_beyond(relation: Relation, effect: Effect) -> str | None:
    """A warning that reservations of virtual machines outlast it: they admit no early end (art. 4)."""
    if effect.effective is None:
        return None
    lasting = [
        f"{fact.subject} until {last}" for fact, last in relation.reservations if last > effect.effective
    ]
    return f"ordered firmly, and owed to their end (art. 4): {', '.join(lasting)}" if lasting else None


@clause("4, 6, 7, 18.3")
def contract_status(
    relation: Relation, terms: InForce, as_of: datetime, readings: Readings
) -> Conclusion[ContractStatus]:
    """The state of the contract, the first that holds (``clauses.md`` §3, Contract state).

    « La résiliation sera effective 15 (quinze) jours francs après »
    « pourra bloquer lesdites ressources et suspendre ses
    Prestations »
    « l’autre Partie lui notifiera par email sa mise en
    demeure de remédier au manquement dans un délai de 7 (sept) jours francs »
    « tous les comptes à l’état inactif passent à l’état terminé dans le délai de 90 jours »
    """

    def conclude(chosen: Readings) -> Conclusion[ContractStatus]:
        status, because = _status(relation, terms, as_of, chosen)
        return Conclusion(status, tuple(because))

    return weighed(readings, STATUS_READINGS, conclude)


def _status(
    relation: Relation, terms: InForce, as_of: datetime, readings: Readings
) -> tuple[ContractStatus, Sequence[Reason]]:
    ended = decisive(relation, terms, readings)
    effective = None if ended is None else ended[1].effective
    over = effective is not None and as_of >= instants.paris_midnight(effective + _ONE_DAY)
    disabled = disabled_end(relation, terms)
    if over or (disabled is not None and as_of >= disabled):
        return "terminated", _reasons(relation) if over else relation.deactivations
    if effective is not None:
        return "terminating", _reasons(relation)
    if relation.suspensions:
        return "suspended", relation.suspensions
    if relation.verifications:
        return "in_verification", relation.verifications
    notices = _pending(relation, terms, readings)
    if notices:
        return "under_notice", [fact for notice in notices for fact in notice.reasons]
    return _initial(relation.subscription, readings)


def _pending(relation: Relation, terms: InForce, readings: Readings) -> list[FormalNotice]:
    return [
        notice
        for notice in relation.notices
        if is_effective(notice, relation.addresses, readings) and not is_remedied(notice, terms, readings)
    ]


def _initial(subscription: Subscription, readings: Readings) -> tuple[ContractStatus, Sequence[Reason]]:
    formed = formation(subscription, readings)
    if formed.value is not None:
        return "active", formed.because
    if subscription.opened is None:
        return "none", ()
    return "incomplete", (subscription.opened.fact, *formed.because)
