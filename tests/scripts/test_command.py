"""The command from outside: what it prints, how it ends, and what it says when the call was wrong."""

from __future__ import annotations

import json
import socket
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from projections import PROJECTIONS
from scripts.greffe import app

RUNNER = CliRunner()
EXAMPLE = Path(__file__).parents[1] / "data" / "outscale" / "osc_api_examples.json"
OPENED = {
    "specversion": "1.0", "id": "1", "source": "/t", "type": "account.opened", "subject": "ACC-1",
    "data": {"email": "a@client.test"},
}  # fmt: skip


def run(*arguments, status=0, text=None):
    result = RUNNER.invoke(app, [str(argument) for argument in arguments], catch_exceptions=False, input=text)
    assert result.exit_code == status, result.output
    return result


@pytest.fixture
def db(tmp_path):
    return f"sqlite:///{tmp_path / 'ledger.db'}"


@pytest.fixture
def told(tmp_path, db):
    """A simulated ledger with one account."""
    scenario = tmp_path / "scenario.jsonl"
    scenario.write_text(json.dumps({"at": "2021-06-01T09:00:00Z", "fact": OPENED}) + "\n")
    run("simulate", scenario, "--db", db)
    return db


class TestWrongCalls:
    @pytest.mark.parametrize(
        "arguments",
        [
            ("query", "contract", "ACC-9"),
            ("query", "nonsense", "ACC-1"),
            ("query", "contract", "ACC-1", "--as-of", "2021-06-01T09:00:00"),
            ("query", "contract", "ACC-1", "--as-of", "yesterday"),
            ("query", "contract", "ACC-1", "--reading", "R2=9"),
            ("query", "contract", "ACC-1", "--reading", "R99=1"),
            ("query", "contract", "ACC-1", "--reading", "two"),
            ("explain", "ACC-1/invoice/none"),
            ("rebuild", "nonsense"),
            ("record", "missing.jsonl", "--mail", "embedded:x"),
            ("record", "-"),
            ("record", "-", "--mail", "pop3:x"),
            ("simulate", "missing.jsonl"),
            ("import", "outscale", "missing.json", "--account", "A"),
            ("import", "outscale", "missing.json", "--account", "a@b"),
            ("access", "add", "x", "--role", "king"),
        ],
        ids=" ".join,
    )
    def test_status_2_and_a_sentence(self, told, arguments):
        """A wrong call ends with status 2 and one plain sentence, never a traceback."""
        result = (
            run(*arguments, "--db", told, status=2) if arguments[0] != "import" else run(*arguments, status=2)
        )
        assert result.stderr.startswith("greffe: ")
        assert "Traceback" not in result.output

    @pytest.mark.parametrize("command", ["query contract A", "audit", "explain A", "rebuild contract"])
    @pytest.mark.parametrize("what", ["none", "folder", "text", "other"])
    def test_what_is_no_ledger(self, tmp_path, command, what):
        """A missing file, a folder, a text and another database are all said to be no ledger."""
        path = tmp_path / "x.db"
        if what == "folder":
            path.mkdir()
        elif what == "text":
            path.write_text("hello" * 500)
        elif what == "other":
            with sqlite3.connect(path) as connection:
                connection.execute("CREATE TABLE mine (x)")
        assert run(*command.split(), "--db", f"sqlite:///{path}", status=2).stderr.startswith("greffe: ")


