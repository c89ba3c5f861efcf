"""The one way in: whole requests, one stamp for all that wait, and nothing half-written."""

from __future__ import annotations

import hashlib
import sqlite3
import subprocess
import sys
import threading
import time
from concurrent.futures import CancelledError
from contextlib import ExitStack, closing
from datetime import timedelta

import orjson
import psycopg
import pytest
from recorder_factory import Waiting, event, opened, stamps
from recorder_factory import consumed as consumption

from ledger.audit import audit
from ledger.clock import open_mail
from ledger.clock.embedded import EmbeddedMailServer
from ledger.errors import ClockUnavailableError, ConflictingFactError, MalformedFactError, WrongLedgerError
from ledger.facts.envelope import parse_events
from ledger.log.merkle import leaf_hash, root_of
from ledger.recorder import Recorder
from ledger.store import open_record


def rules(error):
    return [flaw.rule for flaw in error.value.flaws]


class TestReceipts:
    def test_a_receipt_says_where_the_fact_lies(self, desk):
        """Position, version, leaf hash and stamp of a receipt are those of the stored leaf."""
        first, second = desk.recorder.record(parse_events([opened(), consumption("a")]))
        assert (first.position, second.position, first.version, second.version) == (1, 2, 1, 1)
        assert (first.stamp_position, first.new) == (0, True)
        rows = desk.record.scan(0, 10)
        assert [row[1] for row in rows] == ["stamp", "ACC-1", "ACC-1/consumption/a"]
        assert second.leaf_hash == leaf_hash(rows[2][4]).hex()

    def test_the_stamp_binds_the_facts(self, desk):
        """The stamp leaf's digest is SHA-256 over the leaf hashes in order; the root is over all leaves."""
        desk.recorder.record(parse_events([opened(), consumption("a"), consumption("b")]))
        desk.recorder.record(parse_events([consumption("c")]))
        leaves = [row[4] for row in desk.record.scan(0, 100)]
        stamp = orjson.loads(leaves[0])["data"]
        assert stamp["count"] == 3
        assert stamp["digest"] == hashlib.sha256(b"".join(map(leaf_hash, leaves[1:4]))).hexdigest()
        first, second = desk.record.commits()
        assert first.root == root_of(map(leaf_hash, leaves[:4]))
        assert second.root == root_of(map(leaf_hash, leaves))

    def test_repeating_gives_the_first_receipt(self, desk):
        """The same id, source and content again, personal values included: the first receipt, no new commit."""
        fact = parse_events([opened(email="client@client.test")])
        (first,) = desk.recorder.record(fact)
        (again,) = desk.recorder.record(fact)
        assert (again.to_json(), again.new) == (first.to_json(), False)
        assert len(list(desk.record.commits())) == 1

    def test_twice_in_one_request(self, desk):
        """A fact that stands twice in a request is recorded once and gets one receipt twice."""
        desk.recorder.record(parse_events([opened()]))
        first, second = desk.recorder.record(parse_events([consumption("a"), consumption("a")]))
        assert first.position == second.position

    def test_old_and_new_in_one_request(self, desk):
        """Old facts keep their receipts beside new ones, in the order asked."""
        desk.recorder.record(parse_events([opened(), consumption("a")]))
        receipts = desk.recorder.record(parse_events([consumption("b"), consumption("a")]))
        assert [receipt.new for receipt in receipts] == [True, False]
        assert [receipt.position for receipt in receipts] == [4, 2]


class TestRefusals:
    @pytest.mark.parametrize(
        ("fact", "rule"),
        [
            (consumption("a", quantity="1"), "identity.conflict"),
            (
                event("x", "consumption.recorded", "ACC-1/consumption/a", consumption("a")["data"]),
                "subject.exists",
            ),
            (event("x", "reserve.withdrawn", "ACC-1/reserve/none"), "subject.unknown"),
            (consumption("z", account="ACC-2"), "account.unknown"),
            (event("x", "reserve.notified", "ACC-1/reserve/1", mail="ACC-1/mail/none"), "mail.unknown"),
            (event("x", "reserve.notified", "ACC-1/reserve/1", mail="mail/stray"), "mail.other_account"),
        ],
        ids=lambda value: value if isinstance(value, str) else "",
    )
    def test_each_rule(self, desk, fact, rule):
        """Each contradiction with the record is refused by its own rule, and nothing is stored."""
        stray = event("m", "mail.received", "mail/stray")
        desk.recorder.record(parse_events([opened(), consumption("a"), stray]))
        before = desk.record.size()
        with pytest.raises(ConflictingFactError) as error:
            desk.recorder.record(parse_events([consumption("good"), fact]))
        assert rules(error) == [rule]
        assert desk.record.size() == before

    def test_a_mail_becomes_usable_once_attributed(self, desk):
        """A mail from an unknown sender carries a fact of the account that it was attributed to."""
        told = [
            opened(),
            event("m", "mail.received", "mail/stray"),
            event("a", "mail.attributed", "mail/stray", {"account": "ACC-1"}),
            event("r", "reserve.notified", "ACC-1/reserve/1", mail="mail/stray"),
        ]
        assert len(desk.recorder.record(parse_events(told))) == 4

    def test_an_over_long_leaf(self, desk):
        """A fact beyond 65,535 bytes is refused and says so; nothing is stored."""
        desk.recorder.record(parse_events([opened()]))
        fact = consumption("long")
        fact["data"]["entries"] *= 900
        with pytest.raises(MalformedFactError) as error:
            desk.recorder.record(parse_events([fact]))
        assert rules(error) == ["leaf.length"]
        assert desk.record.size() == 2

    def test_a_refused_request_leaves_no_trace(self, desk):
        """What a refused request would have sealed is not in the vault, nor does its opening count."""
        with pytest.raises(ConflictingFactError):
            desk.recorder.record(
                parse_events(
                    [opened(email="gone@client.test"), event("x", "reserve.withdrawn", "ACC-1/reserve/1")]
                )
            )
        with pytest.raises(ConflictingFactError) as error:
            desk.recorder.record(parse_events([consumption("a")]))
        assert rules(error) == ["account.unknown"]
        assert desk.place.ask(desk.url, "SELECT count(*) FROM sealed") == [(0,)]


