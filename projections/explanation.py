"""Why: every conclusion on a subject, with its rule, its article, the French words, and the facts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from ledger import instants
from ledger.contract.finding import CLAUSES, PRIMARY, Conclusion, Readings, jsonable
from ledger.errors import NotRecordedError
from ledger.facts.catalogue import account_of
from ledger.facts.recorded import Recorded
from projections.paging import DELIVERIES, corrected

if TYPE_CHECKING:
    from projections.answers import Answers, Asked, Witnessed

_QUOTED = re.compile(r"«\s*(.*?)\s*»", re.DOTALL)
_DETAILS = {"late_interest": "interest_segments"}
"""What beside a conclusion shows how it came about: interest, day by day."""

_UNEXPLAINED = frozenset({"timeline"})
_DELIVERY = "consumption.recorded"


@dataclass(frozen=True, slots=True)
class _Found:
    """A conclusion, and where in its projection's result it stands."""

    path: str
    subject: str | None
    conclusion: Conclusion[Any]
    details: Any = None


def explain(
    answers: Answers,
    subject: str,
    *,
    as_of: datetime | None,
    known_at: datetime | None = None,
    readings: Readings = PRIMARY,
) -> dict[str, Any]:
    """The explanation of a subject; of an account's own stream, what is concluded on the account itself.

    A subject of no account is explained by its facts alone, but a mail that was attributed to an account
    is explained as that account's.

    Raises:
        NotRecordedError: there is no such subject in the record.
        WrongCallError: there is no such reading, or an instant has no offset.
    """
    from projections.answers import Witnessed, in_scope  # noqa: PLC0415 - it is built on this module

    history = answers.record.history(subject)
    if not history:
        raise NotRecordedError(f"there is no subject {subject!r} in the record")
    account = account_of(subject) or _attributed(answers, subject, known_at)
    asked = answers.prepare(account or None, as_of, known_at, readings)
    seen = Witnessed()
    facts = list(seen.each(in_scope(history, asked.scope)))
    positions = {fact.position for fact in history}
    conclusions = _conclusions(answers, subject, asked, seen, positions) if account else []
    told = {"facts": [_fact(fact) for fact in facts], "conclusions": conclusions}
    return {**answers.envelope(asked, seen), "subject": subject, **answers.disclosed(told, seen)}


def concluded(
    answers: Answers,
    subject: str,
    *,
    as_of: datetime | None,
    known_at: datetime | None = None,
    readings: Readings = PRIMARY,
) -> dict[str, Any]:
    """The conclusions of an explanation for an evidence package: personal values stay commitments.

    Of an account these are all that rest on a fact of one of its subjects.

    Raises:
        NotRecordedError: there is no such subject in the record.
        WrongCallError: there is no such reading, or an instant has no offset.
    """
    from projections.answers import Witnessed  # noqa: PLC0415 - it is built on this module

    record = answers.record
    is_account = account_of(subject) == subject
    positions = set(record.positions_of(subject) if is_account else _positions(record.history(subject)))
    if not positions:
        raise NotRecordedError(f"there is no subject {subject!r} in the record")
    account = account_of(subject) or _attributed(answers, subject, known_at)
    asked = answers.prepare(account or None, as_of, known_at, readings)
    seen = Witnessed()
    conclusions = _conclusions(answers, subject, asked, seen, positions) if account else []
    return {**answers.envelope(asked, seen), "subject": subject, "conclusions": conclusions}


def _positions(facts: Iterable[Recorded]) -> list[int]:
    return [fact.position for fact in facts]


def _attributed(answers: Answers, subject: str, known_at: datetime | None) -> str:
    end = answers.follower.catch_up()
    if known_at is not None:
        end = min(end, answers.record.position_known_at(known_at))
    return answers.follower.owner_of(subject, end)


def _conclusions(
    answers: Answers, subject: str, asked: Asked, seen: Witnessed, positions: set[int]
) -> list[dict[str, Any]]:
    """Of each projection, what it concludes on the subject, then what it concludes from its facts."""
    told: list[dict[str, Any]] = []
    for name in answers.names:
        if name in _UNEXPLAINED:
            continue
        is_deliveries = name == DELIVERIES
        kept = positions | corrected(answers, asked) if is_deliveries else positions
        unread = _DELIVERY if is_deliveries else ""
        result = answers.conclude(name, asked, seen, without=unread, but=kept)
        for found in _walk(result, "", None):
            on_it = (found.subject or asked.scope.account) == subject
            if on_it or any(reason.position in positions for reason in found.conclusion.because):
                told.append(_told(name, found, on_it=on_it))
    return sorted(told, key=lambda row: not row["on_subject"])


def _walk(node: Any, path: str, subject: str | None) -> Iterator[_Found]:  # noqa: ANN401 - any JSON shape
    if isinstance(node, Conclusion):
        yield _Found(path, subject, node)
    elif isinstance(node, Mapping):
        inner = node.get("subject", subject)
        for key, item in node.items():
            for found in _walk(item, f"{path}/{key}", inner):
                yield replace(found, details=node.get(_DETAILS[key])) if key in _DETAILS else found
    elif isinstance(node, list | tuple):
        for place, item in enumerate(node):
            yield from _walk(item, f"{path}/{place}", subject)


def _told(name: str, found: _Found, *, on_it: bool) -> dict[str, Any]:
    conclusion = found.conclusion
    told: dict[str, Any] = jsonable(conclusion)
    return {
        "projection": name,
        "path": found.path,
        "subject": found.subject,
        "on_subject": on_it,
        **told,
        **({} if found.details is None else {"details": jsonable(found.details)}),
        "quotations": quotations(conclusion.rule),
    }


def quotations(rule: str) -> list[str]:
    """The words of the contract that a clause quotes, white space folded."""
    clause = CLAUSES.get(rule)
    return [" ".join(words.split()) for words in _QUOTED.findall(clause.doc)] if clause else []


def _fact(fact: Recorded) -> dict[str, Any]:
    told: dict[str, Any] = {
        "position": fact.position,
        "subject": fact.subject,
        "type": fact.type,
        "legal_time": instants.plain(fact.legal_time),
        "recorded_at": instants.plain(fact.recorded_at),
        "clock": fact.clock,
        "data": fact.fields["data"],
    }
    return told if fact.mail is None else {**told, "mail": fact.mail}
