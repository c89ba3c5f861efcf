"""A witness (C2SP tlog-witness): cosigns the checkpoints of logs that only ever grow.

The party that does not keep the ledger runs it. It remembers the newest checkpoint of each log in a folder
of its own, and whoever shows it another history is refused; a contradiction that the log signed is kept as
a fraud proof. It knows nothing but the logs' verifier keys.

Only checkpoints of three lines are cosigned: one with extension lines is answered as malformed.
"""

from __future__ import annotations

import fcntl
import hashlib
import logging
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import IntEnum
from pathlib import Path

from ledger.errors import ProofError, WrongCallError, WrongLedgerError
from ledger.log.checkpoints import Checkpoint, SignedCheckpoint, cosignature_message, subtree_message, timed
from ledger.log.fraud import FraudProof
from ledger.log.keys import Keys, write_private
from ledger.log.merkle import EMPTY_ROOT
from ledger.log.notes import COSIGNATURE, ED25519, ML_DSA_44, Note, Signature, VerifierKey, check_name
from ledger.log.proofs import ConsistencyProof

PLAIN = "text/plain; charset=utf-8"
SIZE = "text/x.tlog.size"
"""The media type of a tree's size, by which a log learns what the witness saw last."""

_LONGEST_NAME_BYTES = 255
_LOG = logging.getLogger("greffe.witness")


