"""The audit finds what was altered, and names it by its position."""

from __future__ import annotations

import hashlib
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from places import Place, only_sqlite

import ledger.facts  # noqa: F401 - fills the catalogue
from ledger.audit import Report, audit
from ledger.clock.simulated import SimulatedClock
from ledger.facts.envelope import parse_events
from ledger.recorder import Recorder
from ledger.store import open_record, sqlite_path

START = datetime(2021, 6, 1, 8, tzinfo=UTC)


def event(
    number: int,
    kind: str,
    subject: str,
    data: dict[str, Any] | None = None,
    **more: str,
) -> dict[str, Any]:
    """A CloudEvent with its own id."""
    return {
        "specversion": "1.0", "id": f"f-{number}", "source": "/test", "type": kind, "subject": subject,
        "data": data or {}, **more,
    }  # fmt: skip


def price(number: int, unit_price: str = "0.10") -> dict[str, Any]:
    """A published price."""
    data = {"service": "fcu", "unit": "second", "unit_price": unit_price, "effective": "2021-06-01"}
    return event(number, "price.published", f"price/p-{number}", data)


@pytest.fixture
def file(place: Place) -> str:
    """The address of a ledger of four commits: stamps at 0, 5, 8 and 10; 12 leaves in all."""
    url = place.url()
    clock = SimulatedClock(START)
    with Recorder(url, clock) as recorder:
        for hour, events in enumerate(
            [
                [
                    event(1, "account.opened", "A", {"email": "a@client.example"}),
                    event(2, "mail.received", "A/mail/1", {"from": "a@client.example"}),
                    event(3, "reserve.notified", "A/reserve/1", {"service": "fcu"}, mail="A/mail/1"),
                    price(4),
                ],
                [event(5, "account.validated", "A"), price(6)],
                [price(7)],
                [event(8, "reserve.withdrawn", "A/reserve/1", mail="A/mail/1")],
            ]
        ):
            clock.set(START + timedelta(hours=hour))
            recorder.record(parse_events(events))
    return url


tamper = Place.tamper


def rewrite(old: str, new: str, *, at: int) -> str:
    """The statement that replaces a text in the bytes of one leaf."""
    return (
        f"UPDATE leaf SET state = CAST(replace(CAST(state AS TEXT), '{old}', '{new}') AS BLOB)"
        f" WHERE position = {at}"
    )


def audited(file: str, **options: Any) -> Report:
    """The report on a file."""
    record = open_record(file)
    try:
        return audit(record, **options)
    finally:
        record.close()


def found(report: Report) -> set[tuple[int, str]]:
    """(position, rule) of every discrepancy."""
    return {(discrepancy.position, discrepancy.rule) for discrepancy in report.discrepancies}


class TestHonest:
    """A ledger that nobody touched."""

    def test_an_honest_ledger_is_clean(self, file: str) -> None:
        """Every leaf, commit and fact is counted, and nothing is wrong."""
        report = audited(file)
        assert report.discrepancies == []
        assert (report.leaves, report.commits, report.facts) == (12, 4, 8)
        assert report.root == list(open_record(file).commits())[-1].root.hex()

    def test_an_audit_as_of_an_instant_ends_before_later_commits(self, file: str) -> None:
        """A commit stamped at that very instant still belongs to it."""
        report = audited(file, as_of=START + timedelta(hours=1))
        assert report.clean
        assert (report.leaves, report.commits) == (8, 2)

    def test_a_clock_stepped_back_is_a_remark(self, place: Place) -> None:
        """The design keeps such a stamp: it is told, and it is no discrepancy."""
        path = place.url("back")
        clock = SimulatedClock(START)
        with Recorder(path, clock) as recorder:
            recorder.record(parse_events([price(1)]))
            clock.set(START - timedelta(minutes=5))
            recorder.record(parse_events([price(2)]))
        report = audited(path)
        assert report.clean
        assert any("stepped back: the stamp at position 2" in remark for remark in report.remarks)

    def test_progress_ends_with_everything_done(self, file: str) -> None:
        """The last call says that all leaves are done."""
        calls: list[tuple[int, int]] = []
        audited(file, progress=lambda done, total: calls.append((done, total)))
        assert calls[-1] == (12, 12)

    def test_what_is_recorded_meanwhile_is_no_discrepancy(self, file: str) -> None:
        """A commit that a recorder appends during the audit is left for the next one."""
        clock = SimulatedClock(START + timedelta(days=1))

        def append(_done: int, _total: int) -> None:
            with Recorder(file, clock) as recorder:
                recorder.record(parse_events([price(99)]))

        report = audited(file, progress=append)
        assert report.clean
        assert report.leaves == 12


