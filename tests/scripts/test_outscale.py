"""OUTSCALE's own consumption format: read exactly, flagged, never corrected, never guessed."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest

from ledger.errors import WrongCallError
from ledger.facts.envelope import LONGEST_LEAF_BYTES, encode, new_salt, parse_events
from scripts.outscale import import_answers, read_answers

EXAMPLES = json.loads((Path(__file__).parents[1] / "data" / "outscale" / "osc_api_examples.json").read_text())
ANSWERS = {
    name: example["value"]
    for name, example in EXAMPLES["calls"]["ReadConsumptionAccount"]["responses"]["200"].items()
}
LINE = {
    "FromDate": "2023-06-01T00:00:00.000+0000", "ToDate": "2023-06-02T00:00:00.000+0000", "Value": 24,
    "Title": "Instance - On demand - tinav5.c4r8 high performance - par heure", "Service": "TinaOS-FCU",
    "Type": "BoxUsage:tinav5.c4r8p2", "ResourceId": "i-12345678", "SubregionName": "eu-west-2a",
}  # fmt: skip


def imported(*lines, text=None, **options):
    """Import one answer of these lines; each fact passes the edge and fits a leaf."""
    body = text or json.dumps({"ConsumptionEntries": list(lines), "Currency": "EUR"})
    done = import_answers(read_answers(body.encode()), "ACC-1", **options)
    if done.facts:
        for draft in parse_events(done.facts):
            leaf = encode({**draft.content(lambda _, value: value), "salt": new_salt()})
            assert len(leaf) <= LONGEST_LEAF_BYTES
    return done


def entries(done):
    return [entry for fact in done.facts for entry in fact["data"]["entries"]]


class TestTheRealExamples:
    def test_a_line_split_over_two_objects(self):
        """The first example's unit price stands in an object of its own: one line is made of both."""
        done = imported(text=json.dumps(ANSWERS["ex1"]))
        (entry,) = entries(done)
        told = (entry["shown_unit_price"], entry["quantity"], entry["unit"])
        assert told == (
            "0.18",
            str(1488 * 3600),
            "second",
        )
        assert any("split over two objects" in remark for remark in done.remarks)
        assert done.unreadable == []

    def test_an_inclusive_last_day(self):
        """720 hours from the 1st to « 2023-06-30 » are the whole of June: the day of ToDate belongs to it."""
        done = imported(text=json.dumps(ANSWERS["ex2"]))
        assert {entry["to"] for entry in entries(done)} == {"2023-07-01T00:00:00.000000Z"}
        assert any("inclusive" in remark for remark in done.remarks)

    def test_a_price_that_does_not_match(self):
        """720 × 0.18 is not 267.84: flagged, and kept as the API showed it."""
        done = imported(text=json.dumps(ANSWERS["ex2"]))
        assert any("267.84 is not Value × UnitPrice = 129.60" in remark for remark in done.remarks)
        assert [entry["shown_price"] for entry in entries(done)] == ["267.84", "267.84"]

    def test_more_hours_than_the_period_has(self):
        """One machine told to have run 1,488 hours in June is flagged, and kept."""
        done = imported(text=json.dumps(ANSWERS["ex2"]))
        assert any("i-87654321 ran" in remark for remark in done.remarks)

    def test_it_is_indicative(self):
        """The report says that the invoice binds (art. 15.3)."""
        assert any("invoice binds" in remark for remark in imported(LINE).remarks)


class TestDates:
    @pytest.mark.parametrize(
        ("to_date", "end"), [("exclusive", "2023-06-02"), ("inclusive", "2023-06-03"), ("auto", "2023-06-02")]
    )
    def test_as_told_or_as_documented(self, to_date, end):
        """Told what ToDate means, the importer obeys; without evidence it follows the API's documentation."""
        assert entries(imported(LINE, to_date=to_date))[0]["to"] == f"{end}T00:00:00.000000Z"

    def test_one_day_told_inclusively(self):
        """A period that ends on the day it starts can only be that whole day."""
        (entry,) = entries(imported({**LINE, "ToDate": LINE["FromDate"]}))
        assert entry["to"] == "2023-06-02T00:00:00.000000Z"

    @pytest.mark.parametrize("text", ["2023-06-01T02:00:00.000+0200", "2023-06-01", "2023-06-01T00:00:00Z"])
    def test_offsets(self, text):
        """Offsets without a colon, bare dates and Z all give the same instant."""
        (entry,) = entries(imported({**LINE, "FromDate": text}))
        assert entry["from"] == "2023-06-01T00:00:00.000000Z"

    @pytest.mark.parametrize("offset", ["+0000", "+0200", "-0500"])
    def test_an_inclusive_day_of_any_offset(self, offset):
        """Midnight in the offset that a line is told with ends its day: the day of ToDate is added."""
        line = {**LINE, "FromDate": f"2023-06-01T00:00:00{offset}", "ToDate": f"2023-06-01T00:00:00{offset}"}
        (entry,) = entries(imported(line, to_date="inclusive"))
        ends = {"+0000": "02T00", "+0200": "01T22", "-0500": "02T05"}
        assert entry["to"] == f"2023-06-{ends[offset]}:00:00.000000Z"

    def test_a_month_of_an_offset(self):
        """From the first to the last day of a month is inclusive in any offset."""
        line = {**LINE, "FromDate": "2023-06-01T00:00:00+0200", "ToDate": "2023-06-30T00:00:00+0200"}
        assert entries(imported(line))[0]["to"] == "2023-06-30T22:00:00.000000Z"

    def test_backwards(self):
        """A line that ends before it starts is named and left out; the others are imported."""
        done = imported({**LINE, "ToDate": "2023-05-01"}, LINE, to_date="exclusive")
        assert len(entries(done)) == 1
        assert "lies before" in done.unreadable[0]


