"""Stamping messages signed with DKIM (RFC 6376): they verify as stored, and no byte of them may differ."""

from __future__ import annotations

import hashlib
import re
import subprocess
import time
from email import message_from_bytes
from pathlib import Path

import dkim
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1
from cryptography.hazmat.primitives.asymmetric.ec import generate_private_key as generate_ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key as generate_rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from api.runtime import Runtime
from api.settings import Settings
from ledger.clock import MailSettings, open_mail
from ledger.clock.dkim import DkimSigner, archived_record, verify_dkim
from ledger.clock.message import checkpoint_in, read_stored, stamping_message
from ledger.errors import ProofError, WrongCallError

DIGEST = hashlib.sha256(b"a commit").hexdigest()
ORIGIN = "greffe.test/clock"
CHECKPOINT = b"greffe.test/clock\n300\n" + b"A" * 3500 + b"\n\n\xe2\x80\x94 signatures\n"
KINDS = ["rsa", "ed25519"]
COVERED = {
    "x-greffe-digest",
    "x-greffe-count",
    "x-greffe-origin",
    "message-id",
    "date",
    "from",
    "to",
    "subject",
}


def write_key(path, key, mode=0o600):
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    path.chmod(mode)
    return path


@pytest.fixture(scope="module")
def settings_of(tmp_path_factory):
    """``GREFFE_DKIM`` of a key of each kind."""
    folder = tmp_path_factory.mktemp("dkim")
    keys = {"rsa": generate_rsa(65537, 2048), "ed25519": Ed25519PrivateKey.generate()}
    return {kind: f"greffe.example ledger {write_key(folder / kind, key)}" for kind, key in keys.items()}


@pytest.fixture(params=KINDS)
def signer(request, settings_of):
    return DkimSigner.open(settings_of[request.param])


def message_with(signer):
    return signer.signed(
        stamping_message(
            DIGEST, 3, origin=ORIGIN, sender="a@greffe.test", recipient="b@greffe.test", checkpoint=CHECKPOINT
        )
    )


def check_stored(raw, stamp, signer):
    """A stored message ends with what was sent, and verifies with dkimpy by the record alone."""
    found = read_stored(raw)
    assert found.digest == DIGEST
    assert hashlib.sha256(found.sent).hexdigest() == stamp.message_sha256
    assert raw.endswith(found.sent)
    assert len(found.raw) > len(found.sent)
    assert checkpoint_in(found.raw) == CHECKPOINT
    assert archived_record(raw) == (signer.record_name, signer.record)
    published = {f"{signer.record_name}.".encode(): signer.record.encode()}
    assert dkim.verify(found.raw, dnsfunc=lambda name, **_timeout: published[name])
    verify_dkim(raw, signer.record_name, signer.record)


