"""Whoever follows a log is woken when it grows, on either engine."""

from __future__ import annotations

import threading
import time

from recorder_factory import opened

from ledger.facts.envelope import parse_events


def test_woken_when_the_log_grows(desk):
    """Waiting ends with the commit, long before its time is up."""
    timer = threading.Timer(0.2, lambda: desk.recorder.record(parse_events([opened()])))
    timer.start()
    start = time.monotonic()
    assert desk.record.wait(0, 20) == 2
    assert time.monotonic() - start < 5
    timer.join()


def test_nothing_comes(desk):
    """Waiting ends when its time is up."""
    assert desk.record.wait(0, 0.2) == 0
