"""Notes, keys, checkpoints and proof files: one spelling each (C2SP signed-note, tlog-checkpoint, tlog-proof)."""

from __future__ import annotations

import base64
from contextlib import suppress

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st
from log_factory import ORIGIN, SmallLog

from ledger.errors import ProofError, WrongLedgerError
from ledger.log.checkpoints import (
    Checkpoint,
    SignedCheckpoint,
    cosignature_message,
    subtree_message,
    time_of,
    timed,
)
from ledger.log.keys import Keys
from ledger.log.notes import COSIGNATURE, Note, Signature, VerifierKey
from ledger.log.proofs import ConsistencyProof, InclusionProof

# the worked example of C2SP tlog-cosignature and tlog-witness
EXAMPLE = (
    "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n"
    "— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"
    "— witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==\n"
).encode()
# the verifier key of the Go checksum database, as sum.golang.org publishes it
GO_KEY = "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8"


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    keys = Keys.open(tmp_path_factory.mktemp("keys"), ORIGIN)
    return SmallLog(keys).add(*(str(place).encode() for place in range(300)))


class TestKeys:
    def test_a_published_key_reads_back(self):
        """A vkey of another implementation is read, its id checked, and written as it was."""
        assert VerifierKey.parse(GO_KEY).text == GO_KEY

    @pytest.mark.parametrize(
        "text",
        [
            GO_KEY.replace("033de0ae", "033de0af"),
            GO_KEY.replace("+Ac4", "+Ad4"),
            GO_KEY + "\n",
            GO_KEY.replace("sum.golang.org", "sum golang.org"),
            GO_KEY.removesuffix("8"),
            "nothing",
        ],
    )
    def test_an_altered_key_is_refused(self, text):
        """A vkey whose id, name or bytes do not fit each other is refused."""
        with pytest.raises(ProofError):
            VerifierKey.parse(text)

    def test_keys_are_their_owners_alone(self, tmp_path):
        """Key files are of mode 0600; one that others may read is refused, with what to do."""
        Keys.open(tmp_path, ORIGIN)
        files = sorted(tmp_path.glob("*.pem"))
        assert [oct(path.stat().st_mode & 0o777) for path in files] == ["0o600", "0o600"]
        files[0].chmod(0o644)
        with pytest.raises(WrongLedgerError, match="chmod 600"):
            Keys.open(tmp_path, ORIGIN)

    def test_keys_stay_and_are_renewed(self, tmp_path):
        """The same folder gives the same keys, until they are renewed."""
        first = Keys.open(tmp_path, ORIGIN).verifier_keys
        assert Keys.open(tmp_path, ORIGIN).verifier_keys == first
        assert not set(Keys.renew(tmp_path, ORIGIN).verifier_keys) & set(first)


