"""Automatic acknowledgements of received mail (art. 23 via ``clauses.md`` §1; RFC 3834).

The acknowledgement's own stamp bounds from above when a client's mail reached the provider.
"""

from __future__ import annotations

import logging
import queue
import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime

from ledger.clock.message import Outgoing
from ledger.errors import ClockUnavailableError

RETRY_SECONDS = 5.0
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Due:
    """An acknowledgement to send: to whom, about which recorded mail."""

    account: str
    address: str
    about: str
    message_id: str | None


def compose(due: Due, sender: str) -> Outgoing:
    """The acknowledgement itself: automatic, without an envelope sender to answer to (RFC 3834 §3)."""
    domain = sender.rpartition("@")[2] or "localhost"
    message_id = f"<ack.{secrets.token_hex(16)}@{domain}>"
    headers = [
        f"Message-ID: {message_id}",
        f"Date: {format_datetime(datetime.now(UTC))}",
        f"From: {sender}",
        f"To: {due.address}",
        "Subject: Accuse de reception / Acknowledgement of receipt",
        "Auto-Submitted: auto-replied",
        "MIME-Version: 1.0",
        "Content-Type: text/plain; charset=utf-8",
        "Content-Transfer-Encoding: 8bit",
    ]
    if due.message_id and due.message_id.isascii() and due.message_id.isprintable():
        headers.insert(1, f"In-Reply-To: {due.message_id}")
    text = (
        "",
        "Votre courrier a ete recu et enregistre.",
        "Your mail was received and recorded.",
        f"Reference: {due.about}",
        "",
    )
    return Outgoing(message_id, "\r\n".join([*headers, *text]).encode())


class Acknowledger:
    """Sends acknowledgements one after the other, and tries again until the mail server takes them."""

    def __init__(self, send: Callable[[Due], None], *, retry_seconds: float = RETRY_SECONDS) -> None:
        self._send = send
        self._retry_seconds = retry_seconds
        self._due: queue.SimpleQueue[Due | None] = queue.SimpleQueue()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._work, name="greffe-acknowledger", daemon=True)
        self._thread.start()

    def add(self, due: Due) -> None:
        """Send this one when its turn comes."""
        self._due.put(due)

    def close(self) -> None:
        """Stop; what is still due is found again from the record at the next start."""
        self._stopping.set()
        self._due.put(None)
        self._thread.join()

    def _work(self) -> None:
        while not self._stopping.is_set():
            due = self._due.get()
            while due is not None and not self._stopping.is_set():
                try:
                    self._send(due)
                except ClockUnavailableError as error:
                    _log.warning("the acknowledgement of %s waits: %s", due.about, error)
                    self._stopping.wait(self._retry_seconds)
                except Exception:  # noqa: BLE001 - one that cannot be sent must not stop the others
                    _log.exception("the mail %s could not be acknowledged", due.about)
                    due = None
                else:
                    due = None
