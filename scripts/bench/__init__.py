"""``greffe bench``: what the ledger costs above the raw engine, measured side by side in one run."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from scripts.bench import paths
from scripts.bench.machine import described
from scripts.bench.paths import Bar
from scripts.bench.postfix import private_postfix, why_not

CHECK_FAILED = 1
_EMBEDDED, _POSTFIX = "embedded", "Postfix"

Facts = Annotated[int, typer.Option(min=8_000, help="How many facts the ledger that is filled gets.")]
AsJson = Annotated[bool, typer.Option("--json", help="The table as JSON.")]


def bench(facts: Facts = 1_000_000, as_json: AsJson = False) -> None:  # noqa: FBT002
    """Measure each path against its own yardstick in this run, medians of undisturbed repetitions.

    Everything is on as in production: stamps, signatures, the vault. Ends with status 0 whatever the
    figures: a bar that is not met is said so in the table.
    """
    console = Console(stderr=True)
    with tempfile.TemporaryDirectory(prefix="greffe-bench-") as name:
        folder = Path(name)
        machine = described(folder)
        bars = []
        for bar in _measured(folder, facts, console):
            console.print(f"{bar.path}: {_told(bar.value)} {bar.unit}", highlight=False)
            bars.append(bar)
    if as_json:
        typer.echo(json.dumps(_as_json(bars, machine), indent=2))
    else:
        _show(bars, machine)


def _measured(folder: Path, facts: int, console: Console) -> Iterator[Bar]:
    yield from paths.batches(folder, None, _EMBEDDED, (0.72, 0.35))
    yield from paths.singles(folder, None, _EMBEDDED, {64: 6.0, 256: 10.0})
    reason = why_not()
    if reason is None:
        with private_postfix() as server:
            yield from paths.batches(folder, server.url, _POSTFIX, (0.62, 0.35))
            yield from paths.singles(folder, server.url, _POSTFIX, {64: 4.0, 256: 7.0})
            yield from paths.reports(folder, server.url, _POSTFIX)
    else:
        console.print(f"not measured under Postfix: {reason}", highlight=False)
        yield from paths.reports(folder, None, _EMBEDDED)
    yield from paths.filling(folder, None, _EMBEDDED, facts, 0.80)


def _as_json(bars: list[Bar], machine: dict[str, object]) -> dict[str, object]:
    return {
        "bars": [
            {
                "path": bar.path,
                "value": bar.value,
                "unit": bar.unit,
                "at_least": bar.at_least,
                "met": bar.met,
                "disturbed": bar.disturbed,
            }
            for bar in bars
        ],
        "machine": machine,
        "runs": 1,
    }


def _show(bars: list[Bar], machine: dict[str, object]) -> None:
    console = Console()
    console.print(
        ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in machine.items()), highlight=False
    )
    table = Table("path", "value", "", "at least", "met", "thrown away", box=SIMPLE)
    for bar in bars:
        met = "" if bar.met is None else "yes" if bar.met else "[bold]no[/]"
        at_least = "" if bar.at_least is None else _told(bar.at_least)
        table.add_row(bar.path, _told(bar.value), bar.unit, at_least, met, str(bar.disturbed or ""))
    console.print(table)


def _told(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.2f}"  # noqa: PLR2004 - what reads well
