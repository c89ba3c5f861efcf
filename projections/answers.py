"""Asks projections, and wraps what they answer: who, as of when, known when, under which clock and terms."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from ledger import instants
from ledger.contract.clauses.agreement import Agreement, binding
from ledger.contract.finding import PRIMARY, Readings, jsonable
from ledger.contract.readings import check
from ledger.contract.terms.history import TermsHistory
from ledger.errors import NotRecordedError, WrongCallError
from ledger.facts.catalogue import COMMON, TYPES, account_of
from ledger.facts.personal import COMMITMENT, values_at
from ledger.facts.recorded import Recorded, clock_kind
from ledger.store import Record
from projections.consumed import Consumed
from projections.differences import Discrepancy
from projections.follower import Follower, Scope
from projections.paging import DELIVERIES, Page, left_unread
from projections.question import Projection, Question
from projections.terms import TERMS, Agreements, with_consumption
from projections.usage import USAGE

SIMULATED_REMARK = (
    "simulated ledger: its stamps were told by a scenario, so nothing here is proof between parties"
)
ASSERTED_REMARK = (
    "rests on facts from before the ledger: their times are asserted, no mail server stamped them"
)


_WITH_PERSONAL_FIELDS = frozenset(name for name, row in TYPES.items() if row.personal)


@dataclass(slots=True)
class Witnessed:
    """What was seen of the facts that an answer rests on: their weakest clock, and their commitments."""

    clock: str | None = None
    personal: set[str] = field(default_factory=set)

    def each(self, facts: Iterable[Recorded]) -> Iterator[Recorded]:
        """The same facts, looked at on their way."""
        for fact in facts:
            if fact.clock != self.clock or fact.fields["type"] in _WITH_PERSONAL_FIELDS:
                self.see(fact)
            yield fact

    def see(self, fact: Recorded) -> None:
        """Take note of one fact."""
        if fact.clock != self.clock and (
            self.clock is None or clock_kind(fact.clock) < clock_kind(self.clock)
        ):
            self.clock = fact.clock
        for path in TYPES[fact.type].personal:
            self.personal.update(
                text for _, text in values_at(fact.fields["data"], path) if COMMITMENT.match(str(text))
            )


@dataclass(frozen=True, slots=True)
class Asked:
    """A checked call: the question, what of the log it sees, and what the envelope says of both."""

    question: Question
    scope: Scope
    known_at: datetime | None
    as_of_source: str
    terms: str
    remarks: tuple[str, ...]
    opened: bool


class Answers:
    """Answers questions from a record; share one between the threads of a process.

    An answer is read from the views after they have followed the log to its head, so whoever got a receipt
    finds the fact in the next answer. For one ``known_at``, an answer is the same whenever it is asked,
    once a commit has been stamped after that instant (until then more may become known at it).
    """

    def __init__(
        self, record: Record, projections: Mapping[str, Projection] | None = None, *, views: str | None = None
    ) -> None:
        if projections is None:
            from projections import PROJECTIONS  # noqa: PLC0415 - the package imports its modules first

            projections = PROJECTIONS
        self._record = record
        self._projections = dict(projections)
        self._follower = Follower(record, self._projections, path=views)

    @property
    def record(self) -> Record:
        """The record that is asked."""
        return self._record

    @property
    def follower(self) -> Follower:
        """What keeps the views."""
        return self._follower

    @property
    def names(self) -> list[str]:
        """The projections that may be asked."""
        return list(self._projections)

    def close(self) -> None:
        """Close this thread's connection to the views; the record is its owner's to close."""
        self._follower.close()

    def ask(
        self,
        name: str,
        account: str,
        *,
        as_of: datetime | None,
        known_at: datetime | None = None,
        readings: Readings = PRIMARY,
        limit: int | None = None,
        after: str | None = None,
    ) -> dict[str, Any]:
        """The answer of a projection, as ``interface.md`` gives it.

        A long answer comes by pages of ``limit`` rows (``ROWS_ON_A_PAGE`` when left out): ``next`` is then
        the ``after`` of the page that follows.
        ``as_of`` is inclusive, and the host's clock when left out; ``known_at`` keeps what was recorded
        before the first commit stamped after it. Before its opening an account has an empty answer.

        Raises:
            NotRecordedError: there is no such account in the record.
            WrongCallError: there is no such projection or reading, or an instant has no offset.
        """
        self.projection(name)
        page = Page.of(name, limit)
        asked = self.prepare(account, as_of, known_at, readings, limit=page.wanted, after=after)
        without, but = left_unread(self, asked) if name == DELIVERIES else ("", ())
        seen = Witnessed()
        result, following = page.cut(jsonable(self.conclude(name, asked, seen, without=without, but=but)))
        told = {**self.envelope(asked, seen), "result": self.disclosed(result, seen)}
        return told if following is None else {**told, "next": following}

    def explain(
        self,
        subject: str,
        *,
        as_of: datetime | None,
        known_at: datetime | None = None,
        readings: Readings = PRIMARY,
    ) -> dict[str, Any]:
        """Every conclusion on a subject, with rule, article, quoted words, readings and facts.

        Raises:
            NotRecordedError: there is no such subject in the record.
            WrongCallError: there is no such reading, or an instant has no offset.
        """
        from projections.explanation import explain  # noqa: PLC0415 - it is built on this module

        return explain(self, subject, as_of=as_of, known_at=known_at, readings=readings)

    def alternatives(
        self, account: str, *, as_of: datetime | None, known_at: datetime | None = None
    ) -> dict[str, Any]:
        """Which conclusions and which euros move under each other reading.

        Raises:
            NotRecordedError: there is no such account in the record.
            WrongCallError: an instant has no offset.
        """
        from projections.alternatives import alternatives  # noqa: PLC0415 - it is built on this module

        return alternatives(self, account, as_of=as_of, known_at=known_at)

    def accounts(
        self, *, as_of: datetime | None = None, known_at: datetime | None = None
    ) -> list[dict[str, Any]]:
        """Every account, by name, with the status of its contract (``None`` when that is not projected)."""
        self._follower.catch_up()
        return [
            {"account": account, "status": self._status(account, as_of, known_at)}
            for account in self._follower.accounts()
        ]

    def wait_for(self, position: int) -> None:
        """Return once every answer rests on the leaf at ``position`` too.

        Raises:
            NotRecordedError: the log does not reach that far.
        """
        size = self._record.size()
        if position >= size:
            raise NotRecordedError(f"there is no leaf at position {position}: the log has {size}")
        self._follower.catch_up(position + 1)

    def rebuild(self, name: str) -> None:
        """Throw one view away and build it again from the log.

        Raises:
            WrongCallError: there is no such projection.
        """
        self._follower.rebuild(name)

    def compare(self) -> list[Discrepancy]:
        """Build every view from nothing and name each row that differs from the live one."""
        return self._follower.compare()

    def projection(self, name: str) -> Projection:
        """A projection by its name.

        Raises:
            WrongCallError: there is none; the message lists those that there are.
        """
        try:
            return self._projections[name]
        except KeyError:
            raise WrongCallError(
                f"there is no projection {name!r}; there are: {', '.join(self._projections)}"
            ) from None

    def prepare(
        self,
        account: str | None,
        as_of: datetime | None,
        known_at: datetime | None,
        readings: Readings,
        *,
        limit: int | None = None,
        after: str | None = None,
    ) -> Asked:
        """Check a call, bring the views up to the head, and say what of the log the call sees.

        Without an account, the call is about what belongs to none.

        Raises:
            NotRecordedError: there is no such account in the record.
            WrongCallError: an instant has no offset, or a reading does not exist.
        """
        check(readings)
        source = "host" if as_of is None else "request"
        at = _utc(datetime.now(UTC) if as_of is None else as_of, "as_of")
        known = None if known_at is None else _utc(known_at, "known_at")
        if account is not None:
            self._check_account(account)
        size = self._follower.catch_up()
        scope = Scope(
            account or COMMON, at, size if known is None else min(size, self._record.position_known_at(known))
        )
        agreement, opened = self._agreement(scope, readings)
        terms = binding(agreement)
        question = Question(scope.account, at, readings, terms, agreement, limit, after)
        return Asked(question, scope, known, source, terms.version_at(at), _remarks(terms), opened)

    def _agreement(self, scope: Scope, readings: Readings) -> tuple[Agreement, bool]:
        """What tells which terms bind the account, and whether it is open yet.

        Without the view of it the current terms bind; what belongs to no account is always open.
        """
        if TERMS.name not in self._projections or scope.account == COMMON:
            return Agreement(), True
        found = Agreements()
        with self._follower.facts(TERMS.name, scope) as facts:
            for fact in facts:
                found.take(fact)
        agreement = found.agreement(readings)
        opened = "account.opened" in found.dossier.first
        if USAGE.name in self._projections:
            agreement = with_consumption(agreement, self._consumption(scope).after)
        return agreement, opened

    def _consumption(self, scope: Scope) -> Consumed:
        return Consumed(self._follower, scope, lambda name: in_scope(self._record.history(name), scope))

    def conclude(
        self,
        name: str,
        asked: Asked,
        seen: Witnessed,
        *,
        without: str = "",
        but: Collection[int] = (),
    ) -> Any:  # noqa: ANN401 - any JSON shape
        """The bare result of a projection, with ``Conclusion`` objects in place."""
        projection = self.projection(name)
        if not asked.opened:
            return projection.answer(iter(()), replace(asked.question, agreement=Agreement(), after=None))
        ahead, question = getattr(projection, "common_first", False), asked.question
        if question.agreement.resold and getattr(projection, "asks_first_use", False):
            first = self._consumption(asked.scope).first()
            question = replace(question, agreement=replace(question.agreement, first_consumed=first))
        with self._follower.facts(name, asked.scope, without=without, but=but, common_first=ahead) as facts:
            return projection.answer(seen.each(facts), question)

    def envelope(self, asked: Asked, seen: Witnessed) -> dict[str, Any]:
        """What every answer says beside its result."""
        clock = seen.clock or self._clock_at(asked.scope.end)
        remarks = [*asked.remarks]
        if self._record.identity.clock == "simulated":
            remarks.append(SIMULATED_REMARK)
        if clock == "asserted":
            remarks.append(ASSERTED_REMARK)
        return {
            "account": asked.scope.account or None,
            "as_of": instants.plain(asked.scope.as_of),
            "as_of_source": asked.as_of_source,
            "known_at": None if asked.known_at is None else instants.plain(asked.known_at),
            "position": asked.scope.end - 1,
            "terms": asked.terms,
            "clock": clock,
            "origin": self._record.identity.origin,
            "tzdata": instants.tzdata_version(),
            "remarks": remarks,
        }

    def disclosed(self, result: Any, seen: Witnessed) -> Any:  # noqa: ANN401 - any JSON value
        """The result with clear values for those commitments of its own facts that the vault still opens.

        Only commitments that stand in a personal field of a fact that was seen are opened: a commitment
        of another account, written into a technical name, stays closed.
        """
        if not seen.personal:
            return result
        found = {text for text in _texts(result) if text in seen.personal}
        if not found:
            return result
        return _replaced(result, self._record.unseal(found))

    def _check_account(self, account: str) -> None:
        """Refuse an account that has no stream of its own."""
        if not (account and account_of(account) == account and self._record.history(account)):
            raise NotRecordedError(f"there is no account {account!r} in the record")

    def _clock_at(self, end: int) -> str:
        """The clock of the last commit seen; of the ledger when none is."""
        return self._record.commit_of(end - 1).server if end > 0 else self._record.identity.clock

    def _status(self, account: str, as_of: datetime | None, known_at: datetime | None) -> Any:  # noqa: ANN401
        if "contract" not in self._projections:
            return None
        status = self.ask("contract", account, as_of=as_of, known_at=known_at)["result"]["status"]
        return status["value"] if isinstance(status, dict) else status


def in_scope(history: Iterable[Recorded], scope: Scope) -> list[Recorded]:
    """Those facts that a question sees, in the order of legal time, then position."""
    return sorted(
        (fact for fact in history if fact.position < scope.end and fact.legal_time <= scope.as_of),
        key=lambda fact: (fact.legal_time, fact.position),
    )


def _utc(instant: datetime, name: str) -> datetime:
    if instant.tzinfo is None:
        raise WrongCallError(f"{name} needs an offset, such as 2021-06-01T09:00:00Z")
    return instant.astimezone(UTC)


def _remarks(terms: TermsHistory) -> tuple[str, ...]:
    return tuple(
        f"terms {version} bind the account, but their parameters are not known here:"
        f" decided under {decided_under}"
        for version, decided_under in terms.unknown
    )


def _texts(node: Any) -> Iterator[str]:  # noqa: ANN401 - any JSON value
    if isinstance(node, str):
        yield node
    elif isinstance(node, dict):
        for item in node.values():
            yield from _texts(item)
    elif isinstance(node, list):
        for item in node:
            yield from _texts(item)


def _replaced(node: Any, clear: Mapping[str, str]) -> Any:  # noqa: ANN401 - any JSON value
    if isinstance(node, str):
        return clear.get(node, node)
    if isinstance(node, dict):
        return {key: _replaced(item, clear) for key, item in node.items()}
    if isinstance(node, list):
        return [_replaced(item, clear) for item in node]
    return node
