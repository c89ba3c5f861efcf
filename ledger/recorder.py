"""The one way in: requests wait, one stamp dates all that waited, one transaction keeps them.

A *request* is all or nothing; a *commit* is one stamp over the requests that were waiting. Under the
writer's lock: identity and subject are checked, leaves are final, the mail server stamps their digest,
everything is appended, and only then is anybody answered (``DESIGN.md`` §3).
"""

from __future__ import annotations

import hashlib
import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import datetime
from types import TracebackType
from typing import Any, Self

import orjson
from eventsourcing.persistence import StoredEvent
from eventsourcing.utils import Environment

from ledger import instants
from ledger.clock.stamp import Clock, Stamp
from ledger.errors import ConflictingFactError, Flaw, GreffeError, WrongLedgerError
from ledger.facts.catalogue import COMMON, Opening, account_of
from ledger.facts.envelope import LEAF_VERSION, Draft, encode, new_salt
from ledger.log.merkle import leaf_hash
from ledger.store import Record, open_record, sqlite_path
from ledger.store.commits import Commit
from ledger.store.sqlite import Factory, LedgerRecorder, Writing, seen_key

DEFAULT_ORIGIN = "greffe.local/outscale/cgv-2021-06"
SIMULATED_SUFFIX = "/simulated"
LONGEST_ORIGIN_BYTES = 255
FACTS_IN_A_COMMIT = 20_000
"""What waits beyond this forms the next commit; one larger request still goes as a whole."""
_STAMP_SUBJECT = "stamp"
_STAMP_TYPE = "stamp.received"


@dataclass(frozen=True, slots=True)
class Receipt:
    """What the caller is told of one recorded fact; instants are UTC."""

    id: str
    source: str
    subject: str
    version: int
    position: int
    legal_time: datetime
    leaf_hash: str
    stamp_position: int
    stamp: Stamp
    new: bool

    def to_json(self) -> dict[str, Any]:
        """The receipt as the interface gives it."""
        return {
            "id": self.id,
            "source": self.source,
            "subject": self.subject,
            "version": self.version,
            "position": self.position,
            "legal_time": instants.plain(self.legal_time),
            "leaf_hash": self.leaf_hash,
            "stamp": {
                "position": self.stamp_position,
                "queue_id": self.stamp.queue_id,
                "server": self.stamp.server,
                "time": instants.plain(self.stamp.time),
            },
        }


@dataclass(slots=True)
class _Request:
    drafts: Sequence[Draft]
    future: Future[list[Receipt]] = field(default_factory=Future)

    def wanted(self) -> bool:
        """Whether its caller still waits; from here on it cannot be cancelled."""
        return self.future.set_running_or_notify_cancel()


@dataclass(slots=True)
class _New:
    """A fact on its way into the log: final bytes, and where it will stand in its subject's stream."""

    draft: Draft
    version: int
    content: dict[str, Any]
    leaf: bytes

    def event(self) -> StoredEvent:
        return StoredEvent(self.draft.subject, self.version, self.draft.type.name, self.leaf)