class TestGroupCommit:
    def test_what_waits_shares_the_next_stamp(self, place):
        """Requests that arrive while a stamp is under way form the next commit; a refusal sinks no other."""
        clock = Waiting()
        with Recorder(place.url(), clock) as recorder:
            first = recorder.submit(parse_events([opened()]))
            clock.asked.wait(10)
            good = [recorder.submit(parse_events([consumption(f"c{number}")])) for number in range(20)]
            bad = recorder.submit(parse_events([event("w", "reserve.withdrawn", "ACC-1/reserve/none")]))
            cancelled = recorder.submit(parse_events([consumption("cancelled")]))
            assert cancelled.cancel()
            clock.go.set()
            assert first.result(10)[0].position == 1
            receipts = [future.result(10)[0] for future in good]
            with pytest.raises(ConflictingFactError):
                bad.result(10)
            with pytest.raises(CancelledError):
                cancelled.result(10)
            assert {receipt.stamp.queue_id for receipt in receipts} == {receipts[0].stamp.queue_id}
            assert [receipt.position for receipt in receipts] == list(range(3, 23))
            assert recorder.record(parse_events([consumption("after")]))[0].position == 24

    def test_one_request_may_rest_on_another_of_the_same_commit(self, place):
        """A request that needs what an earlier one of the same commit opens is admitted after it."""
        clock = Waiting()
        with Recorder(place.url(), clock) as recorder:
            recorder.submit(parse_events([opened()]))
            clock.asked.wait(10)
            opens = recorder.submit(parse_events([event("r", "reserve.notified", "ACC-1/reserve/1")]))
            rests = recorder.submit(parse_events([event("w", "reserve.withdrawn", "ACC-1/reserve/1")]))
            same = recorder.submit(parse_events([event("r", "reserve.notified", "ACC-1/reserve/1")]))
            clock.go.set()
            assert rests.result(10)[0].position == opens.result(10)[0].position + 1
            assert same.result(10)[0].position == opens.result(10)[0].position


class TestTheClockFails:
    def test_nothing_is_stored_and_the_same_call_succeeds_later(self, place):
        """No stamp, no commit: nothing is stored, not even in the vault; repeated, the call succeeds."""
        clock = Waiting(failures=1)
        clock.go.set()
        url = place.url()
        with Recorder(url, clock) as recorder:
            fact = parse_events([opened(email="client@client.test")])
            with pytest.raises(ClockUnavailableError):
                recorder.record(fact)
            assert open_record(url).size() == 0
            assert place.ask(url, "SELECT count(*) FROM sealed") == [(0,)]
            assert recorder.record(fact)[0].new

    def test_a_stamp_whose_answer_was_lost_is_named(self, tmp_path, place):
        """A message that lies in the journal without a commit is named void by the next stamp."""
        mail = open_mail(f"embedded:{tmp_path / 'mail'}", origin="greffe.local/outscale/cgv-2021-06")
        lost = mail.clock.stamp("00" * 32, 1)
        url = place.url()
        with Recorder(url, mail.clock) as recorder:
            recorder.record(parse_events([opened()]))
            recorder.record(parse_events([consumption("a")]))
        first, second = stamps(open_record(url))
        mail.close()
        assert first["void"] == [lost.queue_id]
        assert "void" not in second

    def test_a_clock_stepped_back_is_kept_as_read(self, desk):
        """An earlier stamp after a later one is stored as it was read; the audit remarks on it."""
        desk.recorder.record(parse_events([opened()]))
        desk.clock.set(desk.record.latest().stamped_at - timedelta(hours=1))
        (receipt,) = desk.recorder.record(parse_events([consumption("a")]))
        first, second = desk.record.commits()
        assert receipt.legal_time == second.stamped_at < first.stamped_at
        report = audit(desk.record)
        assert report.clean
        assert any("back" in remark for remark in report.remarks)

    def test_an_unexpected_error_answers_everybody(self, place):
        """When the database itself fails, the caller gets the error, nobody hangs, and later calls go on."""
        clock = Waiting()
        clock.go.set()
        url = place.url()
        with Recorder(url, clock) as recorder:
            recorder.record(parse_events([opened()]))
            with place.behind(url) as connection:
                connection.execute("ALTER TABLE commits RENAME TO gone")
            with pytest.raises((sqlite3.OperationalError, psycopg.errors.UndefinedTable)):
                recorder.submit(parse_events([consumption("a")])).result(10)
            with place.behind(url) as connection:
                connection.execute("ALTER TABLE gone RENAME TO commits")
            assert recorder.record(parse_events([consumption("a")]))[0].position == 3


