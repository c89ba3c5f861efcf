"""Waiting for a log to grow: told by PostgreSQL where it can tell, and looking for oneself as well."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack, closing

from ledger.store.engine import is_postgresql, open_connection

_LOOK_SECONDS = 0.05
_LISTEN_SECONDS = 1.0
"""A notice can be lost (a failover, a standby): nobody waits for one longer than this."""


def wait_for(url: str, size_now: Callable[[], int], size: int, seconds: float) -> int:
    """Wait until ``size_now`` tells more than ``size``, or so long; gives what it told last."""
    until = time.monotonic() + seconds
    with ExitStack() as opened:
        wait: Callable[[float], object] = time.sleep
        longest = _LOOK_SECONDS
        if is_postgresql(url):
            connection = opened.enter_context(closing(open_connection(url, reading=True)))
            if connection.listen():
                wait, longest = connection.heard, _LISTEN_SECONDS
        while (found := size_now()) <= size:
            left = until - time.monotonic()
            if left <= 0:
                break
            wait(min(left, longest))
    return found
