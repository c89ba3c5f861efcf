"""Signed checkpoints, tokens and cosignatures against the tree of the leaves (``proof.md``, Checkpoint).

Whoever holds the log's keys can sign a rewritten history; what others vouched for before, and what the
mail server took, cannot be rewritten with it, and is compared here with the leaves as they are now.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from cryptography.x509 import Certificate

from ledger.audit.report import Report
from ledger.errors import ProofError
from ledger.log.checkpoints import Checkpoint, SignedCheckpoint, verify
from ledger.log.merkle import EMPTY_ROOT
from ledger.log.notes import ED25519, ML_DSA_44, Signature, VerifierKey, decode_base64
from ledger.log.tokens import imprint_of, token_data, verify_token
from ledger.store.rows import Rows, as_bytes

_LOG_KINDS = frozenset({ED25519, ML_DSA_44})


@dataclass(slots=True)
class _Key:
    """A key of the log: the leaf that named it, and the one that retired it."""

    key: VerifierKey
    since: int
    retired: int | None = None


class SignatureCheck:
    """Takes the roots and the facts of proof in order of position; checkpoints are examined at the end."""

    def __init__(
        self,
        report: Report,
        across: sqlite3.Connection,
        origin: str,
        roots: Sequence[Certificate] = (),
    ) -> None:
        self._report = report
        self._across = across
        self._origin = origin
        self._roots = roots
        self._keys: dict[tuple[str, bytes], _Key] = {}
        self._witnesses: dict[tuple[str, bytes], VerifierKey] = {}
        across.execute("CREATE TABLE root (size INTEGER PRIMARY KEY, root BLOB)")
        across.execute("CREATE TABLE noted (position INTEGER, place TEXT, note BLOB)")
        self.root(0, EMPTY_ROOT)

    def root(self, size: int, root: bytes) -> None:
        """Note the root of the tree as a commit left it."""
        self._across.execute("INSERT OR IGNORE INTO root VALUES (?,?)", (size, root))

    def message(self, position: int, note: bytes) -> None:
        """Note the checkpoint that a stamping message carries."""
        self._across.execute("INSERT INTO noted VALUES (?,'a stamping message',?)", (position, note))

    def leaf(self, position: int, leaf: dict[str, Any]) -> None:
        """Examine what a fact says of keys, tokens and witnesses."""
        kind = leaf["type"]
        if kind == "key.rotated":
            self._rotated(position, leaf["data"])
        elif kind == "token.received":
            self._token(position, leaf["data"])
        elif kind == "witness.cosigned":
            self._cosigned(position, leaf["data"])

    def _rotated(self, position: int, data: dict[str, Any]) -> None:
        for text in data["keys"]:
            key = self._parsed_key(position, text)
            if key is not None:
                known = self._keys.setdefault((key.name, key.key_id), _Key(key, position))
                known.retired = None
        for text in data.get("retired", ()):
            key = self._parsed_key(position, text)
            if key is not None:
                self._keys.setdefault((key.name, key.key_id), _Key(key, position)).retired = position

    def _parsed_key(self, position: int, text: str) -> VerifierKey | None:
        try:
            return VerifierKey.parse(text)
        except ProofError as error:
            self._report.wrong(
                position, "key.unreadable", "a verifier key", str(error),
                "This fact names a key that is none: nothing can be verified with it.",
            )  # fmt: skip
            return None

    # Tokens and cosignatures

    def _vouched(self, position: int, data: dict[str, Any], who: str) -> Checkpoint:
        """The checkpoint that an outside party vouched for, compared with the tree of now."""
        checkpoint = Checkpoint(self._origin, data["size"], bytes.fromhex(data["root"]))
        root = self._root_at(checkpoint.size)
        if checkpoint.size > position or root is None:
            self._report.wrong(
                position, f"{who}.size", "the tree after an earlier commit", f"{checkpoint.size} leaves",
                "An outside party is said to have vouched for a tree that the log did not have then.",
            )  # fmt: skip
        elif root != checkpoint.root:
            self._report.wrong(
                position, f"{who}.root", root.hex(), checkpoint.root.hex(),
                f"The first {checkpoint.size} leaves are not those that an outside party vouched for: "
                "history was rewritten after it did.",
            )  # fmt: skip
        return checkpoint

    def _cosigned(self, position: int, data: dict[str, Any]) -> None:
        checkpoint = self._vouched(position, data, "cosignature")
        try:
            key = VerifierKey.parse(data["witness"])
            self._witnesses[key.name, key.key_id] = key
            verify(checkpoint, _signature(data["signature"], key), key)
        except ProofError as error:
            self._report.wrong(
                position, "cosignature.signature", f"a signature over {checkpoint.size} leaves", str(error),
                "The witness did not sign what this fact says that it signed.",
            )  # fmt: skip

    def _token(self, position: int, data: dict[str, Any]) -> None:
        checkpoint = self._vouched(position, data, "token")
        imprint = imprint_of(checkpoint).hex()
        if imprint != data["imprint"]:
            self._report.wrong(
                position, "token.imprint", imprint, data["imprint"],
                "The authority timestamped something else than the tree that this fact names.",
            )  # fmt: skip
        if not self._roots:
            self._report.remark(
                "Tokens were not verified against their authorities: no root certificate was at hand."
            )
            return
        try:
            der = decode_base64(data["token"], "the token")
            said = token_data(verify_token(der, checkpoint.text.encode(), self._roots), checkpoint)
        except ProofError as error:
            self._report.wrong(
                position, "token.signature", f"a token over {checkpoint.size} leaves by a known authority",
                str(error),
                "The token does not prove what this fact says: it is not of a known authority, not for this "
                "purpose, or not over this tree.",
            )  # fmt: skip
            return
        if said != data:
            odd = sorted(name for name in said.keys() | data.keys() if said.get(name) != data.get(name))
            self._report.wrong(
                position, "token.data", ", ".join(f"{name} {said.get(name)}" for name in odd),
                ", ".join(f"{name} {data.get(name)}" for name in odd),
                "The record says of this token something else than the authority signed.",
            )  # fmt: skip

    # Checkpoints

    def compare(self, rows: Rows, at_hand: Iterable[tuple[str, bytes]]) -> None:
        """Examine every checkpoint: kept, in messages, or ``at_hand`` (where it lies, and the note)."""
        newest = -1
        for size, raw in rows.checkpoints():
            signed = self._examine(size, "the store", raw)
            newest = max(newest, size)
            if signed is not None and signed.checkpoint.size != size:
                self._report.wrong(
                    size, "checkpoint.size", f"a checkpoint of {size} leaves", str(signed.checkpoint.size),
                    "A signed checkpoint is filed under another size than it has.",
                )  # fmt: skip
        for position, place, raw in self._across.execute("SELECT * FROM noted ORDER BY position"):
            signed = self._examine(position, place, raw)
            if signed is not None and signed.checkpoint.size > position:
                self._report.wrong(
                    position, "checkpoint.ahead", f"a tree of at most {position} leaves",
                    f"{signed.checkpoint.size} leaves, in {place}",
                    "The message that was dated speaks of leaves that came after it: one was moved.",
                )  # fmt: skip
        for place, raw in at_hand:
            self._examine(self._report.leaves, place, raw)
        if 0 <= newest < self._report.leaves:
            self._report.remark(
                f"The last {self._report.leaves - newest} leaves are not signed yet: the newest signed "
                f"checkpoint has {newest}."
            )

    def _root_at(self, size: int) -> bytes | None:
        row = self._across.execute("SELECT root FROM root WHERE size = ?", (size,)).fetchone()
        return as_bytes(row[0]) if row else None

    def _examine(self, position: int, place: str, raw: bytes) -> SignedCheckpoint | None:
        try:
            signed = SignedCheckpoint.parse(as_bytes(raw))
        except (ProofError, TypeError, ValueError) as error:
            self._report.wrong(
                position, "checkpoint.unreadable", "a signed checkpoint", f"in {place}: {error}",
                "A signed checkpoint was altered and proves nothing any more.",
            )  # fmt: skip
            return None
        self._tree(position, place, signed.checkpoint)
        self._signed(position, place, signed)
        return signed

    def _tree(self, position: int, place: str, checkpoint: Checkpoint) -> None:
        end, root = self._report.leaves, self._root_at(checkpoint.size)
        if checkpoint.origin != self._origin:
            self._report.wrong(
                position, "checkpoint.origin", self._origin, f"{checkpoint.origin}, in {place}",
                "This checkpoint is another ledger's, or the ledger's name was changed.",
            )  # fmt: skip
        if checkpoint.size > end:
            self._report.wrong(
                end, "checkpoint.beyond", f"a log of {checkpoint.size} leaves, as signed in {place}",
                f"{end} leaves",
                "More leaves were signed than the log has: its end was cut off, or an older copy of the "
                "ledger was put in its place.",
            )  # fmt: skip
        elif root is None:
            self._report.wrong(
                position, "checkpoint.between", "the tree after a commit",
                f"{checkpoint.size} leaves, in {place}", "The log signs only after a commit, and none ends "
                "here: leaves were added or removed before it, or another log was signed.",
            )  # fmt: skip
        elif root != checkpoint.root:
            self._report.wrong(
                position, "checkpoint.root", root.hex(), f"{checkpoint.root.hex()}, in {place}",
                f"The first {checkpoint.size} leaves are not those that were signed: history was rewritten.",
            )  # fmt: skip

    def _signed(self, position: int, place: str, signed: SignedCheckpoint) -> None:
        kinds: set[int] = set()
        unknown = False
        for signature in signed.note.signatures:
            of = signature.name, signature.key_id
            if of in self._keys:
                known = self._keys[of]
                if self._verifies(position, place, signed.checkpoint, signature, known.key):
                    kinds.add(known.key.kind)
                self._in_time(position, place, signed.checkpoint.size, known)
            elif of in self._witnesses:
                self._verifies(position, place, signed.checkpoint, signature, self._witnesses[of])
            elif signature.name == self._origin:
                unknown = True
                self._unknown(position, place, signed.checkpoint.size, signature)
        if not unknown and not kinds >= _LOG_KINDS:
            self._report.wrong(
                position, "checkpoint.unsigned", "the log's signatures, Ed25519 and ML-DSA-44",
                f"{len(kinds)} of 2 that verify, in {place}",
                "This checkpoint lacks a valid signature of the ledger: it does not bind who keeps it.",
            )  # fmt: skip

    def _verifies(
        self, position: int, place: str, checkpoint: Checkpoint, signature: Signature, key: VerifierKey
    ) -> bool:
        try:
            verify(checkpoint, signature, key)
        except ProofError as error:
            self._report.wrong(
                position, "checkpoint.signature", f"a signature by {key.name} ({key.key_id.hex()})",
                f"{error}, in {place}",
                "This checkpoint, or its signature, was altered after it was signed.",
            )  # fmt: skip
            return False
        return True

    def _in_time(self, position: int, place: str, size: int, known: _Key) -> None:
        """Whether the key was in use: it signs from the commit on that names it, or just before that."""
        name = f"key {known.key.key_id.hex()}"
        if known.retired is not None and known.retired < size:
            self._report.wrong(
                position, "checkpoint.retired", f"no signature by {name}, retired at {known.retired}",
                f"it signs {size} leaves, in {place}",
                "A key that had been retired signed afterwards: whoever kept it spoke for the ledger.",
            )  # fmt: skip
        (following,) = self._across.execute("SELECT MIN(size) FROM root WHERE size > ?", (size,)).fetchone()
        if following is not None and known.since >= following:
            self._report.wrong(
                position, "checkpoint.key", f"a key named before {name}, which is named at {known.since}",
                f"it signs {size} leaves, in {place}",
                "This checkpoint was signed later than its size says, with a key that did not sign then.",
            )  # fmt: skip

    def _unknown(self, position: int, place: str, size: int, signature: Signature) -> None:
        if size == self._report.leaves:
            self._report.remark(
                f"The newest checkpoint is signed with the key {signature.key_id.hex()}, which no fact names "
                "yet: the next commit records it."
            )
            return
        self._report.wrong(
            position, "checkpoint.key", "a key that the record names",
            f"{signature.key_id.hex()}, in {place}",
            "This checkpoint bears the ledger's name, and was signed with a key that is not the ledger's.",
        )  # fmt: skip


def _signature(encoded: str, key: VerifierKey) -> Signature:
    """The signature line of a fact.

    Raises:
        ProofError: it is none, or another key's.
    """
    try:
        signature = Signature.parse(decode_base64(encoded, "the signature").decode().removesuffix("\n"))
    except UnicodeDecodeError as error:
        raise ProofError(f"the signature line is no text: {error}") from error
    if not signature.is_by(key):
        raise ProofError(f"it is not a signature by {key.name} ({key.key_id.hex()})")
    return signature