class Outcome(IntEnum):
    """What a witness answers; the numbers are those that the specification gives (HTTP, RFC 9110)."""

    COSIGNED = 200
    MALFORMED = 400
    UNTRUSTED = 403
    UNKNOWN_LOG = 404
    CONFLICT = 409
    INCONSISTENT = 422


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to one ``add-checkpoint``."""

    outcome: Outcome
    text: str
    media_type: str = PLAIN


class Witness:
    """A witness with its state in ``folder``; threads and processes may share it.

    Args:
        folder: its keys, its name, what it cosigned last, and the fraud proofs it wrote.
        name: its name, a URL without scheme; remembered, so it may be left out later.
        logs: the verifier keys of the logs that it watches; a log's origin is its keys' name.
        now: the time, in seconds since 1970 (UTC), that its cosignatures state.

    Raises:
        WrongCallError: no log is given, or a key that no log signs with, or a name too long.
        WrongLedgerError: the folder is that of a witness of another name, or its keys are damaged.
    """

    def __init__(
        self,
        folder: Path,
        logs: Iterable[VerifierKey],
        name: str | None = None,
        *,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._folder = folder
        self._now = now
        self._logs = _by_origin(logs)
        for part in ("", "latest", "fraud"):
            (folder / part).mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._locked():
            self._keys = Keys.open(folder / "keys", self._remembered(name))

    @property
    def name(self) -> str:
        """The name that its cosignatures bear."""
        return self._keys.name

    @property
    def verifier_keys(self) -> list[VerifierKey]:
        """What verifies its cosignatures: Ed25519 (``cosignature/v1``) and ML-DSA-44 (``subtree/v1``)."""
        ed25519 = self._keys.ed25519.public_key().public_bytes_raw()
        ml_dsa_44 = self._keys.ml_dsa_44.public_key().public_bytes_raw()
        return [VerifierKey(self.name, COSIGNATURE, ed25519), VerifierKey(self.name, ML_DSA_44, ml_dsa_44)]

    def add_checkpoint(self, body: bytes) -> Answer:
        """Cosign a checkpoint if its tree begins with the one cosigned last for that log.

        What was cosigned is durable before this returns.

        Raises:
            WrongLedgerError: what the witness remembers is damaged; it then cosigns nothing.
        """
        try:
            offered = ConsistencyProof.parse(body)
        except ProofError as error:
            return Answer(Outcome.MALFORMED, f"{error}\n")
        checkpoint = offered.signed.checkpoint
        keys = self._logs.get(checkpoint.origin)
        if keys is None:
            return Answer(Outcome.UNKNOWN_LOG, "this witness does not watch that log\n")
        try:
            trusted = offered.signed.verified_by(keys)
        except ProofError as error:
            return Answer(Outcome.UNTRUSTED, f"{error}\n")
        if offered.old_size > checkpoint.size:
            return Answer(Outcome.MALFORMED, "the old size is larger than the checkpoint's\n")
        offered = replace(offered, signed=_signed_only_by(offered.signed, trusted))
        with self._locked():
            return self._continue(offered)

    def fraud_proofs(self) -> list[Path]:
        """The files about contradictions that it was shown, by name."""
        return sorted((self._folder / "fraud").glob("*.txt"))

    def _continue(self, offered: ConsistencyProof) -> Answer:
        """Decide under the lock: between reading what was cosigned last and writing it, nobody else does."""
        new = offered.signed.checkpoint
        latest = self._latest(new.origin)
        known = latest.checkpoint if latest else Checkpoint(new.origin, 0, EMPTY_ROOT)
        split = new.size == known.size and new.root != known.root
        if split and latest is not None:
            self._accuse(FraudProof(latest, offered.signed))
        if offered.old_size != known.size:
            return Answer(Outcome.CONFLICT, f"{known.size}\n", SIZE)
        if split:
            return Answer(Outcome.CONFLICT, f"another tree of {new.size} leaves was cosigned\n")
        growth = latest and FraudProof(latest, offered.signed, offered)
        try:
            offered.verify(known)
        except ProofError as error:
            if growth and new.size > known.size:
                self._accuse(growth)
            return Answer(Outcome.INCONSISTENT, f"{error}\n")
        cosignatures = self._cosign(new)
        if latest is None or new.size > known.size:
            self._keep(offered.signed)
        if growth:
            # somebody may have sent this very checkpoint with a wrong proof before
            (self._folder / "fraud" / growth.file_name).unlink(missing_ok=True)
        return Answer(Outcome.COSIGNED, "".join(signature.line for signature in cosignatures))

    def _cosign(self, checkpoint: Checkpoint) -> list[Signature]:
        timestamp = int(self._now())
        ed25519, ml_dsa_44 = self.verifier_keys
        text = cosignature_message(timestamp, checkpoint)
        subtree = subtree_message(self.name, timestamp, checkpoint)
        return [
            Signature(self.name, ed25519.key_id, timed(timestamp, self._keys.ed25519.sign(text))),
            Signature(self.name, ml_dsa_44.key_id, timed(timestamp, self._keys.ml_dsa_44.sign(subtree))),
        ]

    def _latest(self, origin: str) -> SignedCheckpoint | None:
        """What was cosigned last for a log, as the log signed it."""
        path = self._path_of(origin)
        if not path.exists():
            return None
        digest, _, raw = path.read_bytes().partition(b"\n")
        if digest != _digest(raw):
            raise WrongLedgerError(f"{path} is damaged: nothing is cosigned for {origin}")
        return SignedCheckpoint.parse(raw)

    def _keep(self, signed: SignedCheckpoint) -> None:
        raw = signed.to_bytes()
        write_private(self._path_of(signed.checkpoint.origin), _digest(raw) + b"\n" + raw)

    def _accuse(self, proof: FraudProof) -> None:
        path = self._folder / "fraud" / proof.file_name
        if not path.exists():
            write_private(path, proof.to_bytes())
            _LOG.warning("%s Kept in %s", proof.meaning, path)

    def _path_of(self, origin: str) -> Path:
        return self._folder / "latest" / f"{_digest(origin.encode()).decode()}.note"

    def _remembered(self, name: str | None) -> str:
        """The name in the folder; the given one, or one after this machine, at the first start."""
        path = self._folder / "name"
        if not path.exists():
            chosen = _checked_name(name or f"{os.uname().nodename}/greffe-witness")
            write_private(path, f"{chosen}\n".encode())
        known = path.read_text(encoding="utf-8").removesuffix("\n")
        if name not in (None, known):
            raise WrongLedgerError(f"{self._folder} is the state of the witness {known}, not of {name}")
        return known

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Nobody else, in this process or another, reads or writes the state meanwhile."""
        descriptor = os.open(self._folder / "lock", os.O_CREAT | os.O_RDWR, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


def _digest(data: bytes) -> bytes:
    return hashlib.sha256(data).hexdigest().encode()


def _by_origin(logs: Iterable[VerifierKey]) -> dict[str, tuple[VerifierKey, ...]]:
    found: dict[str, tuple[VerifierKey, ...]] = {}
    for key in logs:
        if key.kind not in (ED25519, ML_DSA_44):
            raise WrongCallError(f"the key of {key.name} is a witness's, not a log's")
        found[_checked_name(key.name)] = (*found.get(key.name, ()), key)
    if not found:
        raise WrongCallError("a witness watches at least one log: give its verifier keys")
    return found


def _checked_name(name: str) -> str:
    try:
        check_name(name)
    except ProofError as error:
        raise WrongCallError(str(error)) from error
    if len(name.encode()) > _LONGEST_NAME_BYTES:
        raise WrongCallError(f"a name has at most {_LONGEST_NAME_BYTES} bytes (tlog-cosignature)")
    return name


def _signed_only_by(signed: SignedCheckpoint, keys: Sequence[VerifierKey]) -> SignedCheckpoint:
    """The checkpoint with one signature of each of these keys and none of unknown ones."""
    first = {key: next(line for line in signed.note.signatures if line.is_by(key)) for key in keys}
    return SignedCheckpoint(signed.checkpoint, Note(signed.note.text, tuple(first.values())))