class TestNotes:
    def test_the_example_of_the_specification(self):
        """The specification's own checkpoint is read and written back."""
        signed = SignedCheckpoint.parse(EXAMPLE)
        assert (signed.checkpoint.size, signed.to_bytes()) == (20852163, EXAMPLE)

    @pytest.mark.parametrize(
        ("why", "raw"),
        [
            ("a carriage return", EXAMPLE.replace(b"\n", b"\r\n")),
            ("a control character", EXAMPLE.replace(b"sofa\n2", b"sofa\x0b\n2")),
            ("a size with a leading zero", EXAMPLE.replace(b"20852163", b"020852163")),
            ("a size that is no number", EXAMPLE.replace(b"20852163", b"+20852163")),
            ("a size in other digits", EXAMPLE.replace(b"20852163", "٢٠".encode())),
            ("an extension line", EXAMPLE.replace(b"q2I=\n", b"q2I=\nmore\n")),
            ("a second blank line", EXAMPLE.replace(b"\n\n", b"\n\n\n")),
            ("no blank line", EXAMPLE.replace(b"\n\n", b"\n")),
            ("no newline at the end", EXAMPLE.removesuffix(b"\n")),
            ("a newline more at the end", EXAMPLE + b"\n"),
            ("base64 that is not canonical", EXAMPLE.replace(b"q2I=", b"q2J=")),
            ("base64 without padding", EXAMPLE.replace(b"q2I=", b"q2I")),
            ("a root that is too short", EXAMPLE.replace(b"CsUYapGG", b"CsUY")),
            ("a hyphen for a dash", EXAMPLE.replace("— e".encode(), b"- e")),
            ("two spaces", EXAMPLE.replace("— e".encode(), "—  e".encode())),
            ("bytes that are not UTF-8", EXAMPLE.replace(b"sofa", b"so\xffa", 1)),
            ("a byte order mark", b"\xef\xbb\xbf" + EXAMPLE.replace(b"\n\n", b"\n")),
            ("a plus in a name", EXAMPLE.replace("— witness.".encode(), "— wit+ness.".encode())),
            ("a signature of four bytes", EXAMPLE + "— x.example AAAAAA==\n".encode()),
            ("nothing", b""),
        ],
    )
    def test_a_malformed_note_is_refused(self, why, raw):
        """What is not written as the specification says is no checkpoint."""
        with pytest.raises(ProofError):
            SignedCheckpoint.parse(raw)

    def test_two_signatures_by_the_log(self, log):
        """The log signs with Ed25519 and with ML-DSA-44, and each is of its own key."""
        signed = log.signed()
        assert signed.verified_by(log.keys.verifier_keys) == log.keys.verifier_keys
        assert [
            time_of(line, key)
            for line, key in zip(signed.note.signatures, log.keys.verifier_keys, strict=True)
        ] == [None, None]

    def test_unknown_keys_alone_prove_nothing(self, log, tmp_path):
        """A note that only unknown keys signed is refused; unknown ones beside known ones are ignored."""
        stranger = Keys.open(tmp_path, "stranger.test")
        with pytest.raises(ProofError, match="no signature of a known key"):
            log.signed().verified_by(stranger.verifier_keys)
        both = log.signed().note.signed_also_by(stranger.sign(log.checkpoint()).signatures)
        assert SignedCheckpoint.parse(both.to_bytes()).verified_by(log.keys.verifier_keys)

    def test_a_bad_signature_of_a_known_key_spoils_the_note(self, log):
        """A signature that says to be of a known key and is not makes the note refused, good ones or not."""
        signed = log.signed()
        first, second = signed.note.signatures
        for blob in (bytes([first.blob[0] ^ 1]) + first.blob[1:], first.blob[:-1], first.blob + b"\0"):
            spoiled = Note(signed.note.text, (Signature(first.name, first.key_id, blob), second))
            with pytest.raises(ProofError, match="is not"):
                SignedCheckpoint(signed.checkpoint, spoiled).verified_by(log.keys.verifier_keys)

    def test_the_quantum_safe_signature_binds_name_size_and_root(self, log):
        """ML-DSA-44 signs `cosigned_message`: label, name, time, origin, 0, size, root (tlog-cosignature)."""
        checkpoint = Checkpoint("o.example", 5, b"\1" * 32)
        assert subtree_message("n", 7, checkpoint) == (
            b"subtree/v1\n\0"
            b"\x01n" + (7).to_bytes(8) + b"\x09o.example" + bytes(8) + (5).to_bytes(8) + b"\1" * 32
        )
        for altered in (
            Checkpoint(ORIGIN, 299, log.tree.root(300)),
            Checkpoint(ORIGIN, 300, log.tree.root(299)),
            Checkpoint(ORIGIN + "x", 300, log.tree.root(300)),
        ):
            (_, line), (_, key) = log.signed().note.signatures, log.keys.verifier_keys
            with pytest.raises(ProofError):
                SignedCheckpoint(altered, Note(altered.text, (line,))).verified_by([key])

    def test_a_cosignature_carries_its_time(self, log):
        """A witness's Ed25519 signs `cosignature/v1`, its time and the text; another time does not verify."""
        private = Ed25519PrivateKey.generate()
        key = VerifierKey("w.test", COSIGNATURE, private.public_key().public_bytes_raw())
        body = private.sign(cosignature_message(1_700_000_000, log.checkpoint()))
        line = Signature(key.name, key.key_id, timed(1_700_000_000, body))
        signed = SignedCheckpoint(log.checkpoint(), log.signed().note.signed_also_by([line]))
        assert (signed.verified_by([key]), time_of(line, key)) == ([key], 1_700_000_000)
        moved = Signature(key.name, key.key_id, timed(1_700_000_001, body))
        with pytest.raises(ProofError):
            SignedCheckpoint(log.checkpoint(), Note(log.checkpoint().text, (moved,))).verified_by([key])

    @given(st.data())
    def test_any_altered_byte_is_refused(self, log, data):
        """A checkpoint with any one bit flipped is malformed, or no longer signed by both keys."""
        raw = log.signed().to_bytes()
        at = data.draw(st.integers(0, len(raw) - 1))
        altered = raw[:at] + bytes([raw[at] ^ (1 << data.draw(st.integers(0, 7)))]) + raw[at + 1 :]
        with suppress(ProofError):
            assert len(SignedCheckpoint.parse(altered).verified_by(log.keys.verifier_keys)) < 2