class TestTampered:
    """A ledger that somebody changed behind the program's back."""

    @pytest.mark.parametrize(
        ("statements", "expected"),
        [
            pytest.param(
                [rewrite("0.10", "0.01", at=4)],
                {(0, "commit.digest"), (0, "commit.root"), (4, "tile.leaf")},
                id="a price lowered in well-formed bytes",
            ),
            pytest.param(
                ["UPDATE leaf SET state = CAST(CAST(state AS TEXT) || ' ' AS BLOB) WHERE position = 7"],
                {
                    (7, "leaf.structure"),
                    (5, "commit.digest"),
                    (5, "commit.root"),
                    (7, "tile.leaf"),
                    (7, "seen.other"),
                },
                id="one byte appended",
            ),
            pytest.param(
                ["UPDATE leaf SET state = x'00' WHERE position = 9"],
                {
                    (9, "leaf.structure"),
                    (8, "commit.digest"),
                    (8, "commit.root"),
                    (9, "tile.leaf"),
                    (9, "seen.other"),
                },
                id="bytes that are no text",
            ),
            pytest.param(
                ["DELETE FROM leaf WHERE position = 7"],
                {
                    (7, "position.gap"),
                    (5, "commit.digest"),
                    (5, "commit.count"),
                    (5, "commit.root"),
                    (7, "seen.other"),
                    (11, "index.subject"),
                },
                id="a fact removed",
            ),
            pytest.param(
                [
                    "UPDATE leaf SET position = 99 WHERE position = 4",
                    "UPDATE leaf SET position = 4 WHERE position = 7",
                    "UPDATE leaf SET position = 7 WHERE position = 99",
                ],
                {(0, "commit.digest"), (0, "commit.root"), (5, "commit.digest"), (5, "commit.root")}
                | {(at, rule) for at in (4, 7) for rule in ("tile.leaf", "seen.missing", "seen.other")},
                id="two facts exchanged",
            ),
            pytest.param(
                ["UPDATE commits SET root = zeroblob(32) WHERE position = 5"],
                {(5, "commit.root")},
                id="a root overwritten",
            ),
            pytest.param(
                ["UPDATE commits SET frontier = x'' WHERE position = 8"],
                {(8, "commit.root")},
                id="the frontier overwritten",
            ),
            pytest.param(
                ["UPDATE commits SET stamped = stamped - 86400000000 WHERE position = 8"],
                {(8, "commit.time"), (8, "commit.latest")},
                id="a commit listed a day earlier",
            ),
            pytest.param(
                ["UPDATE commits SET stamped = 9000000000000000000 WHERE position = 8"],
                {(8, "commit.unreadable"), (8, "commit.missing"), (8, "commit.latest")},
                id="a commit listed at an impossible time",
            ),
            pytest.param(
                ["UPDATE commits SET server = 'postfix:mx' WHERE position = 8"],
                {(8, "commit.server")},
                id="a commit listed under another server",
            ),
            pytest.param(
                ["DELETE FROM commits WHERE position = 5"], {(5, "commit.missing")}, id="a commit unlisted"
            ),
            pytest.param(
                ["UPDATE commits SET count = 1 WHERE position = 5"],
                {(5, "commit.count")},
                id="a count changed",
            ),
            pytest.param(
                ["DELETE FROM leaf WHERE position >= 10"],
                {(10, "position.gap"), (10, "commit.without_stamp"), (11, "seen.other"), (10, "index.type")},
                id="the tail of the log removed",
            ),
            pytest.param(
                ["DELETE FROM commits WHERE position = 10"],
                {(10, "log.beyond"), (10, "edge.altered"), (11, "seen.other"), (10, "index.type")},
                id="the last listing removed",
            ),
            pytest.param(
                ["UPDATE subject SET name = 'B/reserve/1' WHERE name = 'A/reserve/1'"],
                {(3, "column.subject"), (11, "column.subject")},
                id="a subject renamed",
            ),
            pytest.param(
                ["UPDATE leaf SET topic = (SELECT topic FROM leaf WHERE position = 1) WHERE position = 6"],
                {(6, "column.type"), (12, "index.type")},
                id="a fact indexed under another type",
            ),
            pytest.param(
                ["UPDATE leaf SET version = 7 WHERE position = 6"],
                {(6, "subject.version")},
                id="a version skipped",
            ),
            pytest.param(
                ["UPDATE meta SET value = 'embedded' WHERE key = 'clock'"],
                {(position, "stamp.clock") for position in (0, 5, 8, 10)},
                id="a simulated ledger passed off as a real one",
            ),
        ],
    )
    def test_what_was_changed_is_named_by_position(
        self, file: str, statements: list[str], expected: set[tuple[int, str]]
    ) -> None:
        """Exactly the discrepancies that follow, each with a sentence for a lawyer; others stay clean."""
        tamper(file, *statements)
        report = audited(file)
        assert found(report) == expected
        assert not report.clean
        assert all(discrepancy.meaning.endswith(".") for discrepancy in report.discrepancies)

    def test_rewriting_a_stamp_does_not_hide_it(self, file: str) -> None:
        """A forger who dates a commit anew breaks the queue id, or the root."""
        tamper(
            file,
            rewrite("2021-06-01T09:00", "2021-06-01T07:00", at=5),
            "UPDATE commits SET stamped = stamped - 7200000000 WHERE position = 5",
        )
        assert found(audited(file)) == {
            (5, rule) for rule in ("stamp.queue_id", "commit.root", "commit.latest", "tile.leaf")
        }

    @only_sqlite
    def test_a_damaged_file_is_a_discrepancy_and_no_crash(self, file: str) -> None:
        """Zeroed pages are reported as unreadable."""
        path = Path(sqlite_path(file))
        with sqlite3.connect(path) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            page = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'leaf'").fetchone()[0]
            size = connection.execute("PRAGMA page_size").fetchone()[0]
        body = bytearray(path.read_bytes())
        body[(page - 1) * size : page * size] = bytes(size)
        path.write_bytes(bytes(body))
        assert "store.unreadable" in {rule for _, rule in found(audited(file))}


