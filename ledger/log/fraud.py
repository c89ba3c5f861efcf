"""What a witness keeps when a log contradicts itself: a file that anybody can verify with the log's keys.

The file has a heading, what it means in one sentence, the signed checkpoint that the witness had cosigned,
and the one that does not fit it. Both stand in it byte for byte, as the log signed them. Only two signed
roots of one size are proof by themselves; the file says so.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from ledger.errors import ProofError
from ledger.log.checkpoints import SignedCheckpoint
from ledger.log.notes import VerifierKey
from ledger.log.proofs import ConsistencyProof

TITLE = "greffe fraud-proof v1"
TWO_ROOTS = "two-roots"
UNPROVEN_GROWTH = "unproven-growth"
_PARTS = 4


@dataclass(frozen=True, slots=True)
class FraudProof:
    """Two checkpoints of a log that do not fit together.

    ``offered`` is the proof that came with the newer one, when the two are of different sizes.
    """

    older: SignedCheckpoint
    newer: SignedCheckpoint
    offered: ConsistencyProof | None = None

    @property
    def kind(self) -> str:
        """``two-roots``, or ``unproven-growth`` when the sizes differ."""
        return TWO_ROOTS if self.offered is None else UNPROVEN_GROWTH

    @property
    def meaning(self) -> str:
        """What the file shows, in words."""
        older, newer = self.older.checkpoint, self.newer.checkpoint
        if self.offered is None:
            return (
                f"The log {older.origin} signed two different trees of {older.size} leaves: it rewrote its"
                " record, or showed different records to different people. The two signatures prove it by"
                " themselves."
            )
        return (
            f"The log {older.origin} signed a tree of {older.size} leaves and one of {newer.size}, and the"
            " proof that came with the second does not show that it begins with the first. This alone proves"
            " nothing: anybody may have sent a wrong proof. A log that can give no right one has rewritten"
            " its record."
        )

    @property
    def file_name(self) -> str:
        """One name for each pair of checkpoints, whatever proof or further signatures came with them."""
        both = self.older.note.text + self.newer.note.text
        return f"{self.kind}-{hashlib.sha256(both.encode()).hexdigest()[:32]}.txt"

    def to_bytes(self) -> bytes:
        """The file."""
        head = f"{TITLE}\n{self.kind}\n{self.meaning}\n\n".encode()
        last = self.newer.to_bytes() if self.offered is None else self.offered.to_bytes()
        return head + self.older.to_bytes() + b"\n" + last

    @classmethod
    def parse(cls, raw: bytes) -> FraudProof:
        """Read a file; nothing is verified yet.

        Raises:
            ProofError: it is none, or is not written as one.
        """
        parts = raw.split(b"\n\n", _PARTS - 1)
        if len(parts) != _PARTS or not parts[0].startswith(TITLE.encode() + b"\n"):
            raise ProofError(f"a fraud proof begins with {TITLE}, and holds two signed checkpoints")
        head, text, signatures, last = parts
        older = SignedCheckpoint.parse(text + b"\n\n" + signatures + b"\n")
        if last.startswith(b"old "):
            offered = ConsistencyProof.parse(last)
            proof = cls(older, offered.signed, offered)
        else:
            proof = cls(older, SignedCheckpoint.parse(last))
        if proof.to_bytes() != raw:
            raise ProofError(f"the file does not say what its checkpoints say: {head[:40]!r}")
        return proof

    def authenticate(self, keys: Iterable[VerifierKey]) -> None:
        """Verify that the log signed both checkpoints, and that they do not fit together as they stand.

        Each signature in the file is verified; one of a key that is not given is refused, so that no byte
        of the file is taken on trust.

        Raises:
            ProofError: a signature is not the log's, or the two checkpoints fit together.
        """
        older, newer = self.older.checkpoint, self.newer.checkpoint
        if older.origin != newer.origin:
            raise ProofError(f"{older.origin} and {newer.origin} are two logs: neither contradicts the other")
        ours = [key for key in keys if key.name == older.origin]
        for signed in (self.older, self.newer):
            _check_signatures(signed, ours)
        if self.offered is None:
            if older.size != newer.size or older.root == newer.root:
                raise ProofError("the two checkpoints are not two roots of one size: nothing is contradicted")
        else:
            _check_failure(self.older, self.offered)

    def verify(self, keys: Iterable[VerifierKey]) -> None:
        """Verify that the file proves, by itself, that the log signed two trees that exclude each other.

        Args:
            keys: the log's verifier keys; those of other logs are ignored.

        Raises:
            ProofError: it does not; also for an authentic file of two different sizes.
        """
        self.authenticate(keys)
        if self.offered is not None:
            raise ProofError(f"the file is authentic, but is no proof by itself. {self.meaning}")


def _check_signatures(signed: SignedCheckpoint, keys: list[VerifierKey]) -> None:
    signed.verified_by(keys)
    for signature in signed.note.signatures:
        if not any(signature.is_by(key) for key in keys):
            raise ProofError(
                f"the checkpoint is also signed by {signature.name} with the key {signature.key_id.hex()}:"
                " give that verifier key too"
            )


def _check_failure(older: SignedCheckpoint, offered: ConsistencyProof) -> None:
    if not 0 < older.checkpoint.size < offered.signed.checkpoint.size:
        raise ProofError("the second checkpoint is not of a larger tree than the first")
    if offered.old_size != older.checkpoint.size:
        raise ProofError("the proof in the file is not about its first checkpoint")
    try:
        offered.verify(older.checkpoint)
    except ProofError:
        return
    raise ProofError("the second tree begins with the first, as it should: nothing is contradicted")
