"""A witness without the web: what it cosigns, what it refuses, what it remembers (C2SP tlog-witness)."""

from __future__ import annotations

import stat
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from log_factory import ORIGIN, SmallLog, leaves

from ledger.errors import ProofError, WrongCallError, WrongLedgerError
from ledger.log.checkpoints import Checkpoint, SignedCheckpoint, time_of
from ledger.log.fraud import TWO_ROOTS, UNPROVEN_GROWTH, FraudProof
from ledger.log.keys import Keys
from ledger.log.merkle import EMPTY_ROOT
from ledger.log.notes import COSIGNATURE, ED25519, ML_DSA_44, Note, Signature, VerifierKey
from ledger.log.proofs import ConsistencyProof
from ledger.log.witness import PLAIN, SIZE, Witness

NAME = "witness.test/w1"


@pytest.fixture
def witness(tmp_path, keys):
    return Witness(tmp_path / "state", keys.verifier_keys, NAME)


def offer(witness, log, old, size=None):
    return witness.add_checkpoint(log.consistency(old, size).to_bytes())


def cosigned(signed, answer):
    """The checkpoint with the lines of an answer."""
    lines = [Signature.parse(line) for line in answer.text.removesuffix("\n").split("\n")]
    return SignedCheckpoint(signed.checkpoint, signed.note.signed_also_by(lines))


class TestGrowth:
    def test_cosigns_an_honest_log_with_both_kinds_and_the_time(self, witness, log):
        """Each checkpoint of a log that grows gets an Ed25519 and an ML-DSA-44 cosignature with the time."""
        before = int(time.time())
        old = 0
        for size in (1, 2, 5, 256, 257, 300):
            answer = offer(witness, log, old, size)
            assert (answer.outcome, answer.media_type) == (200, PLAIN)
            whole = cosigned(log.signed(size), answer)
            assert whole.verified_by(witness.verifier_keys) == witness.verifier_keys
            assert [key.kind for key in witness.verifier_keys] == [COSIGNATURE, ML_DSA_44]
            for key in witness.verifier_keys:
                (line,) = (line for line in whole.note.signatures if line.is_by(key))
                assert before <= time_of(line, key) <= time.time()
            old = size
        assert witness.fraud_proofs() == []

    def test_the_same_checkpoint_again_is_cosigned_again(self, witness, log):
        """A log that lost the answer asks once more, from the size it has, and gets it."""
        assert offer(witness, log, 0, 10).outcome == 200
        assert offer(witness, log, 10, 10).outcome == 200

    def test_an_empty_tree_is_cosigned(self, witness, log):
        """Size 0 with the root SHA-256("") is a tree like others; another root of it is refused."""
        assert offer(witness, log, 0, 0).outcome == 200
        odd = Checkpoint(ORIGIN, 0, b"\x01" * 32)
        body = ConsistencyProof(0, (), SignedCheckpoint(odd, log.keys.sign(odd))).to_bytes()
        assert log.checkpoint(0).root == EMPTY_ROOT
        assert witness.add_checkpoint(body).outcome == 409

    def test_two_logs_are_told_apart(self, tmp_path, keys, log):
        """The sizes of one log say nothing about another's."""
        others = Keys.open(tmp_path / "other", "other.test/log")
        other = SmallLog(others, "other.test/log").add(*leaves(7, "other"))
        witness = Witness(tmp_path / "state", [*keys.verifier_keys, *others.verifier_keys], NAME)
        assert offer(witness, log, 0, 300).outcome == 200
        assert offer(witness, other, 0).outcome == 200
        assert offer(witness, log, 7, 300).text == "300\n"

    @settings(max_examples=25)
    @given(st.lists(st.integers(0, 60), min_size=1, max_size=6), st.booleans())
    def test_honest_growth_is_always_cosigned(self, keys, steps, restarts):
        """However a log grows, and however often the witness restarts, each of its checkpoints is cosigned."""
        with tempfile.TemporaryDirectory() as folder:
            witness = Witness(Path(folder), keys.verifier_keys, NAME)
            log = SmallLog(keys)
            for step in steps:
                old = len(log.leaves)
                log.add(*leaves(step, f"from {old}"))
                answer = offer(witness, log, old)
                assert answer.outcome == 200
                whole = cosigned(log.signed(), answer)
                assert len(whole.verified_by(witness.verifier_keys)) == 2
                if restarts:
                    witness = Witness(Path(folder), keys.verifier_keys)
            assert witness.fraud_proofs() == []

    @settings(max_examples=25)
    @given(st.integers(1, 80), st.integers(0, 60), st.data())
    def test_a_rewritten_log_is_never_cosigned(self, keys, size, growth, data):
        """Whichever leaf was changed and however far the log went on, the witness does not cosign it."""
        place = data.draw(st.integers(0, size - 1))
        honest = SmallLog(keys).add(*leaves(size))
        changed = leaves(size + growth)
        changed[place] = b"changed"
        with tempfile.TemporaryDirectory() as folder:
            witness = Witness(Path(folder), keys.verifier_keys, NAME)
            assert offer(witness, honest, 0).outcome == 200
            answer = offer(witness, SmallLog(keys).add(*changed), size)
            assert answer.outcome == (422 if growth else 409)
            (path,) = witness.fraud_proofs()
            FraudProof.parse(path.read_bytes()).authenticate(keys.verifier_keys)


