"""What Prometheus may ask: counts and delays of this process, without any name from the record."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

CONTENT_TYPE = CONTENT_TYPE_LATEST
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)


@dataclass
class Metrics:
    """The instruments of one application; a registry of their own, so that two may run in one process."""

    registry: CollectorRegistry = field(default_factory=CollectorRegistry)

    def __post_init__(self) -> None:
        """Make the instruments."""
        self.recorded = Counter("greffe_facts_recorded", "Facts recorded by HTTP.", registry=self.registry)
        self.repeated = Counter(
            "greffe_facts_repeated", "Facts sent again and found.", registry=self.registry
        )
        self.refused = Counter(
            "greffe_requests_refused",
            "Requests to record that were refused.",
            ["status"],
            registry=self.registry,
        )
        self.commits = Counter("greffe_commits", "Commits, each under one stamp.", registry=self.registry)
        self.stamping = Histogram(
            "greffe_recording_seconds",
            "From a parsed request to its durable receipts, the stamp included.",
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.answering = Histogram(
            "greffe_answer_seconds", "Answers to questions.", ["projection"], registry=self.registry
        )
        self.log_size = Gauge("greffe_log_size", "Leaves in the log.", registry=self.registry)
        self.follower_lag = Gauge(
            "greffe_follower_lag",
            "Leaves that the projections have not followed yet.",
            registry=self.registry,
        )
        self.clock_up = Gauge(
            "greffe_clock_up", "1 when the last stamp asked for was given.", registry=self.registry
        )

    @contextmanager
    def timed(self, instrument: Histogram) -> Iterator[None]:
        """Observe how long the block takes, when it succeeds."""
        start = time.monotonic()
        yield
        instrument.observe(time.monotonic() - start)

    def exposition(self) -> bytes:
        """Prometheus's text format."""
        return generate_latest(self.registry)
