"""The article stands beside the rule: what a docstring quotes is in the terms, word for word."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import ledger.contract.clauses
from ledger.contract import readings
from ledger.contract.finding import CLAUSES
from ledger.contract.terms import load

FOLDER = Path(str(ledger.contract.clauses.__file__)).parent
QUOTATION = re.compile(r"«([^«»]*)»")
PROSE = load().prose()


def quotations(text: str) -> list[str]:
    """What a docstring quotes, white space folded."""
    return [" ".join(words.split()) for words in QUOTATION.findall(text)]


def docstrings() -> Iterator[tuple[str, str]]:
    """Every docstring of the clauses' modules, by the name of what it describes."""
    for source in sorted(FOLDER.glob("*.py")):
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
                yield f"{source.stem}.{getattr(node, 'name', '')}", ast.get_docstring(node) or ""


DOCSTRINGS = dict(docstrings())


@pytest.mark.parametrize("name", sorted(CLAUSES))
def test_clause_quotes_its_article(name: str) -> None:
    """Every clause quotes the French words that decide."""
    assert quotations(CLAUSES[name].doc), f"the clause {name} quotes nothing"


@pytest.mark.parametrize("name", [name for name, text in DOCSTRINGS.items() if quotations(text)])
def test_quotations_are_verbatim(name: str) -> None:
    """Each quotation of a docstring is found in the terms word for word."""
    assert [words for words in quotations(DOCSTRINGS[name]) if words not in PROSE] == []


def test_articles_exist() -> None:
    """The article that a clause names is a heading of the terms, or an annex."""
    headings = re.compile(r"^\s*([0-9]+(?:\.[0-9]+)*)\.? [–-] ", re.MULTILINE)
    known = set(headings.findall(load().wording())) | {"Annexe A", "Annexe B", "Services Professionnels"}
    named = {(name, article.strip()) for name, row in CLAUSES.items() for article in row.article.split(",")}
    assert sorted((name, article) for name, article in named if article.partition(" (")[0] not in known) == []


def test_page_furniture_is_dropped() -> None:
    """A sentence that a page break cuts reads as one, without header and footer; cut words are whole."""
    assert "sera minime. Néanmoins, il ne faudra en aucun cas procéder à un arrondi" in PROSE
    assert not re.search(r"Page [0-9]+ sur [0-9]+", PROSE)
    assert "renonciation définitive de celui-ci au bénéfice" in PROSE


class TestReadings:
    """The register of readings."""

    def test_numbers_follow(self) -> None:
        """The register runs from R1 to R25, each with two wordings or three."""
        assert list(readings.register()) == [f"R{number}" for number in range(1, 26)]
        assert {len(point.words) for point in readings.register().values()} == {2, 3}

    def test_interpretations_tell_of_each(self) -> None:
        """The page of interpretations has a chapter for each reading, with all its wordings."""
        page = (Path(__file__).parents[3] / "docs/INTERPRETATIONS.md").read_text(encoding="utf-8")
        chapters = dict(re.findall(r"^## (R[0-9]+) · .*?\n(.*?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL))
        quoted = [
            words for line in page.splitlines() if line.startswith("**Text.**") for words in quotations(line)
        ]
        assert len(quoted) >= len(chapters)
        assert [words for words in quoted if words not in PROSE] == []
        for number, point in readings.register().items():
            folded = " ".join(chapters[number].split())
            assert [words for words in point.words if words not in folded] == [], number
