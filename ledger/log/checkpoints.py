"""Checkpoints: what a log says of its tree, and who signed that (C2SP tlog-checkpoint, tlog-cosignature).

A checkpoint of this log has three lines and no extension: origin, size, root. The log signs it twice, with
Ed25519 over the text and with ML-DSA-44 over the ``subtree/v1`` message; witnesses cosign it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PublicKey

from ledger.errors import ProofError
from ledger.log.merkle import HASH_BYTES
from ledger.log.notes import (
    COSIGNATURE,
    ED25519,
    ML_DSA_44,
    Note,
    Signature,
    VerifierKey,
    decode_base64,
    decode_count,
    encode_base64,
)

LARGEST_SIZE = 2**63 - 1
_LINES = 3
_TIME = struct.Struct(">Q")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The size and the root of the tree of the log ``origin``."""

    origin: str
    size: int
    root: bytes

    @property
    def text(self) -> str:
        """The three lines that are signed."""
        return f"{self.origin}\n{self.size}\n{encode_base64(self.root)}\n"

    @classmethod
    def parse(cls, text: str) -> Checkpoint:
        """Read the text of a note.

        Raises:
            ProofError: it is not three lines of origin, size and root.
        """
        lines = text.removesuffix("\n").split("\n")
        if not text.endswith("\n") or len(lines) != _LINES:
            raise ProofError("a checkpoint has three lines: origin, size and root")
        origin, size_line, root_line = lines
        size, root = decode_count(size_line, "the size"), decode_base64(root_line, "the root")
        if not origin or size > LARGEST_SIZE or len(root) != HASH_BYTES:
            raise ProofError("a checkpoint has an origin, a size, and a root of 32 bytes")
        return cls(origin, size, root)


@dataclass(frozen=True, slots=True)
class SignedCheckpoint:
    """A checkpoint as a note holds it."""

    checkpoint: Checkpoint
    note: Note

    @classmethod
    def parse(cls, raw: bytes) -> SignedCheckpoint:
        """Read a note that is a checkpoint; no signature is verified yet.

        Raises:
            ProofError: it is none.
        """
        note = Note.parse(raw)
        return cls(Checkpoint.parse(note.text), note)

    def to_bytes(self) -> bytes:
        """The note."""
        return self.note.to_bytes()

    def verified_by(self, keys: Iterable[VerifierKey]) -> list[VerifierKey]:
        """The keys among these whose signature it bears.

        Raises:
            ProofError: a signature that says to be of one of these keys is not, or none is there.
        """
        found = []
        for key in keys:
            for signature in self.note.signatures:
                if signature.is_by(key):
                    verify(self.checkpoint, signature, key)
                    found.append(key)
        if not found:
            raise ProofError(f"the checkpoint of {self.checkpoint.origin} bears no signature of a known key")
        return list(dict.fromkeys(found))


def subtree_message(name: str, timestamp: int, checkpoint: Checkpoint) -> bytes:
    """What ML-DSA-44 signs: ``cosigned_message`` of tlog-cosignature, for a whole tree."""
    parts = [b"subtree/v1\n\x00"]
    parts += [_opaque(name), _TIME.pack(timestamp), _opaque(checkpoint.origin)]
    return b"".join((*parts, _TIME.pack(0), _TIME.pack(checkpoint.size), checkpoint.root))


def cosignature_message(timestamp: int, checkpoint: Checkpoint) -> bytes:
    """What a witness's Ed25519 signs: ``cosignature/v1``, the time, and the checkpoint's text."""
    return f"cosignature/v1\ntime {timestamp}\n{checkpoint.text}".encode()


def _opaque(text: str) -> bytes:
    data = text.encode()
    if not 1 <= len(data) <= 0xFF:  # noqa: PLR2004 - a length of one byte, TLS presentation language
        raise ProofError("a name or an origin has 1 to 255 bytes")
    return bytes([len(data)]) + data


def time_of(signature: Signature, key: VerifierKey) -> int | None:
    """The time that a signature states, in seconds since 1970; ``None`` when it states none."""
    if key.kind == ED25519 or len(signature.blob) < _TIME.size:
        return None
    (timestamp,) = _TIME.unpack_from(signature.blob)
    return int(timestamp) or None


def timed(timestamp: int, signature: bytes) -> bytes:
    """The ``timestamped_signature`` of tlog-cosignature."""
    return _TIME.pack(timestamp) + signature


def verify(checkpoint: Checkpoint, signature: Signature, key: VerifierKey) -> None:
    """Verify one signature of a checkpoint.

    Raises:
        ProofError: it is not of this key over this checkpoint.
    """
    try:
        if key.kind == ED25519:
            public = Ed25519PublicKey.from_public_bytes(key.material)
            public.verify(signature.blob, checkpoint.text.encode())
            return
        timestamp, body = _TIME.unpack_from(signature.blob)[0], signature.blob[_TIME.size :]
        if timestamp > LARGEST_SIZE:
            raise ProofError(f"the signature of {key.name} states an impossible time")
        if key.kind == COSIGNATURE:
            public = Ed25519PublicKey.from_public_bytes(key.material)
            public.verify(body, cosignature_message(timestamp, checkpoint))
        elif key.kind == ML_DSA_44:
            quantum_safe = MLDSA44PublicKey.from_public_bytes(key.material)
            quantum_safe.verify(body, subtree_message(key.name, timestamp, checkpoint))
        else:
            raise ProofError(f"the key of {key.name} is of a kind that is not used here")
    except (InvalidSignature, struct.error, ValueError) as error:
        raise ProofError(
            f"the signature that says to be of {key.name} ({key.key_id.hex()}) is not"
        ) from error
