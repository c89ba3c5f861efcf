"""Timestamp tokens from a real authority (OpenSSL's), and each way in which one is not (RFC 3161)."""

from __future__ import annotations

import base64
from contextlib import suppress
from datetime import timedelta

import pytest
from cryptography.x509 import load_pem_x509_certificates
from openssl_authority import OpensslAuthority, served

from ledger.errors import ProofError, WrongCallError
from ledger.log.checkpoints import Checkpoint
from ledger.log.tokens import Authority, imprint_of, needs_renewal, token_data, verify_token

CHECKPOINT = Checkpoint("greffe.test/outscale/cgv-2021-06", 300, b"\1" * 32)
TEXT = CHECKPOINT.text.encode()


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return OpensslAuthority(tmp_path_factory.mktemp("tsa") / "good")


@pytest.fixture(scope="module")
def roots(made):
    return load_pem_x509_certificates(made.root_pem.read_bytes())


@pytest.fixture(scope="module")
def der(made):
    return made.token_over(TEXT)


def test_a_token_from_an_authority(made):
    """Asked over HTTP, the authority's answer verifies, says when, and becomes a fact's data."""
    with served(made.reply) as url:
        token = Authority.parse(f"{url}|{made.root_pem}").token_over(TEXT)
    data = token_data(token, CHECKPOINT)
    assert made.accepts(token.der, TEXT)
    assert token.authority == "CN=Test Authority"
    assert bytes.fromhex(data["imprint"]) == imprint_of(CHECKPOINT)
    assert base64.b64decode(data["token"]) == token.der
    assert (data["size"], data["root"]) == (300, "01" * 32)


def test_openssl_agrees(made, roots, der):
    """What we accept `openssl ts -verify` accepts, and what is over other bytes neither does."""
    assert made.accepts(der, TEXT)
    assert verify_token(der, TEXT, roots).der == der
    assert not made.accepts(der, TEXT + b"x")
    with pytest.raises(ProofError, match="Mismatch"):
        verify_token(der, TEXT + b"x", roots)


@pytest.mark.parametrize("purpose", ["serving", "careless", "mixed"])
def test_a_certificate_of_another_purpose(made, roots, purpose):
    """A token signed by a certificate that is not for timestamping alone, critically, is refused."""
    assert verify_token(made.token_by("stamping", TEXT), TEXT, roots)
    with pytest.raises(ProofError, match="not for timestamping alone"):
        verify_token(made.token_by(purpose, TEXT), TEXT, roots)


def test_an_unknown_authority(tmp_path, roots):
    """A token that leads to another root than those trusted is refused."""
    stranger = OpensslAuthority(tmp_path / "stranger", name="Stranger")
    with pytest.raises(ProofError, match="does not verify"):
        verify_token(stranger.token_over(TEXT), TEXT, roots)


def test_an_expired_certificate(tmp_path):
    """A token whose certificate was not valid at its time is refused, as OpenSSL refuses it."""
    late = OpensslAuthority(tmp_path / "late", days=-1)
    root = load_pem_x509_certificates(late.root_pem.read_bytes())
    der = late.token_over(TEXT)
    assert not late.accepts(der, TEXT)
    with pytest.raises(ProofError, match="not valid at its time"):
        verify_token(der, TEXT, root)


def test_another_nonce(made, roots, der):
    """An answer to another question than the one that was asked is refused."""
    with served(lambda _query: der) as url, pytest.raises(ProofError, match="Nonce"):
        Authority.parse(f"{url}|{made.root_pem}").token_over(TEXT)


def test_an_authority_that_answers_over_other_data(made):
    """A token over other bytes than those sent is refused."""
    with served(lambda _query: made.token_over(b"other")) as url, pytest.raises(ProofError):
        Authority.parse(f"{url}|{made.root_pem}").token_over(TEXT)


@pytest.mark.parametrize("answer", [b"", b"nothing", b"\x30\x03\x02\x01\x02"])
def test_an_authority_that_does_not_answer(made, answer):
    """No answer, an answer that is none, and a rejection are told apart from a token."""
    with served(lambda _query: answer) as url, pytest.raises(ProofError):
        Authority.parse(f"{url}|{made.root_pem}").token_over(TEXT)


def test_a_rejection_says_why(made, roots):
    """A response with the status rejection is named so."""
    rejected = made.reply(b"\x30\x03\x02\x01\x01")
    with pytest.raises(ProofError, match="rejection"):
        verify_token(rejected, TEXT, roots)


def test_an_authority_that_cannot_be_reached(made):
    """A closed port is said to be one."""
    with pytest.raises(ProofError, match="gave no token"):
        Authority.parse(f"http://127.0.0.1:9/|{made.root_pem}").token_over(TEXT)


@pytest.mark.parametrize("text", ["http://x", "ftp://x|/dev/null", "http://x|/nowhere", "http://x|/dev/null"])
def test_a_setting_that_is_none(text):
    """An authority is named by its URL and the file of its roots."""
    with pytest.raises(WrongCallError):
        Authority.parse(text)


def test_an_altered_token_says_nothing_else(roots, der):
    """With any one byte altered a token is refused, or says the same: versions and names of algorithms are unsigned."""
    told = verify_token(der, TEXT, roots)
    survivors = 0
    for at in range(0, len(der), 3):
        with suppress(ProofError):
            found = verify_token(der[:at] + bytes([der[at] ^ 1]) + der[at + 1 :], TEXT, roots)
            assert (found.time, found.imprint, found.authority) == (told.time, told.imprint, told.authority)
            survivors += 1
    assert survivors < 10


def test_a_token_is_renewed_before_its_certificate_expires(roots, der):
    """Thirty days before the certificate's end, and not a microsecond earlier, a newer token is wanted."""
    token = verify_token(der, TEXT, roots)
    limit = token.expires - timedelta(days=30)
    assert needs_renewal(token, limit)
    assert not needs_renewal(token, limit - timedelta(microseconds=1))
