"""The replay: every leaf decoded strictly, every digest and root computed again, in order of position.

Every rule of the write side is applied again. What must be compared across the whole log is sorted on
disk, so memory does not grow with the ledger.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from cryptography.x509 import Certificate

from ledger import instants
from ledger.audit.basis import BasisCheck
from ledger.audit.index import IndexCheck
from ledger.audit.report import Report
from ledger.audit.signatures import SignatureCheck
from ledger.audit.stamps import StampCheck, StampingMessages
from ledger.audit.tiles import TileCheck
from ledger.audit.vault import VaultCheck
from ledger.errors import GreffeError, MalformedFactError
from ledger.facts.catalogue import COMMON, TYPES, Opening, account_of
from ledger.facts.envelope import decode
from ledger.log.merkle import Frontier, leaf_hash
from ledger.store import Record
from ledger.store.commits import Commit
from ledger.store.rows import Rows, as_bytes

_PAGE = 250
_EARLIEST = -(2**62)
_STAMP = "stamp.received"
_MESSAGES = frozenset({"mail.received", "notification.sent"})

Row = tuple[int, str, int, str, bytes]
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Scope:
    """What an audit has at hand, beside the ledger: see ``audit``."""

    as_of: datetime | None = None
    journal: StampingMessages | None = None
    signed: Iterable[tuple[str, bytes]] = ()
    roots: Sequence[Certificate] = ()


@dataclass(slots=True)
class _OpenCommit:
    """The commit whose leaves are being read."""

    position: int
    data: dict[str, Any] | None
    row: Commit | None
    facts: int = 0
    hashes: Any = field(default_factory=hashlib.sha256)


class Replay:
    """One pass over the leaves, in order of position."""

    def __init__(self, record: Record, rows: Rows, across: sqlite3.Connection, scope: Scope) -> None:
        self._record = record
        self._kept = rows
        self._across = across
        self._scope = scope
        self._report = report = Report()
        self._frontier = Frontier()
        self._rows = record.commits(_EARLIEST)
        self._next_row: Commit | None = None
        self._commit: _OpenCommit | None = None
        across.execute("CREATE TABLE stream (subject TEXT, position INTEGER, version)")
        across.execute("CREATE TABLE identity (key TEXT, position INTEGER)")
        across.execute("CREATE TABLE owned (name TEXT PRIMARY KEY, account TEXT) WITHOUT ROWID")
        identity = record.identity if rows.size else None
        clock, origin = (identity.clock, identity.origin) if identity else ("", "")
        self._signatures = SignatureCheck(report, across, origin, scope.roots)
        self._stamps = StampCheck(report, across, self._signatures, scope.journal, clock=clock, origin=origin)
        self._tiles = TileCheck(report, rows)
        self._index = IndexCheck(report, across)
        self._vault = VaultCheck(report, across)
        self._basis = BasisCheck(report)

    def run(self, progress: Progress | None) -> Report:
        """The replay, then what can only be compared across the whole log."""
        end, report = self._kept.size, self._report
        try:
            self._replay(end, progress)
            report.root = self._frontier.root().hex()
            if self._scope.as_of is None:
                self._beyond(end)
                self._compare_whole(end)
            else:
                report.remark("Up to an instant: vault, tiles, indexes and signatures are of now, and "
                              "were not examined.")  # fmt: skip
        except (sqlite3.DatabaseError, GreffeError) as error:
            report.wrong(
                report.leaves, "store.unreadable", "a readable log", str(error),
                "The file is damaged here: what follows could not be examined.",
            )  # fmt: skip
        self._compare_across()
        if self._scope.journal is None:
            report.remark("The journal was not at hand: stamps were not compared with it.")
        report.discrepancies.sort(key=lambda discrepancy: discrepancy.position)
        return report

    def _compare_whole(self, end: int) -> None:
        self._tiles.finish(end)
        self._index.compare(self._kept)
        self._vault.compare(self._kept)
        self._stamps.compare(self._kept.grown)
        self._basis.compare()
        self._signatures.compare(self._kept, self._scope.signed)

    def _replay(self, end: int, progress: Progress | None) -> None:
        expected = 0
        for row in self._leaves(end):
            position = row[0]
            if position != expected:
                self._gap(expected, position)
            leaf = self._structure(row)
            if row[3] == _STAMP or (leaf is not None and leaf["type"] == _STAMP):
                data = leaf["data"] if leaf is not None and leaf["type"] == _STAMP else None
                if self._is_later(data):
                    self._close_commit()
                    return
                self._close_commit()
                self._open_commit(position, data)
                self._hash(position, row[4])
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

    def _is_later(self, data: dict[str, Any] | None) -> bool:
        as_of = self._scope.as_of
        return bool(as_of and data and instants.parse_instant(data["time"]) > as_of)

    def _hash(self, position: int, state: bytes) -> bytes:
        hashed = leaf_hash(state)
        self._frontier.append(hashed)
        self._tiles.leaf(position, hashed)
        return hashed

    def _leaves(self, end: int) -> Iterator[Row]:
        start = _EARLIEST
        while page := self._record.scan(start, _PAGE):
            for row in page:
                if row[0] >= end:
                    return
                yield self._with_bytes(row)
            start = page[-1][0] + 1

    def _with_bytes(self, row: Row) -> Row:
        position, subject, version, topic, state = row
        if not isinstance(state, bytes):
            self._report.wrong(
                position, "leaf.type", "bytes", type(state).__name__,
                "The stored bytes of this leaf were replaced by something else than bytes.",
            )  # fmt: skip
        return position, subject, version, topic, as_bytes(state)

    def _gap(self, expected: int, found: int) -> None:
        self._report.wrong(
            expected, "position.gap", f"a leaf at {expected}", f"the next leaf is at {found}",
            f"{found - expected} leaves are missing here: facts were removed after they were recorded."
            if found > expected else "A leaf was put where none can be.",
        )  # fmt: skip

    def _structure(self, row: Row) -> dict[str, Any] | None:
        """The leaf, decoded strictly, and its columns compared with it; ``None`` when it cannot be read."""
        position, subject, _, topic, state = row
        try:
            leaf = decode(state)
        except (MalformedFactError, TypeError, ValueError) as error:
            self._report.wrong(
                position, "leaf.structure", "bytes that the ledger writes", str(error),
                "The stored bytes of this leaf were altered: no ledger writes them so.",
            )  # fmt: skip
            return None
        for column, stored in (("subject", subject), ("type", topic)):
            if leaf[column] != stored:
                self._report.wrong(
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
                self._report.wrong(
                    row.position, "commit.without_stamp", "a stamp leaf", "another leaf, or none",
                    "A commit is listed whose stamp is not in the log.",
                )  # fmt: skip
                self._next_row = None
        except (OverflowError, TypeError, ValueError) as error:
            self._report.wrong(
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
            self._report.wrong(
                position, "commit.missing", "a row in the table of commits", "none",
                "The commit that this stamp dates is no longer listed.",
            )  # fmt: skip
        if data is not None:
            self._stamps.stamp(position, data, row)

    def _close_commit(self) -> None:
        commit, self._commit = self._commit, None
        if commit is None:
            return
        digest = commit.hashes.hexdigest()
        if commit.data is not None and commit.data["digest"] != digest:
            self._report.wrong(
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
            self._report.wrong(
                commit.position, "commit.count", f"{stamp_says} facts by its stamp, {listed} as listed",
                f"{commit.facts} facts", "Facts of this commit were added or removed.",
            )  # fmt: skip
        if commit.row is not None:
            self._signatures.root(commit.row.size, self._frontier.root())
            self._root(commit.position, commit.row)

    def _root(self, position: int, row: Commit) -> None:
        """Compare the root; after a difference go on from the stored one, so that each is named once."""
        if self._frontier.root() == row.root and self._frontier.to_bytes() == row.frontier:
            return
        self._report.wrong(
            position, "commit.root", self._frontier.root().hex(), as_bytes(row.root).hex(),
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
        hashed = self._hash(position, state)
        self._report.facts += 1
        if self._commit is None:
            self._report.wrong(
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
            self._vault.leaf(position, leaf)
            self._signatures.leaf(position, leaf)
            self._basis.leaf(position, leaf)

    def _opening(self, position: int, version: int, leaf: dict[str, Any]) -> None:
        opening = TYPES[leaf["type"]].opening
        first = version == 1
        if (opening is Opening.OPENS and not first) or (opening is Opening.CONTINUES and first):
            self._report.wrong(
                position, "subject.opening", f"{leaf['type']} {opening.value} its subject",
                f"version {version}",
                "A subject was opened twice, or goes on without ever having been opened: a fact was removed, "
                "added or moved.",
            )  # fmt: skip

    def _account(self, position: int, leaf: dict[str, Any]) -> None:
        account = account_of(leaf["subject"])
        if leaf["type"] == "account.opened":
            self._own(account, account)
        elif account != COMMON and self._owner(account) is None:
            self._report.wrong(
                position, "account.unopened", f"account {account} opened before", "no opening",
                "A fact is recorded of an account that had not been opened.",
            )  # fmt: skip

    def _mail(self, position: int, leaf: dict[str, Any]) -> None:
        mail = leaf.get("mail")
        if mail is not None:
            owner = self._owner(mail)
            account = account_of(leaf["subject"])
            if owner is None or owner != account:
                found = "no earlier message" if owner is None else f"a message of {owner or 'no account yet'}"
                self._report.wrong(
                    position, "mail.reference", f"an earlier message {mail} of {account or 'no account'}",
                    found,
                    "This fact takes its time from a message that the record does not have, or of another "
                    "account.",
                )  # fmt: skip
        if leaf["type"] in _MESSAGES:
            if self._owner(leaf["subject"]) is None:
                self._own(leaf["subject"], account_of(leaf["subject"]))
        elif leaf["type"] == "mail.attributed":
            self._own(leaf["subject"], leaf["data"]["account"])

    def _own(self, name: str, account: str) -> None:
        """Note whose an account or a message is."""
        self._across.execute("INSERT OR REPLACE INTO owned VALUES (?,?)", (name, account))

    def _owner(self, name: str) -> str | None:
        row = self._across.execute("SELECT account FROM owned WHERE name = ?", (name,)).fetchone()
        return row[0] if row else None

    # The whole log

    def _note_across(self, row: Row, leaf: dict[str, Any] | None) -> None:
        position, subject, version, topic, _ = row
        self._index.leaf(position, topic, leaf)
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
            self._report.wrong(
                position, "subject.version", f"the version after {before} of {subject}",
                f"version {version}",
                "The history of this subject has a hole or a fact twice: one was removed, added or moved.",
            )  # fmt: skip
        for key, position, before in self._across.execute(
            "SELECT * FROM (SELECT key, position, lag(position) OVER (PARTITION BY key ORDER BY position)"
            " AS before FROM identity) WHERE before IS NOT NULL ORDER BY position"
        ):
            self._report.wrong(
                position, "identity.twice", f"id and source {key} once", f"also at position {before}",
                "The same fact stands twice in the record.",
            )  # fmt: skip

    def _beyond(self, end: int) -> None:
        """Leaves and commits after the last listed commit; what a recorder appends meanwhile is none."""
        page = self._record.scan(end, 1)
        if page and page[0][0] >= self._record.size():
            self._report.wrong(
                page[0][0], "log.beyond", f"a log of {end} leaves", f"a leaf at {page[0][0]}",
                "There are leaves after the last listed commit: the listing of a commit was removed.",
            )  # fmt: skip