class TestRecord:
    def test_from_a_file_and_again(self, tmp_path, db):
        """Facts are recorded in order with a receipt each; the same call again records nothing twice."""
        facts = tmp_path / "facts.jsonl"
        more = {**OPENED, "id": "2", "type": "account.validated", "data": {}}
        facts.write_text(json.dumps(OPENED) + "\n\n" + json.dumps(more) + "\n")
        mail = f"embedded:{tmp_path / 'mail'}"
        first = run("record", facts, "--db", db, "--mail", mail, "--receipts")
        assert [json.loads(line)["position"] for line in first.stdout.splitlines()] == [1, 2]
        again = run("record", "-", "--db", db, "--mail", mail, "--receipts", text=facts.read_text())
        assert again.stdout == first.stdout
        assert "2 were recorded already" in again.stderr
        run("audit", "--db", db, "--mail", mail)

    def test_a_bad_line_is_named(self, tmp_path, db):
        """A malformed fact is named by line, field and rule, and nothing of its batch is recorded."""
        bad = {**OPENED, "data": {"email": "nobody", "colour": 1}}
        text = json.dumps(OPENED) + "\n" + json.dumps({**bad, "id": "2", "subject": "ACC-2"}) + "\n"
        mail = f"embedded:{tmp_path / 'mail'}"
        result = run("record", "-", "--db", db, "--mail", mail, status=2, text=text)
        assert "line 2" in result.stderr
        assert "/data/colour" in result.stderr
        assert "[shape." in result.stderr
        assert "0 facts recorded before the error" in result.stderr

    def test_nothing_is_made_under_a_mail_server_that_refuses(self, tmp_path):
        """A mistyped mail server is said to give no stamp, and leaves no ledger behind."""
        folder = tmp_path / "new"
        folder.mkdir()
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
        for mail in (
            f"smtp://127.0.0.1:{port}",
            "smtp://nowhere.invalid:25",
            "pop3:x",
            "smtp://h:25?jornal=x",
        ):
            arguments = ("record", "-", "--db", f"sqlite:///{folder / 'l.db'}", "--mail", mail)
            assert run(*arguments, status=2, text=json.dumps(OPENED)).stderr.startswith("greffe: ")
            assert list(folder.iterdir()) == []

    def test_a_simulated_ledger_is_not_recorded_into(self, tmp_path, told):
        """A simulated ledger takes no real facts."""
        mail = f"embedded:{tmp_path / 'mail'}"
        assert "simulated" in run("record", "-", "--db", told, "--mail", mail, status=2, text="{}").stderr


class TestSimulate:
    def line(self, at, **fact):
        return json.dumps({"at": at, "fact": {**OPENED, **fact}})

    @pytest.mark.parametrize(
        ("second", "rule"),
        [
            ('{"at": "2021-05-01T00:00:00Z", "fact": {}}', "envelope"),
            ('{"at": "2021-07-01T00:00:00Z"}', "scenario.line"),
            ('{"at": "2021-07-01T00:00:00Z", "fact": {}, "wind": 3}', "scenario.line"),
            ("not json", "json.syntax"),
        ],
    )
    def test_a_bad_line_is_named(self, tmp_path, db, second, rule):
        """A line that is none is named with its rule."""
        scenario = tmp_path / "s.jsonl"
        scenario.write_text(self.line("2021-06-01T00:00:00Z") + "\n" + second + "\n")
        result = run("simulate", scenario, "--db", db, status=2)
        assert "line 2" in result.stderr
        assert rule in result.stderr

    def test_at_never_goes_back(self, tmp_path, db):
        """Time in a scenario never goes back, within a file or after an earlier one."""
        scenario = tmp_path / "s.jsonl"
        later = self.line("2021-06-02T00:00:00Z")
        earlier = self.line("2021-06-01T00:00:00Z", id="2", subject="ACC-2")
        scenario.write_text(later + "\n" + earlier + "\n")
        assert "at goes back" in run("simulate", scenario, "--db", db, status=2).stderr
        scenario.write_text(later + "\n")
        run("simulate", scenario, "--db", db)
        scenario.write_text(earlier + "\n")
        assert "last stamp" in run("simulate", scenario, "--db", db, status=2).stderr

    def test_again_and_on(self, tmp_path, told):
        """A scenario told again records nothing; a later one goes on."""
        scenario = tmp_path / "scenario.jsonl"
        assert "0 facts recorded, 1 was recorded already" in run("simulate", scenario, "--db", told).stderr
        scenario.write_text(
            self.line("2021-06-03T00:00:00Z", id="3", type="account.validated", data={}) + "\n"
        )
        assert "SIMULATED" in run("simulate", scenario, "--db", told).stderr

    def test_a_real_ledger_is_left_alone(self, tmp_path, db):
        """A scenario is not recorded into a real ledger."""
        run("record", "-", "--db", db, "--mail", f"embedded:{tmp_path / 'mail'}", text=json.dumps(OPENED))
        scenario = tmp_path / "s.jsonl"
        scenario.write_text(self.line("2031-06-01T00:00:00Z") + "\n")
        assert "never" in run("simulate", scenario, "--db", db, status=2).stderr


