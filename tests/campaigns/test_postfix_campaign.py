"""Against a private Postfix: every acknowledged fact is stamped, kept and found again, whatever is killed.

The default suite runs a small campaign; ``-m long`` runs the whole one (acceptance 2 and 3 of part 1).
"""

from __future__ import annotations

import hashlib
import os
import random
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path

import httpx
import orjson
import pytest

from ledger.clock.journal import Journal
from ledger.clock.message import read_stored
from ledger.clock.queue_id import decode
from ledger.store import open_record
from scripts.bench.postfix import free_port, private_postfix, why_not

KEY = "greffe-test-key-of-at-least-32-characters"
BATCH = 1000
ORIGIN = "greffe.local/outscale/cgv-2021-06"
ENTRY = {
    "service": "fcu", "resource": "tinav5.c4r8p2", "from": "2021-06-01T08:00:00Z",
    "to": "2021-06-01T09:00:00Z", "quantity": "3600", "unit": "second",
}  # fmt: skip


def say(figures):
    """Figures of a campaign, seen with ``pytest -s``."""
    sys.stdout.write(f"\n{figures}\n")


def consumption(name):
    return {
        "specversion": "1.0", "id": name, "source": "/campaign", "type": "consumption.recorded",
        "subject": f"ACC-1/consumption/{name}", "data": {"entries": [ENTRY]},
    }  # fmt: skip


OPENING = {
    "specversion": "1.0", "id": "open", "source": "/campaign", "type": "account.opened", "subject": "ACC-1",
    "data": {"email": "client@client.test"},
}  # fmt: skip


class Served:
    """The real ``greffe serve`` over a Postfix; killed and started again at will."""

    def __init__(self, folder: Path, mail: str) -> None:
        self.db = f"sqlite:///{folder / 'ledger.db'}"
        self.mail = mail
        self.port = free_port()
        self._log = (folder / "serve.log").open("ab")
        self._process: subprocess.Popen[bytes] | None = None
        self.http = httpx.Client(
            base_url=f"http://127.0.0.1:{self.port}", headers={"Authorization": f"Bearer {KEY}"}, timeout=60
        )

    def start(self) -> None:
        command = [
            sys.executable, "-m", "scripts.greffe", "serve", "--db", self.db, "--mail", self.mail,
            "--port", str(self.port),
        ]  # fmt: skip
        self._process = subprocess.Popen(
            command, env={**os.environ, "GREFFE_API_KEY": KEY}, stdout=self._log, stderr=self._log
        )
        deadline = time.monotonic() + 60
        while True:
            try:
                if self.http.get("/healthz").status_code == 200:
                    return
            except httpx.TransportError:
                pass
            assert self._process.poll() is None, "the server ended by itself"
            assert time.monotonic() < deadline, "the server did not come up"
            time.sleep(0.05)

    def kill(self) -> None:
        assert self._process
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def stop(self) -> None:
        assert self._process
        self._process.send_signal(signal.SIGTERM)
        assert self._process.wait(timeout=60) == 0

    def post(self, facts):
        body = orjson.dumps(facts)
        return self.http.post("/v1/facts", content=body, headers={"Content-Type": "application/json"})

    def audit(self) -> None:
        done = subprocess.run(
            [sys.executable, "-m", "scripts.greffe", "audit", "--db", self.db, "--mail", self.mail],
            capture_output=True, text=True, check=False, timeout=900,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def postfix():
    if (reason := why_not()) is not None:
        pytest.skip(reason)
    with private_postfix() as server:
        yield server


@pytest.fixture
def served(tmp_path, postfix):
    served = Served(tmp_path, postfix.url)
    served.start()
    assert served.post(OPENING).status_code == 201
    yield served
    served.kill()


def check_receipts(receipts, postfix):
    """Each legal time is the decoded queue id of a journal message that carries the commit's digest."""
    journal = Journal(postfix.journal, ORIGIN)
    by_stamp: dict[str, list[dict]] = {}
    for receipt in receipts:
        by_stamp.setdefault(receipt["stamp"]["queue_id"], []).append(receipt)
    deadline = time.monotonic() + 60
    while journal.find(max(by_stamp)) is None:  # Postfix delivers to the journal after its 250
        assert time.monotonic() < deadline
        time.sleep(0.1)
    for queue_id, commit in by_stamp.items():
        raw = journal.find(queue_id)
        assert raw is not None
        digest = read_stored(raw).digest
        in_order = sorted(commit, key=lambda receipt: receipt["position"])
        hashes = b"".join(bytes.fromhex(receipt["leaf_hash"]) for receipt in in_order)
        assert hashlib.sha256(hashes).hexdigest() == digest
        for receipt in commit:
            assert datetime.fromisoformat(receipt["legal_time"]) == decode(queue_id)
    return len(by_stamp)


def record_and_check(served, postfix, singles, batches):
    """Post single calls from eight threads, then batches of 1,000; check every receipt."""
    started = time.monotonic()
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(served.post, [consumption(f"s{number}") for number in range(singles)]))
    single_seconds = time.monotonic() - started
    started = time.monotonic()
    for batch in range(batches):
        facts = [consumption(f"b{batch}-{number}") for number in range(BATCH)]
        answers.append(served.post(facts))
    batch_seconds = time.monotonic() - started
    assert {answer.status_code for answer in answers} == {201}
    receipts = [receipt for answer in answers for receipt in answer.json()["receipts"]]
    assert len({receipt["position"] for receipt in receipts}) == singles + BATCH * batches
    commits = check_receipts(receipts, postfix)
    say(f"{singles} single calls: {singles / single_seconds:.0f}/s; {commits} commits in all")
    say(f"{batches} batches of {BATCH}: {BATCH * batches / batch_seconds:.0f} facts/s")
    served.audit()


