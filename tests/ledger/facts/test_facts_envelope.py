"""What comes in, what is refused and in which words, and what a leaf is."""

from __future__ import annotations

import json
import time
import tomllib
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

import ledger.facts  # noqa: F401 - fills the catalogue
from ledger.errors import MalformedFactError
from ledger.facts.catalogue import TYPES
from ledger.facts.envelope import (
    LONGEST_LEAF_BYTES,
    Draft,
    decode,
    encode,
    parse_events,
    parse_request,
)
from ledger.facts.personal import addresses_in
from ledger.facts.strict_json import parse_json

VECTORS = tomllib.loads((Path(__file__).parents[2] / "vectors" / "leaves.toml").read_text("utf-8"))
SALT = "A" * 22
RESERVE: dict[str, Any] = {
    "specversion": "1.0", "id": "r-1", "source": "/mail",
    "type": "reserve.notified", "subject": "A/reserve/1",
    "data": {
        "service": "fcu", "unavailable_from": "2021-06-01T10:10:00+02:00",
        "unavailable_to": "2021-06-01T08:40:00Z", "reason": "Panne",
    },
}  # fmt: skip
ENTRY = {
    "service": "fcu", "from": "2021-06-01T08:00:00Z", "to": "2021-06-01T09:10:03.25Z", "quantity": "4203.25",
    "unit": "second",
}  # fmt: skip


def seal(_retention: str, _value: str) -> str:
    """A commitment of the right form."""
    return "~" + "A" * 43


def leaf_of(event: dict[str, Any]) -> bytes:
    """The leaf of one event, with a known salt."""
    (draft,) = parse_events([event])
    return encode({**draft.content(seal), "salt": SALT})


def refused_or_read(read: Callable[[Any], list[Draft]], given: Any) -> str | list[Draft]:
    """The drafts that were read, or the refusal in words; no other error is caught."""
    try:
        return read(given)
    except MalformedFactError as error:
        return str(error)


def rules(error: pytest.ExceptionInfo[MalformedFactError]) -> set[tuple[str, str]]:
    """The (field, rule) of every flaw of a refusal."""
    return {(flaw.field, flaw.rule) for flaw in error.value.flaws}


class TestRequest:
    """Bytes of a request."""

    @pytest.mark.parametrize("vector", VECTORS["request"], ids=lambda vector: vector["name"])
    def test_json_that_could_be_read_in_two_ways_is_refused(self, vector: dict[str, str]) -> None:
        """The rule that was broken is named."""
        body = vector["body"].replace("@", json.dumps(RESERVE)[1:-1])
        with pytest.raises(MalformedFactError) as error:
            parse_request(body.encode())
        assert {flaw.rule for flaw in error.value.flaws} == {vector["rule"]}

    @pytest.mark.parametrize(
        ("body", "rule"),
        [
            (b'{"a": "\xff"}', "json.utf8"),
            (b"\xff\xfe{\x00}\x00", "json.utf8"),
            (b"[" * 200_000, "json.depth"),
        ],
    )
    def test_bytes_that_no_text_can_show_are_refused(self, body: bytes, rule: str) -> None:
        """Broken UTF-8, another encoding, and nesting without end."""
        with pytest.raises(MalformedFactError) as error:
            parse_json(body)
        assert error.value.flaws[0].rule == rule

    def test_every_flaw_of_every_fact_is_told_at_once(self) -> None:
        """One answer names all that must be mended, each by its fact."""
        wrong = {**RESERVE, "id": "r-2", "subject": "A", "data": {"service": "", "odd": 1}}
        with pytest.raises(MalformedFactError) as error:
            parse_events([RESERVE, wrong, "fact"])
        assert [(flaw.fact, flaw.field) for flaw in error.value.flaws] == [
            ("r-2", "/subject"), ("r-2", "/data/service"), ("r-2", "/data/odd"), ("#2", ""),
        ]  # fmt: skip

    @given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
    def test_no_bytes_break_the_reader(self, body: bytes) -> None:
        """Whatever arrives is read or refused; no other error escapes."""
        assert refused_or_read(parse_request, body)

    @given(
        st.dictionaries(
            st.sampled_from([*RESERVE, "mail", "time", "history", "datacontenttype", "x"]),
            st.recursive(
                st.none()
                | st.booleans()
                | st.integers()
                | st.text(max_size=5)
                | st.sampled_from(sorted(TYPES)),
                lambda inner: (
                    st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
                ),
                max_leaves=6,
            ),
        )
    )
    def test_no_event_breaks_the_reader(self, event: dict[str, Any]) -> None:
        """Attributes of any JSON type are read or refused; no other error escapes."""
        assert refused_or_read(parse_events, [{**RESERVE, **event}])


