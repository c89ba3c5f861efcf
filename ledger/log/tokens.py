"""Timestamp tokens (RFC 3161): when an outside authority had a checkpoint before it.

A token is over the SHA-256 of the signed text of a checkpoint. It says that the checkpoint existed at its
time, by the authority's clock; trust in the authority is a separate matter, told by its root certificates.
"""

from __future__ import annotations

import hashlib
import http.client
import re
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import (
    Certificate,
    ExtendedKeyUsage,
    ExtensionNotFound,
    load_der_x509_certificate,
    load_pem_x509_certificates,
)
from cryptography.x509.oid import ExtendedKeyUsageOID
from rfc3161_client import (
    HashAlgorithm,
    PKIStatus,
    TimestampRequestBuilder,
    TimeStampResponse,
    VerificationError,
    VerifierBuilder,
    decode_timestamp_response,
)

from ledger import instants
from ledger.errors import ProofError, WrongCallError
from ledger.log.checkpoints import Checkpoint
from ledger.log.notes import encode_base64
from ledger.log.token_shapes import in_order, names_certificate, time_in

TIMEOUT_SECONDS = 20.0
RENEWED_BEFORE = timedelta(days=30)
"""How long before its certificate expires a token is no longer relied on alone."""
SHA256_OID = "2.16.840.1.101.3.4.2.1"
_LONGEST_ANSWER_BYTES = 36_864
_LONGEST_NAME = 256
_QUERY, _REPLY = "application/timestamp-query", "application/timestamp-reply"


@dataclass(frozen=True, slots=True)
class Token:
    """A token that was verified: its DER response, its time (UTC), and who answers for it.

    ``authority`` is the subject of the signing certificate (RFC 4514, in ASCII), ``certificates`` all that
    came with it, the signing one first; ``expires`` is the end of that one's validity (UTC).
    """

    der: bytes
    imprint: bytes
    time: datetime
    authority: str
    policy: str
    certificates: tuple[Certificate, ...]

    @property
    def expires(self) -> datetime:
        """The first instant at which its signing certificate is no longer valid."""
        return self.certificates[0].not_valid_after_utc

    @property
    def certificates_pem(self) -> bytes:
        """The certificates that came with it, in PEM, for whoever verifies it offline."""
        return b"".join(row.public_bytes(Encoding.PEM) for row in self.certificates)


@dataclass(frozen=True, slots=True)
class Authority:
    """A timestamping authority: where it answers, and the roots that it must lead to."""

    url: str
    roots: tuple[Certificate, ...]

    @classmethod
    def parse(cls, text: str) -> Authority:
        """Read ``URL|FILE``, the file holding the trusted roots in PEM.

        Raises:
            WrongCallError: it is not of that form, or the file holds no certificates.
        """
        url, bar, file = text.partition("|")
        if not bar or not url.startswith(("http://", "https://")):
            raise WrongCallError(f"{text!r} is no authority: URL|FILE with its root certificates in PEM")
        try:
            roots = load_pem_x509_certificates(Path(file).read_bytes())
        except (OSError, ValueError) as error:
            raise WrongCallError(f"{file} holds no certificates in PEM: {error}") from error
        return cls(url, tuple(roots))

    def token_over(self, text: bytes, *, timeout_seconds: float = TIMEOUT_SECONDS) -> Token:
        """Ask for a token over a text and verify it.

        Raises:
            ProofError: the authority was not reached, refused, or answered something else.
        """
        request = (
            TimestampRequestBuilder(nonce=True, cert_req=True)
            .data(text)
            .hash_algorithm(HashAlgorithm.SHA256)
            .build()
        )
        call = urllib.request.Request(  # noqa: S310 - http or https, as parse holds
            self.url, request.as_bytes(), {"Content-Type": _QUERY, "Accept": _REPLY}, method="POST"
        )
        try:
            with urllib.request.urlopen(call, timeout=timeout_seconds) as answer:  # noqa: S310 - the same
                der = _body(answer, time.monotonic() + timeout_seconds)
        except (urllib.error.URLError, http.client.HTTPException, OSError) as error:
            raise ProofError(f"the authority {self.url} gave no token: {error}") from error
        if len(der) > _LONGEST_ANSWER_BYTES:
            raise ProofError(f"the answer of the authority {self.url} is too long")
        return verify_token(der, text, self.roots, nonce=request.nonce)


def _body(answer: http.client.HTTPResponse, deadline: float) -> bytes:
    """What an authority answers, as long as it is short and comes in time."""
    body = b""
    while (piece := answer.read1(_LONGEST_ANSWER_BYTES)) and len(body) <= _LONGEST_ANSWER_BYTES:
        body += piece
        if time.monotonic() > deadline:
            raise TimeoutError("its answer takes too long")
    return body


