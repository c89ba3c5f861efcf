"""Stamps against the mail server's journal, and against each other (``proof.md``, Leaf; art. 23)."""

from __future__ import annotations

import hashlib
import re
import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Protocol

from ledger import instants
from ledger.audit.report import Report
from ledger.audit.signatures import SignatureCheck
from ledger.clock.message import Found, checkpoint_in, read_stored
from ledger.clock.queue_id import decode as decode_queue_id
from ledger.errors import ProofError, WrongCallError
from ledger.log.checkpoints import SignedCheckpoint
from ledger.store.commits import Commit

MOST_APART = timedelta(minutes=5)
"""How far the ``Received`` line and ``Date:`` of a message may lie from its stamp."""

_A_CRASH_OR_A_CUT = (
    "the log ends without its commit: the ledger crashed before it could record it, or its very last commit"
    " was cut off. The next stamp will name the message void; a receipt, a witness, or what the keys signed"
    " last tells the two apart."
)
_RECEIVED = re.compile(rb"^Received:(?P<text>.*\r\n(?:[ \t].*\r\n)*)", re.MULTILINE | re.IGNORECASE)
_HEADER = rb"^%s:[ \t]*(.*?)[ \t]*\r\n"


class StampingMessages(Protocol):
    """The journal, as an audit reads it."""

    def find(self, queue_id: str) -> bytes | None:
        """The message that the server queued under this id, with CRLF line ends, or ``None``."""

    def unfollowed(self, after: datetime | None, is_committed: Callable[[str], bool]) -> list[str]:
        """Queue ids of this ledger's stamping messages after an instant that no commit followed."""


