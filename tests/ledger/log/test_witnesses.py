"""The ledger and its witnesses over HTTP: real servers, a real client, and a policy (C2SP tlog-policy)."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import httpx
import pytest
import uvicorn
from log_factory import ORIGIN, SmallLog

from api.server import address_of, listen
from api.witness import LARGEST_BODY_BYTES, create_witness_app
from ledger.clock.embedded import EmbeddedMailServer
from ledger.errors import NotCosignedError, ProofError, WrongCallError
from ledger.facts.envelope import parse_events
from ledger.log.checkpoints import SignedCheckpoint, cosignature_message, subtree_message, timed
from ledger.log.fraud import FraudProof
from ledger.log.keys import Keys
from ledger.log.notes import Note, Signature, VerifierKey
from ledger.log.policy import Policy
from ledger.log.witness import Witness
from ledger.log.witnesses import WitnessClient, Witnesses
from ledger.notary import SIGNED_FILE, Notary
from ledger.recorder import Recorder
from ledger.store import open_record


@contextmanager
def served(witness):
    """The witness behind a real server; gives its URL."""
    config = uvicorn.Config(create_witness_app(witness), log_level="error")
    server = uvicorn.Server(config)
    with closing(listen("127.0.0.1", 0)) as listening:
        running = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        running.start()
        try:
            yield address_of(listening)
        finally:
            server.should_exit = True
            running.join(10)


@pytest.fixture
def three(tmp_path, keys):
    """Three witnesses, each with its URL."""
    with ExitStack() as stack:
        found = []
        for number in (1, 2, 3):
            witness = Witness(tmp_path / f"w{number}", keys.verifier_keys, f"witness.test/w{number}")
            url = stack.enter_context(served(witness))
            found.append(SimpleNamespace(witness=witness, url=url, keys=witness.verifier_keys))
        yield found


@pytest.fixture
def one(tmp_path, keys):
    """A witness with its URL."""
    witness = Witness(tmp_path / "w1", keys.verifier_keys, "witness.test/w1")
    with served(witness) as url:
        yield SimpleNamespace(witness=witness, url=url, keys=witness.verifier_keys)


def client_of(server, **how):
    return WitnessClient(server.url, server.keys, **how)


def send(server, log, old, size=None):
    return httpx.post(f"{server.url}/add-checkpoint", content=log.consistency(old, size).to_bytes())


def policy_of(servers, threshold):
    """Witnesses with two keys each, of which a number must cosign."""
    lines = []
    for number, server in enumerate(servers, start=1):
        lines += [f"witness w{number}-{key.kind} {key.text} {server.url}" for key in server.keys]
        lines += [f"group w{number} any {' '.join(f'w{number}-{key.kind}' for key in server.keys)}"]
    members = " ".join(f"w{number}" for number in range(1, len(servers) + 1))
    return "\n".join([*lines, f"group enough {threshold} {members}", "quorum enough", ""])


@contextmanager
def answering(handle):
    """A server that answers every POST as it likes; gives its URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers["content-length"]))
            handle(self)

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def plainly(status, body, kind="text/plain"):
    """A handler that gives one answer."""

    def handle(request):
        request.send_response(status)
        request.send_header("Content-Type", kind)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)

    return handle


