"""The kinds of field that facts are made of, and the base of their models.

Every field is checked as text, strictly, and written back in one way only, so that the leaf of a
fact is unambiguous (``proof.md``, Leaf; RFC 8785). Instants become UTC with six decimals; decimals
stay exactly as their producer wrote them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler, GetJsonSchemaHandler, StringConstraints
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from ledger import instants

Retention = Literal["relation", "identity", "billing", "mail"]
"""How long a personal value is kept: the contract + 1 year (art. 14.2.2), as the decree says (18.3),
10 years (18.3), or as long as the mail it came in."""

SEGMENT = r"[A-Za-z0-9._~-]{1,128}"
NON_NEGATIVE_DECIMAL = r"^(0|[1-9][0-9]{0,29})(\.[0-9]{1,18})?$"
SIGNED_DECIMAL = r"^(-?(0|[1-9][0-9]{0,29}))(\.[0-9]{1,18})?$"


class FactModel(BaseModel):
    """The data of one type of fact: no unknown field, no coercion, never changed once read."""

    model_config = ConfigDict(
        extra="forbid", strict=True, frozen=True, validate_by_name=False, validate_by_alias=True
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Text:
    """A string that must match a pattern and is then read as another type, all in one pass."""

    pattern: str
    then: CoreSchema
    write: Any
    json_schema: dict[str, Any]

    def __get_pydantic_core_schema__(self, _source: Any, _handler: GetCoreSchemaHandler) -> CoreSchema:  # noqa: ANN401
        return core_schema.chain_schema(
            [core_schema.str_schema(pattern=self.pattern, strict=True), self.then],
            serialization=core_schema.plain_serializer_function_ser_schema(
                self.write, when_used="json", return_schema=core_schema.str_schema()
            ),
        )

    def __get_pydantic_json_schema__(
        self, _schema: CoreSchema, _handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {"type": "string", "pattern": self.pattern, **self.json_schema}


def _as_written(number: Decimal) -> str:
    return format(number, "f")


Instant = Annotated[
    datetime,
    _Text(
        instants.RFC3339_PATTERN,
        core_schema.datetime_schema(strict=False, tz_constraint="aware", microseconds_precision="error"),
        instants.canonical,
        {"format": "date-time", "examples": ["2021-06-01T08:00:00Z"]},
    ),
]
"""An RFC 3339 instant with an offset; stored in UTC with six decimals."""

Day = Annotated[
    date,
    _Text(
        r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$",
        core_schema.date_schema(strict=False),
        date.isoformat,
        {"format": "date", "examples": ["2021-06-01"]},
    ),
]
"""A calendar date, of Europe/Paris wherever the contract counts days."""

DayOrInstant = Day | Instant
"""A date (then it means the whole Paris day) or an instant, kept as written."""

Quantity = Annotated[
    Decimal,
    _Text(NON_NEGATIVE_DECIMAL, core_schema.decimal_schema(strict=False), _as_written, {"examples": ["4203.25"]}),
]
"""A quantity that is never negative, as a decimal string; its unit is said beside it."""

Amount = Annotated[
    Decimal,
    _Text(NON_NEGATIVE_DECIMAL, core_schema.decimal_schema(strict=False), _as_written, {"examples": ["1200.00"]}),
]
"""An amount of money that is never negative, as a decimal string; its currency is said beside it."""

Rate = Annotated[
    Decimal,
    _Text(SIGNED_DECIMAL, core_schema.decimal_schema(strict=False), _as_written, {"examples": ["-0.50", "4.25"]}),
]
"""A rate in percent per year, as a signed decimal string: the ECB's rates have been negative."""

Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
"""An ISO 4217 code."""

Name = Annotated[str, StringConstraints(pattern=r"^[\x21-\x7e]([\x20-\x7e]{0,254}[\x21-\x7e])?$")]
"""A technical name (a service, a resource, a Region): printable ASCII, never a person's."""

Subject = Annotated[
    str, StringConstraints(pattern=rf"^{SEGMENT}(/{SEGMENT}){{0,3}}$", max_length=515)
]
"""The subject of another fact."""

Segment = Annotated[str, StringConstraints(pattern=rf"^{SEGMENT}$")]
"""One segment of a subject, such as an account."""

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
"""A SHA-256 digest in lower-case hexadecimal."""


@dataclass(frozen=True, slots=True)
class Personal:
    """Marks a field that identifies a person: its value never enters a leaf, a commitment does.

    ``address`` asks the edge to check that the value is an e-mail address; the model cannot, since it
    also reads leaves, where the commitment stands.
    """

    retention: Retention
    address: bool = False




Address = Annotated[
    str, StringConstraints(min_length=3, max_length=320), Personal("relation", address=True)
]
"""An e-mail address (RFC 5321 mailbox); kept with the relation, so that equal addresses stay equal."""

RelationText = Annotated[str, StringConstraints(min_length=1, max_length=8192), Personal("relation")]
IdentityText = Annotated[str, StringConstraints(min_length=1, max_length=8192), Personal("identity")]
BillingText = Annotated[str, StringConstraints(min_length=1, max_length=8192), Personal("billing")]
MailText = Annotated[str, StringConstraints(min_length=1, max_length=65536), Personal("mail")]


PersonalPath = tuple[str, ...]
"""Where personal values lie in the data: field names as stored, ``*`` for each item of a list or map."""


def personal_paths(model: type[BaseModel]) -> dict[PersonalPath, Personal]:
    """Every place of a model that holds a personal value, with its mark."""
    found: dict[PersonalPath, Personal] = {}
    for name, field in model.model_fields.items():
        stored_name = field.alias or name
        marks = [mark for mark in field.metadata if isinstance(mark, Personal)]
        annotation = Annotated[field.annotation, *marks] if marks else field.annotation  # type: ignore[valid-type]
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
