"""The kinds of field that facts are made of, and the base of their models.

Every field is checked as text, strictly, and written back in one way only, so that the leaf of a
fact is unambiguous (``proof.md``, Leaf; RFC 8785). Instants become UTC with six decimals; decimals
stay exactly as their producer wrote them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any, Literal, LiteralString, get_args, get_origin

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    StringConstraints,
)
from pydantic_core import CoreSchema, core_schema

from ledger import instants

if TYPE_CHECKING:
    from pydantic.json_schema import JsonSchemaValue

Retention = Literal["relation", "identity", "billing", "mail"]
"""How long a personal value is kept: the contract + 1 year (art. 14.2.2), as the decree says (18.3),
10 years (18.3), or as long as the mail it came in."""

SEGMENT = r"[A-Za-z0-9._~-]{1,128}"
NON_NEGATIVE_DECIMAL = r"^(0|[1-9][0-9]{0,29})(\.[0-9]{1,18})?$"
SIGNED_DECIMAL = (
    r"^((0|-?[1-9][0-9]{0,29})(\.[0-9]{1,18})?|-0\.0{0,17}[1-9][0-9]{0,17})$"  # no minus before nil
)
PERCENT = r"^(100(\.0{1,18})?|[1-9]?[0-9](\.[0-9]{1,18})?)$"
LARGEST_INTEGER = 2**53 - 1
"""The largest integer that every JSON reader keeps exactly (RFC 7493)."""

EARLIEST, LATEST = date(1900, 1, 1), date(2999, 12, 31)
"""The days that a fact may speak of: room for every delay, so that no later computation overflows."""


class FactModel(BaseModel):
    """The data of one type of fact: no unknown field, no coercion, never changed once read."""

    model_config = ConfigDict(
        extra="forbid", strict=True, frozen=True, validate_by_name=False, validate_by_alias=True
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Words:
    """Says in words what a field must be, in place of pydantic's own message."""

    rule: LiteralString
    message: LiteralString

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:  # noqa: ANN401
        return self.around(handler(source))

    def around(self, schema: CoreSchema) -> CoreSchema:
        """The same schema, refusing in these words."""
        return core_schema.custom_error_schema(schema, self.rule, custom_error_message=self.message)


