"""A real ledger under a simulated clock, told fact by fact and asked through ``Answers``."""

from __future__ import annotations

import itertools
from datetime import datetime
from pathlib import Path
from typing import Any

import ledger.facts  # noqa: F401 - fills the catalogue
from ledger import instants
from ledger.clock.simulated import SimulatedClock
from ledger.facts.envelope import Draft, parse_events
from ledger.recorder import Receipt, Recorder
from ledger.store import Record, open_record
from projections.answers import Answers

IDENTIFICATION = {"name": "Client SAS", "vat_number": "FR1", "address": "1 rue X", "phone": "+331"}


class Registry:
    """A ledger in a folder of its own; facts are recorded at the instant that is told with them."""

    def __init__(self, folder: Path, url: str | None = None) -> None:
        self.url = url or f"sqlite:///{folder / 'ledger.db'}"
        self.views = str(folder / "ledger.db.views")
        self._clock = SimulatedClock(instants.parse_instant("2021-01-01T00:00:00Z"))
        self._recorder = Recorder(self.url, self._clock)
        self._ids = itertools.count()
        self.record: Record = open_record(self.url)
        self.answers = Answers(self.record, views=self.views)

    def draft(self, kind: str, subject: str, data: dict[str, Any] | None = None, **more: Any) -> Draft:
        """A well-formed fact; stamps of mails are admitted."""
        event = {
            "specversion": "1.0", "id": f"f-{next(self._ids)}", "source": "/test", "type": kind,
            "subject": subject, "data": data or {}, **more,
        }  # fmt: skip
        return parse_events([event], by_ledger=True)[0]

    def commit(self, at: str, *drafts: Draft) -> list[Receipt]:
        """Record facts in one commit stamped ``at``."""
        self._clock.set(instants.parse_instant(at))
        return self._recorder.record(drafts)

    def tell(
        self, at: str, kind: str, subject: str, data: dict[str, Any] | None = None, **more: Any
    ) -> Receipt:
        """Record one fact in a commit of its own."""
        return self.commit(at, self.draft(kind, subject, data, **more))[0]

    def opened(self, account: str = "ACC-1", at: str = "2021-01-04T09:00:00Z") -> None:
        """Open an account."""
        data = {
            "email": f"client@{account.lower()}.example", "identification": IDENTIFICATION,
            "region": "eu-west-2", "territory": "EU",
        }  # fmt: skip
        self.tell(at, "account.opened", account, data)

    def mail(self, at: str, subject: str, stamped_at: str | None = None) -> Receipt:
        """Record a mail that the server stamped at ``stamped_at``, or at ``at``."""
        stamp = {"server": "simulated", "queue_id": "4jXrjs6ZNnzKHG6", "time": stamped_at or at}
        return self.tell(at, "mail.received", subject, {"stamp": stamp})

    def consumption(self, at: str, subject: str, start: str, end: str) -> Receipt:
        """Record one metered slice."""
        entry = {
            "service": "fcu", "resource": "tinav4.c2r4p1", "resource_id": "i-1", "from": start, "to": end,
            "quantity": "3600", "unit": "second",
        }  # fmt: skip
        return self.tell(at, "consumption.recorded", subject, {"entries": [entry]})

    def ask(self, name: str, as_of: str, account: str = "ACC-1", **more: Any) -> dict[str, Any]:
        """The whole answer of a projection."""
        known_at = more.pop("known_at", None)
        return self.answers.ask(
            name, account, as_of=_instant(as_of), known_at=_instant(known_at) if known_at else None, **more
        )

    def close(self) -> None:
        """Let go of the ledger."""
        self.answers.close()
        self.record.close()
        self._recorder.close()


def _instant(text: str) -> datetime:
    return instants.parse_instant(text)
