"""DKIM signatures (RFC 6376, RFC 8463) on stamping messages: who sent them, by a key that DNS publishes.

The signature stands among the headers of the message, which still begins with ``X-Greffe-Digest``, and
covers all of them and the body. DNS forgets: so each message carries the public key's record too, signed
with the rest, and is its own archive. What the record proves depends on DNS having published it then.
"""

from __future__ import annotations

import base64
import re
import stat
from dataclasses import dataclass
from pathlib import Path

import dkim
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from ledger.clock.message import Outgoing, with_crlf
from ledger.errors import ProofError, WrongCallError

RECORD_HEADER = "X-Greffe-Dkim-Record"
SMALLEST_RSA_BITS = 2048
_LABEL = r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9])?"
_NAME = re.compile(rf"{_LABEL}(\.{_LABEL})*", re.IGNORECASE)
_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_EXACT = (b"simple", b"simple")
_LINE = 64
_ARCHIVED = re.compile(rb"^" + RECORD_HEADER.encode() + rb": (.*(?:\r\n[ \t].*)*)\r\n", re.MULTILINE)
_SIGNATURE = re.compile(rb"^DKIM-Signature:", re.MULTILINE | re.IGNORECASE)
_HEADER_NAME = re.compile(rb"^([\x21-\x39\x3b-\x7e]+):", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class DkimSigner:
    """Signs messages for ``SELECTOR._domainkey.DOMAIN``."""

    domain: str
    selector: str
    key: RSAPrivateKey | Ed25519PrivateKey

    @classmethod
    def open(cls, text: str) -> DkimSigner:
        """Read ``DOMAIN SELECTOR KEYFILE`` (``GREFFE_DKIM``); the key is RSA or Ed25519, as PEM.

        Raises:
            WrongCallError: it is not of that form, or the file is no such key, or others may read it.
        """
        parts = text.split(maxsplit=2)
        if len(parts) != 3 or not all(_NAME.fullmatch(part) for part in parts[:2]):  # noqa: PLR2004 - as named
            raise WrongCallError(f"{text!r} is no DKIM key: DOMAIN SELECTOR KEYFILE")
        return cls(parts[0].lower(), parts[1].lower(), _read(Path(parts[2])))

    @property
    def record_name(self) -> str:
        """Where DNS publishes the key."""
        return f"{self.selector}._domainkey.{self.domain}"

    @property
    def record(self) -> str:
        """The TXT record that DNS is to publish (RFC 6376 §3.6.1, RFC 8463 §4)."""
        public = self.key.public_key()
        if isinstance(self.key, RSAPrivateKey):
            kind, data = "rsa", public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        else:
            kind, data = "ed25519", public.public_bytes(Encoding.Raw, PublicFormat.Raw)
        return f"v=DKIM1; k={kind}; p={base64.b64encode(data).decode('ascii')}"

    def signed(self, message: Outgoing) -> Outgoing:
        """The message with the key's record and the signature as its last headers.

        Every header is signed once more than it occurs, so that none can be added without notice.
        """
        head, _, body = message.body.partition(b"\r\n\r\n")
        head += b"\r\n" + self._archived.encode()
        names = _HEADER_NAME.findall(head)
        kind, private = self._private
        signature = dkim.DKIM(head + b"\r\n\r\n" + body, signature_algorithm=kind).sign(
            self.selector.encode(),
            self.domain.encode(),
            private,
            canonicalize=_EXACT,
            include_headers=[*names, *dict.fromkeys(names)],
        )
        return Outgoing(message.message_id, head + b"\r\n" + signature + b"\r\n" + body)

    @property
    def _archived(self) -> str:
        """The header with the record, folded: space inside ``p=`` means nothing (RFC 6376 §3.6.1)."""
        tags, _, public = self.record.partition("p=")
        lines = [public[at : at + _LINE] for at in range(0, len(public), _LINE)]
        return "\r\n ".join((f"{RECORD_HEADER}: {self.record_name}", f"{tags}p={lines[0]}", *lines[1:]))

    @property
    def _private(self) -> tuple[bytes, bytes]:
        """The algorithm, and the key as dkimpy takes it."""
        if isinstance(self.key, RSAPrivateKey):
            pem = self.key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
            return b"rsa-sha256", pem
        seed = self.key.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())
        return b"ed25519-sha256", base64.b64encode(seed)


def verify_dkim(message: bytes, name: str, record: str) -> None:
    """Verify the DKIM signature of a stored message by the record that DNS published under ``name``.

    Raises:
        ProofError: it has none, or none by that key over exactly these headers and this body.
    """

    def published(asked: bytes, timeout: float = 0) -> bytes | None:  # noqa: ARG001 - as dkimpy calls it
        return record.encode("ascii") if asked.decode("ascii", "replace").rstrip(".") == name else None

    whole = with_crlf(message)
    head = whole.partition(b"\r\n\r\n")[0]
    reasons = []
    for number in range(len(_SIGNATURE.findall(head))):  # a server on the way may have added its own
        try:
            if dkim.DKIM(whole, minkey=SMALLEST_RSA_BITS).verify(number, dnsfunc=published):
                return
        except Exception as error:  # noqa: BLE001 - dkimpy lets errors of many kinds through
            reasons.append(str(error))
    why = f": {'; '.join(reasons)}" if reasons else ""
    raise ProofError(f"the message bears no valid DKIM signature by the key of {name}{why}")


def archived_record(message: bytes) -> tuple[str, str] | None:
    """The name and the record that a signed stamping message carries; ``None`` when it carries none."""
    head = with_crlf(message).partition(b"\r\n\r\n")[0] + b"\r\n"
    found = _ARCHIVED.search(head)
    if found is None:
        return None
    name, _, record = found.group(1).decode("ascii", "replace").partition("\r\n ")
    tags, _, public = record.partition("p=")
    return name, f"{tags}p={''.join(public.split())}"


def _read(path: Path) -> RSAPrivateKey | Ed25519PrivateKey:
    try:
        if path.stat().st_mode & _OTHERS:
            raise WrongCallError(f"others may read the DKIM key in {path}: chmod 600 {path}")
        key = load_pem_private_key(path.read_bytes(), password=None)
    except (OSError, ValueError, TypeError) as error:
        raise WrongCallError(f"{path} holds no private key in PEM: {error}") from error
    if isinstance(key, RSAPrivateKey) and key.key_size < SMALLEST_RSA_BITS:
        raise WrongCallError(f"the RSA key in {path} has less than {SMALLEST_RSA_BITS} bits")
    if not isinstance(key, RSAPrivateKey | Ed25519PrivateKey):
        raise WrongCallError(f"{path} holds a key of another kind than RSA and Ed25519")
    return key
