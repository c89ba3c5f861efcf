"""``serve``: the application on a socket, from the first link printed to the last request drained."""

from __future__ import annotations

import contextlib
import gc
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator

import uvicorn

from api.access import Access
from api.app import create_app
from api.runtime import SIMULATED, Runtime
from api.settings import Settings
from api.vouching import AskingAgain, vouching_of
from ledger.errors import NotRecordedError, WrongCallError
from ledger.store import open_record, shown

FIRST_KEY = "first"
_BACKLOG = 2048


def serve(
    db: str,
    mail: str | None = None,
    host: str = "127.0.0.1",
    port: int = 8000,
    *,
    settings: Settings | None = None,
    announce: Callable[[str], None] = print,
) -> None:
    """Serve a ledger until SIGTERM or SIGINT; answers what is under way, then closes everything.

    ``announce`` is given each line for the person who started it: where it listens, the one-time link, and
    on a ledger without keys the first one. A simulated ledger is served read-only, and ``mail`` ignored.

    Raises:
        WrongCallError: the ledger needs a mail server and none is given, or the address is taken.
        WrongLedgerError: the database or the mail server's folder is not ours to use.
    """
    settings = settings or Settings()
    mail = _mail_for(db, mail)
    listening = listen(host, port)
    with contextlib.closing(listening), Runtime.open(db, mail, settings=settings) as runtime:
        app = create_app(runtime)
        access: Access = app.state.access
        with contextlib.closing(access), stopped_by_signal():
            runtime.start_intake()
            _introduce(runtime, access, address_of(listening), announce)
            gc.collect()
            gc.freeze()
            config = uvicorn.Config(
                app,
                log_level="warning",
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=settings.drain_seconds,
            )
            with AskingAgain(vouching_of(runtime), settings.vouch_seconds):
                uvicorn.Server(config).run(sockets=[listening])


def _mail_for(db: str, mail: str | None) -> str | None:
    """The mail server to use: none for a simulated ledger, the given one for any other."""
    try:
        simulated = open_record(db).identity.clock == SIMULATED
    except NotRecordedError:
        simulated = False
    if simulated:
        return None
    if mail is None:
        raise WrongCallError(
            "a ledger is served with its mail server: --mail embedded:DIR or smtp://HOST:PORT"
            " (only a simulated ledger needs none)"
        )
    return mail


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens; port 0 takes any.

    Raises:
        WrongCallError: the address is taken, or is not this machine's.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except OSError as error:
        raise WrongCallError(f"cannot listen on {host} port {port}: {error.strerror}") from error


def address_of(listening: socket.socket) -> str:
    """The URL of a listening socket."""
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _introduce(runtime: Runtime, access: Access, address: str, announce: Callable[[str], None]) -> None:
    clock = "simulated clock, read-only" if runtime.recorder is None else f"clock {runtime.clock}"
    announce(f"Greffe serves {shown(runtime.record.url)} ({clock}) on {address}")
    if runtime.mail is not None and runtime.mail.intake_address is not None:
        announce(f"Mail is taken in at {runtime.mail.intake_address}")
    if runtime.recorder is not None and runtime.settings.api_key is None and not access.list_keys():
        key = access.add_key(FIRST_KEY, ["writer", "auditor"])
        announce(f"First API key (writer, auditor), shown this once: {key}")
    announce(f"Open this link once, within a day: {address}/?token={access.new_link_token()}")
    sys.stdout.flush()


@contextlib.contextmanager
def stopped_by_signal() -> Iterator[None]:
    """Let a stop signal end the server and nothing else, so that everything is closed after it.

    uvicorn raises the signal again once it has drained; the default action would end the process there.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, lambda *_: None) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, action in before.items():
            signal.signal(number, action)
