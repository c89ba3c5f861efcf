"""The embedded mail server: real SMTP on loopback, for one process, when there is no Postfix.

It does for the ledger what Postfix does: an id that carries the time, a ``Received`` line, and a
journal that survives restarts. Its clock is the host's own, read when the message has arrived.
"""

from __future__ import annotations

import fcntl
import os
import socket
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path

from ledger.clock.dkim import DkimSigner
from ledger.clock.journal import Journal
from ledger.clock.listener import Listener
from ledger.clock.maildir import Maildir
from ledger.clock.smtp import SmtpClock
from ledger.errors import WrongLedgerError

EMBEDDED = "embedded"
STAMP_ADDRESS = "stamp@greffe.localhost"
_LOOPBACK = "127.0.0.1"


class EmbeddedMailServer:
    """Two listeners over one folder: ``DIR/journal`` stamps, ``DIR/sent`` and ``DIR/spool`` mail.

    Raises:
        WrongLedgerError: another process has the folder.
    """

    def __init__(
        self, folder: Path, *, origin: str, intake_port: int = 0, signer: DkimSigner | None = None
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._lock = _lock(folder)
        self._host = socket.gethostname()
        self.journal = Maildir(folder / "journal")
        self.spool = Maildir(folder / "spool")
        self._sent = Maildir(folder / "sent")
        self._on_mail: Callable[[], None] = lambda: None
        self._stamping = Listener(self._submit)
        self._intake = Listener(self._receive, port=intake_port)
        self._stamping.start()
        self._intake.start()
        self.intake_port: int = self._intake.port
        self.clock = SmtpClock(
            _LOOPBACK,
            self._stamping.port,
            origin=origin,
            kind=EMBEDDED,
            sender=STAMP_ADDRESS,
            recipient=STAMP_ADDRESS,
            journal=Journal(self.journal.folder, origin),
            signer=signer,
        )

    def notify(self, on_mail: Callable[[], None]) -> None:
        """Call ``on_mail()`` whenever a mail has been spooled."""
        self._on_mail = on_mail

    def close(self) -> None:
        """Stop both listeners and let go of the folder."""
        self.clock.close()
        self._intake.stop()
        self._stamping.stop()
        os.close(self._lock)

    def _submit(self, raw: bytes, sender: str, recipients: list[str]) -> str:
        """What the ledger itself sends: to be stamped, or an answer with a null sender (RFC 3834)."""
        if sender not in ("", STAMP_ADDRESS):
            return (
                f"550 5.7.1 this port is the ledger's own: mail for the provider goes to {self.intake_port}"
            )
        box = self.journal if recipients == [STAMP_ADDRESS] else self._sent
        return self._keep(box, raw, sender, recipients)

    def _receive(self, raw: bytes, sender: str, recipients: list[str]) -> str:
        reply = self._keep(self.spool, raw, sender, recipients)
        self._on_mail()
        return reply

    def _keep(self, box: Maildir, raw: bytes, sender: str, recipients: list[str]) -> str:
        now = datetime.now(UTC)

        def head(queue_id: str) -> bytes:
            lines = [f"Return-Path: <{sender}>", *(f"Delivered-To: {address}" for address in recipients)]
            lines += [
                f"Received: from {self._host} ([{_LOOPBACK}])",
                f"\tby {self._host} (Greffe) with ESMTP id {queue_id};",
                f"\t{format_datetime(now)}",
            ]
            return "".join(f"{line}\r\n" for line in lines).encode("utf-8", "surrogateescape")

        return f"250 2.0.0 Ok: queued as {box.store(now, head, raw)}"


def _lock(folder: Path) -> int:
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        holder = os.read(descriptor, 64).decode("ascii", "replace").strip() or "unknown"
        os.close(descriptor)
        raise WrongLedgerError(
            f"the embedded mail server in {folder} serves one process only, and process {holder} has it:"
            " send facts to that one, or use smtp://HOST:PORT"
        ) from error
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
    return descriptor
