"""Any number of writers, one order: positions without a gap, and a follower that misses nothing."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from places import only_postgresql
from recorder_factory import opened

from ledger.audit import audit
from ledger.clock.simulated import SimulatedClock
from ledger.facts.envelope import parse_events
from ledger.log.merkle import leaf_hash
from ledger.recorder import Recorder
from ledger.store import open_record
from projections import PROJECTIONS
from projections.follower import Follower
from scripts.bench.postgresql import private_postgresql, why_not

WRITERS = 4
START = datetime(2021, 6, 1, 9, tzinfo=UTC)
_PAGE = 1_000

RECORDING = """
import sys, time
import ledger.facts
from ledger.clock.simulated import SimulatedClock
from ledger.errors import StoreUnavailableError
from ledger.facts.envelope import parse_events
from ledger.instants import parse_instant
from ledger.recorder import Recorder
from recorder_factory import consumed
url, name, batches, each = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
with Recorder(url, SimulatedClock(parse_instant("2021-06-01T10:00:00Z"))) as recorder:
    for batch in range(batches):
        facts = [consumed(f"{name}-{batch}-{number}") for number in range(each)]
        while True:
            try:
                receipts = recorder.record(parse_events(facts))
                break
            except StoreUnavailableError:
                time.sleep(0.1)
        print(*(receipt.position for receipt in receipts), flush=True)
"""


def writer(url, name, batches, each, told):
    """A process that records so many batches and writes down the positions that it was told."""
    factory = Path(__file__).parent.parent / "ledger"
    with told.open("w") as file:
        return subprocess.Popen(
            [sys.executable, "-c", RECORDING, url, name, str(batches), str(each)],
            stdout=file, env={**os.environ, "PYTHONPATH": str(factory)},
        )  # fmt: skip


class Tail(threading.Thread):
    """Follows the log while it is written: everything after the last position it saw, once it is told."""

    def __init__(self, url):
        super().__init__(daemon=True)
        self.seen = []
        self.wanted = sys.maxsize
        self._url = url

    def run(self):
        with closing(open_record(self._url)) as record:
            while len(self.seen) < self.wanted:
                record.wait(len(self.seen), 0.2)
                while rows := record.scan(self.seen[-1][0] + 1 if self.seen else 0, _PAGE):
                    self.seen += [(position, leaf_hash(leaf)) for position, *_, leaf in rows]


def several_write(url, batches, each, folder):
    """Let four processes write at once, and a follower tail them; everything is then compared."""
    with Recorder(url, SimulatedClock(START)) as recorder:
        recorder.record(parse_events([opened()]))
    with closing(open_record(url)) as record:
        tail = Tail(url)
        tail.start()
        told = [folder / f"w{number}" for number in range(WRITERS)]
        processes = [writer(url, path.name, batches, each, path) for path in told]
        assert [process.wait(1200) for process in processes] == [0] * WRITERS
        size = tail.wanted = record.size()
        tail.join(120)
        positions = [int(text) for path in told for text in path.read_text().split()]
        assert len(set(positions)) == WRITERS * batches * each
        assert [position for position, _ in tail.seen] == list(range(size))
        report = audit(record)
        assert report.discrepancies == []
        assert report.facts == len(positions) + 1
        stored = [
            (row[0], leaf_hash(row[4])) for at in range(0, size, _PAGE) for row in record.scan(at, _PAGE)
        ]
        assert tail.seen == stored[:size]
        return size


def test_four_writers_and_a_follower(place, tmp_path):
    """A few thousand facts by four processes: none missed by who tails, none twice, order as the audit's."""
    url = place.url()
    several_write(url, 40, 25, tmp_path)
    with closing(open_record(url)) as record:
        follower = Follower(record, PROJECTIONS, path=str(tmp_path / "several.views"))
        follower.catch_up()
        assert follower.compare() == []
        follower.close()


@pytest.mark.postgresql
@pytest.mark.skipif(why_not() is not None, reason=str(why_not()))
def test_a_server_that_is_killed_under_load(tmp_path):
    """The server dies twice while four processes record: nothing acknowledged is lost, nothing is there twice."""
    with private_postgresql() as server:
        url = server.new_schema("killed")
        with Recorder(url, SimulatedClock(START)) as recorder:
            recorder.record(parse_events([opened()]))
        told = [tmp_path / f"w{number}" for number in range(WRITERS)]
        processes = [writer(url, path.name, 60, 10, path) for path in told]
        for lines in (3, 12):
            while min(len(path.read_text().splitlines()) for path in told) < lines:
                time.sleep(0.02)
                assert any(process.poll() is None for process in processes)
            server.kill()
            server.start()
        assert [process.wait(120) for process in processes] == [0] * WRITERS
        positions = [int(text) for path in told for text in path.read_text().split()]
        with closing(open_record(url)) as record:
            held = {fact.position for fact in record.facts(0, record.size()) if fact.type != "account.opened"}
            assert len(positions) == len(set(positions)) == WRITERS * 600
            assert set(positions) == held
            assert audit(record).discrepancies == []


@only_postgresql
@pytest.mark.long
@pytest.mark.timeout(1800)
def test_two_hundred_thousand_facts(place, tmp_path):
    """The same with 200,000 facts."""
    assert several_write(place.url(), 500, 100, tmp_path) > 200_000