class TestRefusals:
    def test_an_unknown_origin_is_not_found(self, witness, tmp_path):
        """404: nobody configured that log."""
        strangers = Keys.open(tmp_path / "strangers", "stranger.test")
        assert offer(witness, SmallLog(strangers, "stranger.test").add(b"x"), 0).outcome == 404

    def test_a_checkpoint_without_a_trusted_signature_is_forbidden(self, witness, log, tmp_path):
        """403: signed by another key of the same name only, or by a known key that did not sign this."""
        others = Keys.open(tmp_path / "others", ORIGIN)
        assert offer(witness, SmallLog(others).add(b"x"), 0).outcome == 403
        first, second = log.signed(5), log.signed(6)
        crossed = SignedCheckpoint(second.checkpoint, Note(second.note.text, first.note.signatures))
        assert witness.add_checkpoint(ConsistencyProof(0, (), crossed).to_bytes()).outcome == 403

    def test_signatures_of_unknown_keys_are_ignored(self, witness, log, tmp_path):
        """A checkpoint that strangers signed too is cosigned for the log's own signatures."""
        others = Keys.open(tmp_path / "others", "stranger.test")
        signed = log.signed(5)
        both = signed.note.signed_also_by(others.sign(signed.checkpoint).signatures)
        body = ConsistencyProof(0, (), SignedCheckpoint(signed.checkpoint, both)).to_bytes()
        assert witness.add_checkpoint(body).outcome == 200

    @pytest.mark.parametrize(
        ("was", "put"),
        [
            (b"old 0\n", b"old 00\n"),
            (b"old 0\n", b"old -1\n"),
            (b"old 0\n", b"old " + b"9" * 5000 + b"\n"),
            (b"old 0\n", b"old 0\r\n"),
            (b"old 0\n", b"0\n"),
            (b"old 0\n", b"old 0\n" + (b"A" * 43 + b"=\n") * 64),
            (b"old 0\n", b"old 0\nAAAA\n"),
            (b"\n5\n", b"\n05\n"),
            (b"\n5\n", b"\n" + b"5" * 5000 + b"\n"),
            (b"\n\n\xe2\x80\x94", b"\nextension\n\n\xe2\x80\x94"),
            (b"\xe2\x80\x94", b"\xff\x80\x94"),
        ],
    )
    def test_what_is_not_written_as_specified_is_malformed(self, witness, log, was, put):
        """400: another spelling, too many hashes, extension lines, bytes that are no text."""
        body = log.consistency(0, 5).to_bytes()
        assert was in body
        assert witness.add_checkpoint(body.replace(was, put, 1)).outcome == 400
        assert witness.add_checkpoint(b"").outcome == 400

    def test_an_old_size_beyond_the_checkpoint_is_malformed(self, witness, log):
        """400: the old size is larger than the checkpoint's."""
        body = ConsistencyProof(6, (), log.signed(5)).to_bytes()
        assert witness.add_checkpoint(body).outcome == 400

    def test_another_old_size_is_a_conflict_that_tells_the_size(self, witness, log):
        """409 with the size cosigned last, as text/x.tlog.size; at first that is 0."""
        answer = offer(witness, log, 3, 5)
        assert (answer.outcome, answer.text, answer.media_type) == (409, "0\n", SIZE)
        assert offer(witness, log, 0, 10).outcome == 200
        for old, size in ((0, 20), (5, 20), (11, 20), (0, 5), (5, 5)):
            answer = offer(witness, log, old, size)
            assert (answer.outcome, answer.text, answer.media_type) == (409, "10\n", SIZE)
        assert witness.fraud_proofs() == []

    def test_a_proof_that_does_not_verify_is_unprocessable(self, witness, log):
        """422: a hash changed, missing or too many, also where the proof must be empty."""
        assert offer(witness, log, 0, 10).outcome == 200
        good = log.consistency(10, 20)
        bad = [good.hashes[:-1], (*good.hashes, b"\x00" * 32), (b"\x00" * 32, *good.hashes[1:]), ()]
        for hashes in bad:
            body = ConsistencyProof(10, hashes, good.signed).to_bytes()
            assert witness.add_checkpoint(body).outcome == 422
        same = ConsistencyProof(10, (b"\x00" * 32,), log.signed(10)).to_bytes()
        assert witness.add_checkpoint(same).outcome == 422
        assert offer(witness, log, 10, 20).outcome == 200

    def test_a_first_checkpoint_with_a_proof_is_unprocessable(self, witness, log):
        """422: the proof must be empty when the old size is zero; nothing is remembered of it."""
        body = ConsistencyProof(0, (b"\x00" * 32,), log.signed(5)).to_bytes()
        assert witness.add_checkpoint(body).outcome == 422
        assert witness.fraud_proofs() == []
        assert offer(witness, log, 0, 5).outcome == 200