class _Admission:
    """Requests as they are admitted into one commit, under the writer's lock.

    Each request is admitted whole or leaves no trace: what it would change is kept apart until its
    last fact has passed.
    """

    def __init__(self, writing: Writing) -> None:
        self._writing = writing
        self.new: list[_New] = []
        self._places: dict[tuple[str, str], int] = {}
        self._versions: dict[str, int] = {}
        self._attributed: dict[str, str] = {}

    def admit(self, drafts: Sequence[Draft]) -> list[int]:
        """Admit a request; per fact its position if it is recorded already, else ``-1 - place`` in ``new``.

        Raises:
            ConflictingFactError: with every conflict of the request; nothing of it is admitted.
        """
        marks = len(self.new), dict(self._versions_of(drafts)), dict(self._attributed)
        outcomes: list[int] = []
        flaws: list[Flaw] = []
        added: list[tuple[str, str]] = []
        for draft in drafts:
            try:
                outcomes.append(self._outcome(draft, added))
            except ConflictingFactError as error:
                flaws += error.flaws
        if flaws:
            del self.new[marks[0] :]
            self._versions.update(marks[1])
            self._attributed = marks[2]
            for key in added:
                del self._places[key]
            raise ConflictingFactError(*flaws)
        return outcomes

    def _versions_of(self, drafts: Sequence[Draft]) -> dict[str, int]:
        return {draft.subject: self._version(draft.subject) for draft in drafts}

    def _version(self, subject: str) -> int:
        version = self._versions.get(subject)
        if version is None:
            version = self._versions[subject] = self._writing.version_of(subject)
        return version

    def _outcome(self, draft: Draft, added: list[tuple[str, str]]) -> int:
        key = (draft.id, draft.source)
        content = draft.content(self._writing.vault.seal_of(draft.account))
        place = self._places.get(key)
        if place is not None:
            self._same(draft, self.new[place].content, content)
            return -1 - place
        for position in self._writing.positions_of(*key):
            stored: dict[str, Any] = orjson.loads(self._writing.leaf(position))
            if (stored["id"], stored["source"]) == key:
                del stored["salt"]
                self._same(draft, stored, content)
                return position
        self._check_subject(draft)
        self._check_mail(draft)
        version = self._version(draft.subject) + 1
        leaf = encode({**content, "salt": new_salt()})
        if draft.attachment is not None:
            sha256 = hashlib.sha256(draft.attachment).hexdigest()
            self._writing.vault.keep_mail(draft.account, sha256, draft.attachment)
        self._versions[draft.subject] = version
        if draft.type.name == "mail.attributed":
            self._attributed[draft.subject] = draft.data["account"]
        self._places[key] = len(self.new)
        added.append(key)
        self.new.append(_New(draft, version, content, leaf))
        return -len(self.new)

    @staticmethod
    def _same(draft: Draft, recorded: dict[str, Any], content: dict[str, Any]) -> None:
        if recorded != content:
            message = f"id {draft.id} of source {draft.source} is recorded already, with other content"
            raise ConflictingFactError(Flaw(draft.id, "/id", "identity.conflict", message))

    def _check_subject(self, draft: Draft) -> None:
        exists = self._version(draft.subject) > 0
        opening = draft.type.opening
        if opening is Opening.OPENS and exists:
            message = f"{draft.type.name} opens a subject, and {draft.subject} exists already"
            raise ConflictingFactError(Flaw(draft.id, "/subject", "subject.exists", message))
        if opening is Opening.CONTINUES and not exists:
            message = f"{draft.type.name} continues a subject, and {draft.subject} does not exist"
            raise ConflictingFactError(Flaw(draft.id, "/subject", "subject.unknown", message))
        account = draft.account
        if account not in (COMMON, draft.subject) and self._version(account) == 0:
            message = f"the account {account} of {draft.subject} has not been opened"
            raise ConflictingFactError(Flaw(draft.id, "/subject", "account.unknown", message))

    def _check_mail(self, draft: Draft) -> None:
        if draft.mail is None:
            return
        if self._version(draft.mail) == 0:
            message = f"the message {draft.mail} is not recorded: record it before what came by it"
            raise ConflictingFactError(Flaw(draft.id, "/mail", "mail.unknown", message))
        owner = account_of(draft.mail)
        if owner == COMMON:
            owner = self._attributed.get(draft.mail) or self._attribution(draft.mail)
        if owner != draft.account:
            whose = f"account {owner}" if owner else "no account yet (mail.attributed says whose it is)"
            message = f"the message {draft.mail} belongs to {whose}, not to {draft.account or 'none'}"
            raise ConflictingFactError(Flaw(draft.id, "/mail", "mail.other_account", message))

    def _attribution(self, mail: str) -> str:
        account = COMMON
        for _, _, leaf in self._writing.stream(mail):
            fields = orjson.loads(leaf)
            if fields["type"] == "mail.attributed":
                account = fields["data"]["account"]
        return account


