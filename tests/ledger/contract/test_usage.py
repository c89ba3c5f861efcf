"""Metered and billed use, through the projection, from real facts."""

from __future__ import annotations

import math
import tomllib
from collections import Counter
from decimal import Decimal
from fractions import Fraction
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
from projections.question import Question
from projections.usage import MOST_CITED, USAGE

CASES = tomllib.loads((Path(__file__).parents[2] / "vectors/usage.toml").read_text(encoding="utf-8"))["case"]
RECORDED_AT = "2021-07-15T00:00:00Z"


def entry(
    told: str, subregion: str = "eu-west-2a", *, beta: bool = False, resource: str = "tinav5.c4r8p2"
) -> dict[str, Any]:
    """A metered slice told as ``START QUANTITY [UNIT]``."""
    start, quantity, unit = (*told.split(" "), "second")[:3]
    row: dict[str, Any] = {
        "service": "fcu",
        "resource": resource,
        "from": start,
        "to": "2021-12-31T23:59:59Z",
        "quantity": quantity,
        "unit": unit,
    }
    return row | ({"subregion": subregion} if subregion else {}) | ({"beta": True} if beta else {})


def price(number: int, **given_data: Any) -> Recorded:
    """A published price, of the resource and Region of ``entry`` unless it says otherwise."""
    data = {
        "service": "fcu",
        "resource": "tinav5.c4r8p2",
        "region": "eu-west-2",
        "currency": "EUR",
        **given_data,
    }
    return recorded(
        "price.published",
        f"price/{number}",
        {key: item for key, item in data.items() if item != ""},
        "2021-01-02T00:00:00Z",
    )


def opened() -> Recorded:
    """The account, in a Region of its own."""
    return recorded(
        "account.opened",
        "ACC-1",
        {"email": "client@example.com", "region": "eu-west-3"},
        "2021-01-01T00:00:00Z",
    )


def ask(facts: list[Recorded], *chosen: str) -> list[dict[str, Any]]:
    """The rows, as JSON."""
    question = Question("ACC-1", instants.parse_instant("2022-01-01T00:00:00Z"), Readings.parse(chosen))
    rows: list[dict[str, Any]] = jsonable(USAGE.answer(iter(in_order(*facts)), question))
    return rows


def facts_of(case: dict[str, Any]) -> list[Recorded]:
    """The facts that a vector tells of."""
    more = {"beta": case.get("beta", False), "subregion": case.get("subregion", "eu-west-2a")}
    facts = [opened(), *(price(number, **row) for number, row in enumerate(case.get("prices", ())))]
    metered = {"entries": [entry(told, **more) for told in case["metered"]]}
    facts.append(recorded("consumption.recorded", "ACC-1/consumption/c", metered, RECORDED_AT))
    for row in case.get("corrected", ()):
        data = {"replaces": row["replaces"], "entries": [entry(told, **more) for told in row["metered"]]}
        facts.append(recorded("consumption.corrected", "ACC-1/consumption/c", data, RECORDED_AT))
    return facts


class TestVectors:
    """The worked examples."""

    @pytest.mark.parametrize("case", CASES, ids=lambda case: case["why"])
    def test_case(self, case: dict[str, Any]) -> None:
        """Every worked example gives the rows that it says."""
        rows = ask(facts_of(case), *case.get("readings", ()))
        seen = [
            {
                "month": row["month"],
                "region": row["region"],
                "unit": row["unit"],
                "metered": row["metered"],
                "billed": row["billed"]["value"],
                "amount": row["amount"]["value"] if row["amount"] else "",
                "prices": [f"{line['from']} {line['unit_price']}" for line in row["prices"]],
            }
            for row in rows
        ]
        assert len(seen) == len(case["rows"])
        for row, expected in zip(seen, case["rows"], strict=True):
            assert {key: row[key] for key in expected} == expected

    def test_quotations_are_verbatim(self) -> None:
        """Every quotation of the vectors stands in the terms."""
        text = " ".join(load().wording().split())
        assert [case["quotation"] for case in CASES if case.get("quotation", "") not in text] == []


