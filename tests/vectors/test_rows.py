"""The worked examples of the clause register, row by row, told to a real ledger and asked from outside.

``rows/row-NN.toml`` holds the examples of one row. ``origin`` says whether the contract itself gives the
numbers (``contract``) or they were worked out from its words (``derived``).
"""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest

import ledger.facts  # noqa: F401 - fills the catalogue
from ledger import instants
from ledger.clock.simulated import SimulatedClock
from ledger.contract.finding import Readings
from ledger.contract.terms import load
from ledger.facts.envelope import parse_events
from ledger.recorder import Recorder
from ledger.store import open_record
from projections.answers import Answers

ROWS = Path(__file__).parent / "rows"
FILES = {path.stem: tomllib.loads(path.read_text(encoding="utf-8")) for path in sorted(ROWS.glob("*.toml"))}
VECTORS = [
    pytest.param(row, vector, id=f"{name}-{vector['name']}")
    for name, row in FILES.items()
    for vector in row["vector"]
]
OPENED = {
    "at": "2021-01-04T09:00:00Z",
    "type": "account.opened",
    "subject": "ACC-1",
    "data": {
        "email": "client@acc-1.example",
        "identification": {"name": "Client SAS", "vat_number": "FR1", "address": "1 rue X", "phone": "+331"},
        "region": "eu-west-2",
        "territory": "EU",
    },
}
NOTHING = "<null>"
MAILS = {"mail.received", "notification.sent"}


def tell(url, facts):
    """Record facts in order, each under the stamp that it names."""
    clock = SimulatedClock(instants.parse_instant(facts[0]["at"]))
    with Recorder(url, clock) as recorder:
        for place, told in enumerate(facts):
            clock.set(instants.parse_instant(told["at"]))
            event = {key: value for key, value in told.items() if key not in {"at", "stamped_at"}}
            event = {"specversion": "1.0", "id": f"v-{place}", "source": "/vector", "data": {}, **event}
            if "stamped_at" in told or told["type"] in MAILS:
                stamp = {
                    "server": "simulated",
                    "queue_id": "4jXrjs6ZNnzKHG6",
                    "time": told.get("stamped_at", told["at"]),
                }
                event["data"] = {**event["data"], "stamp": stamp}
            recorder.record(parse_events([event], by_ledger=True))


def found(result, path):
    """The node of a result at a path of keys and indexes; a conclusion gives its value."""
    node = result
    for step in [part for part in path.split("/") if part]:
        if step == "length" and isinstance(node, list):
            node = len(node)
        else:
            node = node[int(step)] if isinstance(node, list) else node[step]
        if isinstance(node, dict) and "rule" in node and "value" in node:
            node = node["value"]
    return node


def concluded(folder, row, vector):
    """What a ledger in a folder concludes when it is told an example's facts and asked its question."""
    opened = [OPENED] if vector.get("opened", True) else []
    facts = [*opened, *row.get("common_facts", []), *vector["facts"]]
    facts.sort(key=lambda told: instants.parse_instant(told["at"]))
    url = f"sqlite:///{folder / 'ledger.db'}"
    tell(url, facts)
    record = open_record(url)
    answers = Answers(record)
    try:
        return answers.ask(
            vector["ask"],
            vector.get("account", "ACC-1"),
            as_of=instants.parse_instant(vector["as_of"]),
            readings=Readings.parse(vector.get("readings", ())),
        )["result"]
    finally:
        answers.close()
        record.close()


@pytest.mark.parametrize(("row", "vector"), VECTORS)
def test_a_worked_example_of_the_register(tmp_path, row, vector):
    """Told the facts of an example, the ledger concludes what the example says, at the instant it names."""
    result = concluded(tmp_path, row, vector)
    told = {}
    for path in vector["expect"]:
        try:
            value = found(result, path)
            told[path] = NOTHING if value is None else value  # TOML knows no null
        except (KeyError, IndexError, TypeError):
            told[path] = f"(nothing there) {json.dumps(result, ensure_ascii=False)[:2000]}"
    assert told == vector["expect"]


@pytest.mark.parametrize("name", FILES)
def test_a_row_quotes_the_contract_and_has_its_boundaries(name):
    """Each file is of the row it is named after, quotes the contract, and holds four examples or more."""
    row = FILES[name]
    assert row["row"] == int(name.removeprefix("row-"))
    assert " ".join(row["quotation"].split()) in load().prose()
    assert len(row["vector"]) >= 4
    assert {vector["origin"] for vector in row["vector"]} <= {"contract", "derived"}