class TestMemory:
    def test_a_restart_keeps_state_name_and_keys(self, tmp_path, witness, keys, log):
        """A witness that starts again is the same one, and knows what it cosigned."""
        assert offer(witness, log, 0, 10).outcome == 200
        again = Witness(tmp_path / "state", keys.verifier_keys)
        assert again.verifier_keys == witness.verifier_keys
        assert offer(again, log, 0, 20).text == "10\n"
        assert offer(again, log, 10, 20).outcome == 200

    def test_another_name_is_refused(self, tmp_path, witness, keys):
        """The folder belongs to the witness that began it."""
        with pytest.raises(WrongLedgerError, match=NAME):
            Witness(tmp_path / "state", keys.verifier_keys, "another.test")

    def test_its_files_are_its_owners_alone(self, tmp_path, witness, log):
        """Keys and state are of mode 0600, in folders of mode 0700; a key that others may read is refused."""
        offer(witness, log, 0, 10)
        state = tmp_path / "state"
        for path in state.rglob("*"):
            assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path
        (state / "keys" / "ed25519.pem").chmod(0o644)
        with pytest.raises(WrongLedgerError, match="chmod 600"):
            Witness(state, log.keys.verifier_keys)

    def test_a_damaged_memory_cosigns_nothing(self, tmp_path, witness, log):
        """One bit flipped in what was cosigned last: the witness stops, and does not accuse the log."""
        offer(witness, log, 0, 10)
        (path,) = (tmp_path / "state" / "latest").iterdir()
        raw = path.read_bytes()
        for place in range(0, len(raw), 97):
            path.write_bytes(raw[:place] + bytes([raw[place] ^ 1]) + raw[place + 1 :])
            with pytest.raises(WrongLedgerError, match="damaged"):
                offer(witness, log, 10, 20)
        assert witness.fraud_proofs() == []
        path.write_bytes(raw)
        assert offer(witness, log, 10, 20).outcome == 200

    def test_of_two_submitters_one_wins(self, tmp_path, keys, log):
        """Two that go on from one size at once, through two doors: one is cosigned, one is told its size."""
        doors = [Witness(tmp_path / "state", keys.verifier_keys, NAME) for _ in range(2)]
        with ThreadPoolExecutor(2) as pool:
            size = 0
            for _ in range(25):
                bodies = [log.consistency(size, size + more).to_bytes() for more in (1, 2)]
                answers = list(
                    pool.map(lambda pair: pair[0].add_checkpoint(pair[1]), zip(doors, bodies, strict=True))
                )
                outcomes = sorted(answer.outcome for answer in answers)
                assert outcomes == [200, 409]
                told = next(int(answer.text) for answer in answers if answer.outcome == 409)
                assert told == size + 1 + [answer.outcome for answer in answers].index(200)
                size = told

    def test_never_goes_back(self, tmp_path, keys, log):
        """Many submitters at once: sizes are cosigned in growing order only, and the last one is remembered."""
        doors = [Witness(tmp_path / "state", keys.verifier_keys, NAME) for _ in range(4)]

        def submit(number):
            found, known = [], 0
            for size in range(number + 1, 120, 5):
                if size < known:
                    continue
                answer = offer(doors[number % 4], log, known, size)
                while answer.media_type == SIZE and (known := int(answer.text)) <= size:
                    answer = offer(doors[number % 4], log, known, size)
                if answer.outcome == 200:
                    found.append(size)
                    known = size
            return found

        with ThreadPoolExecutor(5) as pool:
            cosigned_sizes = [size for found in pool.map(submit, range(5)) for size in found]
        assert offer(doors[0], log, 0, 300).text == f"{max(cosigned_sizes)}\n"
        assert doors[0].fraud_proofs() == []

    def test_keys_that_no_log_signs_with_are_refused(self, tmp_path, witness):
        """A witness's own kind of key, no key at all, or a name too long for a cosignature is a wrong call."""
        with pytest.raises(WrongCallError, match="not a log's"):
            Witness(tmp_path / "x", witness.verifier_keys[:1], NAME)
        with pytest.raises(WrongCallError, match="at least one log"):
            Witness(tmp_path / "x", [], NAME)
        with pytest.raises(WrongCallError, match="255"):
            Witness(tmp_path / "x", [VerifierKey("a" * 256, ED25519, b"\x00" * 32)], NAME)