class TestEnvelope:
    """CloudEvents attributes."""

    @pytest.mark.parametrize(
        ("vector", "value"),
        [(vector, value) for vector in VECTORS["attribute"] for value in vector["values"]],
        ids=lambda part: part if isinstance(part, str) else part["name"],
    )
    def test_a_wrong_attribute_is_named_with_its_rule(self, vector: dict[str, str], value: str) -> None:
        """The flaw names the attribute, and the rule."""
        escaped = value.replace("\n", "\\n").replace("\0", "\\u0000")
        event = {**RESERVE, vector["name"]: json.loads(escaped)}
        with pytest.raises(MalformedFactError) as error:
            parse_events([event])
        assert (vector["field"], vector["rule"]) in rules(error)

    def test_a_fact_cannot_have_its_time_from_a_mail_and_as_history(self) -> None:
        """The two ways to a legal time exclude each other."""
        event = {**RESERVE, "history": True, "time": "2020-01-01T00:00:00Z", "mail": "A/mail/1"}
        with pytest.raises(MalformedFactError, match="not both"):
            parse_events([event])

    def test_data_may_be_left_out_when_nothing_is_required(self) -> None:
        """account.validated needs no data."""
        (draft,) = parse_events([{**RESERVE, "type": "account.validated", "subject": "A", "data": {}}])
        (bare,) = parse_events(
            [
                {key: value for key, value in RESERVE.items() if key != "data"}
                | {"type": "account.validated", "subject": "A"}
            ]
        )
        assert draft.data == bare.data == {}

    def test_a_subject_segment_has_at_most_128_characters(self) -> None:
        """128 pass, 129 do not."""
        parse_events([{**RESERVE, "subject": f"A/reserve/{'x' * 128}"}])
        with pytest.raises(MalformedFactError):
            parse_events([{**RESERVE, "subject": f"A/reserve/{'x' * 129}"}])


class TestData:
    """The data of a fact."""

    @pytest.mark.parametrize(
        "vector", VECTORS["data"], ids=lambda vector: f"{vector['type']} {vector['field']} {vector['rule']}"
    )
    def test_wrong_data_are_named_by_field_and_rule(self, vector: dict[str, Any]) -> None:
        """The flaw points at the field, by JSON pointer, with a stable rule."""
        data = vector["data"] if "data" in vector else {"entries": [{**ENTRY, **vector["entry"]}]}
        event = {**RESERVE, "type": vector["type"], "subject": vector["subject"], "data": data}
        with pytest.raises(MalformedFactError) as error:
            parse_events([event])
        assert rules(error) == {(vector["field"], vector["rule"])}

    @pytest.mark.parametrize("text", ["a\ud800", "\udfff"])
    def test_a_lone_surrogate_is_no_text(self, text: str) -> None:
        """JSON can spell it, UTF-8 cannot."""
        with pytest.raises(MalformedFactError):
            parse_events([{**RESERVE, "data": {"reason": text}}])

    def test_a_refusal_is_said_in_words(self) -> None:
        """No regular expression and no library's jargon: what the field must be, and what was given."""
        data = {"entries": [{**ENTRY, "quantity": "-5"}]}
        with pytest.raises(MalformedFactError) as error:
            parse_events(
                [{**RESERVE, "type": "consumption.recorded", "subject": "A/consumption/1", "data": data}]
            )
        assert str(error.value) == (
            'fact r-1 /data/entries/0/quantity: quantity must be a decimal string such as "4203.25", not '
            "negative, at most 30 digits and 18 decimals (given: '-5') [shape.decimal]"
        )

    def test_decimals_stay_as_they_were_written(self) -> None:
        """Trailing noughts are kept: 99.980 is not 99.98 in the record."""
        data = {"entries": [{**ENTRY, "quantity": "3600.500"}]}
        event = {**RESERVE, "type": "consumption.recorded", "subject": "A/consumption/1", "data": data}
        assert json.loads(leaf_of(event))["data"]["entries"][0]["quantity"] == "3600.500"

    def test_a_date_and_an_instant_stay_what_they_were(self) -> None:
        """Where either may stand, a date stays a date and an instant becomes UTC."""
        data = {"total": "1.00", "period": {"from": "2021-06-01", "to": "2021-07-01T00:00:00+02:00"}}
        event = {**RESERVE, "type": "invoice.issued", "subject": "A/invoice/1", "data": data}
        period = json.loads(leaf_of(event))["data"]["period"]
        assert period == {"from": "2021-06-01", "to": "2021-06-30T22:00:00.000000Z"}
        model: Any = TYPES["invoice.issued"].model.model_validate({"total": "1.00", "period": period})
        assert model.period.from_ == date(2021, 6, 1)
        assert not isinstance(model.period.from_, datetime)
        assert model.period.to == datetime(2021, 6, 30, 22, tzinfo=UTC)
        assert model.total == Decimal("1.00")

    def test_a_field_said_to_be_its_default_is_left_out(self) -> None:
        """So that one fact has one form, whether its producer spells defaults or not."""
        spelt = {"total": "1.00", "due": "on_receipt", "direct_debit": False, "lines": [], "net": None}
        event = {**RESERVE, "type": "invoice.issued", "subject": "A/invoice/1"}
        assert leaf_of({**event, "data": spelt}) == leaf_of({**event, "data": {"total": "1.00"}})