class TestRows:
    """What a row says beside its figures."""

    def test_names_its_clause_and_facts(self) -> None:
        """A row rests on its deliveries and the prices in force, and says which articles decide."""
        facts = facts_of(
            {
                "metered": ["2021-06-10T08:00:00Z 7200"],
                "prices": [{"effective": "2021-01-05", "unit": "second", "unit_price": "0.01"}],
            }
        )
        (row,) = ask(facts)
        assert (row["billed"]["article"], row["amount"]["article"]) == ("15.4", "15.1, 15.2")
        assert [reason["type"] for reason in row["amount"]["because"]] == [
            "price.published",
            "consumption.recorded",
        ]
        assert [reason["type"] for reason in row["billed"]["because"]] == ["consumption.recorded"]
        assert (row["currency"], row["indicative"], row["beta"]) == ("EUR", True, False)

    def test_beta_cites_its_article(self) -> None:
        """A Beta row says that it is the Beta clause which decides."""
        (row,) = ask(facts_of({"metered": ["2021-06-10T08:00:00Z 7200"], "beta": True}))
        assert (row["billed"]["article"], row["billed"]["rule"], row["beta"]) == (
            "1, 25",
            "beta_quantity",
            True,
        )

    def test_readings_are_carried(self) -> None:
        """An amount lists R9 when rounding changes it, and both figures list R21 when the month does."""
        prices = [{"effective": "2021-01-05", "unit": "second", "unit_price": "0.0001"}]
        case = {"metered": ["2021-06-30T23:00:00Z 4000", "2021-06-10T08:00:00Z 4000"], "prices": prices}
        row = ask(facts_of(case))[0]
        assert [(line["reading"], line["value"]) for line in row["billed"]["readings"]] == [
            ("R21", "8000"),
            ("R21", "4000"),
        ]
        assert [(line["reading"], line["value"]) for line in row["amount"]["readings"]] == [
            ("R21", "0.80"),
            ("R21", "0.40"),
        ]
        (row,) = ask(facts_of({"metered": ["2021-06-10T08:00:00Z 4203.25"], "prices": prices}))
        assert [(line["reading"], line["value"]) for line in row["amount"]["readings"]] == [
            ("R9", "0.42"),
            ("R9", "0.4204"),
        ]

    def test_one_row_for_each_resource_and_place(self) -> None:
        """Each month, Region and resource type has a row, whatever the subregion; rows are sorted."""
        entries = [
            entry("2021-06-10T08:00:00Z 100", subregion="eu-west-2b"),
            entry("2021-06-10T08:00:00Z 100", subregion="eu-west-2a"),
            entry("2021-06-10T08:00:00Z 100", subregion="cloudgouv-eu-west-1a"),
            entry("2021-06-10T08:00:00Z 100", resource="another"),
            entry("2021-05-10T08:00:00Z 100"),
        ]
        rows = ask(
            [recorded("consumption.recorded", "ACC-1/consumption/c", {"entries": entries}, RECORDED_AT)]
        )
        assert [(row["month"], row["region"], row["resource"], row["metered"]) for row in rows] == [
            ("2021-05", "eu-west-2", "tinav5.c4r8p2", "100"),
            ("2021-06", "cloudgouv-eu-west-1", "tinav5.c4r8p2", "100"),
            ("2021-06", "eu-west-2", "another", "100"),
            ("2021-06", "eu-west-2", "tinav5.c4r8p2", "200"),
        ]

    def test_names_no_more_deliveries_than_it_must(self) -> None:
        """A row names the first deliveries only when there are many, and still counts them all."""
        facts = [
            recorded(
                "consumption.recorded",
                f"ACC-1/consumption/{number}",
                {"entries": [entry("2021-06-10T08:00:00Z 60")]},
                RECORDED_AT,
            )
            for number in range(MOST_CITED + 20)
        ]
        (row,) = ask(facts)
        assert row["metered"] == str(60 * len(facts))
        assert len(row["billed"]["because"]) == MOST_CITED

    def test_prices_in_two_currencies(self) -> None:
        """Prices in two currencies make no amount."""
        prices = [
            {"effective": "2021-01-05", "unit": "second", "unit_price": "0.01"},
            {"effective": "2021-06-15", "unit": "second", "unit_price": "0.01", "currency": "USD"},
        ]
        (row,) = ask(
            facts_of(
                {"metered": ["2021-06-10T08:00:00Z 7200", "2021-06-20T08:00:00Z 7200"], "prices": prices}
            )
        )
        assert row["amount"] is None

    def test_later_of_two_prices_of_one_day(self) -> None:
        """Of two prices that took effect together the one published later holds."""
        prices = [
            {"effective": "2021-01-05", "unit": "second", "unit_price": "0.05"},
            {"effective": "2021-01-05", "unit": "hour", "unit_price": "36"},
        ]
        (row,) = ask(facts_of({"metered": ["2021-06-10T08:00:00Z 7200"], "prices": prices}))
        assert row["amount"]["value"] == "72.00"

    def test_correction_dated_before_its_delivery(self) -> None:
        """A correction dated before its delivery waits for it, and then replaces."""
        delivery = {"entries": [entry("2021-06-10T08:00:00Z 7200")]}
        correction = {"replaces": [0], "entries": [entry("2021-06-10T08:00:00Z 3700")]}
        facts = [
            recorded("consumption.recorded", "ACC-1/consumption/c", delivery, RECORDED_AT),
            recorded("consumption.corrected", "ACC-1/consumption/c", correction, "2021-07-01T00:00:00Z"),
        ]
        assert [row["metered"] for row in ask(facts)] == ["3700"]
        assert ask(facts[1:]) == []

    def test_nothing_and_unknown_readings(self) -> None:
        """No facts give no rows; a reading that does not exist is refused."""
        assert ask([]) == []
        with pytest.raises(WrongCallError, match="R9"):
            ask([], "R9=3")


