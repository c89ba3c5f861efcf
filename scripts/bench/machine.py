"""The machine that is measured: what it is, how fast its disk makes things durable, who else is on it."""

from __future__ import annotations

import os
import platform
import resource
import sqlite3
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

FOREIGN_CORES = 0.5
"""A repetition during which others took more than this much of a core is thrown away."""

_PROBE_SECONDS = 0.5
_BLOCK = b"\0" * 4096


def described(folder: Path) -> dict[str, object]:
    """What the figures depend on: cores, processor, system, versions, the disk's durable writes."""
    return {
        "cores": len(os.sched_getaffinity(0)),
        "processor": _processor(),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "fdatasync_per_second": round(fdatasync_rate(folder)),
    }


def fdatasync_rate(folder: Path) -> float:
    """Appends of 4 KiB that are made durable one by one, per second: the median of three probes."""
    rates = []
    for number in range(3):
        descriptor = os.open(folder / f"probe-{number}", os.O_CREAT | os.O_WRONLY | os.O_APPEND)
        count, start = 0, time.perf_counter()
        while time.perf_counter() - start < _PROBE_SECONDS:
            os.write(descriptor, _BLOCK)
            os.fdatasync(descriptor)
            count += 1
        rates.append(count / (time.perf_counter() - start))
        os.close(descriptor)
    return statistics.median(rates)


@dataclass(slots=True)
class Repetitions:
    """What was measured again and again: seconds of each repetition that nobody disturbed."""

    seconds: list[float] = field(default_factory=list)
    disturbed: int = 0

    @property
    def median(self) -> float:
        """The median in seconds."""
        return statistics.median(self.seconds)


def repeated(measured: Callable[[], object], times: int, at_most: int | None = None) -> Repetitions:
    """Repeat until ``times`` repetitions were undisturbed; after ``at_most``, take what there is."""
    found, all_of_them = Repetitions(), []
    for _ in range(at_most or 2 * times):
        foreign, start = _foreign_seconds(), time.perf_counter()
        measured()
        taken = time.perf_counter() - start
        all_of_them.append(taken)
        if (_foreign_seconds() - foreign) / taken > FOREIGN_CORES:
            found.disturbed += 1
        else:
            found.seconds.append(taken)
        if len(found.seconds) == times:
            return found
    if len(found.seconds) < times:
        found.seconds = all_of_them
    return found


def _foreign_seconds() -> float:
    """Processor time that others have used since the system started; our ended children count as ours."""
    ours = sum(
        usage.ru_utime + usage.ru_stime
        for usage in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    )
    numbers = Path("/proc/stat").read_text(encoding="ascii").splitlines()[0].split()[1:]
    user, nice, system, _idle, _iowait, irq, softirq, *_ = map(int, numbers)
    return (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK") - ours


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or "unknown"
