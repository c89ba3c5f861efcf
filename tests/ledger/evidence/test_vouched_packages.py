"""Packages that outside parties vouched for, and ledgers that changed their keys."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import load_pem_x509_certificate
from evidence_factory import SmallLedger, failures, files_of, rebagged, verified, written
from openssl_authority import OpensslAuthority
from recorder_factory import consumed, opened

from ledger.clock.simulated import SimulatedClock
from ledger.evidence import verifier
from ledger.evidence.gather import Request, gather
from ledger.evidence.package import StoredToken
from ledger.facts.envelope import parse_events
from ledger.log.checkpoints import SignedCheckpoint, cosignature_message, timed
from ledger.log.keys import Keys
from ledger.log.notes import COSIGNATURE, Signature, VerifierKey
from ledger.log.tokens import verify_token
from ledger.recorder import Recorder
from ledger.store import open_record
from ledger.vouching import token_event


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    return SmallLedger(tmp_path_factory.mktemp("ledger"))


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return OpensslAuthority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def judge(tmp_path):
    """What fails when a package is verified."""
    return lambda package, **options: failures(verified(package, tmp_path, **options))


def with_token(small, der, authority):
    """A package whose head bears this token."""
    content = small.content()
    token = StoredToken(content.head.checkpoint.size, der, authority.root_pem.read_bytes())
    omissions = [row for row in content.omissions if row.what != "token"]
    return written(replace(content, tokens=[token], omissions=omissions), small.keys)


class TestTokens:
    """RFC 3161 tokens over a checkpoint."""

    @pytest.fixture
    def text(self, small):
        """What a token is over."""
        return small.record.signed().checkpoint.text.encode()

    def test_a_good_token(self, small, authority, judge, text, tmp_path):
        """OpenSSL accepts it; trust in the authority is told apart, and comes with its root."""
        package = with_token(small, authority.token_over(text), authority)
        assert judge(package) == []
        assert judge(package, authorities=authority.root_pem.read_bytes()) == []
        found = verified(package, tmp_path)
        assert ("trust in the authority", verifier.NOT_CHECKED) in {row[:2] for row in found.checks}
        trusted = verified(package, tmp_path, authorities=authority.root_pem.read_bytes())
        assert ("trust in the authority", verifier.OK) in {row[:2] for row in trusted.checks}

    def test_over_other_data(self, small, authority, judge, text):
        """A token over another checkpoint is refused."""
        found = judge(with_token(small, authority.token_over(text + b"x"), authority))
        assert any(row.startswith("tokens: ") and "openssl refuses it" in row for row in found)

    @pytest.mark.parametrize("purpose", ["careless", "mixed", "serving"])
    def test_of_another_purpose(self, small, authority, judge, text, purpose):
        """A token by a certificate that is not for timestamping alone is refused."""
        found = judge(with_token(small, authority.token_by(purpose, text), authority))
        assert any("openssl refuses it" in row for row in found)

    def test_of_an_expired_certificate(self, small, judge, text, tmp_path):
        """A token whose certificate was not valid at its time is refused."""
        late = OpensslAuthority(tmp_path / "late", days=-1)
        assert any(
            "openssl refuses it" in row for row in judge(with_token(small, late.token_over(text), late))
        )

    def test_of_an_unknown_authority(self, small, authority, judge, text, tmp_path):
        """A token of an authority that is not the trusted one is refused."""
        stranger = OpensslAuthority(tmp_path / "stranger", name="Stranger")
        package = with_token(small, stranger.token_over(text), stranger)
        assert any(
            "openssl refuses it" in row for row in judge(package, authorities=authority.root_pem.read_bytes())
        )

    def test_no_token(self, small, authority, judge, text):
        """A token's file that holds something else is refused."""
        assert any(
            "does not read it as a token" in row for row in judge(with_token(small, b"0\0", authority))
        )

    def test_of_the_record(self, authority, judge, tmp_path):
        """A token on the record is in the package, and what its fact says of it is compared."""
        url, clock = f"sqlite:///{tmp_path / 'l.db'}", SimulatedClock(datetime(2026, 11, 1, tzinfo=UTC))
        root = load_pem_x509_certificate(authority.root_pem.read_bytes())
        with Recorder(url, clock, origin="greffe.test/x", keys=tmp_path / "keys") as recorder:
            recorder.record(parse_events([opened()]))
            signed = recorder.notary.sign()
            text = signed.checkpoint.text.encode()
            token = verify_token(authority.token_over(text), text, [root])
            recorder.notary.vouch(signed)
            recorder.record(parse_events([token_event(signed, token)], by_ledger=True))
            keys, content = Keys.open(tmp_path / "keys", recorder.notary.verifier_keys[0].name), None
        record = open_record(url)
        content = gather(record, Request("ACC-1", "2026-12-01T00:00:00Z", {"conclusions": []}, roots=[root]))
        package = written(content, keys)
        assert judge(package) == []
        assert len(content.tokens) == 1
        assert root.public_bytes(Encoding.PEM) in content.tokens[0].certificates
        unknown = gather(record, Request("ACC-1", "2026-12-01T00:00:00Z", {"conclusions": []}))
        assert any(row.what == "token" and "no root" in row.why for row in unknown.omissions)
        assert judge(written(unknown, keys)) == []
        record.close()


