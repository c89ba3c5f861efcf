"""The simulated clock: told what time it is, for scenarios and tests; never for a real ledger."""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Callable
from datetime import datetime

from ledger.clock.message import stamping_message
from ledger.clock.queue_id import encode
from ledger.clock.stamp import Stamp
from ledger.errors import WrongCallError
from ledger.instants import plain

SIMULATED = "simulated"
_ADDRESS = "stamp@simulated.invalid"


class SimulatedClock:
    """Stamps every commit with the instant it was last told, in UTC."""

    name = SIMULATED

    def __init__(self, now: datetime, *, origin: str = SIMULATED, not_before: datetime | None = None) -> None:
        self._now = now
        self._not_before = not_before
        self._origin = origin
        self._inodes = itertools.count(secrets.randbits(40))

    def set(self, now: datetime) -> None:
        """Say what time it is; going backwards is allowed, as mail servers' clocks do."""
        self._now = now

    def queue_id(self, instant: datetime) -> str:
        """A fresh queue id for a message at ``instant``."""
        return encode(instant, next(self._inodes))

    def stamp(self, digest: str, count: int, checkpoint: bytes = b"") -> Stamp:
        """The stamp of a message that would have been sent now.

        Raises:
            WrongCallError: it is earlier than the instant that this clock was to go on from.
        """
        if self._not_before is not None and self._now < self._not_before:
            raise WrongCallError(
                f"the ledger's last stamp is {plain(self._not_before)}: nothing new is recorded at"
                f" {plain(self._now)}"
            )
        message = stamping_message(
            digest, count, origin=self._origin, sender=_ADDRESS, recipient=_ADDRESS, checkpoint=checkpoint
        )
        queue_id = self.queue_id(self._now)
        return Stamp(self._now, SIMULATED, queue_id, message.message_id, message.sha256)

    def unfollowed(self, _after: datetime | None, _is_committed: Callable[[str], bool]) -> list[str]:
        """Nothing: a simulated clock keeps no journal."""
        return []

    def close(self) -> None:
        """Nothing to let go of."""