class TestAudit:
    def test_a_tampered_ledger(self, tmp_path, told):
        """A changed byte in a leaf is named by its position, with status 1."""
        with sqlite3.connect(tmp_path / "ledger.db") as connection:
            connection.execute("DROP TRIGGER leaf_no_update")
            connection.execute(
                "UPDATE leaf SET state = CAST(replace(state, '/t', '/u') AS BLOB) WHERE position = 1"
            )
        result = run("audit", "--db", told, status=1)
        assert "position" in result.stdout
        assert "NOT CLEAN" in result.stdout
        report = json.loads(run("audit", "--db", told, "--json", status=1).stdout)
        assert report["clean"] is False
        assert report["discrepancies"]

    def test_a_tampered_view(self, tmp_path, told):
        """A row taken out of a view is named too."""
        run("query", "contract", "ACC-1", "--db", told)
        with sqlite3.connect(tmp_path / "ledger.db.views") as connection:
            connection.execute("DELETE FROM entry")
        assert "projection" in run("audit", "--db", told, status=1).stdout
        for name in PROJECTIONS:
            run("rebuild", name, "--db", told)
        run("audit", "--db", told)


class TestAnswers:
    @pytest.mark.parametrize("name", list(PROJECTIONS))
    def test_every_projection_in_words_and_as_json(self, told, name):
        """Each projection can be read by a person and by a program."""
        assert "ACC-1" in run("query", name, "ACC-1", "--db", told).stdout
        answer = json.loads(run("query", name, "ACC-1", "--db", told, "--json").stdout)
        assert answer["as_of_source"] == "host"

    def test_deadlines_over_all_accounts(self, told):
        """Without an account, deadlines are one list over all of them."""
        answer = json.loads(run("query", "deadlines", "--db", told, "--json").stdout)
        assert answer["account"] is None
        assert {row["account"] for row in answer["result"]} == {"ACC-1"}
        assert "all accounts" in run("query", "deadlines", "--db", told).stdout

    def test_readings(self, told):
        """What other readings would move is told to a person and to a program."""
        assert "ACC-1" in run("readings", "ACC-1", "--db", told).stdout
        rows = json.loads(run("readings", "ACC-1", "--db", told, "--json").stdout)["result"]
        assert {"reading", "option", "conclusions", "euros"} <= rows[0].keys()

    def test_a_narrow_terminal_loses_nothing(self, told, monkeypatch):
        """Where the columns do not fit side by side, each row stands by itself, and no word is cut."""
        monkeypatch.setenv("COLUMNS", "60")
        narrow = run("query", "obligations", "ACC-1", "--db", told).stdout
        rows = json.loads(run("query", "obligations", "ACC-1", "--db", told, "--json").stdout)["result"]
        assert narrow.count("act_by") == len(rows) > 0
        assert all(row["article"] in narrow and row["status"]["value"] in narrow for row in rows)

    def test_usage_says_that_it_is_indicative(self, told):
        """What the meters said never passes for what is owed."""
        assert "the invoice binds" in run("query", "usage", "ACC-1", "--db", told).stdout

    def test_a_folder_of_terms_that_is_none(self, told, monkeypatch):
        """A GREFFE_TERMS that names no folder is a wrong call, said in a sentence."""
        monkeypatch.setenv("GREFFE_TERMS", "/nowhere/at/all")
        assert "not a folder of terms" in run("query", "contract", "ACC-1", "--db", told, status=2).stderr

    def test_before_the_opening(self, told):
        """Before its account was opened, a contract is none, without an error."""
        told_then = run(
            "query", "contract", "ACC-1", "--as-of", "2020-01-01T00:00:00Z", "--db", told, "--json"
        )
        assert json.loads(told_then.stdout)["result"]["status"]["value"] == "none"

    def test_every_account(self, told):
        """Without an account, every account is asked."""
        assert [
            answer["account"] for answer in json.loads(run("query", "balance", "--db", told, "--json").stdout)
        ] == ["ACC-1"]