def kill_at_random(served, rounds, seed):
    """Kill -9 at random moments while clients post; nothing acknowledged is lost, nothing doubled."""
    chance = random.Random(seed)  # noqa: S311 - when to kill is no secret
    acknowledged: dict[str, dict] = {}
    for round_ in range(rounds):
        stopping = threading.Event()

        def post_on(worker, round_=round_, stopping=stopping):
            number = 0
            while not stopping.is_set():
                names = [f"k{round_}-{worker}-{number}-{part}" for part in range(chance.choice((1, 1, 20)))]
                try:
                    answer = served.post([consumption(name) for name in names])
                except httpx.TransportError:
                    return
                if answer.status_code == 201:
                    acknowledged.update({receipt["id"]: receipt for receipt in answer.json()["receipts"]})
                number += 1

        workers = [threading.Thread(target=post_on, args=(worker,)) for worker in range(4)]
        for worker in workers:
            worker.start()
        time.sleep(chance.uniform(0.05, 0.6))
        served.kill()
        stopping.set()
        for worker in workers:
            worker.join()
        served.start()
        names = [name for name in acknowledged if name.startswith(f"k{round_}-")]
        for first in range(0, len(names), 500):
            part = names[first : first + 500]
            answer = served.post([consumption(name) for name in part])
            assert answer.status_code == 200
            again = {receipt["id"]: receipt for receipt in answer.json()["receipts"]}
            assert again == {name: acknowledged[name] for name in part}
        served.audit()
    record = open_record(served.db)
    facts = record.facts(0, record.size())
    ids = [fact.fields["id"] for fact in facts]
    assert len(ids) == len(set(ids))
    assert set(acknowledged) <= set(ids)
    void = sum(
        len(orjson.loads(leaf)["data"].get("void", []))
        for _, _, _, kind, leaf in record.scan(0, record.size())
        if kind == "stamp.received"
    )
    say(f"\n{rounds} kills, {len(acknowledged)} facts acknowledged, {len(ids)} recorded, {void} void stamps")


@pytest.mark.postfix
class TestSmall:
    def test_receipts(self, served, postfix):
        """Every receipt's legal time is the queue id of a journal message with the commit's digest."""
        record_and_check(served, postfix, singles=60, batches=2)

    def test_kills(self, served):
        """Three kill -9 lose no acknowledged fact, double none, and leave the audit clean."""
        kill_at_random(served, rounds=3, seed=1)

    def test_postfix_stopped_and_started(self, served, postfix):
        """With Postfix stopped: 503 with Retry-After and nothing stored; started, the same call succeeds."""
        before = open_record(served.db).size()
        postfix.stop()
        try:
            answer = served.post(consumption("waits"))
            assert answer.status_code == 503
            assert int(answer.headers["Retry-After"]) > 0
            assert answer.headers["Content-Type"].startswith("application/problem+json")
            assert open_record(served.db).size() == before
        finally:
            postfix.start()
        assert served.post(consumption("waits")).status_code == 201


@pytest.mark.postfix
@pytest.mark.long
@pytest.mark.timeout(3600)
class TestWhole:
    def test_receipts(self, served, postfix):
        """A thousand single calls and a hundred batches of 1,000: every receipt against the journal."""
        record_and_check(served, postfix, singles=1000, batches=100)

    def test_kills(self, served):
        """Fifty kill -9 at random moments: nothing acknowledged is lost, nothing doubled, audits clean."""
        kill_at_random(served, rounds=50, seed=2)