class TestServer:
    def test_each_status_goes_over_the_wire(self, one, log, rewritten, tmp_path):
        """200, 400, 403, 404, 409 and 422 as tlog-witness gives them, in plain text."""
        others = Keys.open(tmp_path / "others", ORIGIN)
        strangers = Keys.open(tmp_path / "strangers", "stranger.test")
        answers = [
            (httpx.post(f"{one.url}/add-checkpoint", content=b"old"), 400),
            (send(one, SmallLog(strangers, "stranger.test").add(b"x"), 0), 404),
            (send(one, SmallLog(others).add(b"x"), 0), 403),
            (send(one, log, 0, 10), 200),
            (send(one, log, 3, 20), 409),
            (send(one, rewritten, 10, 10), 409),
            (send(one, rewritten, 10, 20), 422),
        ]
        assert [answer.status_code for answer, _ in answers] == [expected for _, expected in answers]
        kinds = {answer.headers["content-type"] for answer, status in answers if status != 409}
        assert kinds == {"text/plain; charset=utf-8"}
        stale, split = answers[4][0], answers[5][0]
        assert (stale.headers["content-type"], stale.text) == ("text/x.tlog.size", "10\n")
        assert split.headers["content-type"] == "text/plain; charset=utf-8"
        for line in answers[3][0].text.splitlines():
            assert line.startswith("— witness.test/w1 ")

    def test_serves_nothing_else(self, one):
        """Other methods, other paths and bodies without end are refused in plain text."""
        assert httpx.get(f"{one.url}/add-checkpoint").status_code == 405
        assert httpx.get(f"{one.url}/docs").text == "Not Found\n"
        large = b"x" * (LARGEST_BODY_BYTES + 1)
        assert httpx.post(f"{one.url}/add-checkpoint", content=large).status_code == 413

    def test_of_two_submitters_one_wins(self, one, log):
        """Requests that go on from one size at once: one is cosigned, the others are told its size."""
        size = 0
        with ThreadPoolExecutor(4) as pool:
            for _ in range(10):
                sizes = [size + more for more in (1, 2, 3, 4)]
                answers = list(pool.map(lambda to, old=size: send(one, log, old, to), sizes))
                counted = Counter(answer.status_code for answer in answers)
                assert counted == {200: 1, 409: 3}
                size = sizes[[answer.status_code for answer in answers].index(200)]
                assert {answer.text for answer in answers if answer.status_code == 409} == {f"{size}\n"}


