"""What only PostgreSQL does: roles, steps of the schema, notices, and servers that go away."""

from __future__ import annotations

import re
import threading
import time
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from eventsourcing.application import Application
from places import only_postgresql
from recorder_factory import consumed, opened

from ledger.errors import StoreUnavailableError, WrongLedgerError
from ledger.facts.envelope import parse_events
from ledger.recorder import Recorder
from ledger.store import open_record, schema_postgresql, shown
from ledger.store.engine import postgresql
from ledger.store.persistence import persistence_at
from ledger.store.schema import COLUMNS, LOG_TABLES

pytestmark = only_postgresql


def documented(schema, role):
    """What docs/operations.md says to run for a role that records."""
    text = (Path(__file__).parents[3] / "docs" / "operations.md").read_text()
    (block,) = re.findall(r"```\n(CREATE ROLE .*?)```", text, re.DOTALL)
    named = block.replace("ledger_writer", role).replace("SCHEMA ledger", f"SCHEMA {schema}")
    return filter(str.strip, named.replace("ledger.", f"{schema}.").split(";"))


@pytest.fixture
def writer(desk):
    """The address of the desk's ledger for a role that may record, and nothing else."""
    desk.recorder.record(parse_events([opened(f"ACC-{number}") for number in range(300)]))
    (schema,) = desk.place.ask(desk.url, "SELECT current_schema()")[0]
    role = f"writer_{schema}"
    with desk.place.behind(desk.url) as connection:
        for statement in documented(schema, role):
            connection.execute(statement)
    return desk.place.server.url(schema=schema, role=role)


def test_the_writers_role_records(desk, writer, tmp_path):
    """SELECT and INSERT on the log are enough to record, to seal and to sign."""
    with Recorder(writer, desk.clock, keys=tmp_path / "keys") as recorder:
        recorder.record(parse_events([opened("NEW", email="a@b.example"), consumed("a", "NEW")]))
        assert recorder.notary.sign().checkpoint.size == desk.record.size()


@pytest.mark.parametrize("table", LOG_TABLES)
def test_the_writers_role_cannot_forget(desk, writer, table):
    """No UPDATE, DELETE or TRUNCATE on the log, no trigger switched off, no table dropped or changed."""
    column = next(iter(COLUMNS[table]))
    with desk.place.behind(writer) as connection:
        for statement in (
            f"UPDATE {table} SET {column} = {column}", f"DELETE FROM {table}", f"TRUNCATE {table}",
            f"ALTER TABLE {table} DISABLE TRIGGER {table}_no_delete", f"DROP TABLE {table}",
            f"DROP TRIGGER {table}_no_update ON {table}", "SET session_replication_role = replica",
        ):  # fmt: skip
            with pytest.raises(WrongLedgerError, match="may not"):
                connection.execute(statement)


def test_a_replica_session_does_not_pass_the_triggers(desk):
    """Even the superuser's session that calls itself a replica is refused."""
    desk.recorder.record(parse_events([opened()]))
    with desk.place.behind(desk.url) as connection:
        connection.execute("SET session_replication_role = replica")
        with pytest.raises(psycopg.IntegrityError, match="append-only"):
            connection.execute("DELETE FROM leaf")


