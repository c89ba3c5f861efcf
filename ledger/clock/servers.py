"""The two mail servers that a ledger may stand on, opened by their address.

``embedded:DIR`` runs a server of our own, which takes mail in on any free port or, with
``?intake=PORT``, on that one; ``smtp://HOST:PORT`` is Postfix, with options in the query:
``journal`` (the Maildir of stamping messages, needed to name void stamps and to audit them), ``to`` and
``from`` (the stamping addresses), ``lmtp`` (where we listen for Postfix's copies of all mail, as
``HOST:PORT`` or a port).
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol
from urllib.parse import parse_qs, urlsplit

from ledger.clock.addresses import AddressBook, Log
from ledger.clock.embedded import EMBEDDED, EmbeddedMailServer
from ledger.clock.intake import Intake, MailSettings, Record
from ledger.clock.journal import Journal
from ledger.clock.listener import Listener
from ledger.clock.message import Outgoing, read_stored
from ledger.clock.smtp import SmtpClock, queue_id_in
from ledger.clock.stamp import Clock
from ledger.errors import GreffeError, WrongCallError

POSTFIX = "postfix"
STAMP_ADDRESS = "greffe-stamp@localhost.localdomain"
_OPTIONS = frozenset({"journal", "to", "from", "lmtp"})
_RETRY_SECONDS = 2.0
_TAKEN = "250 2.0.0 Ok: recorded"
_LOOPBACK = "127.0.0.1"
_LARGEST_PORT = 65_535
_log = logging.getLogger(__name__)


class ReadableLog(Log, Protocol):
    """What of the record mail intake reads: addresses, and mails that wait for an acknowledgement."""

    def message(self, sha256: str) -> bytes | None:
        """The raw bytes of a mail."""


class Mail(Protocol):
    """A mail server in use."""

    @property
    def clock(self) -> Clock:
        """What stamps commits."""

    def start_intake(self, record: Record, log: ReadableLog) -> None:
        """Record each mail that arrives from now on, and those that waited."""

    def find(self, queue_id: str) -> bytes | None:
        """A stamping message from the journal, CRLF line ends."""

    @property
    def intake_address(self) -> str | None:
        """Where mail (embedded) or its copies (Postfix) are taken in, as HOST:PORT."""

    def stop_intake(self) -> None:
        """Take no more mail; the server keeps what arrives."""

    def close(self) -> None:
        """Let go of ports and folders."""


def open_mail(url: str, *, origin: str, settings: MailSettings | None = None) -> Mail:
    """Open ``embedded:DIR[?intake=PORT]`` or ``smtp://HOST:PORT[?journal=DIR&to=ADDRESS&from=ADDRESS&lmtp=PORT]``.

    Raises:
        WrongCallError: the address is neither.
        WrongLedgerError: another process has the embedded server's folder.
    """
    settings = settings or MailSettings()
    if url.startswith(f"{EMBEDDED}:") and len(url) > len(EMBEDDED) + 1:
        return EmbeddedMail(*_embedded(url), origin, settings)
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError:
        port = None
    if parts.scheme != "smtp" or not parts.hostname or not port:
        raise WrongCallError(f"{url!r} is not a mail server: embedded:DIR or smtp://HOST:PORT")
    options = {key: values[-1] for key, values in parse_qs(parts.query).items()}
    if unknown := options.keys() - _OPTIONS:
        known = ", ".join(sorted(_OPTIONS))
        raise WrongCallError(f"{url!r} has unknown options ({', '.join(sorted(unknown))}); known: {known}")
    return PostfixMail(parts.hostname, port, options, origin, settings)


def journal_of(url: str | None, origin: str) -> Journal | None:
    """The journal of a mail server's address, to read only; ``None`` when the address tells of none."""
    if url is None:
        return None
    if url.startswith(f"{EMBEDDED}:"):
        return Journal(_embedded(url)[0] / "journal", origin)
    folders = parse_qs(urlsplit(url).query).get("journal")
    return Journal(Path(folders[-1]), origin) if folders else None


def _embedded(url: str) -> tuple[Path, int]:
    """The folder and the intake port of ``embedded:DIR[?intake=PORT]``; 0 asks for any free one.

    Raises:
        WrongCallError: it has another option, or a port that is none.
    """
    folder, _, query = url.removeprefix(f"{EMBEDDED}:").partition("?")
    options = {key: values[-1] for key, values in parse_qs(query, keep_blank_values=True).items()}
    port = options.pop("intake", "0")
    if options or not (port.isascii() and port.isdecimal() and int(port) <= _LARGEST_PORT):
        raise WrongCallError(f"{url!r} is not embedded:DIR or embedded:DIR?intake=PORT")
    return Path(folder), int(port)


