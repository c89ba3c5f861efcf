"""The date on which a termination takes effect, against worked examples."""

from __future__ import annotations

import tomllib
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from facts_factory import recorded

from ledger import instants
from ledger.contract import terms
from ledger.contract.clauses.endings import Relation, Termination, contract_status, termination_effective
from ledger.contract.clauses.formation import Subscription
from ledger.contract.clauses.notification import Addresses, ClientMail, KnownAddress, Letter, Notification
from ledger.contract.clauses.suspension import Suspension, Verification
from ledger.contract.finding import PRIMARY

SOURCE = Path(__file__).parents[2] / "vectors" / "contract.toml"
VECTORS = tomllib.loads(SOURCE.read_text(encoding="utf-8"))["vector"]
FACT = recorded("account.opened", "ACC-1", {})
TERMS = terms.load()


@pytest.mark.parametrize("vector", VECTORS)
def test_worked_examples(vector: dict[str, Any]) -> None:
    """Effective on the date worked out by hand, ended from the end of that day and not before."""
    at = instants.parse_instant(vector["starts"])
    ours = Notification(FACT, at, "termination", "email", "~address")
    letter = Letter(ours if vector["by"] == "outscale" else ClientMail(FACT, ("~address",)))
    known = Addresses((KnownAddress(FACT, at, "~address"),))
    ending = Termination(FACT, at, vector["by"], vector["ground"], letter)
    asked = at - timedelta(hours=2)
    relation = Relation(
        Subscription(),
        known,
        terminations=(ending,),
        blockings=(Suspension(FACT, asked, "art6"),),
        procedures=(Verification(FACT, asked, Letter(ours)),),
    )
    assert termination_effective(relation, TERMS, PRIMARY).value == vector["effective"]
    end = instants.end_of_days(vector["effective"], 0)
    assert contract_status(relation, TERMS, end, PRIMARY).value == "terminated"
    assert contract_status(relation, TERMS, end - timedelta(microseconds=1), PRIMARY).value == "terminating"
    assert vector["quotation"] in " ".join(TERMS.wording().split())
