"""Acceptance of deliveries and reserves, through the projection, from real facts."""

from __future__ import annotations

import itertools
import tomllib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from facts_factory import in_order, recorded
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger import instants
from ledger.contract.finding import Readings, jsonable
from ledger.contract.terms import load
from ledger.errors import WrongCallError
from ledger.facts.recorded import Recorded
from projections.acceptance import ACCEPTANCE
from projections.question import Question

CASES = tomllib.loads((Path(__file__).parents[2] / "vectors/acceptance.toml").read_text(encoding="utf-8"))[
    "case"
]
NEVER = "2999-01-01T00:00:00Z"


def delivery(name: str, slices: list[str], at: str, service: str = "fcu", **more: Any) -> Recorded:
    """A delivery of slices given as ``from/to``."""
    return recorded(
        "consumption.recorded", f"ACC-1/consumption/{name}", {"entries": entries(slices, service)}, at, **more
    )


def entries(slices: list[str], service: str = "fcu") -> list[dict[str, str]]:
    """Metered entries for slices given as ``from/to``."""
    pairs = [slice_.split("/") for slice_ in slices]
    return [
        {
            "service": service,
            "resource": "tinav5.c4r8p2",
            "resource_id": "i-00000001",
            "from": start,
            "to": end,
            "quantity": "3600",
            "unit": "second",
        }
        for start, end in pairs
    ]


def reserve(
    name: str,
    stamped: str,
    unavailable: str,
    *,
    not_after: str | None = None,
    service: str | None = "fcu",
    resource_id: str | None = None,
    evidence: tuple[str, ...] = ("graph",),
    mail: bool | str = True,
) -> list[Recorded]:
    """A reserve and the mail that carried it; ``unavailable`` is ``from/to``, either may be empty."""
    start, _, end = unavailable.partition("/")
    given_data = {
        "service": service,
        "resource_id": resource_id,
        "unavailable_from": start,
        "unavailable_to": end,
        "evidence": list(evidence),
    }
    data = {key: item for key, item in given_data.items() if item}
    carrier = f"ACC-1/mail/{name}" if mail is True else mail or None
    found = []
    if mail is True:
        found.append(recorded("mail.received", str(carrier), {}, stamped, not_after=not_after))
    found.append(
        recorded(
            "reserve.notified", f"ACC-1/reserve/{name}", data, stamped, mail=carrier, not_after=not_after
        )
    )
    return found


def claim(stamped: str, period: str, reserves: list[str], not_after: str | None = None) -> Recorded:
    """A claim for a period ``from/to`` that lists reserves by name."""
    start, end = period.split("/")
    data = {"period": {"from": start, "to": end}, "reserves": [f"ACC-1/reserve/{name}" for name in reserves]}
    return recorded("sla.claimed", f"ACC-1/claim/{next(CLAIMS)}", data, stamped, not_after=not_after)


CLAIMS = itertools.count()


def ask(facts: list[Recorded], as_of: str | datetime, *chosen: str, **more: Any) -> dict[str, Any]:
    """The answer as of an instant, as JSON."""
    at = instants.parse_instant(as_of) if isinstance(as_of, str) else as_of
    known = [fact for fact in in_order(*facts) if fact.legal_time <= at]
    found: dict[str, Any] = jsonable(
        ACCEPTANCE.answer(iter(known), Question("ACC-1", at, Readings.parse(chosen), **more))
    )
    return found


def facts_of(case: dict[str, Any]) -> list[Recorded]:
    """The facts that a vector tells of."""
    service = case.get("service", "fcu")
    facts = [delivery("c", case["slices"], case["slices"][-1].split("/")[1], service)]
    for correction in case.get("corrections", ()):
        data = {"replaces": correction["replaces"], "entries": entries(correction["slices"], service)}
        facts.append(recorded("consumption.corrected", "ACC-1/consumption/c", data, correction["at"]))
    for number, row in enumerate(case.get("reserves", ())):
        told = {key: item for key, item in row.items() if key not in ("status", "withdrawn")}
        facts += reserve(str(number), **told)
        if "withdrawn" in row:
            facts.append(recorded("reserve.withdrawn", f"ACC-1/reserve/{number}", {}, row["withdrawn"]))
    for row in case.get("claims", ()):
        facts.append(
            claim(
                row["stamped"],
                row["period"],
                [str(number) for number in row["reserves"]],
                row.get("not_after"),
            )
        )
    return facts


