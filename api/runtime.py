"""One ledger, opened: the record, the recorder, the answers and the mail server, wired in one place.

``serve``, ``greffe record``, ``greffe simulate`` and ``greffe query`` open a ledger here, and close it.
"""

from __future__ import annotations

import hashlib
import os
import socket
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from api.access import Access
from api.settings import Settings
from ledger.clock import Mail, MailSettings, open_mail
from ledger.clock.dkim import DkimSigner
from ledger.clock.stamp import Clock
from ledger.errors import NotRecordedError, WrongCallError
from ledger.recorder import Recorder
from ledger.store import Record, is_postgresql, open_record, shown, sqlite_path
from projections.answers import Answers

SIMULATED = "simulated"
_SMTP = "smtp"
_PROBE_SECONDS = 1.0


class Runtime:
    """A ledger in this process; use as a context manager, or call ``close``.

    ``recorder`` and ``mail`` are ``None`` when the ledger is open to read only.
    """

    def __init__(
        self,
        record: Record,
        answers: Answers,
        settings: Settings,
        *,
        recorder: Recorder | None,
        mail: Mail | None,
        mail_address: tuple[str, int] | None = None,
    ) -> None:
        self.record = record
        self.answers = answers
        self.settings = settings
        self.recorder = recorder
        self.mail = mail
        self._mail_address = mail_address
        self._closing = ExitStack()

    @classmethod
    def open(cls, db: str, mail: str | None = None, *, settings: Settings | None = None) -> Self:
        """Open a ledger to write under the mail server ``mail``, or to read when ``mail`` is ``None``.

        Raises:
            NotRecordedError: to read, and there is no ledger at ``db``.
            WrongLedgerError: what is there is no ledger of this format, or of another kind of clock.
            WrongCallError: an address is not one.
        """
        settings = settings or Settings()
        if mail is None:
            return cls._open(db, settings, None)
        with ExitStack() as opened:
            server = open_mail(mail, origin=settings.origin, settings=_mail_settings(settings))
            opened.callback(server.close)
            runtime = cls._open(db, settings, server.clock, server, _smtp_address(mail))
            opened.pop_all()
        return runtime

    @classmethod
    def simulated(cls, db: str, clock: Clock, *, settings: Settings | None = None) -> Self:
        """Open a ledger to write under a simulated clock (``greffe simulate`` only)."""
        if clock.name != SIMULATED:
            raise WrongCallError(f"{clock.name} is not a simulated clock")
        return cls._open(db, settings or Settings(), clock)

    @classmethod
    def _open(
        cls,
        db: str,
        settings: Settings,
        clock: Clock | None,
        mail: Mail | None = None,
        mail_address: tuple[str, int] | None = None,
    ) -> Self:
        with ExitStack() as opened:
            recorder = None
            if clock is not None:
                keys = keys_path(db, settings)
                recorder = opened.enter_context(Recorder(db, clock, origin=settings.origin, keys=keys))
            record = open_record(db)
            opened.callback(record.close)
            answers = Answers(record, views=str(views_path(db, settings)))
            opened.callback(answers.close)
            runtime = cls(record, answers, settings, recorder=recorder, mail=mail, mail_address=mail_address)
            runtime._closing = opened.pop_all()
        return runtime

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def is_simulated(self) -> bool:
        """Whether this is a simulated ledger; a ledger that holds nothing yet is not."""
        try:
            return self.record.identity.clock == SIMULATED
        except NotRecordedError:
            return False

    @property
    def clock(self) -> str:
        """The clock in use: the mail server's name, or the kind that the ledger was made under."""
        if self.mail is not None:
            return self.mail.clock.name
        try:
            return self.record.identity.clock
        except NotRecordedError:
            return "none"

    def start_intake(self) -> None:
        """Record the mails that arrive, from now on."""
        if self.mail is not None and self.recorder is not None:
            self.mail.start_intake(self.recorder.record, self.record)

    def followed(self) -> int:
        """The number of leaves that every projection has followed."""
        return self.answers.follower.position

    def clock_is_reachable(self) -> bool:
        """Whether the mail server takes a connection now; it is not asked for a stamp."""
        if self._mail_address is None:
            return self.recorder is not None
        try:
            with socket.create_connection(self._mail_address, timeout=_PROBE_SECONDS):
                return True
        except OSError:
            return False

    def close(self) -> None:
        """Take no more mail, record what waits, then let go of the database and of the mail server."""
        if self.mail is not None:
            self.mail.stop_intake()
        self._closing.close()
        if self.mail is not None:
            self.mail.close()


def _mail_settings(settings: Settings) -> MailSettings:
    return MailSettings(
        provider=settings.provider_addresses,
        acknowledgement_sender=settings.acknowledgement_sender,
        signer=DkimSigner.open(settings.dkim) if settings.dkim else None,
    )


def _smtp_address(mail: str) -> tuple[str, int] | None:
    """Where a mail server of another process listens; ``None`` for the embedded one."""
    parts = urlsplit(mail)
    return (parts.hostname, parts.port or 25) if parts.scheme == _SMTP and parts.hostname else None


def keys_path(db: str, settings: Settings) -> Path:
    """Where the keys that sign a ledger lie: beside it, unless ``GREFFE_KEYS`` says otherwise.

    Raises:
        WrongCallError: it lies in PostgreSQL, and nothing says so: every host must sign with the same keys.
    """
    return settings.keys or _beside(db, "keys")


def access_path(db: str, settings: Settings) -> Path:
    """Where the keys of callers lie: beside the ledger, unless ``GREFFE_ACCESS`` says otherwise.

    Raises:
        WrongCallError: it lies in PostgreSQL, and nothing says so.
    """
    return settings.access or _beside(db, "access")


def views_path(db: str, settings: Settings) -> Path:
    """Where the views of a ledger lie: beside its file; of one in PostgreSQL, in the folder ``GREFFE_VIEWS``.

    That is the user's state folder when it is not set: views are of one host, and can be made again.
    """
    if not is_postgresql(db):
        return _beside(db, "views")
    state = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")
    folder = settings.views or state / "greffe"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder / f"{hashlib.sha256(shown(db).encode()).hexdigest()[:16]}.views"


def _beside(db: str, what: str) -> Path:
    if is_postgresql(db):
        raise WrongCallError(
            f"a ledger in PostgreSQL has no place of its own for its {what}: set GREFFE_{what.upper()}"
        )
    return Path(f"{sqlite_path(db)}.{what}")


def open_access(db: str, settings: Settings | None = None) -> Access:
    """The keys of the ledger at ``db``, for ``serve`` and ``greffe access``."""
    settings = settings or Settings()
    key = settings.api_key.get_secret_value() if settings.api_key else None
    return Access(access_path(db, settings), environment_key=key)