def verify_token(der: bytes, text: bytes, roots: Iterable[Certificate], *, nonce: int | None = None) -> Token:
    """Verify a DER response over exactly these bytes (RFC 3161 §2.4.2).

    Its status is granted, its imprint the SHA-256 of the text, its nonce the one asked for (when known), its
    signature by the certificate that it names, of that sole, critical purpose, valid at the token's time,
    that leads to one of the roots.

    Raises:
        ProofError: one of these does not hold; the message says which.
    """
    try:
        return _verified(der, text, list(roots), nonce)
    except VerificationError as error:
        raise ProofError(f"the token does not verify: {error}") from error
    except ProofError:
        raise
    except Exception as error:
        raise ProofError(f"this is no token of a timestamping authority: {error}") from error


def _verified(der: bytes, text: bytes, roots: list[Certificate], nonce: int | None) -> Token:
    response = _decoded(der)
    inner = response.time_stamp_token()
    signing, others = _certificates(response)
    _check_purpose(signing)
    if not names_certificate(inner, signing.public_bytes(Encoding.DER)):
        raise ProofError("the token names another signing certificate than the one that it holds")
    made = time_in(inner)
    if not signing.not_valid_before_utc <= made <= signing.not_valid_after_utc:
        raise ProofError(f"the certificate of the token was not valid at its time, {instants.plain(made)}")
    imprint = response.tst_info.message_imprint
    if imprint.hash_algorithm.dotted_string != SHA256_OID:
        raise ProofError("the token is over another digest than SHA-256")
    # not intermediates=others: the library trusts those, and who made the token chose them
    verifier = VerifierBuilder(roots=roots, nonce=nonce).build()
    verifier.verify_message(response, text)
    return Token(
        der,
        imprint.message,
        made,
        _name(signing),
        response.tst_info.policy.dotted_string,
        (signing, *others),
    )


def needs_renewal(token: Token, now: datetime, before: timedelta = RENEWED_BEFORE) -> bool:
    """Whether a newer token is wanted, since this one's certificate expires soon (``now`` in UTC)."""
    return now >= token.expires - before


def token_data(token: Token, checkpoint: Checkpoint) -> dict[str, Any]:
    """The data of the fact ``token.received``."""
    return {
        "size": checkpoint.size,
        "root": checkpoint.root.hex(),
        "authority": token.authority,
        "imprint": token.imprint.hex(),
        "time": instants.canonical(token.time),
        "token": encode_base64(token.der),
    }


def imprint_of(checkpoint: Checkpoint) -> bytes:
    """What a token over a checkpoint is over: the SHA-256 of its signed text."""
    return hashlib.sha256(checkpoint.text.encode()).digest()


def _decoded(der: bytes) -> TimeStampResponse:
    response = decode_timestamp_response(in_order(der))
    status = PKIStatus(response.status)
    if status is not PKIStatus.GRANTED:
        why = "; ".join(response.status_string) or "no reason given"
        raise ProofError(f"the authority answered {status.name.lower()}: {why}")
    return response


def _certificates(response: TimeStampResponse) -> tuple[Certificate, list[Certificate]]:
    """The certificate that signed, by the signer's own words, and the others that came along."""
    found = [load_der_x509_certificate(der) for der in response.signed_data.certificates]
    signers = {(row.issuer, row.serial_number) for row in response.signed_data.signer_infos}
    signing = [row for row in found if (row.issuer, row.serial_number) in signers]
    if len(signers) != 1 or len(signing) != 1:
        raise ProofError("the token has no certificate of its one signer")
    return signing[0], sorted((row for row in found if row != signing[0]), key=_order)


def _order(row: Certificate) -> bytes:
    return row.public_bytes(Encoding.DER)


def _name(signing: Certificate) -> str:
    """The subject (RFC 4514), each letter outside ASCII as its pairs of hexadecimal digits (§2.4)."""
    text = signing.subject.rfc4514_string()
    name = re.sub(r"[^\x20-\x7e]", lambda found: _escaped(found.group()), text)[:_LONGEST_NAME].strip()
    if not name:
        raise ProofError("the token's certificate names nobody")
    return name


def _escaped(letter: str) -> str:
    return "".join(f"\\{byte:02X}" for byte in letter.encode())


def _check_purpose(signing: Certificate) -> None:
    """RFC 3161 §2.3: the one extended key usage timeStamping, critical."""
    try:
        usage = signing.extensions.get_extension_for_class(ExtendedKeyUsage)
    except ExtensionNotFound as error:
        raise ProofError("the token's certificate is not for timestamping: it has no key purpose") from error
    purposes: Sequence[object] = list(usage.value)
    if not usage.critical or purposes != [ExtendedKeyUsageOID.TIME_STAMPING]:
        raise ProofError("the token's certificate is not for timestamping alone, critically (RFC 3161 §2.3)")