def interval(span: dict[str, str] | None) -> str:
    """``from/to``, or nothing."""
    return "" if span is None else f"{span['from']}/{span['to']}"


class TestVectors:
    """The worked examples."""

    @pytest.mark.parametrize("case", CASES, ids=lambda case: case["why"])
    def test_case(self, case: dict[str, Any]) -> None:
        """Every worked example is concluded as it says."""
        found = ask(facts_of(case), case["as_of"], *case.get("readings", ()))
        rows = found["deliveries"]
        assert [row["status"]["value"] for row in rows] == case["deliveries"]
        assert [row["status"]["value"] for row in found["reserves"]] == [
            row["status"] for row in case.get("reserves", ())
        ]
        seen = {
            "covers": [interval(row["covers"]) for row in found["reserves"]],
            "doubtful_before": [row["doubtful_before"] for row in found["reserves"]],
            "parts": [[f"{interval(part)} {part['status']}" for part in row["parts"]] for row in rows],
            "final_from": [row["final_from"] for row in rows],
            "final_after": [row["final_after"] for row in rows],
            "entries": [row["entry"] for row in rows],
        }
        assert {key: seen[key] for key in seen if key in case} == {
            key: case[key] for key in seen if key in case
        }

    def test_quotations_are_verbatim(self) -> None:
        """Every quotation of the vectors stands in the terms."""
        text = " ".join(load().wording().split())
        assert [case["quotation"] for case in CASES if case.get("quotation", "") not in text] == []


class TestReasons:
    """What an answer rests on."""

    def test_reserve_names_its_mail_and_its_claims(self) -> None:
        """A reserve rests on its notification, the mail that carried it, and the claims that list it."""
        facts = reserve("r", "2026-03-29T08:00:00Z", "2026-03-28T08:10:00Z/2026-03-28T08:50:00Z")
        facts.append(claim("2026-04-01T00:00:00Z", "2026-03-01/2026-03-31", ["r"]))
        (row,) = ask(facts, "2026-04-02T00:00:00Z")["reserves"]
        assert [reason["type"] for reason in row["status"]["because"]] == [
            "mail.received",
            "reserve.notified",
            "sla.claimed",
        ]
        assert (row["status"]["rule"], row["status"]["article"]) == ("reserve_standing", "9.4")

    def test_lapse_is_of_article_11(self) -> None:
        """A lapsed reserve cites the article that rewrites the past."""
        facts = reserve("r", "2026-03-29T08:00:00Z", "2026-03-28T08:10:00Z/2026-03-28T08:50:00Z")
        (row,) = ask(facts, "2026-05-01T00:00:00Z")["reserves"]
        assert (row["status"]["rule"], row["status"]["article"]) == ("reserve_lapse", "11")

    def test_readings_are_carried(self) -> None:
        """An answer lists each reading that would change it, and no other."""
        facts = [delivery("c", ["2026-03-28T08:00:00Z/2026-03-28T09:00:00Z"], "2026-03-28T09:00:00Z")]
        facts += reserve("r", "2026-03-30T08:50:00Z", "2026-03-28T08:10:00Z/2026-03-28T08:50:00Z")
        found = ask(facts, "2026-03-30T08:55:00Z")
        status, row = found["reserves"][0]["status"], found["deliveries"][0]["status"]
        assert [(line["reading"], line["value"], line["primary"]) for line in status["readings"]] == [
            ("R1", "admissible", True),
            ("R1", "out_of_time", False),
        ]
        assert {line["reading"] for line in row["readings"]} == {"R1"}
        coverage = found["reserves"][0]["coverage"]
        assert {line["reading"] for line in coverage["readings"]} == {"R1", "R2"}

    def test_settled_answers_carry_none(self) -> None:
        """Where every reading agrees none is listed."""
        facts = [delivery("c", ["2026-03-28T08:00:00Z/2026-03-28T09:00:00Z"], "2026-03-28T09:00:00Z")]
        assert "readings" not in ask(facts, "2026-03-31T00:00:00Z")["deliveries"][0]["status"]

    def test_unknown_readings_are_refused(self) -> None:
        """A reading that the register does not know, or an option it does not have, is refused."""
        for choice in ("R99=1", "R2=3"):
            with pytest.raises(WrongCallError, match=choice.split("=")[0]):
                ask([], "2026-03-31T00:00:00Z", choice)


