"""Which terms bind an account at an instant: versions, their acceptance, and what derogates (arts. 3.3, 5).

A version of the terms binds from an instant on; a special condition replaces one parameter of the terms
in force, when its document may. ``binding`` puts both together into the terms that every clause asks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from ledger import instants
from ledger.contract.finding import Conclusion, Reason, clause
from ledger.contract.terms import CURRENT, Terms, knows, load
from ledger.contract.terms.history import BEGINNING, Override, TermsHistory
from ledger.errors import ClauseError

Document = Literal["internet", "order_form", "derogatory"]
NO_REVISION = "none"
"""What a special condition on ``revision`` is worth that excludes it."""

HowAccepted = Literal["signed", "consumption", "none", "refused"]

ConsumedSince = Callable[[datetime], Reason | None]
"""The first fact that shows consumption after an instant, if any."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """The client accepted a version by accepting a contract or an order form.

    ``on_demand`` is what it says of that, ``None`` when it says nothing. ``committed_until`` is the first
    instant after the duration that it fixes.
    """

    fact: Reason
    at: datetime
    version: str
    on_demand: bool | None = None
    committed_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Refusal:
    """The client refused a version; ``effective`` tells that it came by its mail (art. 5.1)."""

    fact: Reason
    version: str
    effective: bool


@dataclass(frozen=True, slots=True)
class Publication:
    """A version as published; ``starts`` is when it takes effect, ``notices`` the valid notices of it."""

    fact: Reason
    version: str
    starts: datetime
    substantial: bool
    notices: tuple[tuple[Reason, datetime], ...] = ()

    @property
    def told(self) -> tuple[Reason, datetime] | None:
        """The first valid notice."""
        return min(self.notices, key=lambda notice: notice[1], default=None)

    @property
    def opposable_from(self) -> datetime | None:
        """From when it can be held against the client; ``None`` for a substantial change untold."""
        if not self.substantial:
            return self.starts
        return None if self.told is None else max(self.starts, self.told[1])


@dataclass(frozen=True, slots=True)
class Condition:
    """A special condition: what it sets, in which document, from when.

    ``order`` is OUTSCALE's acceptance of the order form that bears it, without which no order form does.
    """

    fact: Reason
    since: datetime
    document: Document
    topic: str
    value: str | None
    derogates: bool
    order: Reason | None = None


@dataclass(frozen=True, slots=True)
class Agreement:
    """Everything that tells which terms bind an account.

    ``terminations`` are the client's, in the form of art. 4; ``consumed_since`` finds the first
    consumption after an instant, asked only when it matters. ``resold`` tells of an indirect client, and
    ``first_consumed`` what it consumed first, and from when, where that is asked.
    """

    accepted: tuple[Accepted, ...] = ()
    publications: tuple[Publication, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    conditions: tuple[Condition, ...] = ()
    terminations: tuple[Reason, ...] = ()
    consumed_since: ConsumedSince = field(default=lambda _instant: None)
    resold: bool = False
    first_consumed: tuple[Reason, datetime] | None = None

    @property
    def first(self) -> Accepted | None:
        """How the contract began."""
        return self.accepted[0] if self.accepted else None

    def on_demand(self, instant: datetime) -> bool:
        """Whether the contract is On Demand at an instant: neither committed for a time nor said not to be.

        What is accepted without a word of it leaves the contract as it was (art. 1, « On Demand »).
        """
        before = [row for row in self.accepted if row.at <= instant] or list(self.accepted[:1])
        if any(row.committed_until is not None and instant < row.committed_until for row in before):
            return False
        return next((row.on_demand for row in reversed(before) if row.on_demand is not None), True)


def version_ordered(at: datetime, before: Sequence[Accepted], publications: Sequence[Publication]) -> str:
    """The version that an order form accepts at an instant, as it names none.

    The newest of those that were public by then and of those that the client had accepted before.
    """
    agreed = [(_dated(row, publications), row.version) for row in before]
    public = [
        (row.starts, row.version) for row in publications if row.starts <= at and row.fact.legal_time <= at
    ]
    return max((*agreed, *public), key=lambda row: row[0], default=(at, CURRENT))[1]


def _dated(accepted: Accepted, publications: Iterable[Publication]) -> datetime:
    """From when the version that was accepted is: as published, as it says, or by its acceptance at last."""
    for row in publications:
        if row.version == accepted.version:
            return row.starts
    if not knows(accepted.version):
        return accepted.at
    return min(accepted.at, instants.paris_midnight(load(accepted.version).effective))


@clause("5, 5.1, 5.2")
def version_binds_from(publication: Publication, agreement: Agreement) -> Conclusion[datetime | None]:
    """From when a published version binds the account; ``None`` when it does not.

    « Dès leur publication, les nouvelles conditions contractuelles entrent en vigueur »
    « cette modification devra obligatoirement être notifiée au CLIENT par
    email ou via l’interface de gestion de son Compte »
    « Les modalités de révision des Prestations qui ne sont pas On Demand sont définies dans leurs
    Conditions Particulières et Dérogatoires. »
    A « nouvelle » version that is told late replaces none that is newer than itself.
    """
    since = _would_bind(publication, agreement)
    newer = None if since.value is None else _newer_by(since.value, publication, agreement)
    return since if newer is None else Conclusion(None, (*since.because, newer))


def _would_bind(publication: Publication, agreement: Agreement) -> Conclusion[datetime | None]:
    """From when it would bind if there were no other version."""
    starts = publication.opposable_from
    told = () if publication.told is None else (publication.told[0],)
    because = (publication.fact, *told)
    if starts is None:
        return Conclusion(None, because)
    if not agreement.on_demand(starts):
        revised = [
            row
            for row in agreement.conditions
            if row.topic == "revision" and row.since <= starts and row.value != NO_REVISION
        ]
        because = (*because, *(row.fact for row in agreement.accepted), *(row.fact for row in revised))
        return Conclusion(starts if revised else None, because)
    how = _acceptance(publication, agreement)
    return Conclusion(None if how.value == "refused" else starts, (*because, *how.because))


def _newer_by(instant: datetime, publication: Publication, agreement: Agreement) -> Reason | None:
    """What made a newer version bind the account by an instant, if any did."""
    for other in agreement.publications:
        if other.starts > publication.starts:
            since = _would_bind(other, agreement).value
            if since is not None and since <= instant:
                return other.fact
    for row in agreement.accepted:
        newer = _dated(row, agreement.publications) > publication.starts
        if row.at <= instant and newer and row.version != publication.version:
            return row.fact
    return None


@clause("5.1")
def version_acceptance(publication: Publication, agreement: Agreement) -> Conclusion[HowAccepted]:
    """Whether the client accepted a published version: by signing, by consuming after it, or not at all.

    « Si le CLIENT continue à consommer les Prestations On Demand nonobstant la modification de leurs
    conditions contractuelles, il sera réputé avoir accepté ces conditions modifiées. »
    A refusal takes both: « il doit cesser de
    consommer les Prestations et notifier à OUTSCALE la résiliation du Contrat »
    """
    starts = publication.opposable_from
    how = _acceptance(publication, agreement)
    if how.value in ("signed", "none") or starts is None:
        return how
    newer = _newer_by(starts, publication, agreement)
    return how if newer is None else Conclusion("none", (publication.fact, newer))


def _acceptance(publication: Publication, agreement: Agreement) -> Conclusion[HowAccepted]:
    """How it was accepted, if there were no other version."""
    signed = [row.fact for row in agreement.accepted if row.version == publication.version]
    if signed:
        return Conclusion("signed", (publication.fact, *signed))
    starts = publication.opposable_from
    if starts is None:
        return Conclusion("none", (publication.fact,))
    consumed = agreement.consumed_since(starts)
    if consumed is not None and agreement.on_demand(starts):
        return Conclusion("consumption", (publication.fact, consumed))
    refused = [row for row in agreement.refusals if row.version == publication.version and row.effective]
    if refused and agreement.terminations:
        because = (*(row.fact for row in refused), *agreement.terminations)
        return Conclusion("refused", (publication.fact, *because))
    return Conclusion("none", (publication.fact,))


def why_not_bound(publication: Publication, agreement: Agreement) -> str | None:
    """Why a published version does not bind the account, in a sentence."""
    if version_binds_from(publication, agreement).value is not None:
        return None
    if publication.opposable_from is None:
        return "a substantial change binds only once it was notified by e-mail or by the interface (art. 5)"
    would_bind = _would_bind(publication, agreement).value is not None
    if not would_bind and not agreement.on_demand(publication.opposable_from):
        return "the contract is not On Demand, and its special conditions provide for no revision (art. 5.2)"
    if would_bind:
        return "a newer version bound the account before this one could (art. 5)"
    return "the client refused it, stopped consuming and gave notice of termination (art. 5.1)"


@clause("3.3")
def condition_prevails(condition: Condition, agreement: Agreement, terms: Terms) -> Conclusion[bool]:
    """Whether a special condition prevails over the general terms on its point.

    « les
    présentes CGV l’emportent toujours, sauf dans le cas où les Conditions Particulières et Dérogatoires
    prennent la forme d’un Bon de Commande accepté et que sa/ses clause(s) contradictoire(s) avec les
    présentes CGV commencent par la mention « Par dérogation aux CGV » »
    « dans le cas où
    les présentes CGV prévoient expressément une possibilité de dérogation dans les Conditions
    Particulières et Dérogatoires ou en cas de Contrat dérogatoire »
    Where they provide for it in a contract that is not On Demand, only there: « Concernant les Prestations
    qui ne sont pas On Demand, le Contrat ne peut être résilié que conformément aux conditions convenues »
    """
    topic, rules = condition.topic, terms.derogations
    match condition.document:
        case "derogatory":
            prevails = True
        case "order_form" if condition.order is None:
            prevails = False
        case _ if _under(topic, rules.never) or any(_under(kept, (topic,)) for kept in rules.never):
            prevails = False
        case "order_form" if condition.derogates:
            prevails = True
        case _:
            allowed = () if agreement.on_demand(condition.since) else rules.not_on_demand
            prevails = _under(topic, (*rules.allowed, *allowed))
    order = () if condition.order is None else (condition.order,)
    return Conclusion(prevails, (condition.fact, *order))


def _under(topic: str, prefixes: Iterable[str]) -> bool:
    return any(topic == prefix or topic.startswith(f"{prefix}.") for prefix in prefixes)


@clause("3.1, 5")
def terms_in_force(agreement: Agreement, as_of: datetime) -> Conclusion[str | None]:
    """The version of the general terms that binds the account, ``None`` before it accepted any.

    « La validation du Bon de Commande vaut acceptation des Conditions Générales de
    Vente OUTSCALE par le CLIENT. » A version published later binds « automatiquement »:
    « viennent
    automatiquement modifier les Contrats en cours »
    """
    if agreement.first is None:
        return Conclusion(None)
    since, version, because = max(
        (step for step in steps(agreement) if step[0] <= as_of), key=lambda step: step[0]
    )
    return Conclusion(version, because if since > BEGINNING else (agreement.first.fact,))


Step = tuple[datetime, str, tuple[Reason, ...]]


def steps(agreement: Agreement) -> list[Step]:
    """Which version follows which, from when: the first one for all time before it too.

    Raises:
        ClauseError: two versions would bind from the same instant; both are named.
    """
    first = agreement.first
    start: Step = (BEGINNING, CURRENT, ()) if first is None else (BEGINNING, first.version, (first.fact,))
    found = [start]
    later: list[Step] = [(row.at, row.version, (row.fact,)) for row in agreement.accepted[1:]]
    for publication in agreement.publications:
        since = version_binds_from(publication, agreement)
        agreed = [row.at for row in agreement.accepted]
        if since.value is not None and (not agreed or since.value > agreed[0]):
            later.append((since.value, publication.version, since.because))
    for step in sorted(later, key=lambda step: step[0]):
        _one_version(found[-1], step)
        if step[1] != found[-1][1]:
            found.append(step)
    return found


def _one_version(before: Step, step: Step) -> None:
    if before[0] == step[0] and before[1] != step[1]:
        raise ClauseError(
            f"two clauses conflict: terms {before[1]} ({_named(before[2])}) and terms {step[1]}"
            f" ({_named(step[2])}) would both bind from {instants.plain(step[0])} (art. 5)"
        )


def _named(facts: Iterable[Reason]) -> str:
    return ", ".join(f"{fact.subject} at position {fact.position}" for fact in facts)


def binding(agreement: Agreement) -> TermsHistory:
    """The terms that bind the account, at every instant, with what derogates from them.

    A version whose parameters are not known here is decided under the last one that is.

    Raises:
        ClauseError: two versions, or two special conditions on one point, hold from the same instant;
            or a version is older than what the clauses code.
    """
    versions: list[tuple[datetime, Terms]] = []
    unknown: list[tuple[str, str]] = []
    for since, version, because in steps(agreement):
        if not knows(version):
            terms = versions[-1][1] if versions else load()
            unknown.append((version, terms.version))
        else:
            terms = load(version)
            _coded(terms, because)
        versions.append((since, terms))
    names = tuple(version for _, version, _ in steps(agreement))
    return TermsHistory(tuple(versions), names, tuple(_overrides(agreement, versions)), tuple(unknown))


def _coded(terms: Terms, because: Sequence[Reason]) -> None:
    """Clauses are coded for the terms from ``CURRENT`` on.

    Raises:
        ClauseError: these are older.
    """
    oldest = load()
    if terms.effective < oldest.effective:
        raise ClauseError(
            f"no clause applies: terms {terms.version} ({_named(because)}) are older than terms"
            f" {oldest.version}, the first that the clauses code"
        )


def _overrides(agreement: Agreement, versions: Sequence[tuple[datetime, Terms]]) -> Iterable[Override]:
    said: dict[tuple[str, datetime], Condition] = {}
    for condition in agreement.conditions:
        terms = [row for since, row in versions if since <= condition.since][-1]
        if condition.value is None or not condition_prevails(condition, agreement, terms).value:
            continue
        if terms.has(condition.topic) and not terms.takes(condition.topic, condition.value):
            continue
        other = said.setdefault((condition.topic, condition.since), condition)
        if other.value != condition.value:
            raise ClauseError(
                f"two clauses conflict: {other.fact.subject} (position {other.fact.position}) sets"
                f" {condition.topic} to {other.value!r}, and {condition.fact.subject} (position"
                f" {condition.fact.position}) to {condition.value!r}, from the same instant (art. 3.3)"
            )
        if terms.has(condition.topic):
            yield Override(condition.since, condition.topic, condition.value)
