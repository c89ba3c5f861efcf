"""What a clause returns: a value, its rule and article, the facts it rests on, and its readings.

The explanation is the return value, so there is no trace that could drift from the result.
A clause is a pure function; ``@clause`` names it, ties it to its article and keeps it in ``CLAUSES``,
where a test finds each quotation of its docstring (between « and ») verbatim in the terms.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from functools import wraps
from typing import Any, Generic, ParamSpec, Protocol, TypeVar

from ledger import instants, money
from ledger.errors import WrongCallError

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
P = ParamSpec("P")


class Reason(Protocol):
    """A fact that a conclusion rests on (``ledger.facts.recorded.Recorded`` is one)."""

    @property
    def position(self) -> int:
        """Its 0-based leaf index."""

    @property
    def subject(self) -> str:
        """Whose history it belongs to."""

    @property
    def type(self) -> str:
        """What happened."""

    @property
    def legal_time(self) -> datetime:
        """The instant that counts (UTC)."""


@dataclass(frozen=True, slots=True)
class Reading(Generic[T]):
    """One way to read the text: its number (``R2``), its words, and the value it leads to."""

    reading: str
    text: str
    value: T
    primary: bool


@dataclass(frozen=True, slots=True)
class Conclusion(Generic[T]):
    """What a clause concludes; ``readings`` only where the text bears several."""

    value: T
    because: tuple[Reason, ...] = ()
    readings: tuple[Reading[T], ...] = ()
    rule: str = ""
    article: str = ""

    def to_json(self) -> dict[str, Any]:
        """The conclusion as the interface gives it."""
        answer: dict[str, Any] = {
            "value": jsonable(self.value),
            "rule": self.rule,
            "article": self.article,
            "because": [
                {
                    "position": reason.position,
                    "subject": reason.subject,
                    "type": reason.type,
                    "legal_time": instants.plain(reason.legal_time),
                }
                for reason in sorted(set(self.because), key=lambda reason: reason.position)
            ],
        }
        if self.readings:
            answer["readings"] = [
                {
                    "reading": reading.reading,
                    "text": reading.text,
                    "value": jsonable(reading.value),
                    "primary": reading.primary,
                }
                for reading in self.readings
            ]
        return answer


def jsonable(value: Any) -> Any:  # noqa: ANN401, PLR0911 - any value a clause may conclude, a line each
    """Write a value as answers do: instants with ``Z``, amounts as decimal strings, conclusions whole."""
    match value:
        case Conclusion():
            return value.to_json()
        case datetime():
            return instants.plain(value)
        case date():
            return value.isoformat()
        case Decimal():
            return money.text(value)
        case Mapping():
            return {str(key): jsonable(item) for key, item in value.items()}
        case str() | int() | bool() | None:
            return value
        case Iterable():
            return [jsonable(item) for item in value]
    raise TypeError(f"{type(value).__name__} has no form in an answer")


@dataclass(frozen=True, slots=True)
class Clause:
    """A clause of the register: its name, its article, and the version of the terms it codes."""

    name: str
    article: str
    since: str
    doc: str


CLAUSES: dict[str, Clause] = {}


def clause(
    article: str, *, since: str = "2021-06"
) -> Callable[[Callable[P, Conclusion[T]]], Callable[P, Conclusion[T]]]:
    """Register a pure function as the clause of ``article``; its conclusions bear its name and article."""

    def register(function: Callable[P, Conclusion[T]]) -> Callable[P, Conclusion[T]]:
        name = function.__name__
        if name in CLAUSES:
            raise TypeError(f"two clauses are named {name}")
        CLAUSES[name] = Clause(name, article, since, function.__doc__ or "")

        @wraps(function)
        def concluded(*args: P.args, **kwargs: P.kwargs) -> Conclusion[T]:
            return replace(function(*args, **kwargs), rule=name, article=article)

        return concluded

    return register


@dataclass(frozen=True, slots=True)
class Readings:
    """Which reading answers where the text bears several: the primary one, unless chosen otherwise."""

    chosen: Mapping[str, int]

    @classmethod
    def parse(cls, choices: Iterable[str]) -> Readings:
        """Read choices such as ``R2=2`` (the second reading of R2).

        Raises:
            WrongCallError: a choice is not of that form.
        """
        chosen: dict[str, int] = {}
        for choice in choices:
            name, _, number = choice.partition("=")
            if not (name[:1] == "R" and name[1:].isdecimal() and number.isdecimal() and int(number) >= 1):
                raise WrongCallError(f"{choice!r} is not a choice of reading such as R2=2")
            chosen[name] = int(number)
        return cls(chosen)

    def decide(self, reading: str, *options: tuple[str, T], because: Iterable[Reason] = ()) -> Conclusion[T]:
        """Conclude with the chosen option of ``reading``; options are (words, value), the primary first.

        The readings are listed only when they lead to different values.

        Raises:
            WrongCallError: the choice names an option that the reading does not have.
        """
        number = self.chosen.get(reading, 1)
        if number > len(options):
            raise WrongCallError(f"{reading} has {len(options)} readings, not {number}")
        listed = tuple(
            Reading(reading, words, value, primary=place == 0) for place, (words, value) in enumerate(options)
        )
        differ = any(value != options[0][1] for _, value in options[1:])
        return Conclusion(options[number - 1][1], tuple(because), listed if differ else ())


PRIMARY = Readings({})


def value_of(conclusion: Conclusion[T] | None) -> T | None:
    """The bare value of a conclusion that may be absent."""
    return None if conclusion is None else conclusion.value
