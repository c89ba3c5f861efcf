"""Facts to measure with, and ledgers in folders of their own to record them in."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ledger.facts  # noqa: F401 - fills the catalogue
from api.runtime import Runtime
from api.settings import Settings
from ledger.clock.stamp import Clock
from ledger.facts.envelope import Draft, parse_events
from ledger.recorder import Recorder

ACCOUNTS = 50
_SLICE = {"from": "2026-03-28T08:00:00Z", "to": "2026-03-28T09:00:00Z"}


def event(number: int, entries: int = 1) -> dict[str, Any]:
    """A consumption report, as a metering system sends it: its ids grow with time."""
    return {
        "specversion": "1.0",
        "id": f"m-{number:012d}",
        "source": "/metering",
        "type": "consumption.recorded",
        "subject": f"ACC-{number % ACCOUNTS}/consumption/c-{number:012d}",
        "data": {
            "entries": [
                {
                    "service": "fcu",
                    "resource": "tinav4.c2r4p1",
                    "resource_id": f"i-{number:08x}",
                    "subregion": "eu-west-2a",
                    "quantity": "3600",
                    "unit": "second",
                    **_SLICE,
                }
            ]
            * entries
        },
    }


class Numbers:
    """Facts that are all different, in order."""

    def __init__(self) -> None:
        self._next = 0

    def events(self, count: int, entries: int = 1) -> list[dict[str, Any]]:
        """So many new reports, each of ``entries`` entries."""
        first, self._next = self._next, self._next + count
        return [event(number, entries) for number in range(first, first + count)]

    def body(self, count: int, entries: int = 1) -> bytes:
        """The same as a request's body."""
        return json.dumps(self.events(count, entries), separators=(",", ":")).encode()

    def drafts(self, count: int, entries: int = 1) -> list[Draft]:
        """The same, checked and encoded."""
        return parse_events(self.events(count, entries))


@dataclass(frozen=True, slots=True)
class Bench:
    """A ledger to measure: everything on, as it is in production."""

    folder: Path
    runtime: Runtime

    @property
    def recorder(self) -> Recorder:
        """The one way in."""
        assert self.runtime.recorder is not None  # noqa: S101 - opened to write
        return self.runtime.recorder

    @property
    def clock(self) -> Clock:
        """The mail server's clock."""
        assert self.runtime.mail is not None  # noqa: S101 - opened to write
        return self.runtime.mail.clock

    @property
    def file(self) -> Path:
        """The ledger's database."""
        return self.folder / "ledger.db"


@contextmanager
def ledger_in(parent: Path, mail: str | None = None) -> Iterator[Bench]:
    """A new ledger, its accounts opened, removed afterwards; under the embedded server unless told."""
    with tempfile.TemporaryDirectory(dir=parent) as name:
        folder = Path(name)
        url = f"sqlite:///{folder}/ledger.db"
        with Runtime.open(url, mail or f"embedded:{folder}/mail", settings=Settings()) as runtime:
            bench = Bench(folder, runtime)
            bench.recorder.record(
                parse_events(
                    [
                        {
                            "specversion": "1.0",
                            "id": f"account-{number}",
                            "source": "/crm",
                            "type": "account.opened",
                            "subject": f"ACC-{number}",
                            "data": {"email": f"ops@client-{number}.example", "region": "eu-west-2"},
                        }
                        for number in range(ACCOUNTS)
                    ]
                )
            )
            yield bench