class TestFiles:
    def test_an_inclusion_proof_reads_back(self, log):
        """A .tlog-proof is read, verified, and written as it was, extra data or not."""
        proof = log.inclusion(17)
        assert InclusionProof.parse(proof.to_bytes()) == proof
        extra = InclusionProof(proof.index, proof.hashes, proof.signed, b"any")
        assert InclusionProof.parse(extra.to_bytes()).extra == b"any"

    def test_a_proof_of_another_log_is_refused(self, log, tmp_path):
        """A proof from another log verifies against its own checkpoint alone, whose signature is not ours."""
        other = SmallLog(Keys.open(tmp_path, "other.test"), "other.test").add(*log.leaves)
        with pytest.raises(ProofError):
            other.inclusion(3).signed.verified_by(log.keys.verifier_keys)

    @pytest.mark.parametrize(
        ("old", "new"),
        [
            (b"index 17", b"index 017"),
            (b"index 17", b"index -17"),
            (b"index 17\n", b""),
            (b"c2sp.org/tlog-proof@v1", b"c2sp.org/tlog-proof@v2"),
            (b"index 17\n", b"index 17\nAAAA\n"),
            (b"index 17\n", b"extra \nindex 17\n "),
            (b"index 17\n", b"index 17\r\n"),
        ],
    )
    def test_a_malformed_proof_is_refused(self, log, old, new):
        """What is not written as a .tlog-proof is none."""
        raw = log.inclusion(17).to_bytes()
        assert raw.count(old) == 1
        with pytest.raises(ProofError):
            InclusionProof.parse(raw.replace(old, new))

    def test_a_consistency_proof_reads_back(self, log):
        """The body of add-checkpoint is read, verified, and written as it was."""
        proof = log.consistency(100)
        assert ConsistencyProof.parse(proof.to_bytes()) == proof
        proof.verify(log.checkpoint(100))
        with pytest.raises(ProofError, match="from a tree of 100"):
            proof.verify(log.checkpoint(101))

    @pytest.mark.parametrize("spelling", [b"old 0100", b"old -100", b"old", b"new 100"])
    def test_a_malformed_consistency_proof_is_refused(self, log, spelling):
        """What is not written as the body of add-checkpoint is none."""
        with pytest.raises(ProofError):
            ConsistencyProof.parse(log.consistency(100).to_bytes().replace(b"old 100", spelling))

    def test_the_body_of_the_specification(self):
        """The worked example of tlog-witness is read, and leads from its old size to its new one in form."""
        head = "old 20852014\n" + "".join(
            base64.b64encode(bytes([place]) * 32).decode() + "\n" for place in range(4)
        )
        proof = ConsistencyProof.parse(head.encode() + b"\n" + EXAMPLE)
        assert (proof.old_size, len(proof.hashes)) == (20852014, 4)
