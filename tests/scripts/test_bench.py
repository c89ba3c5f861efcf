"""The benchmark: its yardstick writes what the ledger wrote, and disturbed repetitions do not count."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from scripts.bench.machine import described, repeated
from scripts.bench.paths import Bar
from scripts.bench.raw import seconds_of_commits
from scripts.bench.workload import Numbers, ledger_in
from scripts.greffe import app

TABLES = ("subject", "topic", "leaf", "seen", "commits", "tile")


def test_the_yardstick_writes_the_same_rows(tmp_path: Path) -> None:
    """The bare engine writes every row of the log that the ledger wrote, to the byte."""
    copy = tmp_path / "copy.db"
    with ledger_in(tmp_path) as bench:
        numbers = Numbers()
        for count in (300, 1, 300):
            bench.recorder.record(numbers.drafts(count))
        assert len(seconds_of_commits(bench.file, copy, 300)) == 2
        for table in TABLES:
            rows = [
                sqlite3.connect(file).execute(f"SELECT * FROM {table} ORDER BY 1, 2").fetchall()
                for file in (bench.file, copy)
            ]
            assert rows[0] == rows[1] != [], table


def test_a_disturbed_repetition_is_thrown_away() -> None:
    """Repetitions while another process eats a core are repeated, and counted as thrown away."""
    busy = "import time; end = time.monotonic() + 0.6\nwhile time.monotonic() < end: pass"
    with subprocess.Popen([sys.executable, "-c", busy]) as other:
        found = repeated(lambda: time.sleep(0.2), 3, 20)
        other.wait()
    assert found.disturbed >= 1
    assert len(found.seconds) >= 3
    assert found.median == pytest.approx(0.2, abs=0.15)


def test_a_bar_is_met_or_not() -> None:
    """A bar is met from its least value on; a figure without a bar is neither met nor missed."""
    assert [Bar("p", value, "×", least).met for value, least in ((2, 2), (1, 2), (1, None))] == [
        True,
        False,
        None,
    ]


def test_what_is_measured_on(tmp_path: Path) -> None:
    """The machine is described by what the figures depend on."""
    told = described(tmp_path)
    assert told["cores"] >= 1
    assert told["fdatasync_per_second"] > 0


@pytest.mark.long
def test_the_table_as_json() -> None:
    """The whole benchmark runs, and gives each bar with its path, value, least value, and whether it is met."""
    found = CliRunner().invoke(app, ["bench", "--json", "--facts", "8000"], catch_exceptions=False)
    told = json.loads(found.stdout)
    assert {"bars", "machine", "runs"} == told.keys()
    assert all({"path", "value", "at_least", "met"} <= bar.keys() for bar in told["bars"])
    assert {"batch append, embedded", "audit, models too, one core"} <= {bar["path"] for bar in told["bars"]}
