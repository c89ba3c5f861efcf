"""The report for people: what verified leaves say, in French and in English, as text and as PDF/A-2b.

The text is generated from the bytes of the leaves and from nothing else but what the package proves: between
its two marks stands each fact, field by field, in one fixed form that the stand-alone verifier writes again
from the leaves and compares. The PDF shows that text and nothing more.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, Literal

import typst

Language = Literal["fr", "en"]
LANGUAGES: tuple[Language, ...] = ("fr", "en")
BEGIN = "===== LEAVES ====="
END = "===== END OF LEAVES ====="


@cache
def _words() -> dict[str, dict[str, str]]:
    source = resources.files("ledger.evidence").joinpath("words.toml")
    return tomllib.loads(source.read_text(encoding="utf-8"))


@dataclass(frozen=True, slots=True)
class Told:
    """What a report is made from: leaves that were verified, and what the package concludes and omits.

    ``leaves`` are position and bytes, in order; ``disclosed`` gives the clear value of a commitment;
    ``conclusions`` are as in the answers (``interface.md``), each with the ``quotation`` of its article if
    one is known; ``as_of`` is RFC 3339 in UTC, ``date`` the Paris day that the PDF bears (YYYY-MM-DD).
    """

    origin: str
    size: int
    root: str
    keys: Sequence[str]
    subject: str
    as_of: str
    date: str
    leaves: Sequence[tuple[int, bytes]]
    disclosed: Mapping[str, str]
    conclusions: Sequence[Mapping[str, Any]]
    omissions: Sequence[str]


def leaf_lines(position: int, leaf: bytes, disclosed: Mapping[str, str]) -> Iterator[str]:
    """One leaf in its fixed form: a title line, then each field by its JSON pointer (RFC 6901), sorted.

    Strings, numbers and booleans are written as JSON writes them; a commitment that is disclosed is
    followed by its value. The salt says nothing and is left out.
    """
    fields = json.loads(leaf)
    yield f"[{position}] {fields['type']} {fields['subject']}"
    for pointer, value in sorted(_flat(fields, "")):
        if pointer in ("/salt", "/type", "/subject", "/v"):
            continue
        clear = disclosed.get(value) if isinstance(value, str) else None
        shown = json.dumps(value, ensure_ascii=False)
        yield f"    {pointer} {shown}" + (
            "" if clear is None else f" = {json.dumps(clear, ensure_ascii=False)}"
        )


def _flat(node: Any, pointer: str) -> Iterator[tuple[str, Any]]:  # noqa: ANN401 - JSON
    if isinstance(node, dict) and node:
        for key, item in node.items():
            yield from _flat(item, f"{pointer}/{key.replace('~', '~0').replace('/', '~1')}")
    elif isinstance(node, list) and node:
        for number, item in enumerate(node):
            yield from _flat(item, f"{pointer}/{number}")
    else:
        yield pointer, node


def text(language: Language, told: Told) -> str:
    """The report in one language, lines ended by LF."""
    words = _words()[language]
    lines = [
        words["title"],
        "",
        words["about"].format(subject=told.subject, as_of=told.as_of),
        words["log"].format(origin=told.origin),
        words["tree"].format(size=told.size, root=told.root),
        words["keys"],
        *(f"    {key}" for key in told.keys),
        "",
        words["form"],
        "",
        BEGIN,
        *(line for position, leaf in told.leaves for line in leaf_lines(position, leaf, told.disclosed)),
        END,
        "",
        words["conclusions"],
        *_conclusions(words, told.conclusions),
        "",
        words["absent"],
        *(f"    {omission}" for omission in told.omissions or (words["nothing"],)),
        "",
        words["limits"],
        f"    {words['limit']}",
        "",
        words["by"],
    ]
    return "\n".join(lines) + "\n"


def _conclusions(words: Mapping[str, str], conclusions: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    for row in conclusions:
        value = json.dumps(row["value"], ensure_ascii=False)
        yield "    " + words["conclusion"].format(rule=row["rule"], article=row["article"], value=value)
        if row.get("quotation"):
            yield "        " + words["text"].format(text=row["quotation"])
        positions = ", ".join(f"[{reason['position']}]" for reason in row["because"])
        yield "        " + words["because"].format(positions=positions or "–")
        for other in row.get("readings", ()):
            if not other["primary"]:
                found = json.dumps(other["value"], ensure_ascii=False)
                yield "        " + words["reading"].format(
                    reading=other["reading"], text=other["text"], value=found
                )


def pdf(language: Language, told: Told) -> bytes:
    """The same text as PDF/A-2b (ISO 19005-2), by typst; equal inputs give equal bytes."""
    given = {
        "language": language,
        "title": _words()[language]["title"],
        "date": [int(part) for part in told.date.split("-")],
        "lines": text(language, told).split("\n"),
    }
    template = resources.files("ledger.evidence").joinpath("report.typ").read_bytes()
    return typst.compile(
        template,
        format="pdf",
        pdf_standards="a-2b",
        ignore_system_fonts=True,
        sys_inputs={"report": json.dumps(given)},
    )
