"""CloudEvents 1.0 in, canonical leaves out.

A *draft* is a fact that has passed every check of shape and is not yet recorded: its data are
canonical, its personal values still in clear. A *leaf* is the bytes that the ledger keeps for ever
(``proof.md``, Leaf; RFC 8785, restricted to strings, integers, booleans, lists and objects).
"""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson
from pydantic import TypeAdapter, ValidationError

from ledger import instants
from ledger.errors import Flaw, MalformedFactError
from ledger.facts.catalogue import RESERVED, TYPES, FactType, account_of
from ledger.facts.personal import COMMITMENT, Seal, sealed, values_at
from ledger.facts.refusals import flaws_of
from ledger.facts.shape import ADDRESS, Instant
from ledger.facts.strict_json import parse_json

LEAF_VERSION = 1
LONGEST_LEAF_BYTES = 65_535
_PLAIN = re.compile(r"[\x21-\x7e]{1,256}\Z")
_ATTRIBUTES = frozenset(
    {"specversion", "id", "source", "type", "subject", "time", "datacontenttype", "data", "mail", "history"}
)
_LEAF_FIELDS = frozenset({"data", "history", "id", "mail", "salt", "source", "subject", "time", "type", "v"})
_STAMP_FIELDS = frozenset({"data", "salt", "subject", "type", "v"})
_SALT = re.compile(r"[A-Za-z0-9_-]{21}[AQgw]\Z")
_INSTANT: TypeAdapter[datetime] = TypeAdapter(Instant)


@dataclass(slots=True)
class Draft:
    """A fact that is well-formed and waits to be recorded; personal values are still in clear.

    ``leaf`` is its final bytes, ``hashed`` their hash for the tree; a fact with personal values gets them
    under the writer's lock only, where the vault seals these.
    """

    type: FactType
    subject: str
    id: str
    source: str
    data: dict[str, Any]
    time: datetime | None = None
    mail: str | None = None
    history: bool = False
    attachment: bytes | None = None
    """The raw bytes of the mail that this fact records; kept in the vault, never in the leaf."""
    account: str = field(init=False)
    """The account whose history it belongs to, or ``COMMON``."""
    key: int = field(init=False)
    """What the log finds it by (``identity_key``)."""
    leaf: bytes | None = field(init=False, default=None)
    hashed: bytes | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        self.account = account_of(self.subject)
        self.key = identity_key(self.id, self.source)

    @property
    def dated_otherwise(self) -> bool:
        """Whether its legal time may be another than that of the commit that records it."""
        return self.mail is not None or self.history or "stamp" in self.data

    def prepare(self) -> None:
        """Encode the leaf, when nothing in it must be sealed.

        Raises:
            MalformedFactError: it is longer than a leaf may be.
        """
        if not self.type.personal:
            self.leaf = self.encoded(_as_is)

    def encoded(self, seal: Seal) -> bytes:
        """The leaf under a new salt.

        Raises:
            MalformedFactError: it is longer than a leaf may be.
        """
        content = self.content(seal)
        content["salt"] = new_salt()
        return encode(content)

    def content(self, seal: Seal) -> dict[str, Any]:
        """The leaf as an object, without its salt: what a repeated fact is compared by."""
        content: dict[str, Any] = {
            "data": sealed(self.data, self.type.personal, seal) if self.type.personal else self.data,
            "id": self.id,
            "source": self.source,
            "subject": self.subject,
            "type": self.type.name,
            "v": LEAF_VERSION,
        }
        if self.history:
            content["history"] = True
        if self.mail is not None:
            content["mail"] = self.mail
        if self.time is not None:
            content["time"] = instants.canonical(self.time)
        return content


def parse_request(body: bytes) -> list[Draft]:
    """Read a request: one CloudEvent as an object, or a batch of them as a list.

    Raises:
        MalformedFactError: with every flaw of every fact of the request.
    """
    parsed = parse_json(body)
    return parse_events(parsed if isinstance(parsed, list) else [parsed])


