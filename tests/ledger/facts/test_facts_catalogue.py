"""The catalogue is exactly the design's table, and every type has an example."""

from __future__ import annotations

import hashlib
import json
import tomllib
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

import ledger.facts
from ledger.errors import MalformedFactError, WrongCallError
from ledger.facts.catalogue import COMMON, RESERVED, TYPES, Opening, account_of, fact_type
from ledger.facts.envelope import decode, encode, new_salt, parse_events
from ledger.facts.personal import COMMITMENT, commitment_to, opening_of, values_at

TABLE = tomllib.loads((Path(__file__).parents[2] / "vectors" / "leaves_catalogue.toml").read_text("utf-8"))
EXAMPLES: list[dict[str, Any]] = [
    json.loads(line)
    for line in (resources.files(ledger.facts) / "examples.jsonl").read_text("utf-8").split("\n")
    if line
]
OPENINGS = {"○": Opening.OPENS, "→": Opening.CONTINUES, "○→": Opening.EITHER}


def seal(retention: str, value: str) -> str:
    """A commitment under a key of the class alone."""
    clear = value.encode()
    return commitment_to(opening_of(hashlib.sha256(retention.encode()).digest(), clear), clear)


class TestTable:
    """The catalogue against the table of facts."""

    def test_no_type_is_missing_and_none_was_added(self) -> None:
        """The catalogue has the types of the table and no other."""
        assert set(TYPES) == set(TABLE)

    @pytest.mark.parametrize("name", sorted(TABLE))
    def test_a_type_belongs_to_the_subject_that_the_table_says(self, name: str) -> None:
        """Subject forms, opening and writer are those of the table."""
        row, said = TYPES[name], TABLE[name]
        assert list(row.subjects) == said["subjects"]
        assert row.opening is OPENINGS[said["opening"]]
        assert row.by_ledger is said.get("by_ledger", False)

    @pytest.mark.parametrize("name", sorted(TABLE))
    def test_a_model_says_its_french_term_and_its_article(self, name: str) -> None:
        """Each docstring of a fact has the French term in brackets; each row its article."""
        row = TYPES[name]
        assert row.model.__doc__
        assert "(" in row.model.__doc__
        assert row.article

    def test_an_unknown_type_is_named(self) -> None:
        """Asking for a type that is not says which."""
        with pytest.raises(WrongCallError, match=r"invoice\.lost"):
            fact_type("invoice.lost")

    @pytest.mark.parametrize("word", sorted(RESERVED))
    def test_no_account_bears_a_reserved_word(self, word: str) -> None:
        """A reserved first word belongs to no account, and opens none."""
        assert account_of(f"{word}/x") == COMMON
        assert not TYPES["account.opened"].subject_pattern.match(word)


class TestExamples:
    """One example of every type, as the documentation shows them."""

    def test_every_type_has_an_example(self) -> None:
        """Every type that travels as a CloudEvent has one; a stamp is a leaf of its own form."""
        assert {event["type"] for event in EXAMPLES} == set(TYPES) - {"stamp.received"}

    def test_the_examples_in_order_are_one_possible_history(self) -> None:
        """Each opens or continues as its type says, in an account opened before, by a mail seen before."""
        subjects: set[str] = set()
        for event in EXAMPLES:
            opening, subject = TYPES[event["type"]].opening, event["subject"]
            assert opening is Opening.EITHER or (opening is Opening.CONTINUES) == (subject in subjects), event
            assert account_of(subject) in {COMMON, subject, *subjects}
            assert event.get("mail") in {None, *subjects}
            subjects.add(subject)

    @pytest.mark.parametrize("event", EXAMPLES, ids=lambda event: event["id"] + " " + event["type"])
    def test_an_example_survives_the_way_into_a_leaf_and_back(self, event: dict[str, Any]) -> None:
        """Its leaf decodes to itself, holds commitments only, and gives the same data again."""
        (draft,) = parse_events([event], by_ledger=True)
        content = draft.content(seal)
        leaf = encode({**content, "salt": new_salt()})
        fields = decode(leaf)
        assert encode(fields) == leaf
        del fields["salt"]
        assert fields == content
        for path in draft.type.personal:
            assert all(COMMITMENT.match(value) for _, value in values_at(fields["data"], path))
        model = draft.type.model.model_validate(fields["data"])
        assert model.model_dump(mode="json", by_alias=True, exclude_defaults=True) == fields["data"]

    @pytest.mark.parametrize(
        "event",
        [event for event in EXAMPLES if TYPES[event["type"]].by_ledger],
        ids=lambda event: event["type"],
    )
    def test_what_the_ledger_writes_is_refused_from_a_producer(self, event: dict[str, Any]) -> None:
        """A producer cannot write keys, tokens, cosignatures or erasures."""
        with pytest.raises(MalformedFactError, match="written by the ledger itself"):
            parse_events([event])


class TestPersonal:
    """Who is protected: names, addresses, phones and every free text; technical names are not."""

    @pytest.mark.parametrize(
        ("name", "path", "retention"),
        [
            ("account.opened", ("email",), "relation"),
            ("account.opened", ("identification", "name"), "identity"),
            ("account.opened", ("identification", "phone"), "identity"),
            ("account.bank_details_received", ("iban",), "billing"),
            ("account.responsible_named", ("name",), "relation"),
            ("mail.received", ("from",), "relation"),
            ("mail.received", ("to", "*"), "relation"),
            ("mail.received", ("subject_line",), "mail"),
            ("notification.sent", ("text",), "mail"),
            ("invoice.disputed", ("reason",), "billing"),
            ("reserve.notified", ("evidence", "*"), "relation"),
            ("contract.accepted", ("special_conditions", "*", "clause"), "relation"),
        ],
    )
    def test_a_field_about_a_person_has_its_retention_class(
        self, name: str, path: tuple[str, ...], retention: str
    ) -> None:
        """It is marked, with the class that says how long it is kept."""
        assert TYPES[name].personal[path].retention == retention

    def test_a_field_without_a_pattern_is_personal(self) -> None:
        """A string that no pattern or choice restricts is free text, so it must be marked."""
        unmarked = [
            (name, place)
            for name, row in TYPES.items()
            for place, schema in _strings(row.model.model_json_schema())
            if not {"pattern", "enum", "const", "x-personal"} & schema.keys()
        ]
        assert unmarked == []


def _strings(schema: Any, place: str = "") -> list[tuple[str, dict[str, Any]]]:
    if isinstance(schema, list):
        return [found for item in schema for found in _strings(item, place)]
    if not isinstance(schema, dict):
        return []
    found = [(place, schema)] if schema.get("type") == "string" else []
    return found + [
        item
        for key, value in schema.items()
        if key != "propertyNames"
        for item in _strings(value, f"{place}/{key}")
    ]
