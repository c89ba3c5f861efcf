"""One account, three years, every type of fact: what is concluded does not depend on how it came to be known."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from importlib import resources

import pytest
import time_machine
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

import ledger.facts
from ledger import instants
from ledger.clock.simulated import SimulatedClock
from ledger.facts.catalogue import TYPES
from ledger.facts.envelope import parse_events
from ledger.recorder import Recorder
from ledger.store import open_record
from projections.answers import Answers

START = datetime(2021, 6, 1, 8, tzinfo=UTC)
YEARS = timedelta(days=3 * 365)
AS_OF = ["2021-06-30T00:00:00Z", "2022-03-01T00:00:00Z", "2023-06-01T12:00:00Z", "2024-07-01T00:00:00Z"]
BY_THE_LEDGER = {"key.rotated", "basis.recorded", "token.received", "witness.cosigned", "person.erased"}
MAILS = {"mail.received", "notification.sent"}
EXAMPLES = [
    json.loads(line)
    for line in (resources.files(ledger.facts) / "examples.jsonl").read_text("utf-8").splitlines()
    if line
]


def scenario():
    """Every example of the catalogue in turn, and each month a delivery, an invoice and its payment."""
    step = YEARS / len(EXAMPLES)
    told = [(START + place * step, example) for place, example in enumerate(EXAMPLES)]
    opened = next(at for at, event in told if event["type"] == "account.opened")
    for month in range(1, 36):
        at = START + month * timedelta(days=30)
        if at > opened:
            told += [(at, event) for event in monthly(month, at)]
    return sorted(told, key=lambda row: row[0])


def monthly(month, at):
    """A month's delivery, invoice and payment; every third invoice is paid late."""
    start, end = (instants.canonical(at - timedelta(hours=hours)) for hours in (5, 4))
    entry = {"service": "fcu", "resource": "tinav4.c2r4p1", "resource_id": "i-1", "from": start, "to": end,
             "quantity": "3600.5", "unit": "second"}  # fmt: skip
    paid = instants.paris_date(at + timedelta(days=20 if month % 3 == 0 else 0)).isoformat()
    facts = [
        ("consumption.recorded", f"ACC-1/consumption/m{month}", {"entries": [entry]}),
        ("invoice.issued", f"ACC-1/invoice/M{month}", {"net": "100", "vat": "20", "total": "120"}),
        ("invoice.paid", f"ACC-1/invoice/M{month}", {"amount": "120", "value_date": paid, "reference": "x"}),
    ]
    return [
        {"specversion": "1.0", "id": f"m-{month}-{place}", "source": "/monthly", "type": kind,
         "subject": subject, "data": data}
        for place, (kind, subject, data) in enumerate(facts)
    ]  # fmt: skip


class Told:
    """A ledger under a simulated clock, and its answers."""

    def __init__(self, folder, facts=()):
        folder.mkdir(exist_ok=True)
        self.url = f"sqlite:///{folder / 'ledger.db'}"
        self.clock = SimulatedClock(START)
        self.recorder = Recorder(self.url, self.clock)
        self.record, self.answers = open_record(self.url), None
        for at, event in facts:
            self.tell(at, event)

    def tell(self, at, event):
        self.clock.set(at)
        if event["type"] in MAILS:
            stamp = {"server": "simulated", "queue_id": "4jXrjs6ZNnzKHG6", "time": instants.canonical(at)}
            event = {**event, "data": {**event["data"], "stamp": stamp}}
        self.recorder.record(parse_events([event], by_ledger=True))

    def ask(self, name, as_of):
        if self.answers is None:
            self.answers = Answers(self.record)
        return self.answers.ask(name, "ACC-1", as_of=instants.parse_instant(as_of))

    def everything(self):
        """Every answer at every instant."""
        self.ask("contract", AS_OF[0])
        return {(name, as_of): self.ask(name, as_of) for name in self.answers.names for as_of in AS_OF}

    def close(self):
        if self.answers is not None:
            self.answers.close()
        self.record.close()
        self.recorder.close()


@pytest.fixture(scope="module")
def at_once(tmp_path_factory) -> Iterator[Told]:
    """The scenario told in one go, then asked."""
    told = Told(tmp_path_factory.mktemp("at-once"), scenario())
    yield told
    told.close()


def test_the_scenario_has_every_type_and_lasts_three_years():
    """Every type that the catalogue knows, but the stamps that the ledger writes by itself, is told."""
    told = scenario()
    assert {event["type"] for _, event in told} == set(TYPES) - {"stamp.received"}
    assert told[-1][0] - told[0][0] > timedelta(days=3 * 365 - 30)


