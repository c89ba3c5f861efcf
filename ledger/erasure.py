"""Erasure of an account's personal values, and the search that shows that they are gone (``proof.md``).

Keys, ciphertexts and clear values are looked for, byte by byte, in every file that the ledger keeps, and in
every row of one that lies in PostgreSQL. What lies outside them (backups, copies, disk blocks that the system
has freed, a server's own files and write-ahead log) no search here can reach.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import orjson
from ahocorasick_rs import BytesAhoCorasick

from ledger.clock.message import read_stored
from ledger.facts.catalogue import COMMON
from ledger.facts.envelope import parse_events
from ledger.facts.recorded import Recorded
from ledger.facts.shape import Retention
from ledger.recorder import Receipt, Recorder
from ledger.store import Record
from ledger.store.engine import is_postgresql, rewrite, sqlite_path
from ledger.store.engine.sqlite import rewrite as rewrite_file
from ledger.store.erasing import Begun, Erasing, kept_rows
from ledger.store.rows import Entry
from ledger.store.vault import unsealed

SHORTEST_BYTES = 6
"""A shorter value is found by chance in any file: it is not searched for, and counted."""

_LONGEST_BYTES = 128
_AT_ONCE_BYTES = 8 * 1024 * 1024
_MOST_FOUND = 1_000
_SOURCE = "/greffe/erase"
_FACTS_AT_ONCE = 1_000


@dataclass(slots=True)
class Sought:
    """What must be gone: beginnings of clear values, keys and ciphertexts."""

    needles: set[bytes] = field(default_factory=set)
    values: int = 0
    too_short: int = 0
    technical: int = 0

    @classmethod
    def of(cls, entries: Iterable[Entry]) -> Sought:
        """Everything that must not be found of these entries."""
        sought = cls()
        for entry in entries:
            sought.values += 1
            sought.needles.add(entry.ciphertext[:_LONGEST_BYTES])
            if entry.key is not None:
                if entry.account != COMMON:  # the key of the mails of no account serves others still
                    sought.needles.add(entry.key)
                clear = unsealed(entry.key, entry.nonce, entry.ciphertext, entry.name)
                if clear is not None:
                    sought._value(clear)
        return sought

    def leave_out(self, leaves: Iterable[bytes]) -> None:
        """Leave out what the log holds as technical text: a leaf never holds a personal value."""
        needles = [needle for needle in self.needles if len(needle) >= SHORTEST_BYTES]
        if needles:
            automaton = BytesAhoCorasick(needles)
            found = {match[0] for leaf in leaves for match in automaton.find_matches_as_indexes(leaf)}
            self.technical = len(found)
            self.needles.difference_update(needles[number] for number in found)

    def _value(self, clear: bytes) -> None:
        """A value as it is, and as JSON and a mail of bare line feeds would hold it."""
        longest = max(clear.splitlines() or [b""], key=len)  # of a mail, the line that others hold least
        if len(longest) < SHORTEST_BYTES:
            self.too_short += 1
            return
        text = longest[:_LONGEST_BYTES]
        self.needles.add(text)
        self.needles.add(orjson.dumps(text.decode("utf-8", "ignore"))[1:-1])


@dataclass(frozen=True, slots=True)
class Hit:
    """A place where something was found that should be gone."""

    file: str
    offset: int


@dataclass(slots=True)
class Search:
    """What was searched, and what was found."""

    files: list[str] = field(default_factory=list)
    size_bytes: int = 0
    hits: list[Hit] = field(default_factory=list)


def search(sought: Sought, files: Iterable[Path]) -> Search:
    """Look for everything in every byte of these files; at most a thousand places are told."""
    found = Search()
    needles = [needle for needle in sought.needles if len(needle) >= SHORTEST_BYTES]
    automaton = BytesAhoCorasick(needles) if needles else None
    overlap = max(map(len, needles), default=1) - 1
    for path in files:
        found.files.append(str(path))
        for start, data in _chunks(path, overlap):
            found.size_bytes = found.size_bytes + len(data)
            for _, at, _ in automaton.find_matches_as_indexes(data) if automaton else ():
                hit = Hit(str(path), start + at)
                if len(found.hits) < _MOST_FOUND and hit not in found.hits[-1:]:
                    found.hits.append(hit)
    return found


def search_rows(sought: Sought, rows: Iterable[tuple[str, int, bytes]], found: Search) -> None:
    """Look for everything in rows too: table, place among its rows, and all that a client can read of one."""
    needles = [needle for needle in sought.needles if len(needle) >= SHORTEST_BYTES]
    automaton = BytesAhoCorasick(needles) if needles else None
    for table, place, data in rows:
        if found.files[-1:] != [table]:
            found.files.append(table)
        found.size_bytes += len(data)
        if automaton and len(found.hits) < _MOST_FOUND and automaton.find_matches_as_indexes(data):
            found.hits.append(Hit(table, place))


def _chunks(path: Path, overlap: int) -> Iterator[tuple[int, bytes]]:
    """The bytes of a file, piece by piece, each with the end of the one before."""
    tail, at = b"", 0
    with path.open("rb") as file:
        while data := file.read(_AT_ONCE_BYTES):
            yield at - len(tail), tail + data
            at += len(data)
            tail = (tail + data)[-overlap:] if overlap else b""


def kept_files(db: str, further: Iterable[Path]) -> list[Path]:
    """Every file of a ledger: the database with what lies beside it under its name, and ``further``."""
    beside = Path(db).resolve()
    roots = [path for path in beside.parent.iterdir() if path.name.startswith(beside.name)]
    found = {path for root in (*roots, *further) for path in _files_in(root)}
    return sorted(found)


def _files_in(root: Path) -> Iterator[Path]:
    if root.is_file():
        yield root.resolve()
    for folder, _, names in os.walk(root):
        yield from (path.resolve() for name in names if (path := Path(folder, name)).is_file())


@dataclass(frozen=True, slots=True)
class Erased:
    """What an erasure did."""

    classes: list[Retention]
    values: int
    sought: Sought
    before: Search
    after: Search
    receipt: Receipt


class Erasure:
    """Erases what the contract lets go of one account; every step may be repeated after a crash.

    ``classes`` are those that may be erased. ``mail_folder`` is that of the embedded mail server, whose
    copies of what was sent to the account go too. ``views`` is the file of the views. ``further`` files and
    folders are searched (exports).
    """

    def __init__(
        self,
        record: Record,
        recorder: Recorder,
        account: str,
        classes: list[Retention],
        *,
        mail_folder: Path | None = None,
        views: Path | None = None,
        further: Iterable[Path] = (),
    ) -> None:
        self._record = record
        self._recorder = recorder
        self._account = account
        self._classes = classes
        self._mail_folder = mail_folder
        if views is None and not is_postgresql(record.url):
            views = Path(f"{sqlite_path(record.url)}.views")
        self._views = views
        self._further = [*further, *filter(None, (mail_folder, views))]

    def run(self, request: str | None = None) -> Iterator[Erased]:
        """Finish what a crash interrupted, then erase until nothing is left; each is recorded.

        Raises:
            WrongLedgerError: another program has the ledger in use.
            ClockUnavailableError: the mail server gave no stamp; repeat the call.
        """
        while True:
            with closing(Erasing(self._record.url, self._account, self._classes)) as erasing:
                begun = erasing.begun()
                if begun is None and not erasing.counted():
                    return
                yield self._once(erasing, begun, request)

    def _once(self, erasing: Erasing, begun: Begun | None, request: str | None) -> Erased:
        """One erasure: nothing of a begun one can be looked for, since its values are destroyed."""
        sought = Sought() if begun else Sought.of(erasing.entries())
        sought.leave_out(fact.leaf for fact in self._facts())
        before = self._search(sought)
        if begun is None:
            self._remove_sent(sought)
            begun = erasing.destroy()
        rewrite(self._record.url)
        if self._views is not None and self._views.is_file():
            rewrite_file(str(self._views))
        after = self._search(sought)
        receipt = self._recorded(begun, request)
        erasing.recorded()
        return Erased(begun.classes, begun.values, sought, before, after, receipt)

    def _search(self, sought: Sought) -> Search:
        """Every file of the ledger; of one in PostgreSQL, all that a client can read of its tables."""
        if not is_postgresql(self._record.url):
            return search(sought, kept_files(self._record.path, self._further))
        found = search(sought, sorted(path for root in self._further for path in _files_in(root)))
        search_rows(sought, kept_rows(self._record.url), found)
        return found

    def _remove_sent(self, sought: Sought) -> None:
        """Remove the mail server's copies of what the ledger itself sent to the account."""
        if self._mail_folder is None:
            return
        owners = self._owners()
        for path in _files_in(self._mail_folder / "sent"):
            owner = owners.get(read_stored(path.read_bytes()).queue_id or "")
            if owner == self._account or (owner is None and search(sought, [path]).hits):
                path.unlink()

    def _owners(self) -> dict[str, str]:
        """The accounts of notifications, by queue id."""
        owners = {}
        for fact in self._facts():
            if fact.type == "notification.sent":
                owners[fact.fields["data"].get("stamp", {}).get("queue_id", "")] = fact.account
        return owners

    def _facts(self) -> Iterator[Recorded]:
        for at in range(0, self._record.size(), _FACTS_AT_ONCE):
            yield from self._record.facts(at, _FACTS_AT_ONCE)

    def _recorded(self, begun: Begun, request: str | None) -> Receipt:
        data = {"classes": sorted(begun.classes), "values": begun.values}
        event = {
            "specversion": "1.0",
            "id": f"erased-{begun.id}",
            "source": _SOURCE,
            "type": "person.erased",
            "subject": self._account,
            "data": {**data, "request": request} if request else data,
        }
        return self._recorder.record(parse_events([event], by_ledger=True))[0]


def counted(record: Record, account: str, at: Iterable[Retention]) -> dict[str, int]:
    """How many personal values of an account the vault holds, by class."""
    with closing(Erasing(record.url, account, list(at))) as erasing:
        return erasing.counted()


def stamped_too_early(erased: Erased, since: datetime | None) -> bool:
    """Whether the mail server's clock says that the erasure came before it might."""
    return since is not None and erased.receipt.legal_time < since
