"""Timestamp tokens from a real authority (OpenSSL's), and each way in which one is not (RFC 3161)."""

from __future__ import annotations

import base64
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import load_pem_x509_certificate, load_pem_x509_certificates
from openssl_authority import OpensslAuthority, served

from ledger.errors import ProofError, WrongCallError
from ledger.facts.envelope import parse_events
from ledger.log.checkpoints import Checkpoint
from ledger.log.token_shapes import in_order
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


def test_an_altered_token_says_nothing_else(made, roots, der):
    """With any one byte altered a token is refused, or says the same, for OpenSSL too: version numbers are unsigned."""
    told = verify_token(der, TEXT, roots)
    survivors = 0
    for at in range(0, len(der), 3):
        with suppress(ProofError):
            altered = der[:at] + bytes([der[at] ^ 1]) + der[at + 1 :]
            found = verify_token(altered, TEXT, roots)
            assert made.accepts(altered, TEXT)
            assert (found.time, found.imprint, found.authority) == (told.time, told.imprint, told.authority)
            survivors += 1
    assert survivors < 10


def test_a_token_is_renewed_before_its_certificate_expires(roots, der):
    """Thirty days before the certificate's end, and not a microsecond earlier, a newer token is wanted."""
    token = verify_token(der, TEXT, roots)
    limit = token.expires - timedelta(days=30)
    assert needs_renewal(token, limit)
    assert not needs_renewal(token, limit - timedelta(microseconds=1))


SENDS_ITS_ROOT = "certs = ./root.pem\n"


def roots_of(authority):
    return load_pem_x509_certificates(authority.root_pem.read_bytes())


@pytest.mark.parametrize("name", ["S", "A stranger with a longer name"])
def test_an_unknown_authority_that_sends_its_own_root(made, roots, tmp_path, name):
    """A root that comes inside the token is not trusted for that, in whatever order the certificates stand."""
    stranger = OpensslAuthority(tmp_path / "stranger", name=name, settings=SENDS_ITS_ROOT)
    der = stranger.token_over(TEXT)
    assert stranger.accepts(der, TEXT)
    assert not made.accepts(der, TEXT)
    with pytest.raises(ProofError, match="does not verify"):
        verify_token(der, TEXT, roots)
    with pytest.raises(ProofError, match="does not verify"):
        verify_token(in_order(der), TEXT, roots)


def test_certificates_in_any_order(tmp_path):
    """A token with more certificates than its own is accepted in the order in which OpenSSL writes them."""
    sends = OpensslAuthority(tmp_path / "sends", settings=SENDS_ITS_ROOT)
    token = verify_token(sends.token_over(TEXT), TEXT, roots_of(sends))
    assert [row.subject.rfc4514_string() for row in token.certificates] == [
        "CN=Test Authority",
        "CN=Test Authority Root",
    ]
    assert load_pem_x509_certificates(token.certificates_pem) == list(token.certificates)
    assert in_order(in_order(token.der)) == in_order(token.der)


def test_an_intermediate_inside_the_token(tmp_path):
    """The root is reached over an intermediate that the token holds, and not over one that may issue nothing."""
    good = OpensslAuthority(tmp_path / "good", through="issuing", settings="certs = ./mid.pem\n")
    assert good.accepts(good.token_over(TEXT), TEXT)
    assert verify_token(good.token_over(TEXT), TEXT, roots_of(good))
    bad = OpensslAuthority(tmp_path / "bad", through="stamping", settings="certs = ./mid.pem\n")
    assert not bad.accepts(bad.token_over(TEXT), TEXT)
    with pytest.raises(ProofError, match="does not verify"):
        verify_token(bad.token_over(TEXT), TEXT, roots_of(bad))


def test_a_key_that_is_not_for_signing(made, roots):
    """A certificate for timestamping whose key may not sign is refused, by OpenSSL too."""
    der = made.token_by("agreeing", TEXT)
    assert not made.accepts(der, TEXT)
    with pytest.raises(ProofError):
        verify_token(der, TEXT, roots)


def test_another_certificate_of_the_same_key(made, roots, der):
    """The token names its certificate: one put in its place is noticed, though the key is the same."""
    own = load_pem_x509_certificate((made.folder / "tsa.pem").read_bytes())
    while True:
        made.certify("later", "stamping", 7000)
        other = load_pem_x509_certificate((made.folder / "later.pem").read_bytes())
        before, after = (row.public_bytes(Encoding.DER) for row in (own, other))
        if len(before) == len(after):
            break
    serials = [row.serial_number.to_bytes(20, "big") for row in (own, other)]
    swapped = der.replace(before, after).replace(*serials)
    assert len(swapped) == len(der)
    assert swapped != der
    assert not made.accepts(swapped, TEXT)
    with pytest.raises(ProofError, match="names another signing certificate"):
        verify_token(swapped, TEXT, roots)


def test_a_token_that_names_no_certificate(made, roots):
    """A token whose signed part does not name the signing certificate is refused, as OpenSSL refuses it."""
    der = made.token_by("stamping", TEXT, names_certificate=False)
    assert not made.accepts(der, TEXT)
    with pytest.raises(ProofError, match="names no signing certificate"):
        verify_token(der, TEXT, roots)


def test_fractions_of_a_second(tmp_path):
    """The time of a token is read with its fractions: cut off, they would make it too early."""
    exact = OpensslAuthority(tmp_path / "exact", settings="clock_precision_digits = 6\n")
    before = datetime.now(UTC)
    tokens = [verify_token(exact.token_over(TEXT), TEXT, roots_of(exact)) for _ in range(2)]
    after = datetime.now(UTC)
    assert before <= tokens[0].time <= tokens[1].time <= after
    assert any(token.time.microsecond for token in tokens)


def test_a_name_outside_ascii(tmp_path):
    """The name of a French authority is written in ASCII, as a fact demands (RFC 4514 §2.4)."""
    named = OpensslAuthority(tmp_path / "named", name="Société d’horodatage")
    token = verify_token(named.token_over(TEXT), TEXT, roots_of(named))
    assert token.authority == r"CN=Soci\C3\A9t\C3\A9 d\E2\80\99horodatage"
    events = [
        {"specversion": "1.0", "id": "t", "source": "/test", "type": "token.received", "subject": "tokens",
         "data": token_data(token, CHECKPOINT)}
    ]  # fmt: skip
    assert parse_events(events, by_ledger=True)


def test_a_token_outlives_its_certificate(tmp_path):
    """What counts is that the certificate was valid when the token was made, not that it still is."""
    brief = OpensslAuthority(tmp_path / "brief")
    end = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=2)
    brief.certify_until(end)
    der = brief.token_over(TEXT)
    made_at = int(time.time())
    time.sleep(max(0, end.timestamp() + 1.1 - time.time()))
    assert not brief.accepts(der, TEXT)
    assert brief.accepts(der, TEXT, "-attime", str(made_at))
    token = verify_token(der, TEXT, roots_of(brief))
    assert token.expires == end
    assert needs_renewal(token, datetime.now(UTC), timedelta())


def test_no_trusted_root(der):
    """Without a trusted root no token is accepted."""
    with pytest.raises(ProofError):
        verify_token(der, TEXT, [])


def test_an_authority_that_answers_drop_by_drop(made, der):
    """An answer that does not end in time is given up."""
    with served(lambda _query: der, pause_seconds=0.05) as url, pytest.raises(ProofError, match="too long"):
        Authority.parse(f"{url}|{made.root_pem}").token_over(TEXT, timeout_seconds=0.5)
