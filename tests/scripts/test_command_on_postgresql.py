"""The command on a ledger in PostgreSQL: recorded, asked, audited, copied, and told plainly what is missing."""

from __future__ import annotations

import json

import pytest
from places import only_postgresql
from typer.testing import CliRunner

from scripts.greffe import app

RUNNER = CliRunner()
OPENED = {
    "specversion": "1.0", "id": "1", "source": "/t", "type": "account.opened", "subject": "ACC-1",
    "data": {"email": "a@client.test"},
}  # fmt: skip


def run(*arguments, status=0, text=None):
    result = RUNNER.invoke(app, [str(argument) for argument in arguments], catch_exceptions=False, input=text)
    assert result.exit_code == status, result.output
    return " ".join(result.output.split())


@pytest.fixture
def settled(monkeypatch, tmp_path):
    """The settings that a ledger without a file needs."""
    for name in ("keys", "access", "views"):
        monkeypatch.setenv(f"GREFFE_{name.upper()}", str(tmp_path / name))
    monkeypatch.setenv("COLUMNS", "300")


@only_postgresql
def test_from_the_first_fact_to_a_copy(place, settled, tmp_path):
    """Record, ask, audit with the journal, rebuild, list keys, copy to a file, and audit the copy."""
    db, mail, copy = place.url(), f"embedded:{tmp_path / 'mail'}", f"sqlite:///{tmp_path / 'copy.db'}"
    assert "1 fact recorded" in run("record", "-", "--db", db, "--mail", mail, text=json.dumps(OPENED))
    assert "1 was recorded already" in run("record", "-", "--db", db, "--mail", mail, text=json.dumps(OPENED))
    run("query", "contract", "ACC-1", "--db", db)
    told = run("audit", "--db", db, "--mail", mail)
    assert "clean" in told
    assert "the server's own files and indexes were not examined" in told
    run("rebuild", "all", "--db", db)
    assert run("keys", "--db", db).count("# from") == 2
    assert run("access", "add", "robot", "--role", "writer", "--db", db)
    assert " leaves, root " in run("copy", "--from", db, "--to", copy)
    assert "clean" in run("audit", "--db", copy, "--mail", mail)
    assert "not empty" in run("copy", "--from", db, "--to", copy, status=2)
    assert list((tmp_path / "views").glob("*.views"))


@only_postgresql
def test_demo(place, settled):
    """The sample year is recorded and concluded as on SQLite, and its audit is clean."""
    db = place.url()
    assert "SIMULATED" in run("demo", "--db", db)
    assert "clean" in run("audit", "--db", db)


@only_postgresql
@pytest.mark.parametrize(
    ("command", "setting"),
    [
        (("record", "-", "--mail", "embedded:{folder}/mail"), "GREFFE_KEYS"),
        (("access", "list"), "GREFFE_ACCESS"),
    ],
)
def test_what_has_no_place_is_asked_for(place, tmp_path, monkeypatch, command, setting):
    """Keys have no default place: hosts that each made their own would sign with different ones."""
    monkeypatch.delenv(setting, raising=False)
    arguments = [part.format(folder=tmp_path) for part in command]
    told = run(*arguments, "--db", place.url(), status=2, text=json.dumps(OPENED))
    assert f"set {setting}" in told


def test_a_server_that_is_not_there(settled):
    """Status 2 and one sentence, without the password."""
    told = run("query", "contract", "A", "--db", "postgresql://me:secret@127.0.0.1:1/none", status=2)
    assert "cannot be reached" in told
    assert "secret" not in told