def test_steps_of_the_schema_are_taken_once(desk, monkeypatch):
    """A program with a further step takes it once, whoever comes first; one with fewer refuses the ledger."""
    first = schema_postgresql.MIGRATIONS
    persistence_at(desk.url).close()
    with monkeypatch.context() as later:
        later.setattr(schema_postgresql, "MIGRATIONS", (*first, ("CREATE TABLE further (id bigint)",)))
        threads = [threading.Thread(target=lambda: persistence_at(desk.url).close()) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert desk.place.ask(desk.url, "SELECT count(*) FROM further") == [(0,)]
        assert desk.place.ask(desk.url, "SELECT value FROM meta WHERE key = 'schema'") == [("2",)]
    with pytest.raises(WrongLedgerError, match="2 steps"):
        persistence_at(desk.url)


def test_a_step_that_fails_leaves_nothing(desk, monkeypatch):
    """A step is taken whole or not at all."""
    broken = (
        *schema_postgresql.MIGRATIONS,
        ("CREATE TABLE half (id bigint)", "CREATE TABLE half (id bigint)"),
    )
    with monkeypatch.context() as later:
        later.setattr(schema_postgresql, "MIGRATIONS", broken)
        with pytest.raises(psycopg.errors.DuplicateTable):
            persistence_at(desk.url)
    assert desk.place.ask(desk.url, "SELECT to_regclass('half')") == [(None,)]
    assert desk.place.ask(desk.url, "SELECT value FROM meta WHERE key = 'schema'") == [("1",)]


def test_columns_are_those_that_are_described(desk):
    """The description of the tables, which rows are sent by, is that of the tables that are there."""
    found = desk.place.ask(
        desk.url,
        "SELECT table_name, column_name, data_type, collation_name FROM information_schema.columns"
        " WHERE table_schema = current_schema() ORDER BY table_name, ordinal_position",
    )
    described = sorted(
        [(table, list(columns.items())) for table, columns in COLUMNS.items()], key=lambda each: each[0]
    )
    assert [row[:3] for row in found] == [
        (t, name, kind) for t, columns in described for name, kind in columns
    ]
    assert all((collation == "C") == (kind == "text") for _, _, kind, collation in found)


def test_a_schema_of_somebody_else(place):
    """A schema that holds other tables is not taken for an empty one."""
    url = place.url("other")
    with place.behind(url) as connection:
        connection.execute("CREATE TABLE mine (x int)")
    with pytest.raises(WrongLedgerError, match="schema of its own"):
        persistence_at(url)


def test_a_schema_that_is_not_there(place):
    """A mistyped schema is said to be missing, not made."""
    with pytest.raises(WrongLedgerError, match="names a schema that is not there"):
        open_record(place.server.url(schema="nowhere"))


def test_commits_are_durable_whatever_the_role_says(place):
    """A role that switched synchronous_commit off does not decide for the ledger."""
    url = place.url("lazy")
    (schema,) = place.ask(url, "SELECT current_schema()")[0]
    role = f"lazy_{schema}"
    with place.behind(url) as connection:
        connection.execute(f"CREATE ROLE {role} LOGIN")
        connection.execute(f"ALTER ROLE {role} SET synchronous_commit = off")
    lazy = place.server.url(schema="public", role=role)
    with closing(postgresql.connect(lazy)) as connection:
        assert connection.execute("SHOW synchronous_commit").fetchone() == ("on",)


def test_a_server_that_does_not_answer(place):
    """Nobody is left without an answer: the caller is told to repeat the call, and sees no password."""
    with pytest.raises(StoreUnavailableError, match="cannot be reached") as error:
        open_record("postgresql://me:secret@127.0.0.1:1/none")
    assert "secret" not in str(error.value)
    assert shown("postgresql://me:secret@h/d") == "postgresql://me@h/d"
    assert shown("postgresql://h/d?password=secret&x=1") == "postgresql://h/d?password=…&x=1"
    assert shown("postgresql:///d") == "postgresql:///d"


def test_a_connection_that_was_cut(desk):
    """A connection that was cut while nobody used it is made anew before it is used."""
    facts = parse_events([opened()])
    desk.recorder.record(facts)
    assert desk.record.size() == 2
    with desk.place.behind(desk.url) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE pid <> pg_backend_pid() AND application_name = 'greffe'"
        )
    time.sleep(0.2)
    assert desk.recorder.record(parse_events([consumed("a")]))[0].new
    assert desk.record.size() == 4


def test_a_connection_that_is_cut_in_the_middle(desk):
    """Whoever is recording then is told; the same call succeeds once more, and finds what was recorded."""
    desk.recorder.record(parse_events([opened()]))
    log = persistence_at(desk.url)
    with pytest.raises(StoreUnavailableError), log.writing_connection() as connection:  # noqa: PT012
        with desk.place.behind(desk.url) as other:
            (pid,) = connection.execute("SELECT pg_backend_pid()").fetchone()
            other.execute(f"SELECT pg_terminate_backend({pid})")
        time.sleep(0.2)
        connection.execute("SELECT 1")
    with log.writing() as writing:
        assert writing.size == 2
    log.close()


def test_a_subscription(desk):
    """The library's subscription gives what is there and what comes, without asking in between."""
    desk.recorder.record(parse_events([opened()]))
    environment = {"PERSISTENCE_MODULE": "ledger.store.postgresql", "GREFFE_DB": desk.url}
    with (
        closing(Application(env=environment)) as application,
        application.recorder.subscribe(gt=1) as subscription,
    ):
        assert next(subscription).topic == "account.opened"
        desk.recorder.record(parse_events([consumed("a")]))
        assert [next(subscription).id for _ in range(2)] == [3, 4]
