"""What may be erased, to the microsecond (arts. 14.2.2, 18.3)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ledger.clock.simulated import SimulatedClock
from ledger.contract.clauses.retention import Keeping
from ledger.contract.finding import Readings
from ledger.facts.envelope import parse_events
from ledger.instants import parse_instant
from ledger.recorder import Recorder
from ledger.store import open_record
from projections.answers import Answers
from projections.erasable import erasable

MICROSECOND = timedelta(microseconds=1)
ENDED = "2021-09-01T08:00:00Z"
"""A termination for force majeure takes effect at once: the contract ends on 1 September 2021."""
RELATION, BILLING = "2022-09-01T22:00:00Z", "2031-09-01T22:00:00Z"

Ask = Callable[[str | datetime], dict[str, Keeping]]
Tell = Callable[..., None]


class Ledger:
    """A simulated ledger of one account."""

    def __init__(self, folder: Path) -> None:
        self.url = f"sqlite:///{folder}/ledger.db"
        self.clock = SimulatedClock(datetime(2021, 6, 1, tzinfo=UTC))
        self.recorder = Recorder(self.url, self.clock)
        self.count = 0
        self.tell("account.opened", "A", "2021-06-01T08:00:00Z", email="a@client.example")

    def tell(self, kind: str, subject: str, at: str, mail: str | None = None, **data: str) -> None:
        self._record(kind, subject, at, data, mail)

    def mail(self, kind: str, subject: str, at: str, data: dict[str, str]) -> None:
        """A message, under the stamp that the server gave it."""
        stamp = {"server": "simulated", "queue_id": "4jXrjs6ZNnzKHG6", "time": at}
        self._record(kind, subject, at, {**data, "stamp": stamp}, None)

    def _record(self, kind: str, subject: str, at: str, data: Mapping[str, object], mail: str | None) -> None:
        self.count += 1
        self.clock.set(parse_instant(at))
        event = {
            "specversion": "1.0", "id": f"f-{self.count}", "source": "/test", "type": kind, "subject": subject,
            "data": data, **({"mail": mail} if mail else {}),
        }  # fmt: skip
        self.recorder.record(parse_events([event], by_ledger=True))

    def end(self) -> None:
        self.tell("corruption.found", "A/compliance/c", ENDED)
        self.tell("termination.notified", "A/termination/t", ENDED, by="outscale", ground="art27")

    def duties(self, at: datetime, *readings: str) -> dict[str, str]:
        """How each duty on the data of the relation stands."""
        record = open_record(self.url)
        answers = Answers(record)
        try:
            chosen = Readings.parse(readings)
            rows = answers.ask("obligations", "A", as_of=at, readings=chosen)["result"]
        finally:
            answers.close()
            record.close()
        return {row["what"]: row["status"]["value"] for row in rows if row["article"] == "14.2.2"}

    def keeping(self, at: str | datetime) -> dict[str, Keeping]:
        record = open_record(self.url)
        answers = Answers(record)
        try:
            instant = parse_instant(at) if isinstance(at, str) else at
            return {row.retention: row for row in erasable(answers, "A", instant)}
        finally:
            answers.close()
            record.close()


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    ledger = Ledger(tmp_path)
    yield ledger
    ledger.recorder.close()


def test_while_the_contract_lasts_nothing_may_go(ledger: Ledger) -> None:
    """Every class is refused, and no instant is known yet."""
    for row in ledger.keeping("2041-01-01T00:00:00Z").values():
        assert (row.allowed, row.since, row.why) == (False, None, "the contract has not ended")


@pytest.mark.parametrize(
    ("retention", "since", "article"),
    [
        ("relation", RELATION, "14.2.2"),
        ("mail", RELATION, "14.2.2"),
        ("identity", BILLING, "18.3"),
        ("billing", BILLING, "18.3"),
    ],
)
def test_each_class_goes_after_its_time_and_not_a_microsecond_before(
    ledger: Ledger, retention: str, since: str, article: str
) -> None:
    """A year for the relation and its mail, ten for bills and who they name, until the day's end in Paris."""
    ledger.end()
    first = parse_instant(since)
    before, after = ledger.keeping(first - MICROSECOND)[retention], ledger.keeping(first)[retention]
    assert (before.allowed, before.since, before.article) == (False, first, article)
    assert (after.allowed, after.since) == (True, first)