class TestImportAndAccess:
    def test_import_to_a_file_and_into_a_ledger(self, tmp_path, db):
        """The real example is imported to a file, and recorded once however often it is imported."""
        calls = json.loads(EXAMPLE.read_text())["calls"]
        answer = tmp_path / "answer.json"
        answer.write_text(json.dumps(calls["ReadConsumptionAccount"]["responses"]["200"]["ex2"]["value"]))
        out = tmp_path / "facts.jsonl"
        run("import", "outscale", answer, "--account", "ACC-1", "-o", out)
        assert json.loads(out.read_text())["type"] == "consumption.recorded"
        mail = f"embedded:{tmp_path / 'mail'}"
        run("record", "-", "--db", db, "--mail", mail, text=json.dumps(OPENED))
        told = [
            run("import", "outscale", answer, "--account", "ACC-1", "--db", db, "--mail", mail)
            for _ in range(2)
        ]
        assert "1 fact recorded" in told[0].stderr
        assert "1 was recorded already" in told[1].stderr

    def test_one_entry_in_one_fact(self, tmp_path):
        """What was imported is counted in grammatical words."""
        answer = tmp_path / "answer.json"
        entry = {"Value": 1, "FromDate": "2023-06-01", "ToDate": "2023-06-02", "Type": "BoxUsage:x"}
        answer.write_text(json.dumps({"ConsumptionEntries": [entry]}))
        told = run("import", "outscale", answer, "--account", "A").stderr
        assert told.splitlines()[-1] == "1 entry in 1 fact"

    @pytest.mark.parametrize("account", ["a@b", "price", "", ".."])
    def test_an_account_that_no_fact_could_bear(self, tmp_path, account):
        """A name that no subject may begin with is refused before the file is read."""
        told = run("import", "outscale", tmp_path / "missing.json", "--account", account, status=2).stderr
        assert f"{account!r} cannot name an account" in told

    def test_a_line_that_cannot_be_read(self, tmp_path):
        """A line of unknown unit ends the import with status 1 and is named."""
        answer = tmp_path / "answer.json"
        answer.write_text(
            '{"ConsumptionEntries": [{"Value": 1, "FromDate": "2023-06-01", "ToDate": "2023-06-02"}]}'
        )
        assert "not imported" in run("import", "outscale", answer, "--account", "A", status=1).stderr

    def test_keys(self, told):
        """A key is shown once, listed without its secret, and revoked."""
        key = run("access", "add", "metering", "--role", "writer", "--db", told).stdout.strip()
        listed = run("access", "list", "--db", told).stdout
        assert "metering" in listed
        assert key not in listed
        run("access", "revoke", "metering", "--db", told)


class TestDemo:
    def test_the_year_concludes_what_the_contract_says(self, tmp_path):
        """The sample year: 47 h admissible, 49 h late, day 10 in time, day 11 late, and its end."""
        db = f"sqlite:///{tmp_path / 'demo.db'}"
        first = run("demo", "--db", db).stdout
        assert run("demo", "--db", db).stdout == first
        assert "the last 12 of " in first, "a list that is cut says so"

        def ask(name, as_of):
            return json.loads(run("query", name, "ACC-DEMO", "--as-of", as_of, "--db", db, "--json").stdout)[
                "result"
            ]

        reserves = ask("acceptance", "2026-02-20T00:00:00Z")["reserves"]
        assert [reserve["status"]["value"] for reserve in reserves] == ["admissible", "out_of_time"]
        invoices = {row["number"]: row for row in ask("invoices", "2026-06-17T00:00:00Z")}
        assert invoices["F-2025-10"]["dispute"]["value"] == "in_time"
        assert invoices["F-2025-11"]["dispute"]["value"] == "late"
        assert ask("balance", "2026-06-17T00:00:00Z")["late_indemnity"]["value"] == "80.00"
        assert ask("contract", "2026-06-13T00:00:00Z")["status"]["value"] == "suspended"
        ending = ask("contract", "2026-06-25T00:00:00Z")
        assert ending["status"]["value"] == "terminating"
        assert ending["termination"]["effective_date"]["value"] == "2026-07-05"
        run("audit", "--db", db)


def test_the_program_starts_as_a_module():
    """``python -m scripts.greffe --help`` names the commands."""
    done = subprocess.run(
        [sys.executable, "-m", "scripts.greffe", "--help"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert "simulate" in done.stdout