class TestMail:
    """Which mail may carry a reserve."""

    OUTAGE = "2026-03-28T08:10:00Z/2026-03-28T08:50:00Z"

    def status(self, facts: list[Recorded], as_of: str = "2026-03-29T12:00:00Z") -> str:
        """The status of the one reserve."""
        (row,) = ask(facts, as_of)["reserves"]
        found: str = row["status"]["value"]
        return found

    def test_attributed_mail(self) -> None:
        """A mail from an unknown sender carries a reserve once it is attributed to the account."""
        facts = [recorded("mail.received", "mail/m", {}, "2026-03-29T08:00:00Z")]
        facts += reserve("r", "2026-03-29T08:00:00Z", self.OUTAGE, mail="mail/m")
        assert self.status(facts) == "irregular"
        facts.append(recorded("mail.attributed", "mail/m", {"account": "ACC-1"}, "2026-03-29T10:00:00Z"))
        assert self.status(facts, "2026-03-29T09:59:59.999999Z") == "irregular"
        assert self.status(facts, "2026-03-29T10:00:00Z") == "admissible"

    def test_mail_of_another_account(self) -> None:
        """A mail attributed to another account carries no reserve of this one."""
        facts = [recorded("mail.received", "mail/m", {}, "2026-03-29T08:00:00Z")]
        facts.append(recorded("mail.attributed", "mail/m", {"account": "ACC-2"}, "2026-03-29T10:00:00Z"))
        facts += reserve("r", "2026-03-29T08:00:00Z", self.OUTAGE, mail="mail/m")
        assert self.status(facts) == "irregular"

    def test_outgoing_mail(self) -> None:
        """A notification that OUTSCALE sent carries no reserve of the client."""
        facts = reserve("r", "2026-03-29T08:00:00Z", self.OUTAGE, mail="ACC-1/notification/n")
        assert self.status(facts) == "irregular"

    def test_reserve_from_before_the_ledger(self) -> None:
        """A reserve from before the ledger cannot name a mail: its channel is asserted with its time."""
        data = {
            "service": "fcu",
            "unavailable_from": "2026-03-28T08:10:00Z",
            "unavailable_to": "2026-03-28T08:50:00Z",
            "evidence": ["graph"],
        }
        fact = recorded("reserve.notified", "ACC-1/reserve/h", data, "2026-03-29T08:00:00Z", history=True)
        assert self.status([fact]) == "admissible"


