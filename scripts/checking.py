"""``greffe audit`` and ``greffe rebuild``."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Annotated

import orjson
import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from api.runtime import Runtime, keys_path
from api.settings import Settings
from ledger.audit import Report
from ledger.audit import audit as replay
from ledger.clock.servers import journal_of
from ledger.log.tokens import Authority
from ledger.notary import SIGNED_FILE
from ledger.store import is_postgresql
from projections.differences import Discrepancy
from scripts.options import AsJson, AsOf, Db, Mail, instant, ledger_address

CHECK_FAILED = 1


def audit(db: Db = None, mail: Mail = None, as_of: AsOf = None, as_json: AsJson = False) -> None:  # noqa: FBT002
    """Replay everything from the stored bytes, rebuild every projection, and name each discrepancy.

    With --mail, each stamp is held against the message in the mail server's journal. Ends with status 1
    when anything is wrong.
    """
    address = ledger_address(db)
    with Runtime.open(address) as runtime, ExitStack() as closing_bar:
        journal = journal_of(mail or Settings().mail, runtime.record.identity.origin)
        bar = closing_bar.enter_context(_bar())
        task = bar.add_task("replaying", total=None)
        report = replay(
            runtime.record,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
            as_of=instant(as_of),
            journal=journal,
            signed=_signed_last(address),
            roots=[root for text in Settings().tsa for root in Authority.parse(text).roots],
        )
        bar.update(task, description="comparing projections")
        drifts = [] if as_of else _drifts(runtime, report)
    if as_json:
        found = {**report.to_json(), "projections": [str(drift) for drift in drifts]}
        found["clean"] = report.clean and not drifts
        typer.echo(orjson.dumps(found, option=orjson.OPT_INDENT_2).decode())
    else:
        _tell(report, drifts)
    if not report.clean or drifts:
        raise typer.Exit(CHECK_FAILED)


def _drifts(runtime: Runtime, report: Report) -> list[Discrepancy]:
    """The projections held against new ones; of a record that is damaged only if it can still be read."""
    try:
        return runtime.answers.compare()
    except Exception:
        if report.clean:
            raise
        report.remark("The projections were not compared: the record that they rest on is damaged.")
        return []


def _signed_last(address: str) -> list[tuple[str, bytes]]:
    """What the keys signed last, as it lies beside them: a ledger that was set back does not have it."""
    if is_postgresql(address) and Settings().keys is None:
        return []
    path = keys_path(address, Settings()) / SIGNED_FILE
    return [(str(path), path.read_bytes())] if path.is_file() else []


def _bar() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )


def _tell(report: Report, drifts: list[Discrepancy]) -> None:
    console = Console(highlight=False, soft_wrap=True)
    for found in report.discrepancies:
        console.print(
            f"[red]position {found.position}[/] \\[{found.rule}] {escape(found.meaning)}", markup=True
        )
        console.print(f"  expected {escape(found.expected)}\n  found    {escape(found.found)}")
    if report.total > len(report.discrepancies):
        console.print(f"… and {report.total - len(report.discrepancies)} more discrepancies")
    for drift in drifts:
        console.print(f"[red]projection[/] {escape(str(drift))}")
    for remark in report.remarks:
        console.print(f"[yellow]remark[/] {escape(remark)}")
    verdict = "clean" if report.clean and not drifts else "NOT CLEAN"
    counts = f"{report.commits} commits, {report.facts} facts, {report.leaves} leaves"
    console.print(f"{counts}, root {report.root}: {verdict}")


def rebuild(
    name: Annotated[str, typer.Argument(help="The projection to make again, or `all`.")], db: Db = None
) -> None:
    """Throw the view of a projection away and make it again from the log."""
    with Runtime.open(ledger_address(db)) as runtime:
        for each in runtime.answers.names if name == "all" else [name]:
            runtime.answers.rebuild(each)
            typer.echo(f"rebuilt {each}")
