"""The journal: a Maildir where the mail server keeps every stamping message."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from collections.abc import Set as AbstractSet
from datetime import datetime
from pathlib import Path

from ledger.clock.message import Found, read_stored
from ledger.clock.queue_id import decode
from ledger.errors import WrongCallError

_FOLDERS = ("new", "cur")
_SLACK_SECONDS = 2
"""A Maildir name says when the file was delivered, in whole seconds, shortly after the stamp."""


class Journal:
    """Reads a Maildir of stamping messages; never writes it.

    Where each message lies is remembered, so that an audit reads every file once.
    """

    def __init__(self, folder: Path, origin: str) -> None:
        self.folder = folder
        self._origin = origin
        self._paths: dict[str, str] = {}
        self._read: set[str] = set()

    def find(self, queue_id: str) -> bytes | None:
        """The message that the server queued under this id, with CRLF line ends, or ``None``."""
        try:
            stamped = decode(queue_id)
        except WrongCallError:
            return None
        if queue_id not in self._paths:
            for name, found in self._since(stamped, but=self._read):
                self._read.add(name.rpartition("/")[2])
                if found.queue_id is not None:
                    self._paths[found.queue_id] = name
        return self._message(queue_id)

    def unfollowed(self, after: datetime | None, is_committed: Callable[[str], bool]) -> list[str]:
        """Queue ids of this ledger's stamping messages after an instant that no commit followed."""
        ids = set()
        for _, found in self._since(after, but=frozenset()):
            if found.queue_id and found.sent and found.origin == self._origin:
                try:
                    stamped = decode(found.queue_id)
                except WrongCallError:
                    continue
                if (after is None or stamped > after) and not is_committed(found.queue_id):
                    ids.add(found.queue_id)
        return sorted(ids)

    def _message(self, queue_id: str) -> bytes | None:
        """The message where it was last seen, or in ``cur`` when a reader has moved it there since."""
        name = self._paths.get(queue_id)
        if name is None:
            return None
        for path in (self.folder / name, *self.folder.glob(f"cur/{name.rpartition('/')[2]}*")):
            if path.is_file():
                return read_stored(path.read_bytes()).raw
        return None

    def _since(self, instant: datetime | None, *, but: AbstractSet[str]) -> Iterator[tuple[str, Found]]:
        """Messages delivered since about ``instant``, each with its name in the Maildir."""
        earliest = 0 if instant is None else int(instant.timestamp()) - _SLACK_SECONDS
        for box in _FOLDERS:
            folder = self.folder / box
            if not folder.is_dir():
                continue
            for path in folder.iterdir():
                seconds = path.name.partition(".")[0]
                if path.name not in but and seconds.isdecimal() and int(seconds) >= earliest:
                    yield f"{box}/{path.name}", read_stored(path.read_bytes())