class TestPages:
    """Pages of deliveries."""

    def facts(self) -> list[Recorded]:
        """Three deliveries of two slices, the second corrected."""
        slices = ["2026-03-28T08:00:00Z/2026-03-28T09:00:00Z", "2026-03-28T09:00:00Z/2026-03-28T10:00:00Z"]
        correction = {"replaces": [1], "entries": entries([slices[0]])}
        return [
            *(delivery(name, slices, f"2026-03-28T1{place}:00:00Z") for place, name in enumerate("abc")),
            recorded("consumption.corrected", "ACC-1/consumption/b", correction, "2026-03-28T11:30:00Z"),
        ]

    def names(self, **more: Any) -> tuple[list[str], str | None]:
        """The entries of a page and what comes after it."""
        found = ask(self.facts(), "2026-03-28T13:00:00Z", **more)
        rows = [f"{row['subject'].rpartition('/')[2]}#{row['entry']}" for row in found["deliveries"]]
        return rows, found.get("next")

    def test_order(self) -> None:
        """Deliveries stand in the order of their facts, a corrected entry at its correction."""
        assert self.names() == (["a#0", "a#1", "b#0", "b#2", "c#0", "c#1"], None)

    @pytest.mark.parametrize("limit", [1, 2, 3, 4, 5, 6, 7])
    def test_pages_make_the_whole(self, limit: int) -> None:
        """Page after page gives every delivery once, and the last page says that it is the last."""
        seen: list[str] = []
        after: str | None = None
        for _ in range(20):
            rows, after = self.names(limit=limit, after=after)
            assert len(rows) <= limit
            seen += rows
            if after is None:
                break
        assert seen == ["a#0", "a#1", "b#0", "b#2", "c#0", "c#1"]

    def test_unknown_place(self) -> None:
        """A place that is none of the account's is refused by name."""
        for after in ("ACC-1/consumption/z#0", "ACC-1/consumption/a#2", "ACC-1/consumption/a", "nonsense"):
            with pytest.raises(WrongCallError, match="names no entry"):
                self.names(after=after)

    def test_correction_dated_before_its_delivery(self) -> None:
        """A correction dated before its delivery waits for it."""
        slices = ["2026-03-28T08:00:00Z/2026-03-28T09:00:00Z"]
        correction = {"replaces": [0], "entries": entries(["2026-03-28T08:00:00Z/2026-03-28T08:30:00Z"])}
        facts = [
            delivery("a", slices, "2026-03-28T10:00:00Z"),
            recorded("consumption.corrected", "ACC-1/consumption/a", correction, "2026-03-28T09:30:00Z"),
        ]
        assert ask(facts, "2026-03-28T09:45:00Z")["deliveries"] == []
        (row,) = ask(facts, "2026-03-28T10:00:00Z")["deliveries"]
        assert (row["entry"], row["to"]) == (1, "2026-03-28T08:30:00Z")

    def test_history_is_accepted_too(self) -> None:
        """Consumption from before the ledger is final 48 hours after it, however late it was recorded."""
        facts = [
            delivery("h", ["2018-03-28T08:00:00Z/2018-03-28T09:00:00Z"], "2018-03-29T00:00:00Z", history=True)
        ]
        (row,) = ask(facts, "2021-01-01T00:00:00Z")["deliveries"]
        assert row["status"]["value"] == "final"

    def test_nothing(self) -> None:
        """An account of which nothing is known has no deliveries and no reserves."""
        assert ask([], "2021-01-01T00:00:00Z") == {"deliveries": [], "reserves": []}


START = datetime(2026, 3, 27, tzinfo=UTC)
MOMENTS = st.integers(0, 14 * 24 * 4).map(lambda quarters: START + timedelta(minutes=15 * quarters))
CHOICES = st.lists(st.sampled_from(["R1=2", "R2=2", "R3=2", "R4=2", "R18=2"]), unique=True, max_size=3)


@st.composite
def stories(draw: st.DrawFn) -> list[Recorded]:
    """Slices, a correction, reserves, withdrawals and claims around two months and a clock change."""

    def span() -> str:
        start, end = sorted((draw(MOMENTS), draw(MOMENTS)))
        return f"{instants.plain(start)}/{instants.plain(min(end, start + timedelta(hours=60)))}"

    facts = [delivery("c", [span() for _ in range(3)], instants.plain(draw(MOMENTS)))]
    if draw(st.booleans()):
        data = {"replaces": [draw(st.integers(0, 2))], "entries": entries([span()])}
        facts.append(recorded("consumption.corrected", "ACC-1/consumption/c", data, draw(MOMENTS)))
    for number in range(draw(st.integers(0, 3))):
        facts += reserve(str(number), instants.plain(draw(MOMENTS)), span())
        if draw(st.integers(0, 4)) == 0:
            facts.append(recorded("reserve.withdrawn", f"ACC-1/reserve/{number}", {}, draw(MOMENTS)))
        if draw(st.booleans()):
            facts.append(claim(instants.plain(draw(MOMENTS)), "2026-03-01/2026-03-31", [str(number)]))
    return facts


