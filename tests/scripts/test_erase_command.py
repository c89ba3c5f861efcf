"""``greffe erase`` from outside, on a ledger of the embedded mail server."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from places import Place
from typer.testing import CliRunner

from ledger.store import is_postgresql
from scripts.greffe import app

RUNNER = CliRunner()
PLAIN = "anne.martin@client.example"


def run(*arguments: object, status: int = 0, text: str | None = None) -> str:
    result = RUNNER.invoke(app, [str(argument) for argument in arguments], catch_exceptions=False, input=text)
    assert result.exit_code == status, result.output
    return " ".join(result.output.split())


def fact(number: int, kind: str, subject: str, time: str, **data: Any) -> str:
    """A fact from before the ledger, on a line."""
    event = {
        "specversion": "1.0", "id": f"f-{number}", "source": "/test", "type": kind, "subject": subject,
        "data": data, "time": time, "history": True,
    }  # fmt: skip
    return json.dumps(event) + "\n"


class Office:
    """A ledger whose contract ended, and its mail server."""

    def __init__(self, place: Place, folder: Path, ended: str) -> None:
        self.folder = folder
        self.db, self.mail = place.url("l"), f"embedded:{folder}/mail"
        self.record(
            fact(1, "account.opened", "A", "2010-01-01T08:00:00Z", email=PLAIN, identification={"name": "Anne M"}),
            fact(2, "account.bank_details_received", "A", "2010-01-01T08:00:00Z", iban="FR7630006000011234567890189"),
            fact(0, "corruption.found", "A/compliance/c", ended),
            fact(3, "termination.notified", "A/termination/t", ended, by="outscale", ground="art27"),
        )  # fmt: skip

    def record(self, *lines: str) -> None:
        run("record", "-", "--db", self.db, "--mail", self.mail, text="".join(lines))

    def erase(self, *options: object, status: int = 0) -> str:
        return run("erase", "A", "--db", self.db, "--mail", self.mail, *options, status=status)

    def audited(self) -> str:
        return run("audit", "--db", self.db, "--mail", self.mail)


@pytest.fixture(autouse=True)
def _surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("GREFFE_KEYS", str(tmp_path / "keys"))
    monkeypatch.setenv("GREFFE_VIEWS", str(tmp_path / "views"))


def test_everything_goes_after_ten_years(place: Place, tmp_path: Path) -> None:
    """The dry run says so and changes nothing; the erasure tells what it searched; the audit is clean."""
    office = Office(place, tmp_path, "2012-09-01T08:00:00Z")
    assert "clean" in office.audited()
    told = office.erase("--dry-run")
    assert told.count(" yes ") == 4
    assert "recorded at position" not in told
    told = office.erase()
    assert "erased 3 values" in told
    assert "after: 0 places found" in told
    assert ("searched table sealed" if is_postgresql(office.db) else str(tmp_path / "l.db")) in told
    assert "clean" in office.audited()
    assert "nothing is left" in office.erase()


def test_bills_stay_for_ten_years(place: Place, tmp_path: Path) -> None:
    """What goes goes; what stays is refused with its article and the first instant."""
    office = Office(place, tmp_path, "2020-09-01T08:00:00Z")
    told = office.erase()
    assert "erased 1 values (relation)" in told
    assert "refused billing: art. 18.3 keeps it before 2030-09-01T22:00:00Z" in told
    assert "refused identity" in told
    assert "clean" in office.audited()
    assert "nothing was erased" in office.erase(status=1)


def test_a_hold_refuses_everything(place: Place, tmp_path: Path) -> None:
    """Nothing goes, and the status says so."""
    office = Office(place, tmp_path, "2012-09-01T08:00:00Z")
    office.record(fact(4, "hold.placed", "A/hold/h", "2013-01-01T08:00:00Z", reason="Litige en cours"))
    told = office.erase(status=1)
    assert told.count("a legal hold stands: A/hold/h") >= 4
    assert "nothing was erased" in told
    run("query", "contract", "A", "--db", office.db)


def test_a_copy_outside_is_found(place: Place, tmp_path: Path) -> None:
    """An export that holds a value in clear is told, and the status says that the proof failed."""
    office = Office(place, tmp_path, "2012-09-01T08:00:00Z")
    exports = tmp_path / "exports"
    exports.mkdir()
    (exports / "a.csv").write_text(f"A;{PLAIN}\n")
    told = office.erase("--search", exports, status=1)
    assert f"still there {exports / 'a.csv'} at byte 2" in told


def test_a_simulated_ledger_is_refused(place: Place, tmp_path: Path) -> None:
    """It has no mail server that could date the erasure."""
    db = place.url("s")
    run("demo", "--db", db)
    run("erase", "ACC-1", "--db", db, "--mail", f"embedded:{tmp_path}/mail", status=2)