KEEP, ERASE = "keep the personal data of the relation", "erase the personal data of the relation"


class TestDuty:
    """What must go and what ``greffe erase`` lets go begin at one instant (art. 14.2.2)."""

    def test_it_begins_when_erasure_is_allowed(self, ledger: Ledger) -> None:
        """At the first instant at which erasure is allowed it is due, and not late."""
        ledger.end()
        first = parse_instant(RELATION)
        assert ledger.duties(first - MICROSECOND) == {KEEP: "open"}
        assert ledger.duties(first) == {KEEP: "met", ERASE: "open"}
        assert ledger.keeping(first)["relation"].allowed

    def test_a_chosen_reading_destroys_nothing(self, ledger: Ledger) -> None:
        """Ended under R17=2 alone, data need not go, and may not: OUTSCALE's answer is what lets them."""
        sent = "2021-06-02T08:00:00Z"
        ledger.mail("mail.received", "A/mail/m", sent, {"from": "a@client.example"})
        ledger.tell("termination.notified", "A/termination/t", sent, mail="A/mail/m", by="client")
        about = {"kind": "acknowledgement", "channel": "email", "to": "a@client.example", "about": "A/mail/m"}
        ledger.mail("notification.sent", "A/notification/n", sent, about)
        later = parse_instant("2023-01-01T00:00:00Z")
        assert ledger.duties(later, "R17=2") == {KEEP: "met"}
        assert not ledger.keeping(later)["relation"].allowed
        ledger.tell("termination.acknowledged", "A/termination/t", "2021-07-01T08:00:00Z")
        assert ledger.duties(later, "R17=2") == {KEEP: "met", ERASE: "open"}
        assert ledger.keeping(later)["relation"].allowed

    def test_an_unrecorded_automatic_answer_keeps_nothing_for_ever(self, ledger: Ledger) -> None:
        """OUTSCALE's own answer acknowledges receipt where nothing did before, so every reading ends."""
        sent = "2021-06-02T08:00:00Z"
        ledger.mail("mail.received", "A/mail/m", sent, {"from": "a@client.example"})
        ledger.tell("termination.notified", "A/termination/t", sent, mail="A/mail/m", by="client")
        ledger.tell("termination.acknowledged", "A/termination/t", "2021-07-01T08:00:00Z")
        assert ledger.keeping(parse_instant("2023-01-01T00:00:00Z"))["relation"].allowed


class TestHold:
    """A legal hold keeps everything of the account."""

    def test_until_its_last_day(self, ledger: Ledger) -> None:
        """Until 31 December 2041 in Paris; from the next instant on all may go."""
        ledger.end()
        ledger.tell("hold.placed", "A/hold/h", "2021-10-01T08:00:00Z", until="2041-12-31", reason="Procès")
        end = parse_instant("2041-12-31T23:00:00Z")
        held = ledger.keeping(end - MICROSECOND)
        assert {row.allowed for row in held.values()} == {False}
        assert {row.since for row in held.values()} == {end}
        assert {(row.article, row.why) for row in held.values()} == {
            ("18.3", "a legal hold stands: A/hold/h")
        }
        assert {row.allowed for row in ledger.keeping(end).values()} == {True}

    def test_until_it_is_released(self, ledger: Ledger) -> None:
        """Without an end no first instant is known; once released the class's own time counts."""
        ledger.end()
        ledger.tell("hold.placed", "A/hold/h", "2021-10-01T08:00:00Z")
        held = ledger.keeping("2040-01-01T00:00:00Z")
        assert {(row.allowed, row.since) for row in held.values()} == {(False, None)}
        ledger.tell("hold.released", "A/hold/h", "2040-06-01T08:00:00Z")
        released = parse_instant("2040-06-01T08:00:00Z")
        assert not ledger.keeping(released - MICROSECOND)["mail"].allowed
        assert ledger.keeping(released)["mail"].allowed
