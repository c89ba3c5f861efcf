"""Vouching: outside parties are asked about the newest checkpoint, and their answers recorded as facts.

Witnesses cosign it (C2SP tlog-witness), authorities timestamp it (RFC 3161). What the ledger records of that
is facts of its own, which cause no further round: only facts of others do.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ledger import instants
from ledger.errors import GreffeError, WrongCallError
from ledger.facts.catalogue import TYPES
from ledger.facts.envelope import parse_events
from ledger.log.checkpoints import SignedCheckpoint, time_of
from ledger.log.notes import Signature, VerifierKey, encode_base64
from ledger.log.witnesses import Witnesses
from ledger.recorder import Recorder
from ledger.store import Record

_SOURCE = "/greffe/vouching"
_LEAVES_AT_ONCE = 5_000
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Round:
    """What came of one round: over which checkpoint, who vouched, whether that is enough, who refused."""

    size: int
    cosignatures: int
    policy_met: bool | None
    refusals: tuple[str, ...]


class Vouching:
    """Asks the outside parties of one ledger; one thread at a time.

    Raises:
        WrongCallError: the ledger signs no checkpoints, so there is nothing to vouch for.
    """

    def __init__(self, recorder: Recorder, record: Record, witnesses: Witnesses | None) -> None:
        if recorder.notary is None:
            raise WrongCallError("a ledger that is not signed has no checkpoint to vouch for")
        self._recorder, self._notary, self._record = recorder, recorder.notary, record
        self._witnesses = witnesses
        self._asked_size = self._vouched_size()

    def round(self, *, anyway: bool = False) -> Round | None:
        """Ask everybody once; ``None`` when no fact of others came since the last round, unless ``anyway``.

        Raises:
            WrongLedgerError: the tree does not continue what was signed before.
            ClockUnavailableError: the mail server gave no stamp for the answers; the next round asks again.
        """
        size = self._record.size()
        if not anyway and not self._has_news(size):
            return None
        signed = self._notary.sign()
        events, met, refusals = self._cosigned(signed)
        if events:
            self._recorder.record(parse_events(events, by_ledger=True))
        self._asked_size = size if not refusals else self._asked_size
        return Round(signed.checkpoint.size, len(events), met, refusals)

    def _cosigned(
        self, signed: SignedCheckpoint
    ) -> tuple[list[dict[str, Any]], bool | None, tuple[str, ...]]:
        if self._witnesses is None:
            return [], None, ()
        answer = self._witnesses.cosign(signed, self._record.tree())
        for refusal in answer.refusals:
            _log.warning("not cosigned: %s", refusal)
        if answer.cosignatures:
            self._notary.vouch(signed, answer.cosignatures)
        keys = [witness.key for witness in self._witnesses.policy.witnesses]
        events = [
            cosigned_event(signed, line, key)
            for line in answer.cosignatures
            for key in keys
            if line.is_by(key)
        ]
        return events, answer.is_met, answer.refusals

    def _has_news(self, size: int) -> bool:
        """Whether somebody else recorded a fact since what was vouched for last."""
        at = self._asked_size
        while at < size:
            until = min(at + _LEAVES_AT_ONCE, size)
            if any(not TYPES[fact.type].by_ledger for fact in self._record.facts(at, until - at)):
                return True
            at = until
        return False

    def _vouched_size(self) -> int:
        """The size of the newest checkpoint that somebody vouched for."""
        sizes = [0]
        for subject in ("witnesses", "tokens"):
            try:
                sizes += [fact.fields["data"]["size"] for fact in self._record.history(subject)]
            except GreffeError:
                _log.exception("the history of %s cannot be read", subject)
        return max(sizes)


def cosigned_event(signed: SignedCheckpoint, line: Signature, key: VerifierKey) -> dict[str, Any]:
    """The fact that a witness cosigned a checkpoint (``witness.cosigned``)."""
    seconds = time_of(line, key)
    data = {
        "size": signed.checkpoint.size,
        "root": signed.checkpoint.root.hex(),
        "witness": key.text,
        "signature": encode_base64(line.line.encode()),
    }
    if seconds is not None:
        data["time"] = instants.canonical(datetime.fromtimestamp(seconds, UTC))
    return {
        "specversion": "1.0",
        "id": f"cosigned-{key.key_id.hex()}-{signed.checkpoint.size}-{seconds or 0}",
        "source": _SOURCE,
        "type": "witness.cosigned",
        "subject": "witnesses",
        "data": data,
    }