class _Receiving:
    """What both servers do alike: deliver acknowledgements and hold the intake."""

    def __init__(self, clock: SmtpClock, settings: MailSettings, kind: str) -> None:
        self._smtp = clock
        self._settings = settings
        self._kind = kind
        self._intake: Intake | None = None

    @property
    def clock(self) -> SmtpClock:
        """What stamps commits."""
        return self._smtp

    def find(self, queue_id: str) -> bytes | None:
        """A stamping message from the journal, CRLF line ends; ``None`` when it is not there."""
        return self._smtp.journal.find(queue_id) if self._smtp.journal else None

    def _open_intake(self, record: Record, log: ReadableLog) -> Intake:
        self._intake = Intake(record, AddressBook(log), self._settings, self._deliver, kind=self._kind)
        self._intake.resume(_unanswered(log))
        return self._intake

    def _deliver(self, message: Outgoing, recipient: str) -> tuple[str, str]:
        reply, server = self._smtp.deliver(message, sender="", recipient=recipient)
        return queue_id_in(reply), server

    def _close_intake(self) -> None:
        if self._intake is not None:
            self._intake.close()
            self._intake = None


class EmbeddedMail(_Receiving):
    """The embedded server, its journal and its spool."""

    def __init__(self, folder: Path, intake_port: int, origin: str, settings: MailSettings) -> None:
        self._server = EmbeddedMailServer(
            folder, origin=origin, intake_port=intake_port, signer=settings.signer
        )
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        super().__init__(self._server.clock, settings, EMBEDDED)

    @property
    def intake_address(self) -> str:
        """Where mail to the provider may be sent."""
        return f"{_LOOPBACK}:{self._server.intake_port}"

    def start_intake(self, record: Record, log: ReadableLog) -> None:
        """Work off the spool, now and whenever a mail arrives."""
        intake = self._open_intake(record, log)
        self._stopping.clear()
        self._server.notify(self._wake.set)
        self._thread = threading.Thread(target=self._work, args=(intake,), name="greffe-intake", daemon=True)
        self._thread.start()

    def stop_intake(self) -> None:
        """Take no more mail; the spool keeps what arrives."""
        if self._thread is not None:
            self._stopping.set()
            self._wake.set()
            self._thread.join()
            self._thread = None
        self._close_intake()

    def close(self) -> None:
        """Stop the server."""
        self.stop_intake()
        self._server.close()

    def _work(self, intake: Intake) -> None:
        while not self._stopping.is_set():
            self._wake.clear()
            taken = [self._take(intake, path) for path in self._server.spool.waiting()]
            waits = not all(taken)
            self._wake.wait(_RETRY_SECONDS if waits else None)

    def _take(self, intake: Intake, path: Path) -> bool:
        raw = path.read_bytes()
        try:
            intake.take(raw, read_stored(raw).return_path or "")
        except GreffeError as error:
            _log.warning("the mail %s waits in the spool: %s", path.name, error)
            return False
        except Exception:  # noqa: BLE001 - whatever it is, the mail stays and the next one is tried
            _log.exception("the mail %s stays in the spool", path.name)
            return False
        self._server.spool.remove(path)
        return True


class PostfixMail(_Receiving):
    """Postfix by SMTP, and its copies of all mail by LMTP."""

    def __init__(
        self, host: str, port: int, options: dict[str, str], origin: str, settings: MailSettings
    ) -> None:
        address = options.get("to", STAMP_ADDRESS)
        journal = options.get("journal")
        clock = SmtpClock(
            host,
            port,
            origin=origin,
            kind=POSTFIX,
            sender=options.get("from", address),
            recipient=address,
            journal=Journal(Path(journal), origin) if journal else None,
            signer=settings.signer,
        )
        super().__init__(clock, settings, POSTFIX)
        self._lmtp = options.get("lmtp")
        self._listener: Listener | None = None

    @property
    def intake_address(self) -> str | None:
        """Where Postfix may deliver its copies by LMTP, once intake has started."""
        return f"{self._listener.hostname}:{self._listener.port}" if self._listener else None

    def start_intake(self, record: Record, log: ReadableLog) -> None:
        """Listen for Postfix's copies, if an LMTP address was given."""
        if self._lmtp is None:
            return
        host, _, port = self._lmtp.rpartition(":")
        intake = self._open_intake(record, log)

        def take(raw: bytes, sender: str, _recipients: Iterable[str]) -> str:
            intake.take(raw, sender)
            return _TAKEN

        self._listener = Listener(take, host=host or _LOOPBACK, port=int(port), lmtp=True)
        self._listener.start()

    def stop_intake(self) -> None:
        """Take no more mail; Postfix keeps what arrives and tries again."""
        if self._listener is not None:
            self._listener.stop()
            self._listener = None
        self._close_intake()

    def close(self) -> None:
        """Hang up."""
        self.stop_intake()
        self._smtp.close()


def _unanswered(log: ReadableLog) -> Iterable[tuple[str, str, bytes]]:
    """Mails of accounts, seen by the server, that no acknowledgement is about."""
    waiting: dict[str, tuple[str, str]] = {}
    at, size, page = 0, log.size(), 5_000
    while at < size:
        for fact in log.facts(at, min(page, size - at)):
            data = fact.fields["data"]
            if fact.type == "mail.received" and fact.account and "stamp" in data:
                waiting[fact.subject] = (fact.account, data.get("message_sha256", ""))
            elif fact.type == "notification.sent" and data.get("kind") == "acknowledgement":
                waiting.pop(data.get("about", ""), None)
        at += page
    for subject, (account, sha256) in waiting.items():
        raw = log.message(sha256)
        if raw is not None:
            yield account, subject, raw
