"""When a contract is formed, against worked examples."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
from facts_factory import recorded

from ledger import instants
from ledger.contract import terms
from ledger.contract.clauses.formation import Acceptance, Step, Subscription, formation
from ledger.contract.finding import Readings

SOURCE = Path(__file__).parents[2] / "vectors" / "formation.toml"
VECTORS = tomllib.loads(SOURCE.read_text(encoding="utf-8"))["vector"]
FACT = recorded("account.opened", "ACC-1", {})


def step(vector: dict[str, Any], name: str) -> Step | None:
    """A step that the example tells of."""
    return Step(FACT, instants.parse_instant(vector[name])) if name in vector else None


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: str(vector["name"]))
def test_worked_examples(vector: dict[str, Any]) -> None:
    """Formed at the instant worked out by hand, under each reading of R22."""
    accepted = Acceptance(FACT, instants.parse_instant(vector["accepted"]), vector["route"], "2021-06")
    opened = Step(FACT, instants.parse_instant("2021-01-04T09:00:00Z"))
    steps = (step(vector, name) for name in ("validated", "bank_details", "order_form"))
    subscription = Subscription(opened, accepted, *steps)
    for number, expected in enumerate(vector["formed"], start=1):
        concluded = formation(subscription, Readings.parse([f"R22={number}"]))
        assert concluded.value == (None if expected == "none" else instants.parse_instant(expected))
    assert vector["quotation"] in " ".join(terms.load().wording().split())
