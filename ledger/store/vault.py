"""The vault: personal values outside the tree, sealed, so that they can be erased (``proof.md``).

Each account has one random key K per retention class. Commitments are made with K; values are kept
AES-256-GCM encrypted under a key derived from K (HKDF-SHA-256, RFC 5869), with the commitment as
associated data. Without K, neither the value nor a guess of it can be checked.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from ledger.facts.personal import COMMITMENT, Seal, commitment_to, opening_of
from ledger.store.engine import Connection

if TYPE_CHECKING:
    from ledger.facts.shape import Retention

_KEY_BYTES = 32
_NONCE_BYTES = 12
_RAW_MAIL: Retention = "mail"


def _cipher(key: bytes) -> AESGCM:
    return AESGCM(HKDF(SHA256(), _KEY_BYTES, salt=None, info=b"greffe vault v1").derive(key))


def unsealed(key: bytes, nonce: bytes, ciphertext: bytes, name: str) -> bytes | None:
    """What a ciphertext filed under ``name`` holds; ``None`` when it was altered, or is of another key."""
    try:
        return _cipher(key).decrypt(nonce, ciphertext, name.encode())
    except (InvalidTag, ValueError, TypeError, OverflowError):
        return None


class Vault:
    """The vault as one connection sees it; what it writes belongs to that connection's transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def seal_of(self, account: str) -> Seal:
        """What turns this account's personal values into commitments and keeps them sealed."""

        def seal(retention: Retention, value: str) -> str:
            key = self._key(account, retention)
            clear = value.encode()
            commitment = commitment_to(opening_of(key, clear), clear)
            nonce = secrets.token_bytes(_NONCE_BYTES)
            self._connection.execute(
                "INSERT INTO sealed VALUES (?,?,?,?,?) ON CONFLICT DO NOTHING",
                (
                    commitment,
                    account,
                    retention,
                    nonce,
                    _cipher(key).encrypt(nonce, clear, commitment.encode()),
                ),
            )
            return commitment

        return seal

    def keep_mail(self, account: str, sha256: str, raw: bytes) -> None:
        """Keep the raw bytes of a mail, as delivered."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        cipher = _cipher(self._key(account, _RAW_MAIL))
        self._connection.execute(
            "INSERT INTO raw_mail VALUES (?,?,?,?) ON CONFLICT DO NOTHING",
            (sha256, account, nonce, cipher.encrypt(nonce, raw, sha256.encode())),
        )

    def open(self, commitments: Iterable[str]) -> dict[str, str]:
        """The clear values behind commitments, of those that the vault still has."""
        return {commitment: value for commitment, (_, value) in self.disclose(commitments).items()}

    def disclose(self, commitments: Iterable[str]) -> dict[str, tuple[bytes, str]]:
        """Opening and clear value behind each commitment, of those that the vault still has."""
        clear: dict[str, tuple[bytes, str]] = {}
        for commitment in {text for text in commitments if COMMITMENT.match(text)}:
            row = self._connection.execute(
                "SELECT s.nonce, s.ciphertext, k.key FROM sealed s JOIN vault_key k"
                " ON k.account = s.account AND k.retention = s.retention WHERE s.commitment = ?",
                (commitment,),
            ).fetchone()
            if row is not None:
                with suppress(InvalidTag):  # an altered entry opens nothing; the audit names it
                    value = _cipher(row[2]).decrypt(row[0], row[1], commitment.encode())
                    clear[commitment] = opening_of(row[2], value), value.decode()
        return clear

    def mail(self, sha256: str) -> bytes | None:
        """The raw bytes of a mail by their digest, if the vault still has them."""
        rows = self._connection.execute(
            "SELECT m.nonce, m.ciphertext, k.key FROM raw_mail m JOIN vault_key k"
            " ON k.account = m.account AND k.retention = ? WHERE m.sha256 = ?",
            (_RAW_MAIL, sha256),
        ).fetchall()
        for nonce, ciphertext, key in rows:
            with suppress(InvalidTag):
                return _cipher(key).decrypt(nonce, ciphertext, sha256.encode())
        return None

    def _key(self, account: str, retention: Retention) -> bytes:
        row = self._connection.execute(
            "SELECT key FROM vault_key WHERE account = ? AND retention = ?", (account, retention)
        ).fetchone()
        if row is not None:
            key: bytes = row[0]
            return key
        key = secrets.token_bytes(_KEY_BYTES)
        self._connection.execute("INSERT INTO vault_key VALUES (?,?,?)", (account, retention, key))
        return key
