"""What a mail server says of one message, and the promise that every clock keeps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Stamp:
    """One stamping message, as the mail server took it.

    ``time`` is UTC with microseconds, read from the queue id; ``server`` names the clock
    (``postfix:HOST``, ``embedded``, ``simulated``); ``message_sha256`` is of the message as sent (CRLF).
    """

    time: datetime
    server: str
    queue_id: str
    message_id: str
    message_sha256: str


class Clock(Protocol):
    """A mail server that dates commits."""

    @property
    def name(self) -> str:
        """``postfix:HOST``, ``embedded`` or ``simulated``."""

    def stamp(self, digest: str, count: int, checkpoint: bytes = b"") -> Stamp:
        """Send the stamping message of a commit of ``count`` facts and read its stamp.

        The message carries ``checkpoint``, the one that was signed last, if there is one.

        Raises:
            ClockUnavailableError: within 5 seconds the server gave no usable stamp.
        """

    def unfollowed(self, after: datetime | None, is_committed: Callable[[str], bool]) -> list[str]:
        """The queue ids of stamping messages in the journal that no commit followed.

        Only those stamped after ``after`` (UTC; the last committed stamp, or ``None``) are looked at;
        ``is_committed`` tells of a queue id.
        """

    def close(self) -> None:
        """Let go of connections, ports and locks."""