def parse_events(events: Sequence[Any], *, by_ledger: bool = False) -> list[Draft]:
    """Read parsed CloudEvents as drafts.

    ``by_ledger`` admits the types, and the ``stamp`` of mails, that only the ledger itself writes.

    Raises:
        MalformedFactError: with every flaw of every event, so that all can be mended at once.
    """
    drafts: list[Draft] = []
    flaws: list[Flaw] = []
    if not events:
        flaws.append(Flaw("request", "", "request.empty", "a request holds at least one fact"))
    for place, event in enumerate(events):
        try:
            draft = _parse_event(event, f"#{place}", by_ledger=by_ledger)
            draft.prepare()
            drafts.append(draft)
        except MalformedFactError as error:
            flaws += error.flaws
    if flaws:
        raise MalformedFactError(*flaws)
    return drafts


def _parse_event(
    event: Any,  # noqa: ANN401 - any JSON value
    place: str,
    *,
    by_ledger: bool,
    stored: bool = False,
) -> Draft:
    if not isinstance(event, dict):
        raise MalformedFactError(
            Flaw(place, "", "envelope.object", "a fact is a JSON object (CloudEvents 1.0)")
        )
    given_id = event.get("id")
    name = given_id if isinstance(given_id, str) and _PLAIN.match(given_id) else place
    flaws = list(_envelope_flaws(event, name))
    kind = _type_of(event, name, flaws, by_ledger=by_ledger)
    time = _time_of(event, name, flaws)
    data = _data_of(event, kind, name, flaws, by_ledger=by_ledger) if kind else {}
    if kind and not stored:
        flaws += _address_flaws(data, kind, name)
    if kind and not by_ledger:
        flaws += _null_flaws(data, kind, name)
    if flaws or kind is None:
        raise MalformedFactError(*flaws)
    return Draft(
        type=kind,
        subject=event["subject"],
        id=event["id"],
        source=event["source"],
        data=data,
        time=time,
        mail=event.get("mail"),
        history=event.get("history", False),
    )


def _envelope_flaws(event: Mapping[str, Any], name: str) -> list[Flaw]:
    flaws = [
        Flaw(name, f"/{key}", "envelope.unknown", f"{key!r} is not an attribute of a fact")
        for key in event
        if key not in _ATTRIBUTES
    ]
    if event.get("specversion") != "1.0":
        flaws.append(
            Flaw(name, "/specversion", "envelope.specversion", 'specversion must be "1.0" (CloudEvents)')
        )
    flaws += [
        Flaw(name, f"/{key}", f"envelope.{key}", f"{key} is required: 1 to 256 printable ASCII characters")
        for key in ("id", "source")
        if not (isinstance(event.get(key), str) and _PLAIN.match(event[key]))
    ]
    if event.get("datacontenttype", "application/json") != "application/json":
        flaws.append(
            Flaw(
                name,
                "/datacontenttype",
                "envelope.datacontenttype",
                "the data of a fact are application/json",
            )
        )
    mail = event.get("mail")
    if "mail" in event and not (isinstance(mail, str) and _names_a_message(mail)):
        flaws.append(
            Flaw(
                name,
                "/mail",
                "envelope.mail",
                "mail names a message: ACCOUNT/mail/ID, ACCOUNT/notification/ID or mail/ID",
            )
        )
    if "history" in event and not isinstance(event["history"], bool):
        flaws.append(Flaw(name, "/history", "envelope.history", "history is true or false"))
    if event.get("history") is True and "time" not in event:
        flaws.append(
            Flaw(name, "/time", "envelope.history_time", "a fact from before the ledger asserts its time")
        )
    if event.get("history") is True and "mail" in event:
        flaws.append(
            Flaw(
                name,
                "/history",
                "envelope.history_mail",
                "a fact has its time from a mail or as history, not both",
            )
        )
    return flaws


