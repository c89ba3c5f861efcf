"""What is wrong with the data of a fact, said so that a newcomer can mend it.

pydantic names the place and the kind of each problem; here the place becomes a JSON pointer (RFC 6901)
and the kind a short stable rule with a sentence.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ledger.errors import Flaw

if TYPE_CHECKING:
    from pydantic import ValidationError
    from pydantic_core import ErrorDetails

_LONGEST_SHOWN = 80
_WORDS = {
    "missing": ("missing", "is required"),
    "extra_forbidden": ("unknown", "is not a field of this type of fact"),
    "model_type": ("object", "must be a JSON object"),
    "dict_type": ("object", "must be a JSON object"),
    "list_type": ("list", "must be a list"),
    "bool_type": ("bool", "must be true or false, without quotes"),
    "int_type": ("integer", "must be a whole number, without quotes"),
    "string_type": ("string", "must be a string"),
    "string_unicode": ("string", "must be Unicode text: a lone surrogate is none"),
    "greater_than_equal": ("too_small", "must be {ge} or more"),
    "less_than_equal": ("too_large", "must be {le} or less"),
    "too_short": ("empty", "must have at least {min_length} item"),
    "literal_error": ("choice", "must be {expected}"),
}
"""pydantic's kinds of problem, as (rule, sentence)."""


def flaws_of(error: ValidationError, given: Any, name: str) -> list[Flaw]:  # noqa: ANN401 - JSON
    """Every problem of the data ``given`` for the fact ``name``; one flaw for each place."""
    places: dict[str, list[ErrorDetails]] = {}
    for problem in error.errors(include_url=False):
        pointer = "/data" + "".join(_steps(problem["loc"], given))
        places.setdefault(pointer, []).append(problem)
    return [_flaw(pointer, problems, name) for pointer, problems in places.items()]


def _steps(location: tuple[int | str, ...], given: Any) -> Iterator[str]:  # noqa: ANN401 - JSON
    """The steps that are fields or items of what was given; pydantic also names branches of unions."""
    node = given
    for step in location:
        if isinstance(node, list) and isinstance(step, int):
            node = node[step]
        elif isinstance(node, dict) and isinstance(step, str) and step != "[key]":
            node = node.get(step)
        else:
            return
        yield "/" + escaped(str(step))


def escaped(step: str) -> str:
    """One step of a JSON pointer (RFC 6901, 3)."""
    return step.replace("~", "~0").replace("/", "~1")


def _flaw(pointer: str, problems: list[ErrorDetails], name: str) -> Flaw:
    worded = [_worded(problem) for problem in problems]
    rule, sentence = worded[0]
    for _, alternative in worded[1:]:
        sentence += " or " + alternative.removeprefix("must be ")
    kind = problems[0]["type"]
    ending = "" if kind == "missing" else f" (given: {_shown(problems[0]['input'])})"
    whose = f"{_named(pointer)} " if sentence.startswith(("must ", "is ")) else ""
    return Flaw(name, pointer, f"shape.{rule}", f"{whose}{sentence}{ending}")


def _named(pointer: str) -> str:
    """The field that a pointer leads to, by the words of a sentence."""
    before, _, step = pointer.rpartition("/")
    return f"item {step} of {before.rpartition('/')[2]}" if step.isdecimal() else step


def _worded(problem: ErrorDetails) -> tuple[str, str]:
    rule, sentence = _WORDS.get(problem["type"], (problem["type"], problem["msg"]))
    return rule, sentence.format(**problem.get("ctx", {})) if problem["type"] in _WORDS else sentence


def _shown(value: Any) -> str:  # noqa: ANN401 - JSON
    shown = ascii(value)
    return shown if len(shown) <= _LONGEST_SHOWN else shown[: _LONGEST_SHOWN - 3] + "..."