class TestMessage:
    """The signature itself."""

    def test_it_begins_as_before_and_covers_all(self, signer):
        """The message still begins with the digest; each header and the body are signed, none can be added."""
        body = message_with(signer).body
        assert body.startswith(b"X-Greffe-Digest: " + DIGEST.encode() + b"\r\n")
        parsed = message_from_bytes(body)
        tags = dict(part.strip().split("=", 1) for part in parsed["DKIM-Signature"].split(";"))
        names = [name.strip() for name in tags["h"].split(":")]
        assert set(names) >= COVERED
        assert set(names) == {name.lower() for name in parsed} - {"dkim-signature"}
        assert all(names.count(name) == 2 for name in names)
        assert "l" not in tags
        assert (tags["d"], tags["s"]) == ("greffe.example", "ledger")
        assert checkpoint_in(body) == CHECKPOINT

    def test_lines_are_short_enough_for_mail(self, signer):
        """No line is longer than 998 characters (RFC 5322 §2.1.1), and all are ASCII."""
        body = message_with(signer).body
        assert body.isascii()
        assert max(len(line) for line in body.split(b"\r\n")) <= 998

    def test_any_altered_byte_is_found(self, signer):
        """One bit flipped anywhere in the signed message, and it no longer verifies; likewise one byte left out."""
        body = message_with(signer).body
        verify_dkim(body, signer.record_name, signer.record)
        kind = "rsa" if "rsa" in signer.record else "ed25519"
        for at in range(0, len(body) - 2, {"rsa": 13, "ed25519": 5}[kind]):
            for altered in (
                body[:at] + bytes([body[at] ^ 1]) + body[at + 1 :],
                body[:at] + body[at + 1 :],
            ):
                if _same_for_dkim(body, altered):
                    continue
                with pytest.raises(ProofError):
                    verify_dkim(altered, signer.record_name, signer.record)

    @pytest.mark.parametrize("line", [b"Subject: another", b"X-Greffe-Digest: 00", b"From: c@greffe.test"])
    def test_a_header_that_was_added(self, signer, line):
        """A second subject, digest or sender on top is found; lines of the mail server's own are not signed."""
        body = message_with(signer).body
        top = b"Received: from a by b with ESMTP id 4jXrjs6ZNnzKHG6;\r\n\tMon, 23 Nov 2026 15:00:00 +0000\r\n"
        verify_dkim(
            b"Return-Path: <x@y>\r\nDKIM-Signature: v=1; a=rsa-sha256\r\n" + top + body,
            signer.record_name,
            signer.record,
        )
        with pytest.raises(ProofError):
            verify_dkim(line + b"\r\n" + body, signer.record_name, signer.record)

    def test_another_key(self, signer):
        """A message does not verify by another key of the same name, nor by the same key of another name."""
        other = DkimSigner(signer.domain, signer.selector, Ed25519PrivateKey.generate())
        body = message_with(signer).body
        with pytest.raises(ProofError):
            verify_dkim(body, other.record_name, other.record)
        with pytest.raises(ProofError):
            verify_dkim(body, "ledger._domainkey.elsewhere.example", signer.record)

    def test_unsigned(self, signer):
        """A message without a signature is told so, and carries no record."""
        plain = stamping_message(DIGEST, 1, origin=ORIGIN, sender="a@b.test", recipient="a@b.test").body
        assert archived_record(plain) is None
        with pytest.raises(ProofError, match="no valid DKIM signature"):
            verify_dkim(plain, signer.record_name, signer.record)

    def test_openssl_derives_the_same_record(self, settings_of):
        """The public key in the record is what OpenSSL derives from the key file."""
        for kind in KINDS:
            path = settings_of[kind].split()[2]
            der = subprocess.run(
                ["openssl", "pkey", "-in", path, "-pubout", "-outform", "DER"],
                capture_output=True,
                check=True,
            ).stdout
            public = der if kind == "rsa" else der[-32:]
            record = DkimSigner.open(settings_of[kind]).record
            assert record == f"v=DKIM1; k={kind}; p={_base64(public)}"


def _base64(data):
    return subprocess.run(
        ["openssl", "base64", "-A"], input=data, capture_output=True, check=True
    ).stdout.decode()


def _same_for_dkim(body, altered):
    """White space inside the signature's own base64, and a base64 letter's unused bits, mean nothing (RFC 6376 §3.5)."""
    return _meaning(body) == _meaning(altered)


def _meaning(raw):
    head, _, text = raw.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n").partition(b"\r\n\r\n")
    before, _, value = head.rpartition(b" b=")
    return before, re.sub(rb"\s", b"", value).rstrip(b"=")[:-1], text


