"""The keys that a log signs with: files of mode 0600 outside the database (``proof.md``, Checkpoint).

Each log has two: Ed25519 (RFC 8032) and ML-DSA-44 (FIPS 204), as PEM (RFC 5958). Their name is the origin.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from ledger.errors import WrongLedgerError
from ledger.log.checkpoints import Checkpoint, subtree_message, timed
from ledger.log.notes import ED25519, ML_DSA_44, Note, Signature, VerifierKey, check_name

ED25519_FILE = "ed25519.pem"
ML_DSA_44_FILE = "ml-dsa-44.pem"
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


@dataclass(frozen=True)
class Keys:
    """The pair of keys of a log called ``name``."""

    name: str
    ed25519: Ed25519PrivateKey
    ml_dsa_44: MLDSA44PrivateKey

    @classmethod
    def open(cls, folder: Path, name: str) -> Keys:
        """Read the keys in a folder; make those that are missing.

        Raises:
            WrongLedgerError: a file is no such key, or others than its owner may read it.
        """
        check_name(name)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for file, kind in ((ED25519_FILE, Ed25519PrivateKey), (ML_DSA_44_FILE, MLDSA44PrivateKey)):
            if not (folder / file).exists():
                _write(folder / file, kind.generate())
        ed25519, ml_dsa_44 = _read(folder / ED25519_FILE), _read(folder / ML_DSA_44_FILE)
        if not isinstance(ed25519, Ed25519PrivateKey) or not isinstance(ml_dsa_44, MLDSA44PrivateKey):
            raise WrongLedgerError(f"{folder} holds keys of other kinds than Ed25519 and ML-DSA-44")
        return cls(name, ed25519, ml_dsa_44)

    @classmethod
    def renew(cls, folder: Path, name: str) -> Keys:
        """Make new keys in place of those in a folder, which sign nothing more."""
        for file in (ED25519_FILE, ML_DSA_44_FILE):
            (folder / file).unlink(missing_ok=True)
        return cls.open(folder, name)

    @cached_property
    def verifier_keys(self) -> list[VerifierKey]:
        """What verifies its signatures."""
        return [
            VerifierKey(self.name, ED25519, self.ed25519.public_key().public_bytes_raw()),
            VerifierKey(self.name, ML_DSA_44, self.ml_dsa_44.public_key().public_bytes_raw()),
        ]

    def sign(self, checkpoint: Checkpoint, timestamp: int = 0) -> Note:
        """A checkpoint signed with both; ``timestamp`` (seconds since 1970) is of the ML-DSA-44 one.

        Zero makes no statement that the tree was the largest one then (tlog-cosignature).
        """
        ed25519, ml_dsa_44 = self.verifier_keys
        message = subtree_message(self.name, timestamp, checkpoint)
        return Note(
            checkpoint.text,
            (
                Signature(self.name, ed25519.key_id, self.ed25519.sign(checkpoint.text.encode())),
                Signature(self.name, ml_dsa_44.key_id, timed(timestamp, self.ml_dsa_44.sign(message))),
            ),
        )


def write_private(path: Path, data: bytes) -> None:
    """Write a file that its owner alone may read, whole or not at all, and durably."""
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    unfinished.unlink(missing_ok=True)
    descriptor = os.open(unfinished, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _write(path: Path, key: Ed25519PrivateKey | MLDSA44PrivateKey) -> None:
    write_private(path, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


def _read(path: Path) -> object:
    if path.stat().st_mode & _OTHERS:
        raise WrongLedgerError(f"others may read the key in {path}: chmod 600 {path}")
    try:
        return load_pem_private_key(path.read_bytes(), password=None)
    except (ValueError, TypeError) as error:
        raise WrongLedgerError(f"{path} holds no private key in PEM: {error}") from error
