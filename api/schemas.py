"""What goes in and what comes out, as OpenAPI schemas.

The shape of facts comes from the catalogue itself: one schema per type, so that what the documentation
says of a fact is what the ledger checks.
"""

from __future__ import annotations

from functools import cache
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, RootModel
from pydantic.json_schema import models_json_schema

import ledger.facts  # noqa: F401 - fills the catalogue
from ledger.facts.catalogue import TYPES, FactType
from ledger.facts.shape import SEGMENT
from ledger.instants import RFC3339_PATTERN

REFERENCE = "#/components/schemas/{model}"
FACT = "Fact"
MEDIA_TYPES = ("application/cloudevents+json", "application/cloudevents-batch+json", "application/json")
ACCOUNT_PATTERN = f"^{SEGMENT}$"
SUBJECT_PATTERN = f"^{SEGMENT}(/{SEGMENT}){{0,3}}$"
LONGEST_SUBJECT = 515
_PLAIN_PATTERN = r"^[\x21-\x7e]{1,256}$"


class _Shape(BaseModel):
    model_config = ConfigDict(extra="forbid")


class StampShape(_Shape):
    """The mail server's stamp of the commit that holds the fact."""

    model_config = ConfigDict(title="Stamp")
    position: int
    queue_id: str
    server: str = Field(examples=["postfix:mail.example", "embedded"])
    time: str = Field(json_schema_extra={"format": "date-time"})


class ReceiptShape(_Shape):
    """What the ledger answers for one recorded fact."""

    model_config = ConfigDict(title="Receipt")
    id: str
    source: str
    subject: str
    version: int
    position: int = Field(description="0-based index of its leaf in the log")
    legal_time: str = Field(json_schema_extra={"format": "date-time"})
    leaf_hash: str = Field(pattern="^[0-9a-f]{64}$", description="SHA-256(0x00 ‖ leaf), RFC 6962")
    stamp: StampShape
    proof: str | None = Field(
        default=None, description="The .tlog-proof (C2SP tlog-proof) of the leaf, when it was asked for."
    )


class Receipts(_Shape):
    """A receipt for each fact of the request, in order."""

    receipts: list[ReceiptShape]
    checkpoint: str = Field(
        description="The log's signed checkpoint (C2SP tlog-checkpoint), once the facts are in it."
    )


class ReasonShape(_Shape):
    """A fact that a conclusion rests on."""

    model_config = ConfigDict(title="Reason")
    position: int
    subject: str
    type: str
    legal_time: str


class ReadingShape(_Shape):
    """One way to read the text, and what it leads to."""

    model_config = ConfigDict(title="Reading")
    reading: str = Field(examples=["R2"])
    text: str
    value: Any
    primary: bool


class ConclusionShape(_Shape):
    """A conclusion: value, rule, article, the facts it rests on, readings where the text bears several."""

    model_config = ConfigDict(title="Conclusion")
    value: Any
    rule: str
    article: str
    because: list[ReasonShape]
    readings: list[ReadingShape] = []


class Answer(BaseModel):
    """An answer of a projection; ``result`` is as the projection's table says.

    ``account`` is null in an answer over all accounts; ``next`` is the ``after`` of the page that follows.
    """

    account: str | None
    as_of: str
    as_of_source: Literal["host", "request"]
    known_at: str | None = None
    position: int
    terms: Any
    clock: str | None
    result: Any
    next: str | None = None


class AccountsAnswer(_Shape):
    """The accounts that the caller may read."""

    accounts: list[str]


class RecordedFact(_Shape):
    """A recorded fact; personal values are in clear while the vault has them, else commitments (``~…``)."""

    position: int
    version: int
    id: str
    source: str
    type: str
    subject: str
    time: str | None = None
    mail: str | None = None
    history: bool = False
    data: dict[str, Any]
    legal_time: str
    not_after: str
    recorded_at: str
    clock: str
    leaf_hash: str


