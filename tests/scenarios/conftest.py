"""A ledger told line by line and asked from outside, through the command alone."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from scripts.greffe import app

RUNNER = CliRunner()


class Told:
    """A simulated ledger in a folder of its own; ``tell`` adds facts, ``ask`` queries a projection."""

    def __init__(self, folder: Path) -> None:
        self.db = f"sqlite:///{folder / 'ledger.db'}"
        self._folder = folder
        self._ids = itertools.count()
        self._lines: list[dict[str, Any]] = []

    def tell(self, at: str, kind: str, subject: str, data: dict[str, Any] | None = None, **more: Any) -> Told:
        """Add a line to the scenario; ``stamped_at`` belongs to the line, the rest to the fact."""
        line: dict[str, Any] = {"at": at}
        if "stamped_at" in more:
            line["stamped_at"] = more.pop("stamped_at")
        fact_id = f"f-{next(self._ids)}"
        line["fact"] = {
            "specversion": "1.0", "id": fact_id, "source": "/scenario", "type": kind, "subject": subject,
            "data": data or {}, **more,
        }  # fmt: skip
        self._lines.append(line)
        return self

    def opened(self, at: str = "2021-01-04T09:00:00Z", account: str = "ACC-1") -> Told:
        """An account opened, validated and paid for by Internet, all at one instant."""
        address = f"client@{account.lower()}.example"
        identification = {
            "name": "Client SAS",
            "vat_number": "FR12345678901",
            "address": "1 rue X",
            "phone": "+33100000000",
        }
        self.tell(at, "account.opened", account, {
            "email": address, "identification": identification, "region": "eu-west-2", "territory": "EU",
        })  # fmt: skip
        self.tell(
            at, "contract.accepted", account, {"route": "internet", "terms": "2021-06", "on_demand": True}
        )
        self.tell(at, "account.validated", account)
        return self.tell(at, "account.bank_details_received", account)

    def run(self, *arguments: str, status: int = 0) -> str:
        """Run the command and check how it ended."""
        result = RUNNER.invoke(app, list(arguments), catch_exceptions=False)
        assert result.exit_code == status, result.output
        return result.stdout

    def record(self) -> None:
        """Record the lines told since the last time."""
        if self._lines:
            scenario = self._folder / f"scenario-{next(self._ids)}.jsonl"
            scenario.write_text("".join(json.dumps(line) + "\n" for line in self._lines))
            self._lines.clear()
            self.run("simulate", str(scenario), "--db", self.db)

    def answer(self, name: str, as_of: str, account: str = "ACC-1", *options: str) -> dict[str, Any]:
        """The whole answer of a projection."""
        self.record()
        asked = self.run("query", name, account, "--as-of", as_of, "--db", self.db, "--json", *options)
        answer: dict[str, Any] = json.loads(asked)
        return answer

    def ask(self, name: str, as_of: str, account: str = "ACC-1", *options: str) -> Any:
        """The result of a projection."""
        return self.answer(name, as_of, account, *options)["result"]


@pytest.fixture
def told(tmp_path: Path) -> Told:
    """An empty simulated ledger."""
    return Told(tmp_path)


@pytest.fixture
def value() -> Callable[[Any], Any]:
    """Reads the bare value of a conclusion."""
    return lambda conclusion: conclusion["value"] if conclusion is not None else None
