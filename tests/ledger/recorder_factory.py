"""Facts and a clock for tests of the recorder, importable by a process of its own as well."""

from __future__ import annotations

import itertools
import threading
from datetime import UTC, datetime

import orjson

from ledger.clock.queue_id import encode
from ledger.clock.stamp import Stamp
from ledger.errors import ClockUnavailableError

ENTRY = {
    "service": "fcu", "from": "2021-06-01T08:00:00Z", "to": "2021-06-01T09:00:00Z", "quantity": "3600",
    "unit": "second",
}  # fmt: skip


def event(name, kind, subject, data=None, **more):
    """A CloudEvent."""
    return {
        "specversion": "1.0", "id": name, "source": "/test", "type": kind, "subject": subject,
        "data": data or {}, **more,
    }  # fmt: skip


def opened(account="ACC-1", **data):
    """An account's opening."""
    return event(f"open-{account}", "account.opened", account, data)


def consumed(name, account="ACC-1", **entry):
    """A delivery of one entry."""
    data = {"entries": [{**ENTRY, **entry}]}
    return event(name, "consumption.recorded", f"{account}/consumption/{name}", data)


def stamps(record):
    """The data of every stamp leaf."""
    return [
        orjson.loads(leaf)["data"]
        for _, _, _, kind, leaf in record.scan(0, record.size())
        if kind == "stamp.received"
    ]


class Waiting:
    """A clock that says when it is asked, waits for ``go``, and fails as often as it is told to."""

    name = "postfix:mx.test"

    def __init__(self, failures=0):
        self.asked, self.go = threading.Event(), threading.Event()
        self._failures = failures
        self._inodes = itertools.count(1)

    def stamp(self, digest, count, checkpoint=b""):
        self.asked.set()
        assert self.go.wait(30)
        assert count
        if self._failures:
            self._failures -= 1
            raise ClockUnavailableError("the mail server is away")
        now = datetime.now(UTC)
        return Stamp(now, self.name, encode(now, next(self._inodes)), "<m@test>", digest)

    def unfollowed(self, _after, _is_committed):
        return []

    def close(self):
        pass
