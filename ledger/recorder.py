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
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

import orjson

from ledger import instants
from ledger.admission import Admission
from ledger.clock.embedded import EMBEDDED
from ledger.clock.stamp import Clock, Stamp
from ledger.errors import GreffeError, WrongLedgerError
from ledger.facts.envelope import LEAF_VERSION, Draft, encode, new_salt
from ledger.log.merkle import leaf_hash
from ledger.notary import Notary
from ledger.signing import Signing
from ledger.store import Record, open_record
from ledger.store.engine import shown
from ledger.store.persistence import LedgerRecorder, hold_alone, persistence_at
from ledger.store.writing import Leaf, Writing

DEFAULT_ORIGIN = "greffe.local/outscale/cgv-2021-06"
SIMULATED_SUFFIX = "/simulated"
LONGEST_ORIGIN_BYTES = 255
FACTS_IN_A_COMMIT = 20_000
"""What waits beyond this forms the next commit; one larger request still goes as a whole."""
_STAMP_SUBJECT = "stamp"
_STAMP_TYPE = "stamp.received"


class Receipt(NamedTuple):
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

    @property
    def seals(self) -> bool:
        """Whether something of it goes into the vault, to be undone when the request is refused."""
        return any(draft.leaf is None or draft.attachment is not None for draft in self.drafts)

    def wanted(self) -> bool:
        """Whether its caller still waits; from here on it cannot be cancelled."""
        return self.future.set_running_or_notify_cancel()


class Recorder:
    """Records facts under a mail server's clock; share one between all callers of a process.

    With ``keys``, the folder of the log's keys, it signs the tree after each commit, before anybody is
    answered, and records the keys with the first commit that they sign.

    Raises:
        WrongLedgerError: the database is another ledger's, its clock is simulated and this one is not
            (or the reverse: a simulated ledger never becomes a real one), or the keys signed for it in a
            state that it is no longer in.
    """

    def __init__(
        self, url: str, clock: Clock, *, origin: str = DEFAULT_ORIGIN, keys: Path | None = None
    ) -> None:
        self.on_commit: list[Callable[[int], None]] = []
        self._clock = clock
        with ExitStack() as opened:
            self._log = persistence_at(url)
            opened.callback(self._log.close)
            if clock.name == EMBEDDED:  # that server has one journal
                opened.callback(hold_alone(url))
            self._record = _adopt(self._log, url, clock, origin)
            self._held = opened.pop_all()
        self._signing = Signing(Notary(keys, self._record)) if keys is not None else None
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
        for draft in drafts:
            if draft.leaf is not None:
                draft.hashed = leaf_hash(draft.leaf)
        request = _Request(drafts)
        with self._closing:
            if self._closed:
                raise WrongLedgerError("the recorder is closed")
            self._waiting.put(request)
        return request.future

    @property
    def notary(self) -> Notary | None:
        """What signs for this ledger, if anything does."""
        return self._signing.notary if self._signing is not None else None

    def close(self) -> None:
        """Record what waits, then let go of the database; the clock is its owner's to close."""
        with self._closing:
            if self._closed:
                return
            self._closed = True
            self._waiting.put(None)
        self._thread.join()
        if self._signing is not None:
            self._signing.notary.close()
        self._held.close()

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
            admission = Admission(writing)
            admission.expect([draft for request in requests for draft in request.drafts])
            for request in requests:
                try:
                    with writing.savepoint() if request.seals else nullcontext():
                        admitted.append((request, admission.admit(request.drafts)))
                except GreffeError as error:
                    request.future.set_exception(error)
            if admission.new and self._signing is not None:
                self._signing.record_own(writing, admission)
            stamp = self._stamp_and_append(writing, admission.new) if admission.new else None
            first = writing.size + 1
        if stamp is not None:
            if self._signing is not None:
                self._signing.sign()
            for callback in self.on_commit:
                callback(first + len(admission.new))
        return [
            (request, self._receipts(request.drafts, outcomes, admission.new, first, stamp))
            for request, outcomes in admitted
        ]

    def _stamp_and_append(self, writing: Writing, new: Sequence[Leaf]) -> Stamp:
        digest = hashlib.sha256(b"".join([leaf.hashed for leaf in new])).hexdigest()
        void = self._void(writing)
        self._look_for_void = True  # unless the commit below succeeds, the message goes unfollowed
        stamp = self._clock.stamp(digest, len(new), self._signing.last if self._signing else b"")
        state = _stamp_leaf(stamp, digest, len(new), void)
        version = writing.versions_of([_STAMP_SUBJECT])[_STAMP_SUBJECT] + 1
        stamping = Leaf(_STAMP_SUBJECT, version, _STAMP_TYPE, state, leaf_hash(state), None)
        writing.append([stamping, *new], stamp.time, stamp.server, stamp.queue_id)
        self._look_for_void = False
        return stamp

    def _void(self, writing: Writing) -> list[str]:
        """Stamping messages that a crash or a lost answer left without a commit."""
        if not self._look_for_void:
            return []
        last = writing.last
        return self._clock.unfollowed(last.stamped_at if last else None, writing.has_commit)

    def _receipts(
        self,
        drafts: Sequence[Draft],
        outcomes: Sequence[int],
        new: Sequence[Leaf],
        first: int,
        stamp: Stamp | None,
    ) -> list[Receipt]:
        receipts = []
        for draft, outcome in zip(drafts, outcomes, strict=True):
            position = outcome if outcome >= 0 else first - 1 - outcome
            if outcome >= 0 or stamp is None or draft.dated_otherwise:
                receipts.append(self._old_receipt(position, new=outcome < 0))
                continue
            leaf = new[-1 - outcome]
            receipts.append(
                Receipt(
                    draft.id,
                    draft.source,
                    draft.subject,
                    leaf.version,
                    position,
                    stamp.time,
                    leaf.hashed.hex(),
                    first - 1,
                    stamp,
                    new=True,
                )
            )
        return receipts

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


def _stamp_leaf(stamp: Stamp, digest: str, count: int, void: Sequence[str]) -> bytes:
    data: dict[str, Any] = {
        "count": count,
        "digest": digest,
        "message_id": stamp.message_id,
        "message_sha256": stamp.message_sha256,
        "queue_id": stamp.queue_id,
        "server": stamp.server,
        "time": instants.canonical(stamp.time),
    }
    if void:
        data["void"] = void
    salt = new_salt()
    return encode(
        {"data": data, "salt": salt, "subject": _STAMP_SUBJECT, "type": _STAMP_TYPE, "v": LEAF_VERSION}
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
        connection.execute("INSERT INTO meta VALUES ('origin', ?) ON CONFLICT DO NOTHING", (full_origin,))
        connection.execute("INSERT INTO meta VALUES ('clock', ?) ON CONFLICT DO NOTHING", (kind,))
        (made_under,) = connection.execute("SELECT value FROM meta WHERE key = 'clock'").fetchone()
    if (made_under == "simulated") != simulated:
        raise WrongLedgerError(
            f"the ledger at {shown(url)} was made under a {made_under} clock, and this one is {kind}: a"
            " simulated ledger never becomes a real one, nor the reverse"
        )
    return open_record(url)