class StampCheck:
    """Takes each stamp leaf in order of position."""

    def __init__(
        self,
        report: Report,
        across: sqlite3.Connection,
        signatures: SignatureCheck,
        journal: StampingMessages | None,
        *,
        clock: str,
        origin: str,
    ) -> None:
        self._report = report
        self._across = across
        self._signatures = signatures
        self._journal = journal
        self._clock = clock
        self._origin = origin
        self._latest: tuple[datetime, int] | None = None
        across.execute("CREATE TABLE stamped (queue_id TEXT, position INTEGER, void INTEGER)")

    def stamp(self, position: int, data: dict[str, Any], row: Commit | None) -> None:
        """Examine one stamp: its row in the list of commits, its clock, its queue id, its message."""
        stamped = instants.parse_instant(data["time"])
        if row is not None:
            self._listed(position, data, stamped, row)
        self._queue_id(position, data, stamped)
        if data["server"].partition(":")[0] != self._clock:
            self._report.wrong(
                position, "stamp.clock", self._clock, data["server"],
                "This stamp comes from another kind of clock than the ledger's.",
            )  # fmt: skip
        self._monotony(position, stamped)
        for queue_id in data.get("void", ()):
            self._void(position, queue_id)
        self._across.executemany(
            "INSERT INTO stamped VALUES (?,?,?)",
            [(data["queue_id"], position, 0), *((name, position, 1) for name in data.get("void", ()))],
        )
        if self._journal is not None:
            self._in_journal(position, data, stamped, self._journal.find(data["queue_id"]))

    def _void(self, position: int, queue_id: str) -> None:
        """A message that no commit followed: what it carries must still be of this log."""
        self._report.remark(
            f"The stamp at position {position} names a stamping message that no commit followed: {queue_id}."
        )
        message = self._journal.find(queue_id) if self._journal is not None else None
        if message is not None:
            self._carried(position, read_stored(message).sent)

    def _carried(self, position: int, sent: bytes) -> None:
        checkpoint = checkpoint_in(sent)
        if checkpoint is not None:
            self._signatures.message(position, checkpoint)

    def _listed(self, position: int, data: dict[str, Any], stamped: datetime, row: Commit) -> None:
        for what, kept, listed in (
            ("time", instants.canonical(stamped), instants.canonical(row.stamped_at)),
            ("server", data["server"], row.server),
            ("queue_id", data["queue_id"], row.queue_id),
        ):
            if kept != listed:
                self._report.wrong(
                    position, f"commit.{what}", kept, str(listed),
                    "The listing of this commit dates it otherwise than the mail server's stamp does.",
                )  # fmt: skip

    def _monotony(self, position: int, stamped: datetime) -> None:
        if self._latest is not None and stamped < self._latest[0]:
            self._report.remark(
                f"The mail server's clock was stepped back: the stamp at position {position} reads "
                f"{instants.plain(stamped)}, earlier than {instants.plain(self._latest[0])} at "
                f"position {self._latest[1]}."
            )
        self._latest = max((stamped, position), self._latest or (stamped, position))

    def _queue_id(self, position: int, data: dict[str, Any], stamped: datetime) -> None:
        try:
            carried = decode_queue_id(data["queue_id"])
        except WrongCallError:
            self._report.remark(
                f"The queue id at position {position} carries no time: its stamp rests on the journal alone."
            )
            return
        if carried != stamped:
            self._report.wrong(
                position, "stamp.queue_id", instants.canonical(carried), data["time"],
                "The time of this stamp is not the one that the mail server's own queue id carries.",
            )  # fmt: skip

    # The journal

    def _in_journal(
        self, position: int, data: dict[str, Any], stamped: datetime, message: bytes | None
    ) -> None:
        if message is None:
            self._report.wrong(
                position, "journal.missing", f"message {data['queue_id']}", "none",
                "The journal no longer has the message that dates this commit.",
            )  # fmt: skip
        elif not _ends_with_what_was_sent(message, data["message_sha256"]):
            self._report.wrong(
                position, "journal.altered", data["message_sha256"], hashlib.sha256(message).hexdigest(),
                "The journal's message is not the one that was sent to be dated.",
            )  # fmt: skip
        else:
            found = read_stored(message)
            self._sent(position, data, found)
            self._received(position, data, stamped, found)
            self._dated(position, stamped, found)
            self._carried(position, found.sent)

    def _sent(self, position: int, data: dict[str, Any], found: Found) -> None:
        """What the message says of itself, against the stamp leaf."""
        if found.digest != data["digest"]:
            self._report.wrong(
                position, "journal.digest", data["digest"], found.digest or "no digest",
                "The message that the mail server dated does not bind these facts.",
            )  # fmt: skip
        for rule, expected, said in (
            ("origin", self._origin, found.origin),
            ("count", str(data["count"]), _header(found.sent, b"X-Greffe-Count")),
            ("message_id", data["message_id"], _header(found.sent, b"Message-ID")),
        ):
            if said != expected:
                self._report.wrong(
                    position, f"journal.{rule}", expected, said,
                    "The message that the mail server dated speaks of another commit, or of another ledger.",
                )  # fmt: skip

    def _received(self, position: int, data: dict[str, Any], stamped: datetime, found: Found) -> None:
        """The line that the mail server wrote on top when it took the message."""
        _, named, host = data["server"].partition(":")
        for rule, expected, said in (
            ("queue_id", data["queue_id"], found.queue_id),
            ("server", host if named else found.server, found.server),
        ):
            if said != expected:
                self._report.wrong(
                    position, f"journal.received_{rule}", str(expected), str(said),
                    "The mail server's own line on the message contradicts the stamp that was recorded.",
                )  # fmt: skip
        line = _RECEIVED.search(found.raw)
        at = _instant(line.group("text").rpartition(b";")[2]) if line else None
        if at is None:
            self._report.remark(f"The message of the stamp at position {position} tells no time of receipt.")
        elif abs(at - stamped) > MOST_APART:
            self._report.wrong(
                position, "journal.received_time", instants.plain(stamped), instants.plain(at),
                "The mail server's own line on the message gives another time than the stamp that was "
                "recorded.",
            )  # fmt: skip

    def _dated(self, position: int, stamped: datetime, found: Found) -> None:
        date = _instant(_header(found.sent, b"Date").encode())
        if date is not None and abs(date - stamped) > MOST_APART:
            self._report.remark(
                f"The Date of the message of the stamp at position {position} is the sender's own, "
                f"{instants.plain(date)}, and the mail server read {instants.plain(stamped)}: only the "
                "server's time counts."
            )

    # Stamps against each other

    def compare(self, has_commit: Callable[[str], bool]) -> None:
        """What only all stamps together show; ``has_commit`` asks the live ledger, which may have grown."""
        self._across.execute("CREATE INDEX stamped_queue_id ON stamped (queue_id)")
        for queue_id, position, before in self._across.execute(
            "SELECT queue_id, position, before FROM (SELECT queue_id, position, lag(position) OVER"
            " (PARTITION BY queue_id ORDER BY position) AS before FROM stamped)"
            " WHERE before IS NOT NULL ORDER BY position"
        ):
            self._report.wrong(
                position, "stamp.twice", f"one commit for the message {queue_id}",
                f"also named at position {before}",
                "Two commits claim the same message of the mail server: one of them was not dated by it.",
            )  # fmt: skip
        missing = [queue_id for queue_id in self._unfollowed() if not has_commit(queue_id)]
        for queue_id in missing:
            if self._may_be_a_crash(queue_id, alone=len(missing) == 1):
                self._report.remark(f"The mail server dated message {queue_id}, and {_A_CRASH_OR_A_CUT}")
            else:
                self._uncommitted(queue_id)

    def _may_be_a_crash(self, queue_id: str, *, alone: bool) -> bool:
        """Whether a message was sent by the log as it ends now: with this checkpoint, or as the only one.

        A crash between stamp and commit leaves such a message, and so does a cut of the very last commit: no
        journal can tell them apart (``proof.md``, Leaf). A cut of more leaves messages of a longer log.
        """
        if self._latest is not None and decode_queue_id(queue_id) <= self._latest[0]:
            return False
        message = self._journal.find(queue_id) if self._journal is not None else None
        carried = None if message is None else checkpoint_in(message)
        if carried is None:
            return alone
        try:
            return SignedCheckpoint.parse(carried).checkpoint.size == self._report.leaves
        except ProofError:
            return False

    def _unfollowed(self) -> list[str]:
        return self._journal.unfollowed(None, self._is_named) if self._journal is not None else []

    def _is_named(self, queue_id: str) -> bool:
        found = self._across.execute("SELECT 1 FROM stamped WHERE queue_id = ?", (queue_id,)).fetchone()
        return found is not None

    def _uncommitted(self, queue_id: str) -> None:
        stamped = decode_queue_id(queue_id)
        last = self._latest is None or stamped > self._latest[0]
        expected = "a commit, or a later stamp that names it void"
        meaning = (
            "The mail server dated a commit that the record does not end with: the end of the log was cut "
            "off, or the ledger crashed before it could record it (its next stamp then says so)."
            if last
            else "The mail server dated a commit that the record does not have, and no stamp names it void: "
            "facts were cut out of the log, or the ledger crashed there and never said so."
        )
        self._report.wrong(
            self._report.leaves, "journal.uncommitted", expected,
            f"message {queue_id}, stamped {instants.plain(stamped)}", meaning,
        )  # fmt: skip


def _header(message: bytes, name: bytes) -> str:
    """The first header of that name, or nothing."""
    match = re.search(_HEADER % re.escape(name), message, re.MULTILINE | re.IGNORECASE)
    return match.group(1).decode("ascii", "replace") if match else ""


def _instant(text: bytes) -> datetime | None:
    """An RFC 5322 date-time as UTC; ``None`` when it is none."""
    try:
        found = parsedate_to_datetime(text.decode("ascii", "replace").strip())
    except (ValueError, TypeError, OverflowError):
        return None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)


def _ends_with_what_was_sent(message: bytes, sha256: str) -> bool:
    """Whether the message ends with the bytes of this digest: the server adds lines on top only."""
    head = message.partition(b"\r\n\r\n")[0]
    starts = [0, *(found.end() for found in re.finditer(rb"\r\n", head))]
    return any(hashlib.sha256(message[at:]).hexdigest() == sha256 for at in starts)