class TestWitnesses:
    """Cosignatures on the checkpoint that a package rests on."""

    def cosigned(self, small, blob=None):
        key = Ed25519PrivateKey.generate()
        vkey = VerifierKey("witness.client.example", COSIGNATURE, key.public_key().public_bytes_raw())
        content = small.content()
        head = content.head
        signature = timed(
            1_790_000_000, blob or key.sign(cosignature_message(1_790_000_000, head.checkpoint))
        )
        note = head.note.signed_also_by([Signature(vkey.name, vkey.key_id, signature)])
        signed = SignedCheckpoint(head.checkpoint, note)
        proofs = {at: replace(proof, signed=signed) for at, proof in content.proofs.items()}
        consistency = [
            replace(proof, signed=signed) if proof.signed.checkpoint == head.checkpoint else proof
            for proof in content.consistency
        ]
        changed = replace(
            content, head=signed, proofs=proofs, consistency=consistency, keys=[*content.keys, vkey]
        )
        return written(changed, small.keys)

    def test_a_cosignature(self, small, judge, tmp_path):
        """OpenSSL verifies it, and the answer names the witness."""
        package = self.cosigned(small)
        assert judge(package) == []
        assert any("witness.client.example" in row.sentence for row in verified(package, tmp_path).checks)

    def test_a_wrong_cosignature(self, small, judge):
        """A line that says to be of a known witness and is not is refused."""
        assert any("witness.client.example" in row for row in judge(self.cosigned(small, b"x" * 64)))


class TestRotation:
    """A ledger that changed its keys."""

    @pytest.fixture
    def rotated(self, tmp_path):
        """The package, the keys before and the keys after."""
        url, clock = f"sqlite:///{tmp_path / 'l.db'}", SimulatedClock(datetime(2026, 11, 1, tzinfo=UTC))
        with Recorder(url, clock, origin="greffe.test/x", keys=tmp_path / "keys") as recorder:
            recorder.record(parse_events([opened()]))
            origin = recorder.notary.verifier_keys[0].name
            before = Keys.open(tmp_path / "keys", origin)
            recorder.notary.vouch(recorder.notary.sign())
            recorder.notary.renew_keys()
            recorder.record(parse_events([consumed("c-1")]))
            recorder.record(parse_events([consumed("c-2")]))
        record = open_record(url)
        content = gather(record, Request("ACC-1", "2026-12-01T00:00:00Z", {"conclusions": []}))
        record.close()
        return content, before, Keys.open(tmp_path / "keys", origin)

    def test_old_and_new_keys(self, rotated, judge):
        """Checkpoints by the old key from before, and by the new one since, are accepted."""
        content, before, after = rotated
        package = written(content, after)
        assert judge(package) == []
        assert judge(package, pinned=[after.verifier_keys[0].text]) == []
        assert judge(package, pinned=[before.verifier_keys[0].text]) != []
        assert len({key.text for key in content.keys}) == 4

    def test_a_retired_key_signs_nothing_more(self, rotated, judge):
        """A checkpoint by a retired key is named, and a package that it signs is not of the present one."""
        content, before, after = rotated
        head = content.head.checkpoint
        signed = SignedCheckpoint(head, before.sign(head))
        proofs = {at: replace(proof, signed=signed) for at, proof in content.proofs.items()}
        consistency = [
            replace(proof, signed=signed) if proof.signed.checkpoint == head else proof
            for proof in content.consistency
        ]
        package = written(replace(content, head=signed, proofs=proofs, consistency=consistency), after)
        assert any(row.startswith("retired keys: the checkpoint") for row in judge(package))
        assert any(row.startswith("retired keys: the package") for row in judge(written(content, before)))


def test_two_trees_of_one_size(small, judge):
    """A message that carries another root than the checkpoint of its size is named: the log was split."""
    files = files_of(small.package())
    about = json.loads(files["data/package.json"])
    stamps = {name: data for name, data in files.items() if name.startswith("data/messages/")}
    assert about["size"] == 16
    name, data = max(stamps.items())
    carried = verifier.checkpoint_in(data)
    other = verifier.Checkpoint.parse(carried)
    split = carried.replace(
        verifier.encode_base64(other.root).encode(), verifier.encode_base64(b"s" * 32).encode()
    )
    encoded = verifier.encode_base64(split)
    lines = b"\r\n".join(encoded[at : at + 76].encode() for at in range(0, len(encoded), 76))
    head, _, rest = data.partition(b"-----BEGIN GREFFE CHECKPOINT-----\r\n")
    tail = rest.partition(b"\r\n-----END")[2]
    altered = head + b"-----BEGIN GREFFE CHECKPOINT-----\r\n" + lines + b"\r\n-----END" + tail
    sent = altered[altered.index(b"X-Greffe-Digest") :]
    position = int(name.split("/")[-1].split(".")[0])
    package = verifier.Package.__new__(verifier.Package)
    package.about, package.checkpoints, package.omitted = about, {other.size: other}, set()
    assert package._carried(position, sent) == ["it carries another tree of the same size: the log was split"]
    assert judge(rebagged({**files, name: altered}, small.keys))