class TestClient:
    def test_a_growing_log_is_cosigned(self, one, log):
        """The client brings each checkpoint with its proof, and gives back the verified cosignatures."""
        client = client_of(one)
        for size in (1, 7, 256, 300):
            signed = log.signed(size)
            cosignatures = client.cosign(signed, log.tree)
            whole = SignedCheckpoint(signed.checkpoint, signed.note.signed_also_by(cosignatures))
            assert whole.verified_by(one.keys) == one.keys

    def test_learns_the_size_from_the_witness(self, one, log):
        """A ledger that restarted asks from 0, is told the size, and asks once more from there."""
        client_of(one).cosign(log.signed(100), log.tree)
        assert len(client_of(one).cosign(log.signed(200), log.tree)) == 2

    def test_a_path_before_the_call_is_kept(self, log, one):
        """The submission prefix may have a path; the signatures of keys that are not asked for are ignored."""
        paths = []

        def handle(request):
            paths.append(request.path)
            plainly(404, b"elsewhere\n")(request)

        with answering(handle) as url, pytest.raises(NotCosignedError, match="404"):
            WitnessClient(f"{url}/prefix/", one.keys).cosign(log.signed(5), log.tree)
        assert paths == ["/prefix/add-checkpoint"]
        only = WitnessClient(one.url, one.keys[:1]).cosign(log.signed(5), log.tree)
        assert [line.key_id for line in only] == [one.keys[0].key_id]

    def test_names_a_ledger_that_went_back(self, one, log):
        """A backup restored after a larger tree was cosigned is told in words, not only refused."""
        client_of(one).cosign(log.signed(200), log.tree)
        with pytest.raises(NotCosignedError, match="restored from a backup"):
            client_of(one).cosign(log.signed(150), log.tree)

    def test_a_rewritten_log_is_refused_and_kept(self, one, log, rewritten, keys):
        """History rewritten and signed with the real key: refused at one size and at a larger one."""
        client_of(one).cosign(log.signed(200), log.tree)
        with pytest.raises(NotCosignedError, match="another tree of 200 leaves"):
            client_of(one).cosign(rewritten.signed(200), rewritten.tree)
        with pytest.raises(NotCosignedError, match="422"):
            client_of(one).cosign(rewritten.signed(250), rewritten.tree)
        found = [FraudProof.parse(path.read_bytes()) for path in one.witness.fraud_proofs()]
        assert sorted(proof.kind for proof in found) == ["two-roots", "unproven-growth"]
        for proof in found:
            proof.authenticate(keys.verifier_keys)

    def test_asks_again_only_once(self, log, one):
        """A witness that tells another size each time is given up after the second answer."""
        asked = []

        def handle(request):
            asked.append(request.path)
            plainly(409, f"{len(asked)}\n".encode(), "text/x.tlog.size")(request)

        with answering(handle) as url, pytest.raises(NotCosignedError, match="409"):
            WitnessClient(url, one.keys).cosign(log.signed(9), log.tree)
        assert len(asked) == 2

    @pytest.mark.parametrize(
        ("status", "body", "kind", "error"),
        [
            (200, b"", "text/plain", ProofError),
            (200, b"thanks\n", "text/plain", ProofError),
            (200, "— stranger.test AAAAAAAA\n".encode(), "text/plain", NotCosignedError),
            (200, b"x" * 1_000_001, "text/plain", NotCosignedError),
            (409, b"01\n", "text/x.tlog.size", NotCosignedError),
            (302, b"", "text/plain", NotCosignedError),
            (500, b"\xff", "text/plain", NotCosignedError),
        ],
    )
    def test_believes_no_nonsense(self, log, one, status, body, kind, error):
        """Answers that are no cosignature of the witness are errors with a sentence."""
        with answering(plainly(status, body, kind)) as url, pytest.raises(error):
            WitnessClient(url, one.keys).cosign(log.signed(9), log.tree)

    @pytest.mark.parametrize("timestamp", [0, 1_700_000_000])
    def test_a_cosignature_of_another_tree_or_without_time_is_refused(self, log, tmp_path, timestamp):
        """A known key's signature over another checkpoint, or one that states no time, is not taken."""
        theirs = Keys.open(tmp_path / "keys", "witness.test/w9")
        key = theirs.verifier_keys[1]
        of = log.checkpoint(9 if timestamp == 0 else 8)
        signature = theirs.ml_dsa_44.sign(subtree_message(key.name, timestamp, of))
        line = Signature(key.name, key.key_id, timed(timestamp, signature)).line.encode()
        with answering(plainly(200, line)) as url, pytest.raises(ProofError):
            WitnessClient(url, [key]).cosign(log.signed(9), log.tree)

    def test_does_not_wait_for_ever(self, log, one):
        """A witness that answers drop by drop, or not at all, is left when the time is over."""

        def drop_by_drop(request):
            request.send_response(200)
            request.send_header("Content-Length", "1000")
            request.end_headers()
            for _ in range(100):
                request.wfile.write(b"x")
                time.sleep(0.1)

        for handle in (drop_by_drop, lambda _request: time.sleep(5)):
            began = time.monotonic()
            with (
                answering(handle) as url,
                pytest.raises(NotCosignedError, match=r"reached|cut short"),
            ):
                WitnessClient(url, one.keys, timeout_seconds=0.5).cosign(log.signed(9), log.tree)
            assert time.monotonic() - began < 3

    def test_a_witness_that_is_gone_is_named(self, log, one):
        """Nobody listens there: an error of ours, with the URL."""
        with closing(listen("127.0.0.1", 0)) as listening:
            url = address_of(listening)
        with pytest.raises(NotCosignedError, match=re.escape(url)):
            WitnessClient(url, one.keys).cosign(log.signed(9), log.tree)

    @pytest.mark.parametrize("url", ["ftp://witness.test", "witness.test", "http://witness.test:port"])
    def test_only_http(self, url):
        """Other addresses are a wrong call."""
        with pytest.raises(WrongCallError, match="http"):
            WitnessClient(url, [])


