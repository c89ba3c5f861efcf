"""The two readers of a request's JSON: the fast one gives what the careful one gives, or nothing."""

from __future__ import annotations

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ledger.errors import MalformedFactError
from ledger.facts.strict_json import parse_json, read_plainly, read_with_care

_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)
_FRAGMENTS = st.lists(
    st.sampled_from([
        "{", "}", "[", "]", ",", ":", '"', '"a"', '"a":', '"b":', "1", "1.5", "-0", "0.0", "1e5", "12345678901234567",
        "9007199254740991", "9007199254740992", " ", "null", "true", "\\u0061", '"\\ud800"', '"é"', "NaN",
        '"x":",5.0"', '"a\\":1.5"',
    ]),
    max_size=12,
).map("".join)  # fmt: skip


def _careful(body: bytes) -> object:
    try:
        return read_with_care(body)
    except MalformedFactError as error:
        return error.flaws


@given(_VALUES, st.sampled_from([None, (",", ":")]), st.booleans())
def test_json_is_read_alike(value: object, separators: tuple[str, str] | None, ascii_only: bool) -> None:
    """Whatever JSON a program writes: what the fast reader takes, the careful one reads alike."""
    body = json.dumps(value, separators=separators, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
    told = read_plainly(body)
    assert told is None or (told, str(told)) == (_careful(body), str(_careful(body)))


@given(_FRAGMENTS)
@example('{"a":1,"a":1}')
@example('{"a":{"b":1,"b":2}}')
@example('{"a":1.0}')
@example("[1.0]")
@example('["x",1.0]')
@example("1.5")
def test_what_only_resembles_json(text: str) -> None:
    """Whatever else is sent: the fast reader takes nothing that the careful one refuses or reads otherwise."""
    told = read_plainly(text.encode())
    assert told is None or (told, str(told)) == (_careful(text.encode()), str(_careful(text.encode())))


@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": ")])
def test_both_readers_are_used(separators: tuple[str, str]) -> None:
    """JSON without white space is read fast, any other with care; both give the same facts."""
    facts = [{"id": "a", "data": {"quantity": "1.5", "n": 3, "at": "2021-06-01T08:00:00.5Z"}}]
    body = json.dumps(facts, separators=separators).encode()
    assert (read_plainly(body) is None) is (separators == (", ", ": "))
    assert parse_json(body) == facts