class TestLeaf:
    """Bytes that are kept for ever."""

    @pytest.mark.parametrize("vector", VECTORS["leaf"], ids=lambda vector: vector["name"])
    def test_bytes_that_the_ledger_would_not_have_written_are_refused(self, vector: dict[str, str]) -> None:
        """Each names the rule that it breaks."""
        leaf = leaf_of(RESERVE).decode()
        assert vector["from"] in leaf
        with pytest.raises(MalformedFactError) as error:
            decode(leaf.replace(vector["from"], vector["to"]).encode())
        assert vector["rule"] in {flaw.rule for flaw in error.value.flaws}

    def test_a_leaf_is_read_back_as_it_is(self) -> None:
        """Decoding and encoding gives the same bytes."""
        leaf = leaf_of(RESERVE)
        assert encode(decode(leaf)) == leaf

    def test_the_longest_leaf_has_65535_bytes(self) -> None:
        """One byte more is refused, with the way out."""
        room = LONGEST_LEAF_BYTES - len(encode({"data": ""}))
        assert len(encode({"data": "x" * room})) == LONGEST_LEAF_BYTES
        with pytest.raises(MalformedFactError, match="split it"):
            encode({"data": "x" * (room + 1)})

    @given(
        st.dictionaries(
            st.text(st.characters(max_codepoint=127), max_size=8),
            st.recursive(
                st.integers(-(2**53) + 1, 2**53 - 1) | st.booleans() | st.none()
                | st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
                lambda inner: st.lists(inner, max_size=4)
                | st.dictionaries(st.text(st.characters(max_codepoint=127), max_size=8), inner, max_size=4),
                max_leaves=20,
            ),
            max_size=6,
        )
    )  # fmt: skip
    def test_the_bytes_are_those_of_rfc_8785(self, value: dict[str, Any]) -> None:
        """An independent implementation of the standard writes the same."""
        assert encode(value) == rfc8785.dumps(value)


def test_a_thousand_facts_are_read_quickly() -> None:
    """A batch of 1,000 facts takes well under 200 ms of a slow machine's time (100,000 in under 20 s)."""
    event = {
        **RESERVE,
        "type": "consumption.recorded",
        "subject": "A/consumption/1",
        "data": {"entries": [ENTRY]},
    }
    body = json.dumps([{**event, "id": f"c-{number}"} for number in range(1_000)]).encode()
    started = time.process_time()
    drafts = parse_request(body)
    leaves = [encode({**draft.content(seal), "salt": SALT}) for draft in drafts]
    assert time.process_time() - started < 0.2
    assert len(leaves) == 1_000


class TestStrictJson:
    """What breaks a rule of strict JSON (RFC 7493) is named by fact, field and rule."""

    @pytest.mark.parametrize(
        ("body", "told"),
        [
            (
                '{"id":"a","data":{"entries":[{"quantity":1.5}]}}',
                [("a", "/data/entries/0/quantity", "json.float")],
            ),
            ('{"id":"a","data":{"x":NaN}}', [("a", "/data/x", "json.float")]),
            ('[{"id":"a"},{"id":"b","id":"b"}]', [("b", "/id", "json.duplicate_key")]),
            ('[{"id":"a"},{"data":{"é/~":1}}]', [("#1", "/data/é~1~0", "json.ascii_key")]),
            ('{"id":"a","n":9007199254740992}', [("a", "/n", "json.integer")]),
            (
                '[{"id":"a","x":1.0},{"id":"b","x":2.0}]',
                [("a", "/x", "json.float"), ("b", "/x", "json.float")],
            ),
            ("[1.5]", [("#0", "", "json.float")]),
            ('{"a":', [("request", "", "json.syntax")]),
            ("[" * 100_000, [("request", "", "json.depth")]),
        ],
    )
    def test_fact_field_and_rule(self, body, told):
        """Each flaw says which fact, by its id or place, and which field, by its JSON pointer."""
        with pytest.raises(MalformedFactError) as refused:
            parse_json(body.encode())
        assert [(flaw.fact, flaw.field, flaw.rule) for flaw in refused.value.flaws] == told


class TestAddresses:
    """The addresses in a header of a mail."""

    @pytest.mark.parametrize(
        ("header", "addresses"),
        [
            ("a@x.example", ["a@x.example"]),
            ("Client SAS <a@X.example>", ["a@x.example"]),
            ('"Client, of <b@y.example>" <a@x.example>', ["a@x.example"]),
            ("b@y.example <a@x.example>", ["a@x.example"]),
            ("a@x.example, B <b@y.example>", ["a@x.example", "b@y.example"]),
            ("Team: a@x.example, b@y.example;", ["a@x.example", "b@y.example"]),
            ("(b@y.example) a@x.example (Client)", ["a@x.example"]),
            ("=?utf-8?q?b=40y.example=2C?= <a@x.example>", ["a@x.example"]),
            ("Client SAS", []),
            ("", []),
        ],
    )
    def test_what_stands_in_a_header(self, header: str, addresses: list[str]) -> None:
        """Only addresses, never a display name or a comment that looks like one (RFC 5322 §3.4)."""
        assert addresses_in(header) == addresses