class TestFraud:
    @pytest.fixture
    def split(self, witness, log, rewritten):
        """The file about two roots of one size."""
        assert offer(witness, log, 0, 10).outcome == 200
        answer = offer(witness, rewritten, 10, 10)
        assert (answer.outcome, answer.media_type) == (409, PLAIN)
        (path,) = witness.fraud_proofs()
        return path.read_bytes()

    def test_two_roots_of_one_size_prove_themselves(self, split, keys, log, rewritten):
        """The file verifies with the log's keys alone, holds both notes verbatim, and says what it means."""
        proof = FraudProof.parse(split)
        proof.verify(keys.verifier_keys)
        assert proof.kind == TWO_ROOTS
        assert (proof.older.checkpoint, proof.newer.checkpoint) == (
            log.checkpoint(10),
            rewritten.checkpoint(10),
        )
        assert proof.older.to_bytes() in split
        assert proof.newer.to_bytes() in split
        assert b"signed two different trees of 10 leaves" in split

    def test_each_byte_counts(self, split, keys):
        """A file of which any one byte was altered is refused."""
        for place in range(len(split)):
            altered = split[:place] + bytes([split[place] ^ 1]) + split[place + 1 :]
            with pytest.raises(ProofError):
                FraudProof.parse(altered).verify(keys.verifier_keys)

    def test_a_split_is_kept_whatever_old_size_comes_with_it(self, witness, log, rewritten, keys):
        """A submitter who does not know what was cosigned last is told the size, and the split is kept."""
        offer(witness, log, 0, 10)
        answer = offer(witness, rewritten, 0, 10)
        assert (answer.outcome, answer.text, answer.media_type) == (409, "10\n", SIZE)
        (path,) = witness.fraud_proofs()
        FraudProof.parse(path.read_bytes()).verify(keys.verifier_keys)

    def test_a_growth_that_does_not_verify_is_no_proof_by_itself(self, witness, log, rewritten, keys):
        """A rewritten log that went on: refused, kept with the proof it offered, and honestly named."""
        offer(witness, log, 0, 10)
        assert offer(witness, rewritten, 10, 20).outcome == 422
        (path,) = witness.fraud_proofs()
        raw = path.read_bytes()
        proof = FraudProof.parse(raw)
        proof.authenticate(keys.verifier_keys)
        assert proof.kind == UNPROVEN_GROWTH
        assert b"This alone proves nothing" in raw
        assert rewritten.consistency(10, 20).hashes == proof.offered.hashes
        with pytest.raises(ProofError, match="authentic, but is no proof by itself"):
            proof.verify(keys.verifier_keys)
        assert offer(witness, log, 10, 20).outcome == 200

    def test_one_file_a_pair(self, witness, log):
        """Whoever sends wrong proofs for one checkpoint again and again fills no disk."""
        offer(witness, log, 0, 10)
        for number in range(5):
            body = ConsistencyProof(10, (bytes([number]) * 32,), log.signed(20)).to_bytes()
            assert witness.add_checkpoint(body).outcome == 422
        assert len(witness.fraud_proofs()) == 1

    def test_a_suspicion_ends_when_the_log_shows_the_right_proof(self, witness, log):
        """A wrong proof by somebody else leaves no file against a log that then grows as it should."""
        offer(witness, log, 0, 10)
        witness.add_checkpoint(ConsistencyProof(10, (), log.signed(20)).to_bytes())
        assert len(witness.fraud_proofs()) == 1
        assert offer(witness, log, 10, 20).outcome == 200
        assert witness.fraud_proofs() == []

    def test_nobody_is_accused_with_other_keys(self, split, keys, tmp_path):
        """The file proves nothing without the log's keys, with another's, or with some of those that signed."""
        proof = FraudProof.parse(split)
        others = Keys.open(tmp_path / "others", ORIGIN).verifier_keys
        for wrong in ([], others, keys.verifier_keys[:1], keys.verifier_keys[1:]):
            with pytest.raises(ProofError):
                proof.verify(wrong)
        renamed = [VerifierKey("other.test", key.kind, key.material) for key in keys.verifier_keys]
        with pytest.raises(ProofError):
            proof.verify(renamed)

    def test_checkpoints_that_fit_together_accuse_nobody(self, log, keys):
        """Two sizes without a proof, twice the same tree, or a proof that verifies: nothing is contradicted."""
        signed = log.signed(10)
        for innocent in (
            FraudProof(signed, signed),
            FraudProof(signed, log.signed(20)),
            FraudProof(signed, log.signed(20), log.consistency(10, 20)),
            FraudProof(log.signed(20), signed, ConsistencyProof(10, (), signed)),
            FraudProof(signed, log.signed(20), log.consistency(9, 20)),
        ):
            with pytest.raises(ProofError):
                FraudProof.parse(innocent.to_bytes()).authenticate(keys.verifier_keys)

    def test_logs_that_renewed_their_keys_are_held_to_the_old_ones(self, tmp_path, keys, log):
        """A root signed with a retired key contradicts one signed with the new key; both keys verify it."""
        new_keys = Keys.open(tmp_path / "new", ORIGIN)
        all_keys = [*keys.verifier_keys, *new_keys.verifier_keys]
        witness = Witness(tmp_path / "state", all_keys, NAME)
        offer(witness, log, 0, 10)
        assert offer(witness, SmallLog(new_keys).add(*leaves(10, "new")), 10).outcome == 409
        (path,) = witness.fraud_proofs()
        FraudProof.parse(path.read_bytes()).verify(all_keys)

    @pytest.mark.parametrize(
        "raw", [b"", b"greffe fraud-proof v1\n", b"\n\n\n\n\n\n", b"x\n\ny\n\nz\n\n\xff"]
    )
    def test_other_files_are_no_fraud_proofs(self, raw):
        """What is no such file is refused in a sentence."""
        with pytest.raises(ProofError):
            FraudProof.parse(raw)
