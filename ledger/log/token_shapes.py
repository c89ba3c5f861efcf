"""What ``rfc3161-client`` leaves out of a token: fractions of its second, which certificate it names.

It also refuses certificates that do not stand in the order of DER, as OpenSSL writes them; that order is not
signed. Shapes of RFC 3161 §2.4.2, RFC 5652 §5 (``SignedData``), RFC 2634 and RFC 5035 (signing certificate);
a ``list[TLV]`` is a part that is not looked into.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import datetime
from typing import Annotated

from cryptography import x509
from cryptography.hazmat import asn1

_TOKEN_INFO = x509.ObjectIdentifier("1.2.840.113549.1.9.16.1.4")
_SIGNING_CERTIFICATE = x509.ObjectIdentifier("1.2.840.113549.1.9.16.2.12")
_SIGNING_CERTIFICATE_V2 = x509.ObjectIdentifier("1.2.840.113549.1.9.16.2.47")
_HASHES = {
    x509.ObjectIdentifier("2.16.840.1.101.3.4.2.1"): "sha256",
    x509.ObjectIdentifier("2.16.840.1.101.3.4.2.2"): "sha384",
    x509.ObjectIdentifier("2.16.840.1.101.3.4.2.3"): "sha512",
}


@asn1.sequence
class _Attribute:
    kind: x509.ObjectIdentifier
    values: asn1.SetOf[asn1.TLV]


@asn1.sequence
class _SignerInfo:
    version: int
    signer: list[asn1.TLV]
    digest_algorithm: list[asn1.TLV]
    signed: Annotated[list[_Attribute] | None, asn1.Implicit(0)]
    signature_algorithm: list[asn1.TLV]
    signature: bytes
    unsigned: Annotated[list[asn1.TLV] | None, asn1.Implicit(1)]


@asn1.sequence
class _Content:
    kind: x509.ObjectIdentifier
    data: Annotated[bytes, asn1.Explicit(0)]


@asn1.sequence
class _SignedData:
    version: int
    digest_algorithms: asn1.SetOf[asn1.TLV]
    content: _Content
    certificates: Annotated[list[asn1.TLV] | None, asn1.Implicit(0)]
    revocations: Annotated[list[asn1.TLV] | None, asn1.Implicit(1)]
    signers: asn1.SetOf[_SignerInfo]


@asn1.sequence
class _Token:
    kind: x509.ObjectIdentifier
    data: Annotated[_SignedData, asn1.Explicit(0)]


@asn1.sequence
class _Response:
    status: list[asn1.TLV]
    token: _Token | None


@asn1.sequence
class _Accuracy:
    seconds: int | None
    millis: Annotated[int | None, asn1.Implicit(0)]
    micros: Annotated[int | None, asn1.Implicit(1)]


@asn1.sequence
class _TokenInfo:
    version: int
    policy: x509.ObjectIdentifier
    imprint: list[asn1.TLV]
    serial: int
    time: asn1.GeneralizedTime
    accuracy: _Accuracy | None
    ordering: Annotated[bool, asn1.Default(value=False)]
    nonce: int | None
    authority: Annotated[list[asn1.TLV] | None, asn1.Implicit(0)]
    extensions: Annotated[list[asn1.TLV] | None, asn1.Implicit(1)]


@asn1.sequence
class _CertificateHash:
    hash: bytes
    issuer: list[asn1.TLV] | None


@asn1.sequence
class _SigningCertificate:
    certificates: list[_CertificateHash]
    policies: list[asn1.TLV] | None


@asn1.sequence
class _HashAlgorithm:
    kind: x509.ObjectIdentifier
    parameters: asn1.Null | None


@asn1.sequence
class _CertificateHashV2:
    algorithm: _HashAlgorithm | None
    hash: bytes
    issuer: list[asn1.TLV] | None


@asn1.sequence
class _SigningCertificateV2:
    certificates: list[_CertificateHashV2]
    policies: list[asn1.TLV] | None


def in_order(der: bytes) -> bytes:
    """A response (DER) with the certificates of its token in the order of DER.

    Raises:
        ValueError: it is no response, or does not re-encode to itself.
    """
    response = asn1.decode_der(_Response, der)
    if asn1.encode_der(response) != der:
        raise ValueError("it does not re-encode to itself")
    if response.token is None:
        return der
    inside = sorted(response.token.data.certificates or [], key=_encoded)
    data = replace(response.token.data, certificates=inside or None)
    return asn1.encode_der(replace(response, token=replace(response.token, data=data)))


def time_in(token: bytes) -> datetime:
    """The time that a token (DER ``TimeStampToken``) states, in UTC, with its fractions of a second.

    Raises:
        ValueError: it is no such token, or states microseconds in part.
    """
    content = asn1.decode_der(_Token, token).data.content
    if content.kind != _TOKEN_INFO:
        raise ValueError(f"it signs content of the type {content.kind.dotted_string}")
    return asn1.decode_der(_TokenInfo, content.data).time.as_datetime()


def names_certificate(token: bytes, certificate: bytes) -> bool:
    """Whether the signed part of a token names this certificate (DER) as the signer's, by its hash.

    Without that, a certificate could be exchanged for another one of the same key (RFC 3161 §2.4.1).

    Raises:
        ValueError: the token is none, or names no certificate in a way that is known.
    """
    (signer,) = asn1.decode_der(_Token, token).data.signers.as_list()
    for attribute in signer.signed or []:
        for value in attribute.values.as_list():
            if attribute.kind == _SIGNING_CERTIFICATE:
                first = value.parse(_SigningCertificate).certificates[0]
                return bool(first.hash == hashlib.sha1(certificate, usedforsecurity=False).digest())
            if attribute.kind == _SIGNING_CERTIFICATE_V2:
                named = value.parse(_SigningCertificateV2).certificates[0]
                name = _HASHES[named.algorithm.kind] if named.algorithm else "sha256"
                return bool(named.hash == hashlib.new(name, certificate).digest())
    raise ValueError("it names no signing certificate")


def _encoded(part: asn1.TLV) -> bytes:
    return bytes(part.tag_bytes) + bytes(part.data)