class TestPolicy:
    def test_two_of_three(self, three, log):
        """Two of three witnesses are enough, one is not; who did not answer is told."""
        witnesses = Witnesses(Policy.parse(policy_of(three, 2)))
        assert not witnesses.policy.is_met(log.signed(5))
        found = witnesses.cosign(log.signed(5), log.tree)
        assert (found.is_met, found.refusals, len(found.cosignatures)) == (True, (), 6)
        assert witnesses.policy.is_met(found.signed)
        for count, met in ((2, False), (3, True), (4, True)):
            some = Note(found.signed.note.text, (*log.signed(5).note.signatures, *found.cosignatures[:count]))
            assert witnesses.policy.is_met(SignedCheckpoint(found.signed.checkpoint, some)) is met

    def test_one_that_is_gone_does_not_stop_the_others(self, three, log):
        """With a witness out of reach two of three still do, three of three do not."""
        gone = SimpleNamespace(url="http://127.0.0.1:9", keys=three[2].keys)
        for threshold, met in ((2, True), (3, False)):
            found = Witnesses(Policy.parse(policy_of([*three[:2], gone], threshold))).cosign(
                log.signed(5), log.tree
            )
            assert found.is_met is met
            assert len(found.refusals) == 1

    def test_two_keys_of_one_witness_count_once(self, three, log):
        """Both signatures of one witness do not make two witnesses of it."""
        policy = Policy.parse(policy_of(three, 2))
        cosignatures = client_of(three[0]).cosign(log.signed(5), log.tree)
        signed = log.signed(5)
        assert len(cosignatures) == 2
        assert not policy.is_met(
            SignedCheckpoint(signed.checkpoint, signed.note.signed_also_by(cosignatures))
        )

    def test_a_policy_in_which_one_witness_could_count_twice_is_refused(self, three):
        """Two keys of one name as two members of a threshold are a wrong call that says how to write it."""
        first, second = (key.text for key in three[0].keys)
        other = three[1].keys[0].text
        head = f"witness a {first}\nwitness b {second}\nwitness c {other}\n"
        for groups in (
            "group q 2 a b c\nquorum q\n",
            "group x any a c\ngroup q all x b\nquorum q\n",
            "group q all a c\nquorum q\n",
            "group q all a b\nquorum q\n",
        ):
            with pytest.raises(WrongCallError, match="group NAME any a b"):
                Policy.parse(head + groups)
        assert Policy.parse(head + "group x any a b\ngroup q 2 x c\nquorum q\n").quorum == "q"

    def test_groups_of_groups(self, tmp_path, log):
        """The worked example of tlog-policy: two of the X witnesses and one of the Y witnesses."""
        names = ["X1", "X2", "X3", "Y1", "Y2", "Y3"]
        theirs = {name: Keys.open(tmp_path / name, f"{name}.test") for name in names}
        lines = []
        for name, pair in theirs.items():
            material = pair.ed25519.public_key().public_bytes_raw()
            lines.append(f"\twitness {name}  {VerifierKey(pair.name, 4, material).text}")
        lines += ["# a comment", "", "group X 2 X1 X2 X3", "group Y any Y1 Y2 Y3", "group both all X Y"]
        policy = Policy.parse("\n".join([*lines, "quorum both"]))
        signed = log.signed(5)

        def by(*of):
            text = cosignature_message(1_700_000_000, signed.checkpoint)
            found = []
            for name in of:
                pair = theirs[name]
                key = VerifierKey(pair.name, 4, pair.ed25519.public_key().public_bytes_raw())
                blob = timed(1_700_000_000, pair.ed25519.sign(text))
                found.append(Signature(pair.name, key.key_id, blob))
            return policy.is_met(SignedCheckpoint(signed.checkpoint, signed.note.signed_also_by(found)))

        assert by("X1", "X3", "Y2")
        assert not by("X1", "X2", "X3")
        assert not by("X1", "Y1", "Y2", "Y3")

    def test_a_signature_that_is_not_what_it_says_is_an_error(self, one, log):
        """A cosignature moved to another checkpoint is not merely left out of the count."""
        policy = Policy.parse(policy_of([one], 1))
        moved = client_of(one).cosign(log.signed(5), log.tree)
        signed = log.signed(6)
        with pytest.raises(ProofError):
            policy.is_met(SignedCheckpoint(signed.checkpoint, signed.note.signed_also_by(moved)))

    def test_the_log_itself_must_have_signed(self, one, log, keys):
        """With log lines, cosignatures alone are not enough; without witnesses, the log's signature is."""
        lines = "".join(f"log {key.text} http://ledger.test\n" for key in keys.verifier_keys)
        strict = Policy.parse(lines + policy_of([one], 1))
        whole = Witnesses(strict).cosign(log.signed(5), log.tree)
        assert whole.is_met
        unsigned = SignedCheckpoint(whole.signed.checkpoint, Note(whole.signed.note.text, whole.cosignatures))
        assert not strict.is_met(unsigned)
        assert Policy.parse(lines + "quorum none\n").is_met(log.signed(5))

    @pytest.mark.parametrize(
        ("text", "why"),
        [
            ("", "no quorum"),
            ("quorum x", "line 1.*not defined"),
            ("quorum none\nquorum none", "one quorum"),
            ("wittness a b", "begins with"),
            ("witness a", "witness NAME"),
            ("witness a nonsense", "no verifier key"),
            ("witness none KEY", "taken"),
            ("witness a KEY\nwitness b KEY", "given twice"),
            ("witness a KEY\nwitness a KEY", "taken"),
            ("witness a LOG", "not for this use"),
            ("log KEY", "not for this use"),
            ("witness a KEY\ngroup g 2 a\nquorum g", "2 of 1"),
            ("witness a KEY\ngroup g 0 a\nquorum g", "0 of 1"),
            ("witness a KEY\ngroup g 01 a\nquorum g", "leading zeroes"),
            ("witness a KEY\ngroup g any a a\nquorum g", "twice"),
            ("witness a KEY\ngroup g any a\ngroup h any a\nquorum h", "twice"),
            ("group g any g", "not defined"),
            ("group g any", "group NAME"),
            ("quorum none\r", "control character"),
        ],
    )
    def test_malformed_policies_are_refused(self, text, why, tmp_path):
        """What tlog-policy does not allow is a wrong call, with the line and the reason."""
        key = VerifierKey("w.test", 4, b"\x01" * 32).text
        log_key = VerifierKey("log.test", 1, b"\x01" * 32).text
        with pytest.raises(WrongCallError, match=why):
            Policy.parse(text.replace("KEY", key).replace("LOG", log_key))


