"""Writing a Maildir so that what was acknowledged is there after a power cut."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

from ledger.clock.queue_id import encode

_FOLDERS = ("tmp", "new", "cur")


class Maildir:
    """One Maildir; each message is durable (file and folder synced) before ``store`` returns."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in _FOLDERS:
            (folder / name).mkdir(parents=True, exist_ok=True, mode=0o700)

    def store(self, instant: datetime, head: Callable[[str], bytes], body: bytes) -> str:
        """Keep ``head(queue_id)`` and ``body``; the queue id carries ``instant`` and the file's inode."""
        draft = self.folder / "tmp" / secrets.token_hex(16)
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            queue_id = encode(instant, os.fstat(descriptor).st_ino)
            with os.fdopen(descriptor, "wb", closefd=False) as file:
                file.write(head(queue_id) + body)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        draft.rename(self.folder / "new" / f"{int(instant.timestamp())}.{queue_id}.greffe")
        self._sync("new")
        return queue_id

    def waiting(self) -> Iterator[Path]:
        """Messages not yet taken, oldest first."""
        yield from sorted((self.folder / "new").iterdir())

    def remove(self, message: Path) -> None:
        """Take a message out for good."""
        message.unlink()
        self._sync("new")

    def _sync(self, name: str) -> None:
        descriptor = os.open(self.folder / name, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
