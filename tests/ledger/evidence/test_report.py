"""The report says what the leaves say, in both languages, and the PDF shows that text and nothing else."""

from __future__ import annotations

import json
import re
import shutil
import subprocess

import pytest

from ledger.evidence.report import BEGIN, END, LANGUAGES, Told, leaf_lines, pdf, text

COMMITMENT = "~" + "A" * 43


def leaf(position, **data):
    return position, json.dumps(
        {
            "data": data, "id": f"e-{position}", "salt": "c2FsdA", "source": "/test", "subject": "ACC-1/invoice/F1",
            "type": "invoice.issued", "v": 1,
        },
        separators=(",", ":"),
    ).encode()  # fmt: skip


TOLD = Told(
    "greffe.test/outscale/cgv-2021-06",
    300,
    "ab" * 32,
    ["greffe.test/x+0a1b2c3d+" + "A" * 1800],
    "ACC-1/invoice/F1",
    "2021-06-12T00:00:00Z",
    "2021-06-12",
    [leaf(5, total="120", note="« é » office ffi", to=COMMITMENT), leaf(7, entries=[{"a": 1, "b": False}, {}])],
    {COMMITMENT: "client@acc-1.example"},
    [
        {
            "rule": "invoice_acceptance", "article": "15.3", "value": "irrevocably_accepted",
            "because": [{"position": 5}], "quotation": "dans un délai de 10 (dix) jours",
            "readings": [
                {"reading": "R13", "text": "the printed day", "value": "open", "primary": False},
                {"reading": "R13", "text": "the stamp", "value": "irrevocably_accepted", "primary": True},
            ],
        }
    ],
    ["mail 9: not disclosed by the exporter"],
)  # fmt: skip


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_leaf_stands_in_it_field_by_field(language):
    """Between the marks stand the leaves, each field in its fixed form, and nothing else."""
    lines = text(language, TOLD).split("\n")
    found = lines[lines.index(BEGIN) + 1 : lines.index(END)]
    assert found == [
        "[5] invoice.issued ACC-1/invoice/F1",
        '    /data/note "« é » office ffi"',
        f'    /data/to "{COMMITMENT}" = "client@acc-1.example"',
        '    /data/total "120"',
        '    /id "e-5"',
        '    /source "/test"',
        "[7] invoice.issued ACC-1/invoice/F1",
        "    /data/entries/0/a 1",
        "    /data/entries/0/b false",
        "    /data/entries/1 {}",
        '    /id "e-7"',
        '    /source "/test"',
    ]


def test_another_leaf_gives_another_report():
    """A leaf that differs in one field gives other lines: no two facts read alike."""
    same = list(leaf_lines(*leaf(5, total="120"), {}))
    for other in (leaf(6, total="120"), leaf(5, total="121"), leaf(5, total=120), leaf(5, totals="120")):
        assert list(leaf_lines(*other, {})) != same


@pytest.mark.parametrize("language", LANGUAGES)
def test_it_says_what_is_absent_and_what_nothing_shows(language):
    """Omissions and the limits of cryptography stand in both languages, and no claim to be qualified."""
    told = text(language, TOLD)
    assert "mail 9: not disclosed by the exporter" in told
    assert {"fr": "Un mensonge à la saisie", "en": "A lie at entry"}[language] in told
    assert "qualif" not in told.lower()
    assert "R13 (the printed day)" in told
    assert "dans un délai de 10 (dix) jours" in told


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_pdf_shows_the_text(language, tmp_path):
    """The PDF is PDF/A-2b, its words are those of the text in order, and equal inputs give equal bytes."""
    made = pdf(language, TOLD)
    assert pdf(language, TOLD) == made
    assert re.search(rb"<pdfaid:part>2</pdfaid:part><pdfaid:conformance>B</pdfaid:conformance>", made)
    if shutil.which("pdftotext") is None:
        pytest.skip("no pdftotext (Debian: poppler-utils): the words of the PDF were not compared")
    (tmp_path / "report.pdf").write_bytes(made)
    done = subprocess.run(
        ["pdftotext", "-layout", "-nopgbrk", "report.pdf", "-"], cwd=tmp_path, capture_output=True, check=True
    )
    shown = re.sub(r"^\s*\d+\s*/\s*\d+\s*$", "", done.stdout.decode(), flags=re.MULTILINE)
    assert "".join(shown.split()) == "".join(text(language, TOLD).split())