class Recorder:
    """Records facts under a mail server's clock; share one between all callers of a process.

    Raises:
        WrongLedgerError: the database is another ledger's, or its clock is simulated and this one is
            not (or the reverse): a simulated ledger never becomes a real one.
    """

    def __init__(self, url: str, clock: Clock, *, origin: str = DEFAULT_ORIGIN) -> None:
        self.on_commit: list[Callable[[int], None]] = []
        self._clock = clock
        self._factory = Factory(Environment("GREFFE", {"SQLITE_DBNAME": sqlite_path(url)}))
        self._log = self._factory.application_recorder()
        self._record = _adopt(self._log, url, clock, origin)
        self._look_for_void = True
        self._waiting: queue.SimpleQueue[_Request | None] = queue.SimpleQueue()
        self._closed = False
        self._closing = threading.Lock()
        self._thread = threading.Thread(target=self._work, name="greffe-recorder", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def record(self, drafts: Sequence[Draft]) -> list[Receipt]:
        """Record a request and wait until it is durable; a receipt per fact, in order.

        Raises:
            MalformedFactError: a leaf would be too long.
            ConflictingFactError: a fact contradicts the record.
            ClockUnavailableError: the mail server gave no stamp; nothing was stored.
        """
        return self.submit(drafts).result()

    def submit(self, drafts: Sequence[Draft]) -> Future[list[Receipt]]:
        """Hand in a request; the future resolves as ``record`` returns or raises."""
        request = _Request(drafts)
        with self._closing:
            if self._closed:
                raise WrongLedgerError("the recorder is closed")
            self._waiting.put(request)
        return request.future

    def close(self) -> None:
        """Record what waits, then let go of the database; the clock is its owner's to close."""
        with self._closing:
            if self._closed:
                return
            self._closed = True
            self._waiting.put(None)
        self._thread.join()
        self._factory.close()

    def _work(self) -> None:
        last = False
        while not last:
            requests, last = self._gather()
            if requests:
                try:
                    outcomes = self._commit(requests)
                except Exception as error:  # noqa: BLE001 - whoever waits must be answered
                    for request in requests:
                        if not request.future.done():
                            request.future.set_exception(error)
                else:
                    for request, receipts in outcomes:
                        request.future.set_result(receipts)
        self._record.close()

    def _gather(self) -> tuple[list[_Request], bool]:
        """Wait for a request, then take all that wait, up to a commit's worth."""
        first = self._waiting.get()
        if first is None:
            return [], True
        requests, count = [first] if first.wanted() else [], len(first.drafts)
        while count < FACTS_IN_A_COMMIT:
            try:
                request = self._waiting.get_nowait()
            except queue.Empty:
                break
            if request is None:
                return requests, True
            if request.wanted():
                requests.append(request)
                count += len(request.drafts)
        return requests, False

    def _commit(self, requests: Sequence[_Request]) -> list[tuple[_Request, list[Receipt]]]:
        admitted: list[tuple[_Request, list[int]]] = []
        with self._log.writing() as writing:
            admission = _Admission(writing)
            for request in requests:
                try:
                    with writing.savepoint():
                        admitted.append((request, admission.admit(request.drafts)))
                except GreffeError as error:
                    request.future.set_exception(error)
            stamp = self._stamp_and_append(writing, admission.new) if admission.new else None
            first = writing.size + 1
        if stamp is not None:
            for callback in self.on_commit:
                callback(first + len(admission.new))
        return [
            (request, self._receipts(outcomes, admission.new, first, stamp)) for request, outcomes in admitted
        ]

    def _stamp_and_append(self, writing: Writing, new: Sequence[_New]) -> Stamp:
        hashes = [leaf_hash(fact.leaf) for fact in new]
        digest = hashlib.sha256(b"".join(hashes)).hexdigest()
        void = self._void(writing)
        self._look_for_void = True  # unless the commit below succeeds, the message goes unfollowed
        stamp = self._clock.stamp(digest, len(new))
        data: dict[str, Any] = {
            "count": len(new),
            "digest": digest,
            "message_id": stamp.message_id,
            "message_sha256": stamp.message_sha256,
            "queue_id": stamp.queue_id,
            "server": stamp.server,
            "time": instants.canonical(stamp.time),
        }
        if void:
            data["void"] = void
        leaf = encode(
            {
                "data": data,
                "salt": new_salt(),
                "subject": _STAMP_SUBJECT,
                "type": _STAMP_TYPE,
                "v": LEAF_VERSION,
            }
        )
        frontier = writing.frontier()
        frontier.append(leaf_hash(leaf))
        frontier.extend(hashes)
        commit = Commit(
            writing.size,
            len(new),
            frontier.root(),
            frontier.to_bytes(),
            stamp.time,
            stamp.server,
            stamp.queue_id,
        )
        version = writing.version_of(_STAMP_SUBJECT) + 1
        events = [StoredEvent(_STAMP_SUBJECT, version, _STAMP_TYPE, leaf), *(fact.event() for fact in new)]
        writing.append(events, commit)
        writing.mark_seen(
            [
                (seen_key(fact.draft.id, fact.draft.source), writing.size + 1 + place)
                for place, fact in enumerate(new)
            ]
        )
        self._look_for_void = False
        return stamp

    def _void(self, writing: Writing) -> list[str]:
        """Stamping messages that a crash or a lost answer left without a commit."""
        if not self._look_for_void:
            return []
        last = writing.last
        return self._clock.unfollowed(last.stamped_at if last else None, writing.has_commit)

    def _receipts(
        self, outcomes: Sequence[int], new: Sequence[_New], first: int, stamp: Stamp | None
    ) -> list[Receipt]:
        old = {position: self._old_receipt(position, new=False) for position in outcomes if position >= 0}
        receipts = []
        for outcome in outcomes:
            if outcome >= 0:
                receipts.append(old[outcome])
            elif stamp is not None:
                place = -1 - outcome
                receipts.append(self._new_receipt(new[place], first + place, first - 1, stamp))
        return receipts

    def _new_receipt(self, fact: _New, position: int, stamp_position: int, stamp: Stamp) -> Receipt:
        if fact.draft.mail is not None or fact.draft.history or "stamp" in fact.draft.data:
            return self._old_receipt(position, new=True)
        return Receipt(
            fact.draft.id,
            fact.draft.source,
            fact.draft.subject,
            fact.version,
            position,
            stamp.time,
            leaf_hash(fact.leaf).hex(),
            stamp_position,
            stamp,
            new=True,
        )

    def _old_receipt(self, position: int, *, new: bool) -> Receipt:
        (fact,) = self._record.facts_at([position])
        commit = self._record.commit_of(position)
        ((_, _, _, _, stamp_leaf),) = self._record.scan(commit.position, 1)
        data = orjson.loads(stamp_leaf)["data"]
        stamp = Stamp(
            commit.stamped_at, commit.server, commit.queue_id, data["message_id"], data["message_sha256"]
        )
        return Receipt(
            fact.fields["id"],
            fact.fields["source"],
            fact.subject,
            fact.version,
            position,
            fact.legal_time,
            leaf_hash(fact.leaf).hex(),
            commit.position,
            stamp,
            new=new,
        )


def _adopt(log: LedgerRecorder, url: str, clock: Clock, origin: str) -> Record:
    """Give a new ledger its origin and kind of clock, or check that an old one's fit."""
    kind = clock.name.partition(":")[0]
    simulated = kind == "simulated"
    full_origin = origin + SIMULATED_SUFFIX if simulated and not origin.endswith(SIMULATED_SUFFIX) else origin
    if (
        len(full_origin.encode()) > LONGEST_ORIGIN_BYTES
        or not full_origin.isprintable()
        or " " in full_origin
    ):
        raise WrongLedgerError(
            f"an origin has 1 to {LONGEST_ORIGIN_BYTES} bytes and no white space: {origin!r}"
        )
    with log.writing_connection() as connection:
        connection.execute("INSERT OR IGNORE INTO meta VALUES ('origin', ?)", (full_origin,))
        connection.execute("INSERT OR IGNORE INTO meta VALUES ('clock', ?)", (kind,))
        (made_under,) = connection.execute("SELECT value FROM meta WHERE key = 'clock'").fetchone()
    if (made_under == "simulated") != simulated:
        raise WrongLedgerError(
            f"the ledger at {url} was made under a {made_under} clock, and this one is {kind}: a simulated"
            " ledger never becomes a real one, nor the reverse"
        )
    return open_record(url)