class SubjectAnswer(_Shape):
    """Every fact of one subject, oldest first."""

    subject: str
    account: str | None
    facts: list[RecordedFact]


class Explanation(RootModel[dict[str, Any]]):
    """Every conclusion that rests on a subject."""


class LogLeaf(_Shape):
    """One leaf of the log, exactly as stored."""

    position: int
    subject: str
    version: int
    type: str
    leaf: str = Field(description="the leaf's bytes, which are UTF-8 JSON, as text")
    leaf_base64: str = Field(description="the same bytes in base64")
    leaf_hash: str


class LogPage(_Shape):
    """A page of the log, in order, stamps included; ``next`` is the ``after`` of the page that follows."""

    size: int
    leaves: list[LogLeaf]
    next: int | None


class Health(_Shape):
    """The process runs."""

    status: Literal["ok"]


class Readiness(_Shape):
    """Whether the ledger can record and answer; ``checks`` says what holds and what does not."""

    ready: bool
    checks: dict[str, str]
    size: int | None
    followed: int | None


@cache
def fact_components() -> dict[str, Any]:
    """The schemas of facts: one for each type that a producer may send, and ``Fact``, one of them all."""
    kinds = [kind for kind in TYPES.values() if not kind.by_ledger]
    references, definitions = models_json_schema(
        [(kind.model, "validation") for kind in kinds], ref_template=REFERENCE, by_alias=True
    )
    components: dict[str, Any] = dict(definitions.get("$defs", {}))
    for kind in kinds:
        components[kind.name] = _envelope(kind, references[(kind.model, "validation")])
    names = {kind.name: REFERENCE.format(model=kind.name) for kind in kinds}
    components[FACT] = {
        "oneOf": [{"$ref": reference} for reference in names.values()],
        "discriminator": {"propertyName": "type", "mapping": names},
    }
    return components


def _envelope(kind: FactType, data: dict[str, Any]) -> dict[str, Any]:
    description = (kind.model.__doc__ or "").strip()
    subject = kind.subject_pattern.pattern.replace(r"\Z", "$")
    properties: dict[str, Any] = {
        "specversion": {"const": "1.0"},
        "id": {"type": "string", "pattern": _PLAIN_PATTERN},
        "source": {"type": "string", "pattern": _PLAIN_PATTERN},
        "type": {"const": kind.name},
        "subject": {
            "type": "string",
            "pattern": f"^(?:{subject})",
            "description": " or ".join(kind.subjects),
        },
        "time": {
            "type": "string",
            "pattern": RFC3339_PATTERN,
            "format": "date-time",
            "description": "the producer's own assertion; legal time is the mail server's",
        },
        "datacontenttype": {"const": "application/json"},
        "mail": {"type": "string", "pattern": SUBJECT_PATTERN, "description": "the message it came by"},
        "history": {"type": "boolean", "description": "from before the ledger: its time is asserted"},
        "data": data,
    }
    return {
        "type": "object",
        "title": kind.name,
        "description": f"{description}\n\nArticle {kind.article}; {kind.opening.value} its subject.",
        "properties": properties,
        "required": ["specversion", "id", "source", "type", "subject"],
        "additionalProperties": False,
    }


def fact_request(examples: dict[str, Any]) -> dict[str, Any]:
    """The request body of ``POST /v1/facts`` in its three media types."""
    one: dict[str, Any] = {"$ref": REFERENCE.format(model=FACT)}
    many: dict[str, Any] = {"type": "array", "items": one, "minItems": 1}
    shown = {name: {"value": event} for name, event in examples.items()}
    batch = {"two facts": {"value": list(examples.values())[:2]}} if examples else {}
    return {
        "required": True,
        "content": {
            MEDIA_TYPES[0]: {"schema": one, "examples": shown},
            MEDIA_TYPES[1]: {"schema": many, "examples": batch},
            MEDIA_TYPES[2]: {"schema": {"anyOf": [one, many]}, "examples": shown},
        },
    }