class TestProperties:
    """What holds whatever happened."""

    @settings(max_examples=150)
    @given(stories(), MOMENTS, CHOICES)
    def test_parts_partition_the_slice(
        self, facts: list[Recorded], as_of: datetime, chosen: list[str]
    ) -> None:
        """The parts of a slice follow one another from its start to its end, and agree with its status."""
        for row in ask(facts, as_of, *chosen)["deliveries"]:
            parts = row["parts"]
            assert (parts[0]["from"], parts[-1]["to"]) == (row["from"], row["to"])
            assert all(one["to"] == following["from"] for one, following in itertools.pairwise(parts))
            assert all(part["from"] < part["to"] or part["from"] in (row["to"], part["to"]) for part in parts)
            statuses = {part["status"] for part in parts}
            expected = (
                "reserved"
                if "reserved" in statuses
                else "final"
                if statuses == {"final"}
                else "partly_final"
                if "final" in statuses
                else "provisional"
            )
            assert row["status"]["value"] == expected

    @settings(max_examples=150)
    @given(stories(), MOMENTS, MOMENTS, CHOICES)
    def test_final_stays_final(
        self, facts: list[Recorded], one: datetime, other: datetime, chosen: list[str]
    ) -> None:
        """With the same facts, an instant finally accepted never becomes contestable again as time passes."""
        earlier, later = sorted((one, other))
        known = [fact for fact in facts if fact.legal_time <= earlier]
        before, after = (ask(known, at, *chosen)["deliveries"] for at in (earlier, later))
        for row, same in zip(before, after, strict=True):
            final_before = {(part["from"], part["to"]) for part in row["parts"] if part["status"] == "final"}
            open_after = [part for part in same["parts"] if part["status"] != "final"]
            for start, end in final_before:
                assert not [part for part in open_after if part["from"] < end and start < part["to"]]

    @settings(max_examples=150)
    @given(stories(), MOMENTS)
    def test_a_reserve_covers_only_what_it_may(self, facts: list[Recorded], as_of: datetime) -> None:
        """An admissible reserve covers some of its outage, nothing after its stamp; another, nothing."""
        notified = {fact.subject: fact.fields["data"] for fact in facts if fact.type == "reserve.notified"}
        for row in ask(facts, as_of)["reserves"]:
            data = notified[row["subject"]]
            assert (row["covers"] is not None) == (row["status"]["value"] == "admissible")
            if row["covers"]:
                start, end = (instants.parse_instant(row["covers"][side]) for side in ("from", "to"))
                assert instants.parse_instant(data["unavailable_from"]) <= start <= end
                assert end <= min(
                    instants.parse_instant(data["unavailable_to"]), instants.parse_instant(row["stamped_at"])
                )

    @settings(max_examples=100)
    @given(stories(), MOMENTS, st.sampled_from(["R1", "R2", "R3", "R4", "R18"]))
    def test_readings_tell_the_truth(self, facts: list[Recorded], as_of: datetime, reading: str) -> None:
        """What an answer says of another reading is what one gets by choosing it."""
        primary, other = ask(facts, as_of), ask(facts, as_of, f"{reading}=2")
        for kind in ("deliveries", "reserves"):
            for row, chosen in zip(primary[kind], other[kind], strict=True):
                listed = [
                    line["value"]
                    for line in row["status"].get("readings", ())
                    if line["reading"] == reading and not line["primary"]
                ]
                assert chosen["status"]["value"] == (listed[0] if listed else row["status"]["value"])