def _names_a_message(subject: str) -> bool:
    received, sent = TYPES["mail.received"], TYPES["notification.sent"]
    return bool(received.subject_pattern.match(subject) or sent.subject_pattern.match(subject))


def _type_of(event: Mapping[str, Any], name: str, flaws: list[Flaw], *, by_ledger: bool) -> FactType | None:
    given = event.get("type")
    kind = TYPES.get(given) if isinstance(given, str) else None
    if kind is None:
        flaws.append(
            Flaw(name, "/type", "envelope.type", f"{given!r} is not a type of fact in the catalogue")
        )
        return None
    if kind.by_ledger and not by_ledger:
        flaws.append(Flaw(name, "/type", "envelope.by_ledger", f"{given} is written by the ledger itself"))
    subject = event.get("subject")
    if not (isinstance(subject, str) and kind.subject_pattern.match(subject)):
        first_word = subject.partition("/")[0] if isinstance(subject, str) else ""
        if first_word in RESERVED and any(form.startswith("A") for form in kind.subjects):
            flaws.append(
                Flaw(name, "/subject", "envelope.reserved", f"no account may be named {first_word!r}")
            )
        else:
            forms = " or ".join(kind.subjects)
            flaws.append(
                Flaw(name, "/subject", "envelope.subject", f"the subject of {given} has the form {forms}")
            )
    return kind


def _time_of(event: Mapping[str, Any], name: str, flaws: list[Flaw]) -> datetime | None:
    if "time" not in event:
        return None
    try:
        return _INSTANT.validate_python(event["time"])
    except ValidationError:
        flaws.append(
            Flaw(
                name,
                "/time",
                "envelope.time",
                "time is an RFC 3339 instant with an offset, at most six decimals",
            )
        )
        return None


def _data_of(
    event: Mapping[str, Any], kind: FactType, name: str, flaws: list[Flaw], *, by_ledger: bool
) -> dict[str, Any]:
    given = event.get("data", {})
    try:
        model = kind.model.model_validate(given)
        data: dict[str, Any] = model.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    except ValidationError as error:
        flaws += flaws_of(error, given, name)
        return {}
    if "stamp" in data and not by_ledger:
        flaws.append(
            Flaw(name, "/data/stamp", "shape.stamp", "only the ledger stamps the mails that it sees itself")
        )
    return data


def _address_flaws(data: Mapping[str, Any], kind: FactType, name: str) -> list[Flaw]:
    return [
        Flaw(
            name, f"/data{pointer}", "shape.address", "an e-mail address has the form name@domain (RFC 5321)"
        )
        for path, mark in kind.personal.items()
        if mark.address
        for pointer, value in values_at(data, path)
        if not ADDRESS.match(value)
    ]


def _null_flaws(data: Mapping[str, Any], kind: FactType, name: str) -> list[Flaw]:
    """Null characters in a text: only a mail that the ledger itself received may hold any."""
    return [
        Flaw(name, f"/data{pointer}", "shape.null", "a text holds no null character (U+0000)")
        for path in kind.personal
        for pointer, value in values_at(data, path)
        if "\0" in value
    ]


def identity_key(fact_id: str, source: str) -> int:
    """63 bits of SHA-256 over id and source, which no printable character can confuse."""
    digest = hashlib.sha256(f"{fact_id}\n{source}".encode()).digest()
    return int.from_bytes(digest[:8]) >> 1


def new_salt() -> str:
    """16 random bytes in base64url: nobody may guess a leaf from its hash."""
    return base64.urlsafe_b64encode(secrets.token_bytes(16)).decode().rstrip("=")