class TestUnits:
    @pytest.mark.parametrize(
        ("title", "unit", "quantity"),
        [
            ("Instance - par heure", "second", "86400"),
            ("Snapshot - par Gio par mois", "GiB-month", "24"),
            ("Volume - par Go/mois", "GiB-month", "24"),
            ("Stockage - Gibioctet par mois", "GiB-month", "24"),
            ("Trafic sortant - par Gio", "GiB", "24"),
            ("Requêtes GET - par requête", "request", "24"),
            ("Requêtes GET - par millier de requêtes", "request", "24000"),
        ],
    )
    def test_told_by_the_title_alone(self, title, unit, quantity):
        """The French title alone says the unit, with or without accents."""
        for words in (title, title.replace("ê", "e")):
            (entry,) = entries(imported({**LINE, "Title": words, "Type": "Unknown:x"}))
            assert (entry["unit"], entry["quantity"]) == (unit, quantity)

    @pytest.mark.parametrize(
        ("kind", "unit"),
        [("BoxUsage:x", "second"), ("BSU:VolumeUsage:gp2", "GiB-month"), ("LBU:Usage", "second")],
    )
    def test_told_by_the_type(self, kind, unit):
        """Without a title, the catalogue's key says it."""
        line = {key: value for key, value in LINE.items() if key != "Title"}
        assert entries(imported({**line, "Type": kind}))[0]["unit"] == unit

    def test_an_unknown_unit_is_refused_by_name(self):
        """A unit told by nothing is not guessed: the line is named, the others are imported."""
        done = imported({**LINE, "Title": "IOPS", "Type": "BSU:VolumeIOPS:io1"}, LINE)
        assert len(entries(done)) == 1
        assert "BSU:VolumeIOPS:io1" in done.unreadable[0]


class TestNumbers:
    @pytest.mark.parametrize("text", ["0.1", "12345678901234567890.123", "0.000000000000000001"])
    def test_read_from_the_text(self, text):
        """Decimals are taken from the JSON text, never through a float."""
        body = json.dumps({"ConsumptionEntries": [{**LINE, "Title": "par Gio", "Value": 0}]})
        (entry,) = entries(imported(text=body.replace('"Value": 0', f'"Value": {text}')))
        assert Decimal(entry["quantity"]) == Decimal(text)
        assert entry["quantity"] == text

    @pytest.mark.parametrize("value", [-1, "24", True, None])
    def test_what_is_no_quantity(self, value):
        """A negative, textual or missing Value is named and left out."""
        assert len(imported({**LINE, "Value": value}).unreadable) == 1

    @pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity"])
    def test_what_is_no_number(self, text):
        """NaN and infinities are refused."""
        body = json.dumps({"ConsumptionEntries": [{**LINE, "Value": 0}]}).replace(
            '"Value": 0', f'"Value": {text}'
        )
        assert imported(text=body).unreadable


class TestEveryFieldIsOptional:
    @pytest.mark.parametrize("missing", sorted(LINE))
    def test_each_missing_in_turn(self, missing):
        """Without any one field the line is either imported or named; never dropped in silence."""
        done = imported({key: value for key, value in LINE.items() if key != missing})
        assert len(entries(done)) + len(done.unreadable) == 1
        assert bool(done.unreadable) == (missing in {"FromDate", "ToDate", "Value"})

    def test_an_empty_answer(self):
        """An answer without lines gives no fact and no error."""
        assert imported().facts == []

    @pytest.mark.parametrize("text", ["", "[1]", "{}", '{"ConsumptionEntries": 3}', "\x00"])
    def test_what_is_no_answer(self, text):
        """A file that is no answer is refused in a sentence."""
        with pytest.raises(WrongCallError):
            read_answers(text.encode())

    def test_an_error_of_the_api(self):
        """An error that the API answered is reported as OUTSCALE's, with its code."""
        text = b"""{"Errors": [{"Type": "AccessDenied", "Details": "The caller is unknown.", "Code": "1"}],
                    "ResponseContext": {"RequestId": "1e1b"}}"""
        with pytest.raises(WrongCallError, match=r"OUTSCALE.*code 1, AccessDenied: The caller is unknown"):
            read_answers(text)


class TestIds:
    def test_the_same_answer_is_the_same_facts(self):
        """Imported twice, and with its lines in another order, an answer gives the same facts."""
        other = {**LINE, "ResourceId": "i-2"}
        assert imported(LINE, other).facts == imported(other, LINE).facts

    def test_another_reading_of_todate_is_a_conflict(self):
        """Under another --to-date an answer bears the same ids with other content: it cannot count twice."""
        (one,), (two,) = (imported(LINE, to_date=way).facts for way in ("inclusive", "exclusive"))
        assert one["id"] == two["id"]
        assert one["data"] != two["data"]

    def test_many_lines(self):
        """A month of many resources is split into facts that fit a leaf, each entry once."""
        many = [{**LINE, "ResourceId": f"i-{number:08x}"} for number in range(1001)]
        done = imported(*many)
        assert len(done.facts) == 5
        assert len({entry["resource_id"] for entry in entries(done)}) == 1001

    def test_long_names(self):
        """Lines with long names are split by bytes, not only by number."""
        long = [
            {**LINE, "ResourceId": f"{'x' * 200}-{number}", "Type": "BoxUsage:" + "y" * 200}
            for number in range(250)
        ]
        assert len(imported(*long).facts) > 1
