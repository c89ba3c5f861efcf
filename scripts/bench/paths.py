"""The paths that are measured, each against its own yardstick in the same run."""

from __future__ import annotations

import gc
import itertools
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from ledger.audit import audit
from ledger.facts.envelope import parse_request
from ledger.log.merkle import leaf_hash, root_of
from scripts.bench.machine import Repetitions, fdatasync_rate, repeated
from scripts.bench.raw import seconds_of_commits
from scripts.bench.workload import ACCOUNTS, Bench, Numbers, ledger_in

T = TypeVar("T")
FACTS = 1_000
_COMMITS = 30
_WARMING = 3
_SECONDS = 3.0
_ENTRIES = 300
_REPORTS = 10
_DIGEST = "0" * 64


@dataclass(frozen=True, slots=True)
class Bar:
    """One measured path: its value, what it is to be at least, and what the value counts."""

    path: str
    value: float
    unit: str
    at_least: float | None = None
    """``None`` where the figure only explains others."""
    disturbed: int = 0
    """Repetitions thrown away because others used the machine."""

    @property
    def met(self) -> bool | None:
        """Whether the value reaches the bar; ``None`` without one."""
        return None if self.at_least is None else self.value >= self.at_least


def batches(folder: Path, mail: str | None, clock: str, bars: tuple[float, float]) -> Iterator[Bar]:
    """Batches of 1,000, from drafts and from JSON, against ``executemany`` of the same rows."""
    with ledger_in(folder, mail) as bench:
        numbers, record = Numbers(), bench.recorder.record
        from_drafts = _each(lambda: numbers.drafts(FACTS), record)
        from_json = _each(lambda: numbers.body(FACTS), lambda body: record(parse_request(body)))
        raw = seconds_of_commits(bench.file, folder / f"raw-{clock}.db", FACTS)
        yardstick = sorted(raw)[len(raw) // 2]
        yield Bar(f"raw executemany, {FACTS} per commit", FACTS / yardstick, "facts/s")
        yield _against(f"batch append, {clock}", from_drafts, yardstick, bars[0])
        yield _against(f"JSON to durable, {clock}", from_json, yardstick, bars[1])


def singles(folder: Path, mail: str | None, clock: str, bars: dict[int, float]) -> Iterator[Bar]:
    """Facts one by one from many callers at once, against the disk's durable writes per second."""
    durable = fdatasync_rate(folder)
    yield Bar("fdatasync", durable, "per second")
    with ledger_in(folder, mail) as bench:
        numbers = Numbers()
        for callers, at_least in bars.items():
            rate, disturbed = _rate_of_callers(bench, numbers, callers)
            yield Bar(
                f"single appends, {callers} callers, {clock}",
                rate / durable,
                "× fdatasync",
                at_least,
                disturbed,
            )
        stamps = _rate(lambda: bench.clock.stamp(_DIGEST, 1), _SECONDS)
        one, disturbed = _rate_of_callers(bench, numbers, 1)
        yield Bar(f"the clock's own stamps, {clock}", stamps, "per second")
        yield Bar(f"one caller, {clock}", one / stamps, "× the clock's rate", 0.65, disturbed)


def reports(folder: Path, mail: str | None, clock: str) -> Iterator[Bar]:
    """Consumption reports of 300 entries, ten a commit."""
    with ledger_in(folder, mail) as bench:
        numbers = Numbers()
        found = _each(lambda: numbers.drafts(_REPORTS, _ENTRIES), bench.recorder.record)
        rate = _REPORTS * _ENTRIES / found.median
        yield Bar(f"reports of {_ENTRIES} entries, {clock}", rate, "entries/s", 350_000, found.disturbed)


def filling(folder: Path, mail: str | None, clock: str, facts: int, at_least: float) -> Iterator[Bar]:
    """How much slower the last quarter of so many facts is recorded than the first."""
    with ledger_in(folder, mail) as bench:
        numbers, taken = Numbers(), []
        for _ in range(facts // FACTS):
            drafts = numbers.drafts(FACTS)
            start = time.perf_counter()
            bench.recorder.record(drafts)
            taken.append(time.perf_counter() - start)
        quarter = len(taken) // 4
        ratio = sum(taken[:quarter]) / sum(taken[-quarter:])
        yield Bar(f"fill, last quarter against first of {facts:,}, {clock}", ratio, "×", at_least)
        yield from _reading(bench, facts)


def _reading(bench: Bench, facts: int) -> Iterator[Bar]:
    """What is done with a ledger that is there: audit, hashing, projections."""
    record = bench.runtime.record
    leaves = [leaf for *_, leaf in record.scan(0, facts)]
    hashing = repeated(lambda: root_of(map(leaf_hash, leaves)), 3)
    yield Bar("leaf hashes and root", facts / hashing.median, "leaves/s", 600_000, hashing.disturbed)
    auditing = repeated(lambda: audit(record), 1)
    yield Bar("audit, models too, one core", facts / auditing.median, "leaves/s", 140_000, auditing.disturbed)
    answers = bench.runtime.answers
    for name in ("acceptance", "timeline"):
        following = repeated(lambda name=name: answers.rebuild(name), 1)  # type: ignore[misc]
        yield Bar(
            f"projection {name}, rebuilt", facts / following.median, "facts/s", 50_000, following.disturbed
        )
    asking = repeated(lambda: [answers.ask("usage", f"ACC-{n}", as_of=None) for n in range(5)], 3)
    folded = facts / ACCOUNTS * 5
    yield Bar(
        "usage of an account, one entry a fact", folded / asking.median, "entries/s", None, asking.disturbed
    )


def _each(make: Callable[[], T], record: Callable[[T], object]) -> Repetitions:
    """Seconds of each commit; what it records is made beforehand, and the collector rests."""
    ready = itertools.chain([make() for _ in range(_COMMITS)], iter(make, None))
    for _ in range(_WARMING):
        record(next(ready))
    gc.collect()
    gc.freeze()
    try:
        return repeated(lambda: record(next(ready)), _COMMITS - _WARMING, _COMMITS)
    finally:
        gc.unfreeze()


def _against(path: str, found: Repetitions, yardstick: float, at_least: float) -> Bar:
    return Bar(path, yardstick / found.median, "× raw executemany", at_least, found.disturbed)


def _rate_of_callers(bench: Bench, numbers: Numbers, callers: int) -> tuple[float, int]:
    """Facts recorded per second by so many callers, each waiting for its receipt before its next fact."""
    ready = iter(numbers.drafts(100_000))
    guard, counts, ending = threading.Lock(), [0] * callers, threading.Event()

    def call(place: int) -> None:
        while not ending.is_set():
            with guard:
                draft = next(ready)
            bench.recorder.record([draft])
            counts[place] += 1

    threads = [threading.Thread(target=call, args=(place,)) for place in range(callers)]

    def measured() -> None:
        for thread in threads:
            thread.start()
        time.sleep(_SECONDS)
        ending.set()
        for thread in threads:
            thread.join()

    found = repeated(measured, 1, 1)
    return sum(counts) / found.median, found.disturbed


def _rate(act: Callable[[], object], seconds: float) -> float:
    count, start = 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        act()
        count += 1
    return count / (time.perf_counter() - start)
