"""The audit: the whole record replayed from its stored bytes, trusting nothing that was derived.

Every leaf is decoded strictly, every commit's digest and Merkle root computed again, every rule of the
write side applied again. The audit does not stop at the first discrepancy; each is named by its
position, with one sentence that says what it means. Leaves are read in pages and what must be compared
across the whole log is sorted on disk, so memory does not grow with the ledger.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ledger import instants
from ledger.clock.message import FIRST_HEADER
from ledger.clock.queue_id import decode as decode_queue_id
from ledger.errors import GreffeError, MalformedFactError, WrongCallError
from ledger.facts.catalogue import COMMON, TYPES, Opening, account_of
from ledger.facts.envelope import decode
from ledger.log.merkle import Frontier, leaf_hash
from ledger.store import Record
from ledger.store.commits import Commit

MOST_KEPT = 10_000
"""Discrepancies beyond these are counted, not kept: a ruined file must not fill the memory."""

_PAGE = 250
_EARLIEST = -(2**62)
_STAMP = "stamp.received"
_MESSAGES = frozenset({"mail.received", "notification.sent"})

Row = tuple[int, str, int, str, bytes]
FindMessage = Callable[[str], bytes | None]
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Discrepancy:
    """One place where the record is not what an honest ledger would hold.

    ``rule`` is a short stable name; ``meaning`` says in a sentence what it means for the parties.
    """

    position: int
    rule: str
    expected: str
    found: str
    meaning: str

    def to_json(self) -> dict[str, Any]:
        """The discrepancy as the command prints it."""
        return {
            "position": self.position,
            "rule": self.rule,
            "expected": self.expected,
            "found": self.found,
            "meaning": self.meaning,
        }


@dataclass(slots=True)
class Report:
    """What an audit found. ``remarks`` are worth knowing and are no discrepancy."""

    leaves: int = 0
    facts: int = 0
    commits: int = 0
    root: str = ""
    total: int = 0
    discrepancies: list[Discrepancy] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        """Whether nothing is wrong."""
        return self.total == 0

    def to_json(self) -> dict[str, Any]:
        """The report as the command prints it; ``discrepancy_count`` counts those not kept, too."""
        return {
            "clean": self.clean,
            "leaves": self.leaves,
            "facts": self.facts,
            "commits": self.commits,
            "root": self.root,
            "discrepancy_count": self.total,
            "discrepancies": [discrepancy.to_json() for discrepancy in self.discrepancies],
            "remarks": self.remarks,
        }


def audit(
    record: Record,
    *,
    progress: Progress | None = None,
    as_of: datetime | None = None,
    find_message: FindMessage | None = None,
) -> Report:
    """Replay a ledger from its stored bytes.

    ``as_of`` (UTC) ends the replay before the first commit stamped later. ``find_message`` gives the
    journal's stamping message by its queue id, as stored (CRLF); without it stamps are not compared
    with the journal, and the report says so. ``progress`` is told (leaves done, leaves in all).
    """
    with closing(sqlite3.connect("")) as across:  # a temporary file, private and deleted by SQLite
        return _Replay(record, across, as_of, find_message).run(progress)


@dataclass(slots=True)
class _OpenCommit:
    """The commit whose leaves are being read."""

    position: int
    data: dict[str, Any] | None
    row: Commit | None
    facts: int = 0
    hashes: Any = field(default_factory=hashlib.sha256)


class _Replay:
    """One pass over the leaves, in order of position."""

    def __init__(
        self,
        record: Record,
        across: sqlite3.Connection,
        as_of: datetime | None,
        find_message: FindMessage | None,
    ) -> None:
        self._record = record
        self._across = across
        self._as_of = as_of
        self._find_message = find_message
        self._report = Report()
        self._frontier = Frontier()
        self._rows = record.commits(_EARLIEST)
        self._next_row: Commit | None = None
        self._commit: _OpenCommit | None = None
        self._latest_stamp: tuple[datetime, int] | None = None
        self._accounts: set[str] = set()
        self._messages: dict[str, str] = {}
        self._clock = ""
        across.execute("CREATE TABLE stream (subject TEXT, position INTEGER, version)")
        across.execute("CREATE TABLE identity (key TEXT, position INTEGER)")

    def run(self, progress: Progress | None) -> Report:
        """The replay, then what can only be compared across the whole log."""
        try:
            end = self._record.size()
            self._clock = self._record.identity.clock if end else ""
            self._replay(end, progress)
            if self._as_of is None:
                self._beyond(end)
        except (sqlite3.DatabaseError, GreffeError) as error:
            self._wrong(
                self._report.leaves, "store.unreadable", "a readable log", str(error),
                "The file is damaged here: what follows could not be examined.",
            )  # fmt: skip
        self._compare_across()
        if self._find_message is None:
            self._report.remarks.append("The journal was not at hand: stamps were not compared with it.")
        self._report.root = self._frontier.root().hex()
        return self._report

    def _replay(self, end: int, progress: Progress | None) -> None:
        expected = 0
        for row in self._leaves(end):
            position = row[0]
            if position != expected:
                self._gap(expected, position)
            leaf = self._structure(row)
            if row[3] == _STAMP or (leaf is not None and leaf["type"] == _STAMP):
                data = leaf["data"] if leaf is not None and leaf["type"] == _STAMP else None
                if self._as_of and data and instants.parse_instant(data["time"]) > self._as_of:
                    self._close_commit()
                    return
                self._close_commit()
                self._open_commit(position, data)
                self._frontier.append(leaf_hash(row[4]))
            else:
                self._fact(row, leaf)
            self._note_across(row, leaf)
            expected = position + 1
            self._report.leaves += 1
            if progress and expected % _PAGE == 0:
                progress(expected, end)
        self._close_commit()
        if expected < end:
            self._gap(expected, end)
        self._row_at(end)
        if progress:
            progress(end, end)

    def _leaves(self, end: int) -> Iterator[Row]:
        start = _EARLIEST
        while page := self._record.scan(start, _PAGE):
            for row in page:
                if row[0] >= end:
                    return
                yield row
            start = page[-1][0] + 1

    def _gap(self, expected: int, found: int) -> None:
        self._wrong(
            expected, "position.gap", f"a leaf at {expected}", f"the next leaf is at {found}",
            f"{found - expected} leaves are missing here: facts were removed after they were recorded."
            if found > expected else "A leaf was put where none can be.",
        )  # fmt: skip

    def _structure(self, row: Row) -> dict[str, Any] | None:
        """The leaf, decoded strictly, and its columns compared with it; ``None`` when it cannot be read."""
        position, subject, _, topic, state = row
        try:
            leaf = decode(bytes(state))
        except (MalformedFactError, TypeError, ValueError) as error:
            self._wrong(
                position, "leaf.structure", "bytes that the ledger writes", str(error),
                "The stored bytes of this leaf were altered: no ledger writes them so.",
            )  # fmt: skip
            return None
        for column, stored in (("subject", subject), ("type", topic)):
            if leaf[column] != stored:
                self._wrong(
                    position, f"column.{column}", str(leaf[column]), str(stored),
                    f"The index gives this leaf another {column} than its own bytes: it would be found "
                    "under the wrong name.",
                )  # fmt: skip
        return leaf

    # Commits and their stamps

    def _row_at(self, position: int) -> Commit | None:
        """The commit row at ``position``; rows passed over have no stamp leaf."""
        try:
            while (row := self._peeked_row()) is not None and row.position < position:
                self._wrong(
                    row.position, "commit.without_stamp", "a stamp leaf", "another leaf, or none",
                    "A commit is listed whose stamp is not in the log.",
                )  # fmt: skip
                self._next_row = None
        except (OverflowError, TypeError, ValueError) as error:
            self._wrong(
                position, "commit.unreadable", "a row of the table of commits", str(error),
                "The listing of this commit was altered and cannot be read.",
            )  # fmt: skip
            self._rows = self._record.commits(position + 1)
            return None
        if row is None or row.position != position:
            return None
        self._next_row = None
        return row

    def _peeked_row(self) -> Commit | None:
        if self._next_row is None:
            self._next_row = next(self._rows, None)
        return self._next_row

    def _open_commit(self, position: int, data: dict[str, Any] | None) -> None:
        row = self._row_at(position)
        self._commit = _OpenCommit(position, data, row)
        self._report.commits += 1
        if row is None:
            self._wrong(
                position, "commit.missing", "a row in the table of commits", "none",
                "The commit that this stamp dates is no longer listed.",
            )  # fmt: skip
        if data is not None:
            self._stamp(position, data, row)

    def _stamp(self, position: int, data: dict[str, Any], row: Commit | None) -> None:
        stamped = instants.parse_instant(data["time"])
        if row is not None:
            for what, kept, listed in (
                ("time", instants.canonical(stamped), instants.canonical(row.stamped_at)),
                ("server", data["server"], row.server),
                ("queue_id", data["queue_id"], row.queue_id),
            ):
                if kept != listed:
                    self._wrong(
                        position, f"commit.{what}", kept, str(listed),
                        "The listing of this commit dates it otherwise than the mail server's stamp does.",
                    )  # fmt: skip
        self._queue_id(position, data, stamped)
        if data["server"].partition(":")[0] != self._clock:
            self._wrong(
                position, "stamp.clock", self._clock, data["server"],
                "This stamp comes from another kind of clock than the ledger's.",
            )  # fmt: skip
        if self._latest_stamp is not None and stamped < self._latest_stamp[0]:
            self._report.remarks.append(
                f"The mail server's clock was stepped back: the stamp at position {position} reads "
                f"{instants.plain(stamped)}, earlier than {instants.plain(self._latest_stamp[0])} at "
                f"position {self._latest_stamp[1]}."
            )
        self._latest_stamp = max((stamped, position), self._latest_stamp or (stamped, position))
        for queue_id in data.get("void", ()):
            self._report.remarks.append(
                f"The stamp at position {position} names a stamping message that no commit "
                f"followed: {queue_id}."
            )
        if self._find_message is not None:
            self._journal(position, data, self._find_message(data["queue_id"]))

    def _queue_id(self, position: int, data: dict[str, Any], stamped: datetime) -> None:
        try:
            carried = decode_queue_id(data["queue_id"])
        except WrongCallError:
            self._report.remarks.append(
                f"The queue id at position {position} carries no time: its stamp rests on the journal alone."
            )
            return
        if carried != stamped:
            self._wrong(
                position, "stamp.queue_id", instants.canonical(carried), data["time"],
                "The time of this stamp is not the one that the mail server's own queue id carries.",
            )  # fmt: skip

    def _journal(self, position: int, data: dict[str, Any], message: bytes | None) -> None:
        if message is None:
            self._wrong(
                position, "journal.missing", f"message {data['queue_id']}", "none",
                "The journal no longer has the message that dates this commit.",
            )  # fmt: skip
        elif not _ends_with_what_was_sent(message, data["message_sha256"]):
            self._wrong(
                position, "journal.altered", data["message_sha256"], hashlib.sha256(message).hexdigest(),
                "The journal's message is not the one that was sent to be dated.",
            )  # fmt: skip
        elif FIRST_HEADER + data["digest"].encode() not in message:
            self._wrong(
                position, "journal.digest", data["digest"], "another digest",
                "The message that the mail server dated does not bind these facts.",
            )  # fmt: skip

    def _close_commit(self) -> None:
        commit, self._commit = self._commit, None
        if commit is None:
            return
        digest = commit.hashes.hexdigest()
        if commit.data is not None and commit.data["digest"] != digest:
            self._wrong(
                commit.position, "commit.digest", commit.data["digest"], digest,
                f"The facts at positions {commit.position + 1} to {commit.position + commit.facts} are not "
                "those that the mail server dated: one at least was altered, added, removed or moved.",
            )  # fmt: skip
        counted = {commit.facts}
        counted |= {commit.data["count"]} if commit.data is not None else set()
        counted |= {commit.row.count} if commit.row is not None else set()
        if len(counted) > 1:
            stamp_says = commit.data["count"] if commit.data is not None else "unreadable"
            listed = commit.row.count if commit.row is not None else "none"
            self._wrong(
                commit.position, "commit.count", f"{stamp_says} facts by its stamp, {listed} as listed",
                f"{commit.facts} facts", "Facts of this commit were added or removed.",
            )  # fmt: skip
        if commit.row is not None:
            self._root(commit.position, commit.row)

    def _root(self, position: int, row: Commit) -> None:
        """Compare the root; after a difference go on from the stored one, so that each is named once."""
        if self._frontier.root() == row.root and self._frontier.to_bytes() == row.frontier:
            return
        self._wrong(
            position, "commit.root", self._frontier.root().hex(), row.root.hex(),
            "The tree over all leaves up to this commit is not the one that was kept when it was made."
            if self._frontier.root() != row.root
            else "What the ledger kept to go on with the tree does not belong to this tree.",
        )  # fmt: skip
        try:
            kept = Frontier.from_bytes(row.size, row.frontier)
        except (ValueError, TypeError):
            return
        if kept.root() == row.root:
            self._frontier = kept

    # Facts

    def _fact(self, row: Row, leaf: dict[str, Any] | None) -> None:
        position, _, version, _, state = row
        hashed = leaf_hash(bytes(state))
        self._frontier.append(hashed)
        self._report.facts += 1
        if self._commit is None:
            self._wrong(
                position, "commit.none", "a stamp before it", "none",
                "This fact was recorded under no stamp: nothing dates it.",
            )  # fmt: skip
        else:
            self._commit.facts += 1
            self._commit.hashes.update(hashed)
        if leaf is not None:
            self._opening(position, version, leaf)
            self._account(position, leaf)
            self._mail(position, leaf)

    def _opening(self, position: int, version: int, leaf: dict[str, Any]) -> None:
        opening = TYPES[leaf["type"]].opening
        first = version == 1
        if (opening is Opening.OPENS and not first) or (opening is Opening.CONTINUES and first):
            self._wrong(
                position, "subject.opening", f"{leaf['type']} {opening.value} its subject",
                f"version {version}",
                "A subject was opened twice, or goes on without ever having been opened: a fact was removed, "
                "added or moved.",
            )  # fmt: skip

    def _account(self, position: int, leaf: dict[str, Any]) -> None:
        account = account_of(leaf["subject"])
        if leaf["type"] == "account.opened":
            self._accounts.add(account)
        elif account != COMMON and account not in self._accounts:
            self._wrong(
                position, "account.unopened", f"account {account} opened before", "no opening",
                "A fact is recorded of an account that had not been opened.",
            )  # fmt: skip

    def _mail(self, position: int, leaf: dict[str, Any]) -> None:
        mail = leaf.get("mail")
        if mail is not None:
            owner = self._messages.get(mail)
            account = account_of(leaf["subject"])
            if owner is None or owner != account:
                found = "no earlier message" if owner is None else f"a message of {owner or 'no account yet'}"
                self._wrong(
                    position, "mail.reference", f"an earlier message {mail} of {account or 'no account'}",
                    found,
                    "This fact takes its time from a message that the record does not have, or of another "
                    "account.",
                )  # fmt: skip
        if leaf["type"] in _MESSAGES:
            self._messages.setdefault(leaf["subject"], account_of(leaf["subject"]))
        elif leaf["type"] == "mail.attributed":
            self._messages[leaf["subject"]] = leaf["data"]["account"]

    # The whole log

    def _note_across(self, row: Row, leaf: dict[str, Any] | None) -> None:
        position, subject, version, _, _ = row
        self._across.execute("INSERT INTO stream VALUES (?,?,?)", (subject, position, version))
        if leaf is not None and "id" in leaf:
            self._across.execute(
                "INSERT INTO identity VALUES (?,?)", (f"{leaf['id']} {leaf['source']}", position)
            )

    def _compare_across(self) -> None:
        for subject, position, version, before in self._across.execute(
            "SELECT * FROM (SELECT subject, position, version, lag(version, 1, 0) OVER"
            " (PARTITION BY subject ORDER BY position) AS before FROM stream)"
            " WHERE version IS NOT before + 1 ORDER BY position"
        ):
            self._wrong(
                position, "subject.version", f"the version after {before} of {subject}",
                f"version {version}",
                "The history of this subject has a hole or a fact twice: one was removed, added or moved.",
            )  # fmt: skip
        for key, position, before in self._across.execute(
            "SELECT * FROM (SELECT key, position, lag(position) OVER (PARTITION BY key ORDER BY position)"
            " AS before FROM identity) WHERE before IS NOT NULL ORDER BY position"
        ):
            self._wrong(
                position, "identity.twice", f"id and source {key} once", f"also at position {before}",
                "The same fact stands twice in the record.",
            )  # fmt: skip
        self._report.discrepancies.sort(key=lambda discrepancy: discrepancy.position)

    def _beyond(self, end: int) -> None:
        """Leaves and commits after the last listed commit; what a recorder appends meanwhile is none."""
        page = self._record.scan(end, 1)
        if page and page[0][0] >= self._record.size():
            self._wrong(
                page[0][0], "log.beyond", f"a log of {end} leaves", f"a leaf at {page[0][0]}",
                "There are leaves after the last listed commit: the listing of a commit was removed.",
            )  # fmt: skip

    def _wrong(self, position: int, rule: str, expected: str, found: str, meaning: str) -> None:
        self._report.total += 1
        if len(self._report.discrepancies) < MOST_KEPT:
            self._report.discrepancies.append(Discrepancy(position, rule, expected, found, meaning))


def _ends_with_what_was_sent(message: bytes, sha256: str) -> bool:
    """Whether the message ends with the bytes of this digest: the server adds lines on top only."""
    at = message.find(FIRST_HEADER)
    while at >= 0:
        if hashlib.sha256(message[at:]).hexdigest() == sha256:
            return True
        at = message.find(FIRST_HEADER, at + 1)
    return False