def encode(leaf: Mapping[str, Any]) -> bytes:
    """The one canonical form of a leaf (RFC 8785: keys sorted, no white space, UTF-8).

    Raises:
        MalformedFactError: it is longer than a leaf may be.
    """
    try:
        body = orjson.dumps(leaf, option=orjson.OPT_SORT_KEYS)
    except TypeError as error:
        raise MalformedFactError(Flaw(str(leaf.get("id")), "", "leaf.encoding", str(error))) from error
    if len(body) > LONGEST_LEAF_BYTES:
        raise MalformedFactError(
            Flaw(
                str(leaf.get("id")),
                "/data",
                "leaf.length",
                f"the fact takes {len(body)} bytes, and a leaf has at most {LONGEST_LEAF_BYTES}: split it",
            )
        )
    return body


def decode(body: bytes) -> dict[str, Any]:
    """Read a leaf back, refusing every byte that the ledger would not have written.

    Raises:
        MalformedFactError: duplicate keys, unknown fields, another order or spacing, a value that its
            type's model refuses, a personal value in clear, or bytes that do not re-encode to themselves.
    """
    try:
        leaf = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise MalformedFactError(Flaw("leaf", "", "leaf.json", f"not JSON: {error}")) from error
    if not isinstance(leaf, dict) or encode(leaf) != body:
        raise MalformedFactError(
            Flaw("leaf", "", "leaf.canonical", "the bytes do not re-encode to themselves")
        )
    _check_leaf(leaf)
    return leaf


def _check_leaf(leaf: dict[str, Any]) -> None:
    name = str(leaf.get("id", leaf.get("subject")))
    kind = TYPES.get(str(leaf.get("type")))
    if kind is None:
        raise MalformedFactError(Flaw(name, "/type", "leaf.type", f"unknown type {leaf.get('type')!r}"))
    is_stamp = kind.name == "stamp.received"
    known = _STAMP_FIELDS if is_stamp else _LEAF_FIELDS
    required = _STAMP_FIELDS if is_stamp else known - {"history", "mail", "time"}
    if not required <= leaf.keys() <= known:
        odd = sorted((required - leaf.keys()) | (leaf.keys() - known))
        raise MalformedFactError(
            Flaw(name, "", "leaf.fields", f"fields missing or unknown: {', '.join(odd)}")
        )
    if type(leaf["v"]) is not int or leaf["v"] != LEAF_VERSION or leaf.get("history", True) is not True:
        raise MalformedFactError(Flaw(name, "/v", "leaf.version", "v must be 1, and history true or absent"))
    if not (isinstance(leaf["salt"], str) and _SALT.match(leaf["salt"])):
        raise MalformedFactError(
            Flaw(name, "/salt", "leaf.salt", "the salt is 16 bytes in canonical base64url")
        )
    if not is_stamp:
        event = {key: value for key, value in leaf.items() if key not in ("salt", "v", "data")}
        draft = _parse_event(
            {**event, "data": leaf["data"], "specversion": "1.0"}, name, by_ledger=True, stored=True
        )
        if draft.data != leaf["data"] or draft.content(_as_is).get("time") != leaf.get("time"):
            raise MalformedFactError(Flaw(name, "", "leaf.canonical", "a value is not in its canonical form"))
        _check_commitments(leaf["data"], kind, name)
    else:
        _check_stamp(leaf, kind, name)


def _check_stamp(leaf: Mapping[str, Any], kind: FactType, name: str) -> None:
    flaws: list[Flaw] = []
    data = _data_of(leaf, kind, name, flaws, by_ledger=True)
    if flaws or data != leaf["data"] or leaf["subject"] != "stamp":
        raise MalformedFactError(
            *flaws, Flaw(name, "/data", "leaf.canonical", "a value of the stamp is not in its canonical form")
        )


def _as_is(_retention: str, value: str) -> str:
    return value


def _check_commitments(data: Any, kind: FactType, name: str) -> None:  # noqa: ANN401 - JSON
    for path in kind.personal:
        for pointer, value in values_at(data, path):
            if not (isinstance(value, str) and COMMITMENT.match(value)):
                raise MalformedFactError(
                    Flaw(name, f"/data{pointer}", "leaf.personal", "a personal value stands in clear")
                )
