"""Answers as tables for a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.box import SIMPLE
from rich.console import Console
from rich.markup import escape
from rich.measure import Measurement
from rich.table import Table

from api.words import REMARKS

_LONGEST_CELL = 60
_ANY_WIDTH = 10_000
_COLUMNS = {
    # what a terminal has room for; --json has everything
    "acceptance.deliveries": ("subject", "entry", "resource_id", "from", "final_after", "status"),
    "acceptance.reserves": ("subject", "stamped_at", "covers", "status"),
    "invoices": ("number", "issued_at", "total", "contestable_until", "acceptance", "dispute", "payment",
                 "unpaid", "late_indemnity", "late_interest"),
    "usage": ("month", "resource", "unit", "metered", "billed", "amount"),
    "notifications": ("subject", "kind", "legal_time", "to", "valid"),
    "deadlines": ("account", "at", "for", "what", "subject", "article", "status"),
    "obligations": ("subject", "article", "who", "what", "act_by", "status"),
    "suspensions": ("subject", "ground", "from", "to", "lawful", "billed"),
    "notices": ("subject", "by", "act_by", "forfeit_after", "status", "termination_allowed"),
    "timeline": ("position", "legal_time", "type", "summary"),
}  # fmt: skip
_EXPLAINED = {
    # the conclusion of a row whose reasons stand under it
    "acceptance.deliveries": "status",
    "acceptance.reserves": "status",
    "invoices": "acceptance",
    "usage": "billed",
    "notifications": "valid",
    "obligations": "status",
    "suspensions": "lawful",
    "notices": "status",
}


def is_conclusion(node: Any) -> bool:  # noqa: ANN401 - any JSON
    """Whether a part of an answer is a conclusion: a value with its rule and article."""
    return isinstance(node, Mapping) and {"value", "rule", "article", "because"} <= node.keys()


def brief(node: Any) -> str:  # noqa: ANN401 - any JSON
    """A value on one line; a conclusion by its value."""
    if is_conclusion(node):
        return brief(node["value"])
    if node is None:
        return "–"
    if isinstance(node, Mapping):
        return ", ".join(f"{key} {brief(value)}" for key, value in node.items())
    if isinstance(node, list):
        return f"{len(node)} ×" if len(node) > 3 else "; ".join(brief(item) for item in node)  # noqa: PLR2004 - fits
    text = str(node)
    return text if len(text) <= _LONGEST_CELL else text[: _LONGEST_CELL - 1] + "…"


def why(conclusion: Mapping[str, Any]) -> str:
    """The article, the rule and the facts of a conclusion on one line."""
    facts = ", ".join(f"#{fact['position']} {fact['type']}" for fact in conclusion["because"][:4])
    more = len(conclusion["because"]) - 4
    others = [
        f"{reading['reading']}: {brief(reading['value'])}"
        for reading in conclusion.get("readings", [])
        if reading["value"] != conclusion["value"]
    ]
    parts = [f"art. {conclusion['article']}", conclusion["rule"].replace("_", " ")]
    if facts:
        parts.append(f"from {facts}" + (f" and {more} more" if more > 0 else ""))
    if others:
        parts.append("read otherwise " + "; ".join(others))
    return " · ".join(parts)


def show_answer(console: Console, name: str, answer: Mapping[str, Any], *, last: int | None = None) -> None:
    """An answer of a projection: what it is about, then its rows, or the ``last`` of each list."""
    source = " (host's clock)" if answer["as_of_source"] == "host" else ""
    known = f", known at {answer['known_at']}" if answer["known_at"] else ""
    console.print(
        f"[bold]{escape(name)}[/] of [bold]{escape(answer['account'] or 'all accounts')}[/]"
        f" as of {answer['as_of']}{source}{known} · terms {answer['terms']} · clock {answer['clock']}",
        highlight=False,
    )
    if name in REMARKS:
        console.print(REMARKS[name], style="italic")
    result = answer["result"]
    groups = [("", result)] if isinstance(result, list) else _groups(result)
    for title, rows in groups:
        key = f"{name}.{title}" if title else name
        if last is not None and isinstance(rows, list) and len(rows) > last:
            console.print(f"the last {last} of {len(rows)} rows:", style="italic")
            _show_rows(console, title, rows[-last:], key)
        else:
            _show_rows(console, title, rows, key)
    if answer.get("next"):
        console.print(f"more rows: --after {escape(str(answer['next']))}", style="italic", soft_wrap=True)


def _groups(result: Mapping[str, Any]) -> list[tuple[str, Any]]:
    lists = [(key, value) for key, value in result.items() if _is_rows(value)]
    rest = {key: value for key, value in result.items() if not _is_rows(value)}
    return [*([("", rest)] if rest else []), *lists]


def _is_rows(node: Any) -> bool:  # noqa: ANN401 - any JSON
    return isinstance(node, list) and all(isinstance(row, Mapping) for row in node)


def _show_rows(console: Console, title: str, rows: Any, key: str) -> None:  # noqa: ANN401 - any JSON
    if isinstance(rows, Mapping):
        table = Table("", "value", "why", title=title or None, title_justify="left", box=SIMPLE)
        for part, value in _flat(rows):
            table.add_row(part, escape(brief(value)), escape(why(value)) if is_conclusion(value) else "")
        console.print(table)
        return
    if not rows:
        console.print(f"{title or 'nothing'}: none")
        return
    told = list(dict.fromkeys(column for row in rows for column in row))
    columns = [column for column in _COLUMNS.get(key, told) if column in told]
    cells = [[escape(brief(row.get(column))) for column in columns] for row in rows]
    explained = _EXPLAINED.get(key)
    reasons = [escape(why(row[explained])) for row in rows] if explained else []
    explained_cells = [[*line, *reasons[place : place + 1]] for place, line in enumerate(cells)]
    explained_columns = [*columns, *(["why"] if explained else [])]
    if _is_printed(console, title, explained_columns, explained_cells):
        return
    if _is_printed(console, title, columns, cells):
        for line, reason in zip(cells, reasons, strict=True):
            console.print(f"  [bold]{line[0]}[/]: {reason}", highlight=False, soft_wrap=True)
        return
    if title:
        console.print(title, style="italic")
    for line in explained_cells:
        table = Table(box=SIMPLE, show_header=False)
        for pair in zip(explained_columns, line, strict=True):
            table.add_row(*pair)
        console.print(table)


def _is_printed(console: Console, title: str, columns: Sequence[str], lines: Iterable[Sequence[str]]) -> bool:
    """Print lines side by side; not when the terminal is too narrow for it and would cut words."""
    table = Table(*columns, title=title or None, title_justify="left", box=SIMPLE)
    for line in lines:
        table.add_row(*line)
    unbounded = console.options.update(max_width=_ANY_WIDTH)
    fits = Measurement.get(console, unbounded, table).minimum <= console.width
    if fits:
        console.print(table)
    return fits


def _flat(node: Mapping[str, Any], before: str = "") -> Iterable[tuple[str, Any]]:
    for key, value in node.items():
        if isinstance(value, Mapping) and not is_conclusion(value):
            yield from _flat(value, f"{before}{key}.")
        else:
            yield before + key, value


def show_readings(console: Console, answer: Mapping[str, Any]) -> None:
    """What each other reading would change, a table for each that changes anything."""
    console.print(f"[bold]readings[/] of [bold]{escape(answer['account'])}[/] as of {answer['as_of']}")
    moving = [row for row in answer["result"] if row["conclusions"]]
    for row in moving:
        euros = ", ".join(f"{name} {amount} €" for name, amount in row["euros"].items())
        console.print(
            f"\n[bold]{row['reading']}={row['option']}[/] {escape(row['point'])}: {escape(row['text'])}"
            + (f" · moves {escape(euros)}" if euros else ""),
            highlight=False,
            soft_wrap=True,
        )
        table = Table("conclusion", "now", "then", "article", box=SIMPLE)
        for change in row["conclusions"]:
            where = f"{change['projection']} {change['path']}"
            table.add_row(
                escape(where), *(escape(brief(change[key])) for key in ("primary", "value", "article"))
            )
        console.print(table)
    if not moving:
        console.print("no other reading would change a conclusion")


def show_explanation(console: Console, answer: Mapping[str, Any]) -> None:
    """Every conclusion on a subject with its reasons, then the subject's facts."""
    console.print(f"[bold]{escape(answer['subject'])}[/] as of {answer['as_of']}", highlight=False)
    for told in answer["conclusions"]:
        console.print(f"\n[bold]{escape(_title(told))}[/]: {escape(brief(told['value']))}", highlight=False)
        console.print(f"  {escape(why(told))}", highlight=False, soft_wrap=True)
        for quotation in told.get("quotations", []):
            console.print(f"  « {escape(quotation)} »", style="italic", highlight=False, soft_wrap=True)
    table = Table("position", "legal time", "clock", "type", title="Facts", title_justify="left", box=SIMPLE)
    for fact in answer["facts"]:
        table.add_row(str(fact["position"]), fact["legal_time"], fact.get("clock", ""), fact["type"])
    console.print()
    console.print(table)


def _title(told: Mapping[str, Any]) -> str:
    return str(told.get("path") or told.get("name") or told["rule"])