class TestServers:
    """Signed messages through real mail servers."""

    @pytest.mark.parametrize("kind", KINDS)
    def test_embedded(self, settings_of, tmp_path, kind):
        """The message in the embedded server's journal verifies, and not when a byte of it was altered."""
        signer = DkimSigner.open(settings_of[kind])
        mail = open_mail(f"embedded:{tmp_path}", origin=ORIGIN, settings=MailSettings(signer=signer))
        try:
            stamp = mail.clock.stamp(DIGEST, 3, CHECKPOINT)
            raw = mail.find(stamp.queue_id)
        finally:
            mail.close()
        check_stored(raw, stamp, signer)
        with pytest.raises(ProofError):
            verify_dkim(
                raw.replace(b"commit of 3 facts", b"commit of 4 facts"), signer.record_name, signer.record
            )

    @pytest.mark.postfix
    @pytest.mark.parametrize("kind", KINDS)
    def test_postfix(self, settings_of, postfix, kind):
        """With Postfix's lines on top the message verifies, and not when a byte of it was altered."""
        signer = DkimSigner.open(settings_of[kind])
        mail = open_mail(postfix.url, origin=ORIGIN, settings=MailSettings(signer=signer))
        try:
            stamp = mail.clock.stamp(DIGEST, 3, CHECKPOINT)
            deadline = time.monotonic() + 20
            while (raw := mail.find(stamp.queue_id)) is None and time.monotonic() < deadline:
                time.sleep(0.05)
        finally:
            mail.close()
        check_stored(raw, stamp, signer)
        with pytest.raises(ProofError):
            verify_dkim(
                raw.replace(b"X-Greffe-Count: 3", b"X-Greffe-Count: 2"), signer.record_name, signer.record
            )

    def test_without_a_key_nothing_changes(self, tmp_path):
        """Without a key the message bears no signature."""
        mail = open_mail(f"embedded:{tmp_path}", origin=ORIGIN)
        try:
            raw = mail.find(mail.clock.stamp(DIGEST, 3).queue_id)
        finally:
            mail.close()
        assert b"DKIM" not in raw.upper()


class TestSetting:
    """``GREFFE_DKIM``."""

    def test_a_ledger_signs_its_stamping_messages(self, settings_of, tmp_path, monkeypatch):
        """With the setting a ledger opened as ``serve`` opens it signs, with the key named."""
        monkeypatch.setenv("GREFFE_DKIM", settings_of["ed25519"])
        with Runtime.open(
            f"sqlite:///{tmp_path / 'l.db'}", f"embedded:{tmp_path / 'mail'}", settings=Settings()
        ) as runtime:
            raw = runtime.mail.find(runtime.mail.clock.stamp(DIGEST, 1).queue_id)
        name, record = archived_record(raw)
        assert name == "ledger._domainkey.greffe.example"
        verify_dkim(raw, name, record)

    def test_a_key_that_others_may_read(self, tmp_path):
        """A key file that others may read is refused, and told how to mend it."""
        path = write_key(tmp_path / "key", Ed25519PrivateKey.generate(), 0o640)
        with pytest.raises(WrongCallError, match="chmod 600"):
            DkimSigner.open(f"a.test s {path}")

    def test_a_key_of_no_use(self, tmp_path):
        """A short RSA key, and a key of another kind, are refused."""
        short = generate_rsa(65537, 1024)  # noqa: S505 - what is refused
        with pytest.raises(WrongCallError, match="less than 2048 bits"):
            DkimSigner.open(f"a.test s {write_key(tmp_path / 'short', short)}")
        with pytest.raises(WrongCallError, match="another kind"):
            DkimSigner.open(f"a.test s {write_key(tmp_path / 'other', generate_ec(SECP256R1()))}")

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "a.test",
            "a.test s",
            "a.test s /nowhere",
            "a b c d",
            "a..test s {file}",
            "a.test s; {file}",
            "a.test s {empty}",
        ],
    )
    def test_a_setting_that_is_none(self, tmp_path, text):
        """Anything but a domain, a selector and a key file is refused in a sentence."""
        write_key(tmp_path / "key", Ed25519PrivateKey.generate())
        Path(tmp_path / "empty").touch(0o600)
        with pytest.raises(WrongCallError):
            DkimSigner.open(text.format(file=tmp_path / "key", empty=tmp_path / "empty"))