def test_step_by_step_it_answers_as_in_one_go(tmp_path, at_once):
    """Asked after every fact, a ledger ends with the answers of one that was told everything first."""
    stepwise = Told(tmp_path)
    for place, (at, event) in enumerate(scenario()):
        stepwise.tell(at, event)
        if place >= 4:
            stepwise.ask("deadlines" if place % 2 else "balance", instants.canonical(at))
    try:
        assert stepwise.everything() == at_once.everything()
    finally:
        stepwise.close()


def test_a_rebuild_changes_no_answer(at_once):
    """Every view thrown away and built again answers as before, and nothing differs from a fresh one."""
    before = at_once.everything()
    for name in at_once.answers.names:
        at_once.answers.rebuild(name)
    assert at_once.everything() == before
    assert at_once.answers.compare() == []


def conclusions(node):
    if isinstance(node, dict):
        if {"value", "rule", "because"} <= node.keys():
            yield node
        else:
            for item in node.values():
                yield from conclusions(item)
    elif isinstance(node, list):
        for item in node:
            yield from conclusions(item)


@pytest.mark.parametrize("as_of", AS_OF)
def test_a_conclusion_names_only_facts_of_its_time(at_once, as_of):
    """No conclusion, and no explanation of a subject, names a fact whose legal time is after ``as_of``."""
    instant = instants.parse_instant(as_of)
    at_once.ask("contract", as_of)
    subjects = {event["subject"] for _, event in scenario()} - {"keys", "tokens", "witnesses"}
    answers = [at_once.ask(name, as_of) for name in at_once.answers.names]
    answers += [at_once.answers.explain(subject, as_of=instant) for subject in sorted(subjects)]
    named = [reason for answer in answers for found in conclusions(answer) for reason in found["because"]]
    named += [fact for answer in answers for fact in answer.get("facts", [])]
    assert named
    assert [row for row in named if instants.parse_instant(row["legal_time"]) > instant] == []


def test_no_conclusion_reads_the_local_clock(at_once):
    """With the host's clock a year off, every answer about an instant is the same."""
    before = at_once.everything()
    with time_machine.travel(datetime.now(UTC) + timedelta(days=366), tick=True):
        assert at_once.everything() == before


def as_history(told):
    """The same facts as asserted history, so that their legal time does not depend on their recording.

    Those that came by a mail take its time; of one mail they all have the same.
    """
    return [
        event if "mail" in event else {**event, "history": True, "time": instants.canonical(at)}
        for at, event in told
        if event["type"] not in BY_THE_LEDGER
    ]


def shuffled(events, seed):
    """Another order of recording that the write side admits: openings and mails before what names them.

    Facts of one mail, which have the same legal time, keep their order.
    """
    waiting = list(events)
    random.Random(seed).shuffle(waiting)  # noqa: S311 - an order to try, not a secret
    needs = {event["id"]: set() for event in events}
    by_subject, by_mail = {}, {}
    for event in events:
        mine = needs[event["id"]]
        if event["subject"].startswith("ACC-1/"):
            mine.add(by_subject["ACC-1"])
        if event["subject"] in by_subject:
            mine.add(by_subject[event["subject"]])
        by_subject.setdefault(event["subject"], event["id"])
        if "mail" in event:
            mine.add(by_subject[event["mail"]])
            if event["mail"] in by_mail:
                mine.add(by_mail[event["mail"]])
            by_mail[event["mail"]] = event["id"]
    done, order = set(), []
    while waiting:
        event = next(event for event in waiting if needs[event["id"]] <= done)
        waiting.remove(event)
        done.add(event["id"])
        order.append(event)
    return order


def without_places(node):
    """An answer without what tells where facts lie in the log, and when they were recorded."""
    if isinstance(node, dict):
        return {
            key: sorted(map(json.dumps, map(without_places, value)))
            if key == "because"
            else without_places(value)
            for key, value in node.items()
            if key
            not in {"position", "recorded_at", "as_of_source", "recorded_late", "before_opening", "mail"}
        }
    return [without_places(item) for item in node] if isinstance(node, list) else node


@pytest.fixture(scope="module")
def in_order(tmp_path_factory):
    """The answers of the scenario as history, recorded in the order of its times."""
    return answers_of(tmp_path_factory.mktemp("in-order"), as_history(scenario()))


def answers_of(folder, events):
    told = Told(folder)
    try:
        told.recorder.record(parse_events(events, by_ledger=True))
        return {
            key: without_places(answer["result"])
            for key, answer in told.everything().items()
            if key[0] != "timeline"  # it shows the order itself
        }
    finally:
        told.close()


@settings(max_examples=5, phases=[Phase.generate])
@given(seed=st.integers(0, 2**32))
def test_the_order_of_recording_changes_no_conclusion(tmp_path_factory, in_order, seed):
    """Recorded in any order that is admissible, facts of the same legal times lead to the same conclusions."""
    events = as_history(scenario())
    answers = answers_of(tmp_path_factory.mktemp("shuffled"), shuffled(events, seed))
    assert [key for key, answer in answers.items() if answer != in_order[key]] == []