@dataclass(frozen=True, slots=True, eq=False)
class _Text:
    """A string that must match a pattern and is then read as another type, all in one pass."""

    pattern: str
    then: CoreSchema
    write: Any
    json_schema: dict[str, Any]
    words: _Words

    def __get_pydantic_core_schema__(self, _source: Any, _handler: GetCoreSchemaHandler) -> CoreSchema:  # noqa: ANN401
        return self.words.around(
            core_schema.chain_schema(
                [core_schema.str_schema(pattern=self.pattern, strict=True), self.then],
                serialization=core_schema.plain_serializer_function_ser_schema(
                    self.write, when_used="json", return_schema=core_schema.str_schema()
                ),
            )
        )

    def __get_pydantic_json_schema__(
        self, _schema: CoreSchema, _handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {"type": "string", "pattern": self.pattern, **self.json_schema}


def _as_written(number: Decimal) -> str:
    return format(number, "f")


def _decimal(pattern: str, words: _Words, *examples: str) -> _Text:
    return _Text(
        pattern, core_schema.decimal_schema(strict=False), _as_written, {"examples": list(examples)}, words
    )


_INSTANT = _Words(
    "instant",
    "must be an instant with an offset and at most six decimals, such as 2021-06-01T08:00:00Z "
    "(RFC 3339), of the years 1900 to 2999",
)
_DAY = _Words("day", "must be a calendar date such as 2021-06-01, of the years 1900 to 2999")

Instant = Annotated[
    datetime,
    _Text(
        instants.RFC3339_PATTERN,
        core_schema.datetime_schema(
            strict=False,
            tz_constraint="aware",
            microseconds_precision="error",
            ge=instants.utc_midnight(EARLIEST),
            lt=instants.utc_midnight(LATEST),
        ),
        instants.canonical,
        {"format": "date-time", "examples": ["2021-06-01T08:00:00Z"]},
        _INSTANT,
    ),
]
"""An RFC 3339 instant with an offset; stored in UTC with six decimals."""


def _day_or_instant_as_written(day: date) -> str:
    """A union of the two writes an instant by its first member too, and an instant is also a ``date``."""
    return instants.canonical(day) if isinstance(day, datetime) else day.isoformat()


Day = Annotated[
    date,
    _Text(
        r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$",
        core_schema.date_schema(strict=False, ge=EARLIEST, le=LATEST),
        _day_or_instant_as_written,
        {"format": "date", "examples": ["2021-06-01"]},
        _DAY,
    ),
]
"""A calendar date, of Europe/Paris wherever the contract counts days."""

DayOrInstant = Annotated[
    Day | Instant,
    _Words(
        "day_or_instant",
        "must be a calendar date such as 2021-06-01, or an instant with an offset such as "
        "2021-06-01T08:00:00Z, of the years 1900 to 2999",
    ),
]
"""A date (then it means the whole Paris day) or an instant, kept as written."""

Quantity = Annotated[
    Decimal,
    _decimal(
        NON_NEGATIVE_DECIMAL,
        _Words(
            "decimal",
            'must be a decimal string such as "4203.25", not negative, at most 30 digits and 18 decimals',
        ),
        "4203.25",
    ),
]
"""A quantity that is never negative, as a decimal string; its unit is said beside it."""

Amount = Annotated[
    Decimal,
    _decimal(
        NON_NEGATIVE_DECIMAL,
        _Words(
            "decimal",
            'must be a decimal string such as "1200.00", not negative, at most 30 digits and 18 decimals',
        ),
        "1200.00",
    ),
]
"""An amount of money that is never negative, as a decimal string; its currency is said beside it."""

Rate = Annotated[
    Decimal,
    _decimal(
        SIGNED_DECIMAL,
        _Words("rate", 'must be a rate in percent per year as a decimal string, such as "-0.50" or "4.25"'),
        "-0.50",
        "4.25",
    ),
]
"""A rate in percent per year, as a signed decimal string: the ECB's rates have been negative."""

Percent = Annotated[
    Decimal,
    _decimal(PERCENT, _Words("percent", 'must be a percentage from "0" to "100" as a decimal string'), "50"),
]
"""A part of the whole, in percent, as a decimal string."""

Whole = Annotated[
    int,
    Field(ge=0, le=LARGEST_INTEGER),
    _Words("whole", "must be a whole number from 0 to 2^53 - 1, without quotes"),
]
"""A number of things, or a number counted from 0."""

Count = Annotated[
    int,
    Field(ge=1, le=LARGEST_INTEGER),
    _Words("count", "must be a whole number from 1 to 2^53 - 1, without quotes"),
]
"""A number of things, one at the least."""

Currency = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Z]{3}$"),
    _Words("currency", 'must be a currency code of ISO 4217, such as "EUR"'),
]
"""An ISO 4217 code."""

Name = Annotated[
    str,
    StringConstraints(pattern=r"^[\x21-\x7e]([\x20-\x7e]{0,254}[\x21-\x7e])?$"),
    _Words("name", "must be a technical name: 1 to 256 printable ASCII characters, no space at either end"),
]
"""A technical name (a service, a resource, a Region): printable ASCII, never a person's."""

Segment = Annotated[
    str,
    StringConstraints(pattern=rf"^{SEGMENT}$"),
    _Words("segment", "must be one segment of a subject: 1 to 128 letters, digits or . _ ~ -"),
]
"""One segment of a subject, such as an account."""

Subject = Annotated[
    str,
    StringConstraints(pattern=rf"^{SEGMENT}(/{SEGMENT}){{0,3}}$", max_length=515),
    _Words(
        "subject",
        "must be the subject of a fact, such as ACC-1/reserve/R-1: segments of letters, digits or . _ ~ -",
    ),
]
"""The subject of another fact."""

