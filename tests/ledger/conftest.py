"""A recorder under a simulated clock, on a ledger of its own."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from ledger.clock.simulated import SimulatedClock
from ledger.recorder import Recorder
from ledger.store import open_record

ENTRY = {
    "service": "fcu", "from": "2021-06-01T08:00:00Z", "to": "2021-06-01T09:00:00Z", "quantity": "3600",
    "unit": "second",
}  # fmt: skip
START = datetime(2021, 6, 1, 10, tzinfo=UTC)


class Desk:
    """A simulated ledger to write to and to read."""

    def __init__(self, place):
        self.place = place
        self.url = place.url()
        self.clock = SimulatedClock(START)
        self.recorder = Recorder(self.url, self.clock)
        self.record = open_record(self.url)

    @property
    def path(self):
        """The file of one that is a file."""
        return Path(self.record.path)

    def close(self):
        self.recorder.close()
        self.record.close()


@pytest.fixture
def desk(place):
    """An empty simulated ledger."""
    desk = Desk(place)
    yield desk
    desk.close()