class Kept:
    """A journal that gives one message for every queue id."""

    def __init__(self, message: bytes | None) -> None:
        self.message = message

    def find(self, _queue_id: str) -> bytes | None:
        return self.message

    def unfollowed(self, _after: Any, _is_committed: Any) -> list[str]:
        return []


class TestJournal:
    """Stamps compared with the mail server's own journal."""

    def test_without_a_journal_the_report_says_so(self, file: str) -> None:
        """It is a remark: what was not examined is never passed over."""
        assert any("journal was not at hand" in remark for remark in audited(file).remarks)

    def test_a_message_that_is_not_in_the_journal_is_named(self, file: str) -> None:
        """Each stamp without its message is a discrepancy."""
        report = audited(file, journal=Kept(None))
        assert found(report) == {(position, "journal.missing") for position in (0, 5, 8, 10)}

    def test_a_message_that_was_altered_is_named(self, file: str) -> None:
        """Its tail must have the digest that the stamp leaf holds."""
        report = audited(file, journal=Kept(b"X-Greffe-Digest: 00\r\n"))
        assert found(report) == {(position, "journal.altered") for position in (0, 5, 8, 10)}

    def test_the_embedded_server_s_journal_agrees(self, place: Place, tmp_path: Path) -> None:
        """A real ledger on the embedded server: every stamp is found in its journal, and binds its facts."""
        from ledger.clock.embedded import EmbeddedMailServer  # noqa: PLC0415 - sockets only here
        from ledger.clock.journal import Journal  # noqa: PLC0415 - beside it

        origin, url = "test.example/ledger", place.url()
        server = EmbeddedMailServer(tmp_path / "mail", origin=origin)
        try:
            with Recorder(url, server.clock, origin=origin) as recorder:
                recorder.record(parse_events([price(1), price(2)]))
                recorder.record(parse_events([price(3)]))
            journal = Journal(tmp_path / "mail" / "journal", origin)
            report = audited(url, journal=journal)
        finally:
            server.close()
        assert report.discrepancies == []
        assert report.commits == 2


def test_the_same_fact_twice_is_named(file: str) -> None:
    """A copy put in another fact's place has the id and source of the first."""
    tamper(file, "UPDATE leaf SET state = (SELECT state FROM leaf WHERE position = 7) WHERE position = 9")
    report = audited(file)
    assert {(9, "identity.twice"), (9, "column.subject"), (8, "commit.digest")} <= found(report)


def test_a_report_is_plain_json(file: str) -> None:
    """What the command prints with --json."""
    tamper(file, "UPDATE commits SET root = zeroblob(32) WHERE position = 5")
    answer = audited(file).to_json()
    assert answer["clean"] is False
    assert answer["discrepancies"][0]["position"] == 5
    assert len(bytes.fromhex(answer["root"])) == hashlib.sha256().digest_size
