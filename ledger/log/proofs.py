"""Proofs as they are verified and written: RFC 9162 §2.1.3–2.1.4, C2SP tlog-proof and tlog-witness.

An inclusion proof shows that a leaf is in the tree of a checkpoint; it does not bind the tree's size, which
the signed checkpoint does. A consistency proof shows that one tree begins with another.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ledger.errors import ProofError
from ledger.log.checkpoints import LARGEST_SIZE, Checkpoint, SignedCheckpoint
from ledger.log.merkle import HASH_BYTES, node_hash
from ledger.log.notes import decode_base64, decode_count, encode_base64

PROOF_LINE = "c2sp.org/tlog-proof@v1"
MOST_HASHES = 63


def verify_inclusion(leaf: bytes, index: int, proof: Sequence[bytes], checkpoint: Checkpoint) -> None:
    """Verify that the leaf of this hash stands at ``index`` in a checkpoint's tree (RFC 9162 §2.1.3.2).

    Raises:
        ProofError: it does not.
    """
    if not 0 <= index < checkpoint.size:
        raise ProofError(f"a tree of {checkpoint.size} leaves has no leaf {index}")
    _, root = _climb(leaf, index, checkpoint.size - 1, proof)
    if root != checkpoint.root:
        raise ProofError(f"the inclusion proof of leaf {index} does not lead to the checkpoint's root")


def _climb(node: bytes, place: int, last: int, siblings: Sequence[bytes]) -> tuple[bytes, bytes]:
    """From a node to the roots of the tree that ends with it and of the whole tree.

    ``place`` is the node's and ``last`` the last one's number at their height.

    Raises:
        ProofError: there are more siblings than heights, or fewer.
    """
    ending = whole = node
    for sibling in siblings:
        if last == 0:
            raise ProofError("the proof is too long")
        if place & 1 or place == last:
            ending, whole = node_hash(sibling, ending), node_hash(sibling, whole)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            whole = node_hash(whole, sibling)
        place, last = place >> 1, last >> 1
    if last != 0:
        raise ProofError("the proof is too short")
    return ending, whole


def verify_consistency(old: Checkpoint, new: Checkpoint, proof: Sequence[bytes]) -> None:
    """Verify that the tree of ``new`` begins with the one of ``old`` (RFC 9162 §2.1.4.2).

    Raises:
        ProofError: it does not, or the two are not of one log.
    """
    if old.origin != new.origin:
        raise ProofError(f"checkpoints of two logs, {old.origin} and {new.origin}, are not compared")
    if old.size > new.size:
        raise ProofError(f"a tree of {old.size} leaves does not begin one of {new.size}")
    if old.size in (0, new.size):
        if proof:
            raise ProofError("the consistency proof is not empty, as it must be here")
        if old.size and old.root != new.root:
            raise ProofError(f"two different trees of {old.size} leaves")
        return
    path = list(proof)
    if not old.size & (old.size - 1):
        path.insert(0, old.root)
    if not path:
        raise ProofError("the consistency proof is empty")
    place, last = old.size - 1, new.size - 1
    while place & 1:
        place, last = place >> 1, last >> 1
    old_root, new_root = _climb(path[0], place, last, path[1:])
    if (old_root, new_root) != (old.root, new.root):
        raise ProofError(
            f"the tree of {new.size} leaves does not begin with that of {old.size}: the log was rewritten"
        )


@dataclass(frozen=True, slots=True)
class InclusionProof:
    """A ``.tlog-proof`` file: which leaf, the hashes from leaf to root, and the signed checkpoint."""

    index: int
    hashes: tuple[bytes, ...]
    signed: SignedCheckpoint
    extra: bytes | None = None

    def to_bytes(self) -> bytes:
        """The file."""
        extra = () if self.extra is None else (f"extra {encode_base64(self.extra)}",)
        lines = (PROOF_LINE, *extra, f"index {self.index}", *map(encode_base64, self.hashes), "", "")
        return "\n".join(lines).encode() + self.signed.to_bytes()

    def verify(self, leaf: bytes) -> None:
        """Verify that the leaf of this hash is in the checkpoint's tree; signatures are not looked at.

        Raises:
            ProofError: it is not.
        """
        verify_inclusion(leaf, self.index, self.hashes, self.signed.checkpoint)

    @classmethod
    def parse(cls, raw: bytes) -> InclusionProof:
        """Read a file.

        Raises:
            ProofError: it is no ``.tlog-proof``, or is not written as one.
        """
        lines, note = _head(raw)
        if lines[0] != PROOF_LINE:
            raise ProofError(f"a proof begins with {PROOF_LINE}")
        rest = lines[1:]
        extra = None
        if rest and rest[0].startswith("extra "):
            extra = decode_base64(rest.pop(0).removeprefix("extra "), "the extra data")
        if not rest or not rest[0].startswith("index "):
            raise ProofError("a proof has an index line")
        index = decode_count(rest.pop(0).removeprefix("index "), "the index")
        proof = cls(index, _hashes(rest), SignedCheckpoint.parse(note), extra)
        if index > LARGEST_SIZE or proof.to_bytes() != raw:
            raise ProofError("the proof does not re-encode to itself")
        return proof


@dataclass(frozen=True, slots=True)
class ConsistencyProof:
    """The body of ``add-checkpoint``: an old size, the hashes, and the newer signed checkpoint."""

    old_size: int
    hashes: tuple[bytes, ...]
    signed: SignedCheckpoint

    def to_bytes(self) -> bytes:
        """The body."""
        lines = (f"old {self.old_size}", *map(encode_base64, self.hashes), "", "")
        return "\n".join(lines).encode() + self.signed.to_bytes()

    def verify(self, old: Checkpoint) -> None:
        """Verify that the newer tree begins with the older one; signatures are not looked at.

        Raises:
            ProofError: it does not, or the older one is of another size.
        """
        if old.size != self.old_size:
            raise ProofError(f"the proof is from a tree of {self.old_size} leaves, not {old.size}")
        verify_consistency(old, self.signed.checkpoint, self.hashes)

    @classmethod
    def parse(cls, raw: bytes) -> ConsistencyProof:
        """Read a body.

        Raises:
            ProofError: it is none, or is not written as one.
        """
        lines, note = _head(raw)
        if not lines[0].startswith("old "):
            raise ProofError("a consistency proof begins with the old size")
        old_size = decode_count(lines[0].removeprefix("old "), "the old size")
        proof = cls(old_size, _hashes(lines[1:]), SignedCheckpoint.parse(note))
        if proof.to_bytes() != raw:
            raise ProofError("the proof does not re-encode to itself")
        return proof


def _head(raw: bytes) -> tuple[list[str], bytes]:
    """The lines before the first empty one, and what follows it."""
    head, blank, note = raw.partition(b"\n\n")
    if not blank:
        raise ProofError("the proof has no empty line before its checkpoint")
    try:
        return head.decode("ascii").split("\n"), note
    except UnicodeDecodeError as error:
        raise ProofError(f"the proof is not ASCII: {error}") from error


def _hashes(lines: Sequence[str]) -> tuple[bytes, ...]:
    if len(lines) > MOST_HASHES:
        raise ProofError(f"a proof has at most {MOST_HASHES} hashes")
    hashes = tuple(decode_base64(line, "a hash of the proof") for line in lines)
    if any(len(found) != HASH_BYTES for found in hashes):
        raise ProofError("a hash of the proof has not 32 bytes")
    return hashes
