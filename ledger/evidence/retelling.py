"""The report of a package written again from what the package holds, where this project is installed.

The stand-alone verifier compares what a report says of the facts; here every line, and the PDF, is made anew.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ledger.evidence import verifier as form
from ledger.evidence.report import LANGUAGES, Told, pdf, text


def told_of(files: Mapping[str, bytes]) -> Told:
    """What a report of a verified package is made from, by the names of its files."""
    about, rows = json.loads(files["data/package.json"]), json.loads(files["data/omissions.json"])
    head = form.Checkpoint.parse(files[f"data/checkpoints/{about['size']}.note"])
    leaves = {
        int(match.group(1)): data for name, data in files.items() if (match := form.LEAF_FILE.match(name))
    }
    return Told(
        origin=about["origin"],
        size=head.size,
        root=head.root.hex(),
        keys=files["data/keys.txt"].decode().split("\n")[:-1],
        subject=about["subject"],
        as_of=about["as_of"],
        date=about["as_of"][:10],
        leaves=sorted(leaves.items()),
        disclosed={row["commitment"]: row["value"] for row in json.loads(files["data/disclosed.json"])},
        conclusions=[_quoting(row) for row in json.loads(files["data/conclusions.json"])["conclusions"]],
        omissions=[f"{row['what']} {row['which']}: {row['why']}" for row in rows],
    )


def _quoting(row: Mapping[str, Any]) -> dict[str, Any]:
    return {**row, "quotation": " […] ".join(quoted["text"] for quoted in row["quotations"])}


def retell(path: Path, findings: form.Findings) -> None:
    """Add to the findings on an accepted package whether its reports are those that its contents give.

    A report that is another is told, and no failure by itself: another version may have written it.
    """
    archive = form.Archive(path)
    try:
        files = {name: archive.read(name) for name in archive.names}
    finally:
        archive.close()
    reports = {name for name in files if name.startswith("data/report/")}
    if not reports or json.loads(files["data/package.json"])["form"] != "files":
        return
    told = told_of(files)
    made = {f"data/report/report.{language}.txt": text(language, told).encode() for language in LANGUAGES}
    if any(name.endswith(".pdf") for name in reports):
        made |= {f"data/report/report.{language}.pdf": pdf(language, told) for language in LANGUAGES}
    for name in sorted(reports):
        same = files[name] == made.get(name)
        sentence = f"{name} is, byte for byte, what the contents of the package give"
        other = f"{name} is not what this version writes from the contents: read it with care"
        findings.say("report made again", form.OK if same else form.NOT_CHECKED, sentence if same else other)
