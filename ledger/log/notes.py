"""Signed notes and verifier keys (C2SP signed-note v1.0.0), read strictly.

A note is a text that ends in a newline, an empty line, and signature lines. What does not re-encode to
itself is refused: a note has one spelling.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass

from ledger.errors import ProofError

ED25519 = 0x01
"""Ed25519 over the note's text."""

COSIGNATURE = 0x04
"""A witness's Ed25519 with a time (C2SP tlog-cosignature, ``cosignature/v1``)."""

ML_DSA_44 = 0x06
"""ML-DSA-44 (FIPS 204) with a time over name, origin, size and root (tlog-cosignature, ``subtree/v1``)."""

MATERIAL_BYTES = {ED25519: 32, COSIGNATURE: 32, ML_DSA_44: 1312}
MOST_SIGNATURES = 64
LONGEST_NOTE_BYTES = 1_000_000

_DASH = "— "
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f]")
_KEY_ID_BYTES = 4
_MOST_DIGITS = 19


def encode_base64(data: bytes) -> str:
    """Base64 of RFC 4648 §4."""
    return base64.b64encode(data).decode("ascii")


def decode_base64(text: str, what: str) -> bytes:
    """Base64 of RFC 4648 §4 that re-encodes to itself.

    Raises:
        ProofError: it does not; the message names ``what``.
    """
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ProofError(f"{what} is not base64: {error}") from error
    if encode_base64(data) != text:
        raise ProofError(f"{what} is not canonical base64")
    return data


def decode_count(text: str, what: str) -> int:
    """A decimal number without leading zeroes, of at most 19 digits (2⁶³ - 1 has as many).

    Raises:
        ProofError: it is not one; the message names ``what``.
    """
    if not (text.isascii() and text.isdecimal() and len(text) <= _MOST_DIGITS) or str(int(text)) != text:
        raise ProofError(f"{what} is not a decimal number without leading zeroes: {text[:40]!r}")
    return int(text)


def check_name(name: str) -> str:
    """A key's name: not empty, no white space, no plus.

    Raises:
        ProofError: it is not one.
    """
    if not name or "+" in name or any(letter.isspace() for letter in name) or not name.isprintable():
        raise ProofError(f"{name!r} is no key name: it is empty, or holds a space or a plus")
    return name


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A public key as C2SP writes it: a name, the kind of signature, and the key's own bytes."""

    name: str
    kind: int
    material: bytes

    @property
    def key_id(self) -> bytes:
        """The first four bytes of SHA-256(name ‖ LF ‖ kind ‖ material)."""
        head = self.name.encode() + b"\n" + bytes([self.kind])
        return hashlib.sha256(head + self.material).digest()[:_KEY_ID_BYTES]

    @property
    def text(self) -> str:
        """The vkey: ``NAME+ID+BASE64``."""
        return f"{self.name}+{self.key_id.hex()}+{encode_base64(bytes([self.kind]) + self.material)}"

    @classmethod
    def parse(cls, text: str) -> VerifierKey:
        """Read a vkey.

        Raises:
            ProofError: it is not one, or of a kind that is not used here.
        """
        name, _, rest = text.partition("+")
        written_id, plus, encoded = rest.partition("+")
        if not plus:
            raise ProofError(f"{text[:80]!r} is no verifier key (NAME+ID+BASE64)")
        data = decode_base64(encoded, "the verifier key")
        kind = data[0] if data else -1
        if MATERIAL_BYTES.get(kind) != len(data) - 1:
            raise ProofError(f"the verifier key of {name} is of a kind or length that is not used here")
        key = cls(check_name(name), kind, data[1:])
        if key.key_id.hex() != written_id:
            raise ProofError(f"the verifier key of {name} has the id {key.key_id.hex()}, not {written_id}")
        return key


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature line: whose it says it is, and the signature's own bytes."""

    name: str
    key_id: bytes
    blob: bytes

    @property
    def line(self) -> str:
        """The line, with its newline."""
        return f"{_DASH}{self.name} {encode_base64(self.key_id + self.blob)}\n"

    @classmethod
    def parse(cls, line: str) -> Signature:
        """Read a line (without its newline).

        Raises:
            ProofError: it is not a signature line.
        """
        if not line.startswith(_DASH):
            raise ProofError(f"a signature line begins with an em dash and a space, not {line[:20]!r}")
        name, space, encoded = line.removeprefix(_DASH).partition(" ")
        if not space:
            raise ProofError("a signature line has a name and a signature")
        data = decode_base64(encoded, f"the signature of {name[:80]}")
        if len(data) <= _KEY_ID_BYTES:
            raise ProofError(f"the signature of {name[:80]} is empty")
        return cls(check_name(name), data[:_KEY_ID_BYTES], data[_KEY_ID_BYTES:])

    def is_by(self, key: VerifierKey) -> bool:
        """Whether it says to be of this key."""
        return (self.name, self.key_id) == (key.name, key.key_id)


@dataclass(frozen=True, slots=True)
class Note:
    """A text and its signatures."""

    text: str
    signatures: tuple[Signature, ...]

    def to_bytes(self) -> bytes:
        """The note as it is written."""
        return f"{self.text}\n{''.join(signature.line for signature in self.signatures)}".encode()

    def signed_also_by(self, more: Iterable[Signature]) -> Note:
        """The same text with further signatures, each once."""
        return Note(self.text, tuple(dict.fromkeys((*self.signatures, *more))))

    @classmethod
    def parse(cls, raw: bytes) -> Note:
        """Read a note.

        Raises:
            ProofError: it is not one, or is not written as notes are.
        """
        if len(raw) > LONGEST_NOTE_BYTES:
            raise ProofError("the note is too long")
        try:
            whole = raw.decode()
        except UnicodeDecodeError as error:
            raise ProofError(f"the note is not UTF-8: {error}") from error
        if _CONTROL.search(whole):
            raise ProofError("the note holds a control character other than a line feed")
        text, blank, tail = whole.rpartition("\n\n")
        if not blank or not tail.endswith("\n"):
            raise ProofError("the note has no empty line before its signatures, or no newline at its end")
        lines = tail.removesuffix("\n").split("\n")
        if len(lines) > MOST_SIGNATURES:
            raise ProofError(f"the note has more than {MOST_SIGNATURES} signatures")
        note = cls(text + "\n", tuple(Signature.parse(line) for line in lines))
        if note.to_bytes() != raw:
            raise ProofError("the note does not re-encode to itself")
        return note