class TestLedger:
    @pytest.fixture
    def ledger(self, tmp_path):
        """Records accounts in a ledger on disk, and gives its newest signed checkpoint and its tree."""

        def record(*accounts, into="ledger"):
            url = f"sqlite:///{tmp_path}/{into}.db"
            with (
                closing(EmbeddedMailServer(tmp_path / f"{into}.mail", origin=ORIGIN)) as mail,
                Recorder(url, mail.clock, origin=ORIGIN, keys=tmp_path / "keys") as recorder,
            ):
                for account in accounts:
                    event = {
                        "specversion": "1.0", "id": account, "source": "/t", "type": "account.opened",
                        "subject": account, "data": {},
                    }  # fmt: skip
                    recorder.record(parse_events([event]))
            return open_record(url)

        return record

    def test_a_real_ledger_is_cosigned_and_keeps_that(self, ledger, tmp_path):
        """Each signed checkpoint of a ledger on disk is cosigned, and kept with its cosignatures."""
        record = ledger("ACC-1")
        witness = Witness(tmp_path / "w", Keys.open(tmp_path / "keys", ORIGIN).verifier_keys, "witness.test")
        with served(witness) as url:
            client = WitnessClient(url, witness.verifier_keys)
            client.cosign(record.signed(), record.tree())
            record = ledger("ACC-2", "ACC-3")
            found = client.cosign(record.signed(), record.tree())
        notary = Notary(tmp_path / "keys", record)
        notary.vouch(record.signed(), tuple(found))
        assert record.signed().verified_by(witness.verifier_keys) == witness.verifier_keys

    def test_a_ledger_begun_anew_under_its_own_keys_is_refused(self, ledger, tmp_path):
        """With the notary's memory thrown away the real keys sign another history; the witness does not."""
        record = ledger("ACC-1", "ACC-2")
        keys = Keys.open(tmp_path / "keys", ORIGIN)
        witness = Witness(tmp_path / "w", keys.verifier_keys, "witness.test")
        with served(witness) as url:
            client = WitnessClient(url, witness.verifier_keys)
            client.cosign(record.signed(), record.tree())
            (tmp_path / "keys" / SIGNED_FILE).unlink()
            shorter = ledger("ACC-1", into="restored")
            with pytest.raises(NotCosignedError, match="restored from a backup"):
                client.cosign(shorter.signed(), shorter.tree())
            longer = ledger("ACC-3", "ACC-4", into="restored")
            with pytest.raises(NotCosignedError, match="did not cosign"):
                client.cosign(longer.signed(), longer.tree())
        (path,) = witness.fraud_proofs()
        FraudProof.parse(path.read_bytes()).authenticate(keys.verifier_keys)


