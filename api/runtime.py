"""One ledger, opened: the record, the recorder, the answers and the mail server, wired in one place.

``serve``, ``greffe record``, ``greffe simulate`` and ``greffe query`` all open a ledger here and close it here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

from api.access import Access
from api.settings import Settings
from ledger.clock import open_mail
from ledger.clock.stamp import Clock
from ledger.errors import NotRecordedError, WrongCallError
from ledger.facts.envelope import Draft
from ledger.recorder import Receipt, Recorder
from ledger.store import Record, open_record, sqlite_path
from projections.answers import Answers

SIMULATED = "simulated"


class Mail(Protocol):
    """A mail server as ``ledger.clock.open_mail`` opens it."""

    @property
    def clock(self) -> Clock: ...
    def start_intake(self, record: Callable[[Sequence[Draft]], list[Receipt]]) -> Any: ...  # noqa: ANN401
    def close(self) -> None: ...


class Runtime:
    """A ledger in this process; use as a context manager, or call ``close``.

    ``recorder`` and ``mail`` are ``None`` when the ledger is open to read only.
    """

    def __init__(
        self, record: Record, answers: Answers, settings: Settings, *, recorder: Recorder | None, mail: Mail | None
    ) -> None:
        self.record = record
        self.answers = answers
        self.settings = settings
        self.recorder = recorder
        self.mail = mail
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
            server = open_mail(mail, origin=settings.origin)
            opened.callback(server.close)
            runtime = cls._open(db, settings, server.clock, server)
            opened.pop_all()
        return runtime

    @classmethod
    def simulated(cls, db: str, clock: Clock, *, settings: Settings | None = None) -> Self:
        """Open a ledger to write under a simulated clock (``greffe simulate`` only)."""
        if clock.name != SIMULATED:
            raise WrongCallError(f"{clock.name} is not a simulated clock")
        return cls._open(db, settings or Settings(), clock)

    @classmethod
    def _open(cls, db: str, settings: Settings, clock: Clock | None, mail: Mail | None = None) -> Self:
        with ExitStack() as opened:
            recorder = None
            if clock is not None:
                recorder = opened.enter_context(Recorder(db, clock, origin=settings.origin))
            record = open_record(db)
            opened.callback(record.close)
            answers = Answers(record)
            opened.callback(answers.close)
            runtime = cls(record, answers, settings, recorder=recorder, mail=mail)
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
            self.mail.start_intake(self.recorder.record)

    def close(self) -> None:
        """Take no more mail, record what waits, then let go of the database and of the mail server."""
        if self.mail is not None:
            self.mail.stop_intake()
        self._closing.close()
        if self.mail is not None:
            self.mail.close()


def access_path(db: str, settings: Settings) -> Path:
    """Where the keys of a ledger lie: beside it, unless ``GREFFE_ACCESS`` says otherwise."""
    return settings.access or Path(sqlite_path(db) + ".access")


def open_access(db: str, settings: Settings | None = None) -> Access:
    """The keys of the ledger at ``db``, for ``serve`` and ``greffe access``."""
    settings = settings or Settings()
    key = settings.api_key.get_secret_value() if settings.api_key else None
    return Access(access_path(db, settings), environment_key=key)
