"""The journal: a Maildir where the mail server keeps every stamping message."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

from ledger.clock.message import Found, read_stored
from ledger.clock.queue_id import decode
from ledger.errors import WrongCallError

_FOLDERS = ("new", "cur")
_SLACK_SECONDS = 2
"""A Maildir name says when the file was delivered, in whole seconds, shortly after the stamp."""


class Journal:
    """Reads a Maildir of stamping messages; never writes it."""

    def __init__(self, folder: Path, origin: str) -> None:
        self.folder = folder
        self._origin = origin

    def find(self, queue_id: str) -> bytes | None:
        """The message that the server queued under this id, with CRLF line ends, or ``None``."""
        try:
            stamped = decode(queue_id)
        except WrongCallError:
            return None
        for found in self._since(stamped):
            if found.queue_id == queue_id:
                return found.raw
        return None

    def unfollowed(self, after: datetime | None, is_committed: Callable[[str], bool]) -> list[str]:
        """Queue ids of this ledger's stamping messages after an instant that no commit followed."""
        ids = set()
        for found in self._since(after):
            if found.queue_id and found.sent and found.origin == self._origin:
                try:
                    stamped = decode(found.queue_id)
                except WrongCallError:
                    continue
                if (after is None or stamped > after) and not is_committed(found.queue_id):
                    ids.add(found.queue_id)
        return sorted(ids)

    def _since(self, instant: datetime | None) -> Iterator[Found]:
        earliest = 0 if instant is None else int(instant.timestamp()) - _SLACK_SECONDS
        for name in _FOLDERS:
            folder = self.folder / name
            if not folder.is_dir():
                continue
            for path in folder.iterdir():
                seconds = path.name.partition(".")[0]
                if seconds.isdecimal() and int(seconds) >= earliest:
                    yield read_stored(path.read_bytes())
