"""The library's own classes read the ledger, and the database itself refuses to forget."""

from __future__ import annotations

import sqlite3
import stat
from contextlib import closing

import psycopg
import pytest
from eventsourcing.application import Application
from eventsourcing.persistence import ProgrammingError
from places import only_sqlite
from recorder_factory import consumed, event, opened

from ledger.errors import NotRecordedError, WrongCallError, WrongLedgerError
from ledger.facts.envelope import parse_events
from ledger.store import is_postgresql, open_record
from ledger.store.schema import COLUMNS, LOG_TABLES


@pytest.fixture
def application(desk):
    """An ``eventsourcing`` application over a ledger of five leaves."""
    desk.recorder.record(parse_events([opened(), consumed("a")]))
    desk.recorder.record(parse_events([event("v", "account.validated", "ACC-1")]))
    if is_postgresql(desk.url):
        environment = {"PERSISTENCE_MODULE": "ledger.store.postgresql", "GREFFE_DB": desk.url}
    else:
        environment = {"PERSISTENCE_MODULE": "ledger.store.sqlite", "SQLITE_DBNAME": str(desk.path)}
    with closing(Application(env=environment)) as application:
        yield application


def test_a_stream_per_subject(desk, application):
    """The event store gives a subject's leaves by version: topic the type, state the stored bytes."""
    leaves = list(application.events.get("ACC-1"))
    told = [(leaf.originator_version, leaf.topic) for leaf in leaves]
    assert told == [
        (1, "account.opened"),
        (2, "account.validated"),
    ]
    assert leaves[0].state == desk.record.scan(1, 1)[0][4]
    assert [leaf.originator_version for leaf in application.events.get("ACC-1", gt=1)] == [2]
    assert [leaf.originator_version for leaf in application.events.get("ACC-1", desc=True, limit=1)] == [2]


def test_notifications(application):
    """A notification's id is its position + 1; they can be selected from, to, and by topic."""
    ids = [notification.id for notification in application.recorder.select_notifications(1, 10)]
    assert ids == [1, 2, 3, 4, 5] == list(range(1, application.recorder.max_notification_id() + 1))
    chosen = application.recorder.select_notifications(2, 10, 4, topics=["account.opened", "stamp.received"])
    assert [notification.id for notification in chosen] == [2, 4]
    after = application.recorder.select_notifications(2, 10, inclusive_of_start=False)
    assert [notification.id for notification in after] == [3, 4, 5]
    section = application.notification_log["1,3"]
    assert len(section.items) == 3


def test_no_stamp_no_commit(application):
    """The library cannot insert leaves past the recorder."""
    (leaf, *_) = application.events.get("ACC-1")
    with pytest.raises(ProgrammingError, match="no stamp, no commit"):
        application.events.put([leaf])


@pytest.mark.parametrize("table", LOG_TABLES)
def test_the_log_is_append_only_in_the_database_too(desk, table):
    """UPDATE and DELETE on any table of the log are refused by the database."""
    desk.recorder.record(parse_events([opened(f"ACC-{number}") for number in range(256)]))
    column = next(iter(COLUMNS[table]))
    statements = [f"UPDATE {table} SET {column} = {column}", f"DELETE FROM {table}"]
    statements += [f"TRUNCATE {table}"] * is_postgresql(desk.url)
    with desk.place.behind(desk.url) as connection:
        for statement in statements:
            with pytest.raises((sqlite3.IntegrityError, psycopg.IntegrityError), match="append-only"):
                connection.execute(statement)


@only_sqlite
def test_the_file_is_its_owners(desk):
    """The database is readable by its owner alone."""
    assert stat.S_IMODE(desk.path.stat().st_mode) == 0o600


@only_sqlite
def test_no_personal_value_is_in_the_file(desk):
    """Clear values stand nowhere in the database or its write-ahead log; the vault opens commitments."""
    secret = "very-personal@client.test"
    desk.recorder.record(parse_events([opened(email=secret)]))
    (fact,) = desk.record.history("ACC-1")
    commitment = fact.fields["data"]["email"]
    assert desk.record.unseal([commitment, "~" + "A" * 43]) == {commitment: secret}
    stored = b"".join(path.read_bytes() for path in desk.path.parent.glob("ledger.db*"))
    assert commitment.encode() in stored
    assert secret.encode() not in stored


def test_equal_values_have_equal_commitments_within_an_account_only(desk):
    """An address is recognised within its account, and not across accounts."""
    sent = {"kind": "invoice", "to": "a@client.test"}
    told = [opened(email="a@client.test"), event("n", "notification.sent", "ACC-1/notification/1", sent),
            opened("ACC-2", email="a@client.test")]  # fmt: skip
    desk.recorder.record(parse_events(told))
    one, notice, two = (fact.fields["data"] for fact in desk.record.facts(0, 10))
    assert one["email"] == notice["to"] != two["email"]


def test_an_altered_vault_entry_opens_nothing(desk):
    """A ciphertext that was tampered with gives no value rather than a wrong one."""
    desk.recorder.record(parse_events([opened(email="a@client.test")]))
    (fact,) = desk.record.history("ACC-1")
    desk.place.tamper(desk.url, "UPDATE sealed SET ciphertext = zeroblob(length(ciphertext))")
    assert desk.record.unseal([fact.fields["data"]["email"]]) == {}


class TestOpening:
    def test_no_ledger(self, tmp_path):
        """A file that is not there is said to be no ledger, and is not made."""
        with pytest.raises(NotRecordedError, match="no ledger"):
            open_record(f"sqlite:///{tmp_path / 'none.db'}")
        assert not (tmp_path / "none.db").exists()

    def test_another_database(self, tmp_path):
        """A database that is no ledger is refused, and left as it is."""
        with sqlite3.connect(tmp_path / "other.db") as connection:
            connection.execute("CREATE TABLE mine (x)")
        with pytest.raises(WrongLedgerError):
            open_record(f"sqlite:///{tmp_path / 'other.db'}")

    def test_no_database_at_all(self, tmp_path):
        """A text file is refused in a sentence."""
        (tmp_path / "text.db").write_text("hello " * 1000)
        with pytest.raises(WrongLedgerError):
            open_record(f"sqlite:///{tmp_path / 'text.db'}")

    def test_another_format(self, desk):
        """A ledger of another format is refused, never guessed at."""
        desk.recorder.record(parse_events([opened()]))
        desk.place.tamper(desk.url, "UPDATE meta SET value = '99' WHERE key = 'format'")
        with pytest.raises(WrongLedgerError, match="format 99"):
            open_record(desk.url)

    @pytest.mark.parametrize("url", ["sqlite:///", "ledger.db", "mysql://x"])
    def test_no_address(self, url):
        """What is no address of a ledger is said to be none."""
        with pytest.raises(WrongCallError):
            open_record(url)
