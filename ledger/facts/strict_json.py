"""JSON read strictly (RFC 7493): what breaks a rule is named by fact and field, all of it at once."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from ledger.errors import Flaw, MalformedFactError
from ledger.facts.refusals import escaped
from ledger.facts.shape import LARGEST_INTEGER

_ODD_NUMBERS = tuple(
    re.compile(before + rb"-?(?:[0-9]+[.eE]|[0-9]{16})") for before in (rb'":', rb"\[", rb",", rb"\A")
)
"""Where a float or an integer of 16 digits and more may stand in JSON without white space; each pattern
begins with bytes of its own, which are found fast."""


def parse_json(body: bytes) -> Any:  # noqa: ANN401 - any JSON value
    """Read JSON strictly: UTF-8, no duplicate key, no float, no integer beyond 2^53 - 1 (RFC 7493).

    Raises:
        MalformedFactError: every rule that was broken, as ``json.…``, with the fact and the field.
    """
    plain = read_plainly(body)
    return read_with_care(body) if plain is None else plain


def read_plainly(body: bytes) -> Any:  # noqa: ANN401 - any JSON value
    """Read what certainly breaks no rule; ``None`` when it must be read with care.

    JSON in ASCII without white space that is written back to the same bytes has no key twice, since that
    would be lost; numbers other than small integers are left to the other reader.
    """
    if not body.isascii() or any(number.search(body) for number in _ODD_NUMBERS):
        return None
    try:
        parsed = orjson.loads(body)
        return parsed if orjson.dumps(parsed) == body else None
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):
        return None


def read_with_care(body: bytes) -> Any:  # noqa: ANN401 - any JSON value
    """Read what may break a rule, and say which.

    Raises:
        MalformedFactError: every rule that was broken.
    """
    reading = _Reading()
    try:
        parsed = json.loads(
            body.decode("utf-8"),
            object_pairs_hook=reading.object,
            parse_float=reading.float,
            parse_constant=reading.float,
            parse_int=reading.integer,
        )
        if reading.found:
            raise MalformedFactError(*_flaws(parsed if isinstance(parsed, list) else [parsed]))
    except UnicodeDecodeError as error:
        raise _json_flaw("json.utf8", f"the body is not UTF-8: {error}") from error
    except RecursionError:
        raise _json_flaw("json.depth", "the body is nested too deeply") from None
    except ValueError as error:
        raise _json_flaw("json.syntax", f"the body is not JSON: {error}") from error
    return parsed


def _json_flaw(rule: str, message: str) -> MalformedFactError:
    return MalformedFactError(Flaw("request", "", rule, message))


@dataclass(frozen=True, slots=True)
class _Flawed:
    """What stands in the place of a value that breaks a rule, until it is known where that place is."""

    rule: str
    message: str


class _FlawedObject(dict[str, Any]):
    """An object some of whose keys break a rule."""

    flaws: tuple[tuple[str, _Flawed], ...] = ()


class _Reading:
    """The hooks of one reading; ``found`` says whether anything broke a rule."""

    def __init__(self) -> None:
        self.found = False

    def object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        result = dict(pairs)
        if len(result) == len(pairs) and all(key.isascii() for key in result):
            return result
        self.found = True
        keys = [key for key, _ in pairs]
        flawed = _FlawedObject(result)
        twice = dict.fromkeys(key for key in keys if keys.count(key) > 1)
        found = [(key, "json.duplicate_key", f"the key {key!r} stands twice in one object") for key in twice]
        odd = [key for key in result if not key.isascii()]
        found += [(key, "json.ascii_key", f"the key {key!r} is not ASCII") for key in odd]
        flawed.flaws = tuple((key, _Flawed(rule, message)) for key, rule, message in found)
        return flawed

    def float(self, text: str) -> _Flawed:
        self.found = True
        message = f"{text} is a float: write quantities and amounts as decimal strings"
        return _Flawed("json.float", message)

    def integer(self, text: str) -> int | _Flawed:
        digits = text.lstrip("-")
        if len(digits) > 16 or int(digits) > LARGEST_INTEGER:  # noqa: PLR2004 - 2**53 has 16 digits
            self.found = True
            return _Flawed("json.integer", f"{text} is beyond 2^53 - 1: write it as a decimal string")
        return int(text)


def _flaws(events: list[Any]) -> Iterator[Flaw]:
    """The flaws of a request, each with the fact's id, or its place, and the field's pointer."""
    for place, event in enumerate(events):
        told = event.get("id") if isinstance(event, dict) else None
        fact = told if isinstance(told, str) and told else f"#{place}"
        for pointer, flawed in _flawed_in(event, ""):
            yield Flaw(fact, pointer, flawed.rule, flawed.message)


def _flawed_in(node: Any, pointer: str) -> Iterator[tuple[str, _Flawed]]:  # noqa: ANN401 - any JSON value
    if isinstance(node, _Flawed):
        yield pointer, node
    elif isinstance(node, dict):
        if isinstance(node, _FlawedObject):
            yield from ((f"{pointer}/{escaped(key)}", flawed) for key, flawed in node.flaws)
        for key, item in node.items():
            yield from _flawed_in(item, f"{pointer}/{escaped(key)}")
    elif isinstance(node, list):
        for number, item in enumerate(node):
            yield from _flawed_in(item, f"{pointer}/{number}")