class TestLedgersStayWhatTheyAre:
    def test_a_simulated_ledger_never_becomes_real(self, desk, tmp_path):
        """A ledger made under a simulated clock opens under no other, and its origin says what it is."""
        desk.recorder.record(parse_events([opened()]))
        assert desk.record.identity.origin.endswith("/simulated")
        with pytest.raises(WrongLedgerError, match="simulated"):
            Recorder(desk.url, Waiting())
        assert tmp_path

    def test_a_real_ledger_never_becomes_simulated(self, desk, place):
        """A real ledger cannot be written to under a simulated clock."""
        url = place.url("real")
        Recorder(url, Waiting()).close()
        with pytest.raises(WrongLedgerError, match="never"):
            Recorder(url, desk.clock)

    def test_a_closed_recorder_records_what_waits_and_takes_nothing_more(self, place):
        """Closing answers everybody who was waiting; whoever comes after is told."""
        clock = Waiting()
        recorder = Recorder(place.url(), clock)
        first = recorder.submit(parse_events([opened()]))
        clock.asked.wait(10)
        waiting = recorder.submit(parse_events([consumption("a")]))
        closing = threading.Thread(target=recorder.close)
        closing.start()
        clock.go.set()
        closing.join(10)
        assert first.result(0)[0].new
        assert waiting.result(0)[0].new
        with pytest.raises(WrongLedgerError):
            recorder.submit(parse_events([consumption("b")]))


RECORDING = """
import sys, time
import ledger.facts
from ledger.facts.envelope import parse_events
from ledger.recorder import Recorder
from recorder_factory import Waiting, consumed, opened
clock = Waiting()
clock.go.set()
with Recorder(sys.argv[1], clock) as recorder:
    if sys.argv[2] == "open":
        recorder.record(parse_events([opened()]))
    for number in range(int(sys.argv[3])):
        receipt = recorder.record(parse_events([consumed(f"{sys.argv[2]}-{number}")]))[0]
        print(receipt.id, receipt.position, flush=True)
"""


def run(url, name, count):
    folder = str(__import__("pathlib").Path(__file__).parent)
    return subprocess.Popen(
        [sys.executable, "-c", RECORDING, url, name, str(count)],
        stdout=subprocess.PIPE, text=True, env={**__import__("os").environ, "PYTHONPATH": folder},
    )  # fmt: skip


class TestProcesses:
    def test_two_processes_keep_one_order(self, place):
        """Two processes that record into one file leave no gap and no double position."""
        url = place.url()
        assert run(url, "open", 1).wait(60) == 0
        both = [run(url, name, 40) for name in ("left", "right")]
        positions = [int(line.split()[1]) for process in both for line in process.stdout]
        assert [process.wait(60) for process in both] == [0, 0]
        assert len(set(positions)) == 80
        record = open_record(url)
        assert audit(record).clean
        assert [row[0] for row in record.scan(0, 1000)] == list(range(record.size()))

    @pytest.mark.parametrize("seconds", [0.05, 0.15, 0.3])
    def test_kill_9(self, place, seconds):
        """Killed while it records, a process has lost nothing that it acknowledged, and the audit is clean."""
        url = place.url()
        assert run(url, "open", 1).wait(60) == 0
        process = run(url, "k", 100_000)
        lines = [process.stdout.readline()]
        time.sleep(seconds)
        process.kill()
        lines += process.stdout.readlines()
        acknowledged = {
            name: int(at) for name, _, at in (line.strip().partition(" ") for line in lines) if at
        }
        record = open_record(url)
        held = {fact.fields["id"]: fact.position for fact in record.facts(0, record.size())}
        assert acknowledged.items() <= held.items()
        assert audit(record).clean


def test_an_embedded_server_dates_a_ledger_for_one_process(tmp_path, place):
    """A second embedded server, with a journal of its own, dates nothing in a ledger that another one dates."""
    url = place.url()
    with ExitStack() as stack:
        one, two = (
            stack.enter_context(closing(EmbeddedMailServer(tmp_path / name, origin="o.test/x")))
            for name in ("one", "two")
        )
        with (
            Recorder(url, one.clock, origin="o.test/x"),
            pytest.raises(WrongLedgerError, match="one process only"),
        ):
            Recorder(url, two.clock, origin="o.test/x")
        Recorder(url, two.clock, origin="o.test/x").close()