QUANTITIES = st.decimals(0, 10**7, allow_nan=False, allow_infinity=False, places=6).map(
    lambda number: format(number, "f")
)
STARTS = st.datetimes(
    instants.datetime(2021, 5, 25), instants.datetime(2021, 7, 5), timezones=st.just(instants.UTC)
)  # type: ignore[attr-defined]
METERED = st.lists(st.tuples(STARTS, QUANTITIES), min_size=1, max_size=12)


class TestProperties:
    """What holds whatever was metered."""

    @settings(max_examples=150)
    @given(METERED, st.sampled_from(["R21=1", "R21=2"]))
    def test_billed_is_the_next_second_and_an_hour_at_least(self, metered: list[Any], chosen: str) -> None:
        """What is billed is whole, at least what was metered, less than an hour more, and an hour if used."""
        entries = [entry(f"{instants.canonical(start)} {quantity}") for start, quantity in metered]
        rows = ask(
            [recorded("consumption.recorded", "ACC-1/consumption/c", {"entries": entries}, RECORDED_AT)],
            chosen,
        )
        for row in rows:
            exact, billed = Fraction(row["metered"]), Fraction(row["billed"]["value"])
            assert billed == (max(3600, math.ceil(exact)) if exact else 0)
            assert exact <= billed < exact + 3600 or exact == billed == 0
        assert sum(Fraction(row["metered"]) for row in rows) == sum(
            Fraction(quantity) for _, quantity in metered
        )

    @settings(max_examples=100)
    @given(METERED, METERED, st.data())
    def test_corrections_replace(self, metered: list[Any], added: list[Any], data: st.DataObject) -> None:
        """A corrected delivery is counted as if its standing entries alone had been delivered."""
        old, new = (
            [entry(f"{instants.canonical(start)} {quantity}") for start, quantity in rows]
            for rows in (metered, added)
        )
        replaced = data.draw(st.lists(st.integers(0, len(old) - 1)))
        corrected = ask(
            [
                recorded("consumption.recorded", "ACC-1/consumption/c", {"entries": old}, RECORDED_AT),
                recorded(
                    "consumption.corrected",
                    "ACC-1/consumption/c",
                    {"replaces": sorted(set(replaced)), "entries": new},
                    RECORDED_AT,
                ),
            ]
        )
        standing = [row for number, row in enumerate(old) if number not in replaced] + new
        direct = ask(
            [recorded("consumption.recorded", "ACC-1/consumption/d", {"entries": standing}, RECORDED_AT)]
        )
        assert Counter(map(figures, corrected)) == Counter(map(figures, direct))


def figures(row: dict[str, Any]) -> tuple[str, Decimal, str]:
    """The month of a row and its figures, trailing zeroes aside."""
    return row["month"], Decimal(row["metered"]).normalize(), row["billed"]["value"]
