"""Vouching: outside parties are asked about the newest checkpoint, and their answers recorded as facts.

Witnesses cosign it (C2SP tlog-witness), authorities timestamp it (RFC 3161). What the ledger records of that
is facts of its own, which cause no further round: only facts of others do.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ledger import instants
from ledger.errors import GreffeError, ProofError, WrongCallError
from ledger.facts.catalogue import TYPES
from ledger.facts.envelope import parse_events
from ledger.log.checkpoints import Checkpoint, SignedCheckpoint, time_of
from ledger.log.notes import Signature, VerifierKey, decode_base64, encode_base64
from ledger.log.tokens import Authority, Token, needs_renewal, token_data, verify_token
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
    tokens: int
    policy_met: bool | None
    refusals: tuple[str, ...]


class Vouching:
    """Asks the outside parties of one ledger; one thread at a time.

    Raises:
        WrongCallError: the ledger signs no checkpoints, so there is nothing to vouch for.
    """

    def __init__(
        self,
        recorder: Recorder,
        record: Record,
        witnesses: Witnesses | None = None,
        authorities: Sequence[Authority] = (),
    ) -> None:
        if recorder.notary is None:
            raise WrongCallError("a ledger that is not signed has no checkpoint to vouch for")
        self._recorder, self._notary, self._record = recorder, recorder.notary, record
        self._witnesses, self._authorities = witnesses, authorities
        self._asked_size = self._vouched_size()

    def round(self, *, anyway: bool = False) -> Round | None:
        """Ask everybody once; ``None`` when nothing asks for it, unless ``anyway``.

        What asks for it is a fact of others since the last round, or the newest token of an authority whose
        certificate expires soon: a newer token covers it, being over a tree that contains it.

        Raises:
            WrongLedgerError: the tree does not continue what was signed before.
            ClockUnavailableError: the mail server gave no stamp for the answers; the next round asks again.
        """
        size = self._record.size()
        if not (anyway or self._has_news(size) or self._token_expires()):
            return None
        signed = self._notary.sign()
        cosignatures, met, refusals = self._cosigned(signed)
        tokens, failures = self._stamped(signed)
        if cosignatures or tokens:
            self._recorder.record(parse_events([*cosignatures, *tokens], by_ledger=True))
        refusals += failures
        self._asked_size = size if not refusals else self._asked_size
        return Round(signed.checkpoint.size, len(cosignatures), len(tokens), met, refusals)

    def _stamped(self, signed: SignedCheckpoint) -> tuple[list[dict[str, Any]], tuple[str, ...]]:
        events, failures = [], []
        for authority in self._authorities:
            try:
                token = authority.token_over(signed.checkpoint.text.encode())
            except ProofError as error:
                _log.warning("not timestamped: %s", error)
                failures.append(str(error))
            else:
                self._notary.vouch(signed)
                events.append(token_event(signed, token))
        return events, tuple(failures)

    def _token_expires(self) -> bool:
        """Whether what an authority answered last rests on a certificate that expires soon."""
        newest: dict[str, dict[str, Any]] = {}
        for fact in self._record.history("tokens"):
            newest[fact.fields["data"]["authority"]] = fact.fields["data"]
        now = datetime.now(UTC)
        roots = [root for authority in self._authorities for root in authority.roots]
        for data in newest.values():
            checkpoint = Checkpoint(self._record.identity.origin, data["size"], bytes.fromhex(data["root"]))
            try:
                der = decode_base64(data["token"], "the token")
                token = verify_token(der, checkpoint.text.encode(), roots)
            except ProofError:
                continue  # of an authority that is no longer asked
            if needs_renewal(token, now):
                return True
        return False

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


def token_event(signed: SignedCheckpoint, token: Token) -> dict[str, Any]:
    """The fact that an authority timestamped a checkpoint (``token.received``)."""
    return {
        "specversion": "1.0",
        "id": f"token-{hashlib.sha256(token.der).hexdigest()[:32]}",
        "source": _SOURCE,
        "type": "token.received",
        "subject": "tokens",
        "data": token_data(token, signed.checkpoint),
    }


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