class TestCommand:
    @contextmanager
    def running(self, folder, keys, *more):
        logs = [part for key in keys.verifier_keys for part in ("--log", key.text)]
        command = [sys.executable, "-m", "scripts.greffe", "witness", "--state", folder, "--port", "0"]
        with subprocess.Popen([*command, *logs, *more], stdout=subprocess.PIPE, text=True) as process:
            try:
                lines = [process.stdout.readline().strip() for _ in range(3)]
                url = re.search(r"http://\S+", lines[0])[0]
                yield SimpleNamespace(
                    process=process, url=url, keys=[VerifierKey.parse(line) for line in lines[1:]]
                )
            finally:
                process.kill()

    def test_a_kill_forgets_nothing_that_was_cosigned(self, tmp_path, keys, log, rewritten):
        """Killed after its answer and started again, it prints the same keys and refuses another history."""
        with self.running(tmp_path / "state", keys, "--name", "witness.test/w1") as first:
            client_of(first).cosign(log.signed(100), log.tree)
            first.process.kill()
        with self.running(tmp_path / "state", keys) as second:
            assert second.keys == first.keys
            assert second.keys[0].name == "witness.test/w1"
            with pytest.raises(NotCosignedError, match="another tree"):
                client_of(second).cosign(rewritten.signed(100), rewritten.tree)
            assert len(client_of(second).cosign(log.signed(200), log.tree)) == 2
            second.process.send_signal(signal.SIGTERM)
            assert second.process.wait(10) == 0

    def test_verifies_a_fraud_proof(self, tmp_path, keys, log, rewritten):
        """Ends with 0 on a proof, with 1 on an altered one or one of two sizes, with 2 on a wrong call."""
        witness = Witness(tmp_path / "state", keys.verifier_keys, "witness.test/w1")
        for proof in (log.consistency(0, 10), rewritten.consistency(10, 10), rewritten.consistency(10, 20)):
            witness.add_checkpoint(proof.to_bytes())
        two_roots, growth = witness.fraud_proofs()
        altered = tmp_path / "altered"
        altered.write_bytes(two_roots.read_bytes().replace(b"10 leaves", b"11 leaves"))
        logs = [part for key in keys.verifier_keys for part in ("--log", key.text)]

        def check(*arguments):
            command = [sys.executable, "-m", "scripts.greffe", "witness", *arguments]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            return done.returncode, done.stdout + done.stderr

        status, said = check("--verify-fraud", two_roots, *logs)
        assert (status, said.startswith("PROVEN: ")) == (0, True)
        for path in (growth, altered):
            status, said = check("--verify-fraud", path, *logs)
            assert (status, said.startswith("NOT PROVEN: ")) == (1, True)
        assert check("--verify-fraud", tmp_path / "nothing", *logs)[0] == 2
        assert check("--log", "nonsense")[0] == 2
        assert check(*logs)[0] == 2