Sha256 = Annotated[
    str,
    StringConstraints(pattern=r"^[0-9a-f]{64}$"),
    _Words("sha256", "must be a SHA-256 digest: 64 lower-case hexadecimal digits"),
]
"""A SHA-256 digest in lower-case hexadecimal."""

Base64 = Annotated[
    str,
    StringConstraints(
        pattern=r"^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$",
        min_length=4,
        max_length=49_152,
    ),
    _Words("base64", "must be bytes in base64 with padding (RFC 4648), at most 49,152 characters"),
]
"""Bytes, such as a timestamp token, in base64."""

VerifierKey = Annotated[
    str,
    StringConstraints(pattern=r"^[!-~]{1,4096}$"),
    _Words("verifier_key", "must be a verifier key as C2SP signed-note writes it: NAME+ID+KEY"),
]
"""A C2SP verifier key (vkey): public, and longer than a name may be when it is post-quantum."""

Party = Literal["client", "outscale"]
"""Which party acted."""


@dataclass(frozen=True, slots=True)
class Personal:
    """Marks a field that identifies a person: its value never enters a leaf, a commitment does.

    ``address`` asks the edge to check that the value is an e-mail address; the model cannot, since it
    also reads leaves, where the commitment stands.
    """

    retention: Retention
    address: bool = False

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """The field's schema, marked with its retention class."""
        return {**handler(schema), "x-personal": self.retention}


ADDRESS = re.compile(r"[^\s@<>,;\x00-\x1f]{1,64}@[^\s@<>,;\x00-\x1f]{1,255}\Z")
"""What an e-mail address looks like (RFC 5321 §4.5.3.1, quoted local parts left out)."""

_TEXT = _Words("text", "must be a text of 1 to 8,192 characters")

Address = Annotated[
    str,
    StringConstraints(min_length=3, max_length=320),
    _Words("address", "must be an e-mail address of the form name@domain (RFC 5321), at most 320 characters"),
    Personal("relation", address=True),
]
"""An e-mail address (RFC 5321 mailbox); kept with the relation, so that equal addresses stay equal."""

RelationText = Annotated[str, StringConstraints(min_length=1, max_length=8192), _TEXT, Personal("relation")]
IdentityText = Annotated[str, StringConstraints(min_length=1, max_length=8192), _TEXT, Personal("identity")]
BillingText = Annotated[str, StringConstraints(min_length=1, max_length=8192), _TEXT, Personal("billing")]
MailText = Annotated[
    str,
    StringConstraints(min_length=1, max_length=65536),
    _Words("text", "must be a text of 1 to 65,536 characters"),
    Personal("mail"),
]

PersonalPath = tuple[str, ...]
"""Where personal values lie in the data: field names as stored, ``*`` for each item of a list or map."""


def personal_paths(model: type[BaseModel]) -> dict[PersonalPath, Personal]:
    """Every place of a model that holds a personal value, with its mark."""
    found: dict[PersonalPath, Personal] = {}
    for name, field in model.model_fields.items():
        stored_name = field.alias or name
        marks = [mark for mark in field.metadata if isinstance(mark, Personal)]
        annotation = Annotated[field.annotation, *marks] if marks else field.annotation
        _collect(annotation, (stored_name,), found)
    return found


def _collect(annotation: Any, path: PersonalPath, found: dict[PersonalPath, Personal]) -> None:  # noqa: ANN401
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        for mark in arguments[1:]:
            if isinstance(mark, Personal):
                found[path] = mark
        _collect(arguments[0], path, found)
    elif origin in (list, tuple):
        _collect(arguments[0], (*path, "*"), found)
    elif origin is dict:
        _collect(arguments[1], (*path, "*"), found)
    elif isinstance(annotation, type) and issubclass(annotation, BaseModel):
        found.update({(*path, *rest): mark for rest, mark in personal_paths(annotation).items()})
    else:
        for argument in arguments:
            _collect(argument, path, found)
