"""``greffe record``, ``simulate``, ``import`` and ``demo``: facts from files into a ledger."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Annotated, BinaryIO

import orjson
import typer

from api.runtime import Runtime
from api.settings import Settings
from ledger.clock import open_mail
from ledger.clock.embedded import EMBEDDED
from ledger.clock.smtp import SmtpClock
from ledger.errors import Flaw, GreffeError, MalformedFactError, WrongCallError
from ledger.facts.envelope import Draft, parse_events
from ledger.facts.strict_json import parse_json
from ledger.recorder import Receipt, Recorder
from ledger.store import exists, shown
from scripts import demo as demonstration
from scripts.options import Db, Mail, ledger_address, mail_address
from scripts.outscale import Imported, ToDate, check_account, import_answers, read_answers, to_lines
from scripts.scenario import simulate as simulate_lines

CHECK_FAILED = 1
_FACTS_IN_A_BATCH = 1_000
_BYTES_IN_A_BATCH = 8 * 1024 * 1024
"""So that memory stays flat when each fact is as long as a leaf may be."""
Receipts = Annotated[bool, typer.Option("--receipts", help="Print a receipt per fact, as JSON Lines.")]
File = Annotated[str, typer.Argument(help="A JSON Lines file; - for standard input.")]


def record(file: File, db: Db = None, mail: Mail = None, receipts: Receipts = False) -> None:  # noqa: FBT002
    """Record facts from a JSON Lines file, in order, in batches of up to 1,000; safe to repeat.

    When a batch is refused, the facts of the batches before it stay recorded, and the message says so.
    """
    with _opened(file) as lines, _recorder(db, mail) as recorder:
        _record_drafts(recorder, _drafts(lines), show=receipts)


def simulate(scenario: File, db: Db = None, receipts: Receipts = False) -> None:  # noqa: FBT002
    """Record a scenario under a simulated mail clock; such a ledger never becomes a real one."""
    address = ledger_address(db)
    tally = _Tally(show=receipts)
    with _opened(scenario) as lines:
        _counting(tally, lambda: tally.take(simulate_lines(lines, address)))
    typer.echo(f"{tally} in {shown(address)}: a SIMULATED ledger, under a simulated clock", err=True)


def demo(db: Db = None) -> None:
    """Record a sample contract year under a simulated clock and print what the ledger concludes."""
    address = ledger_address(db)
    tally = _Tally(show=False)
    _counting(tally, lambda: tally.take(simulate_lines(demonstration.lines(), address)))
    typer.echo(f"{tally} in {shown(address)}: a SIMULATED ledger, under a simulated clock", err=True)
    with Runtime.open(address) as runtime:
        demonstration.show(runtime.answers)


def import_outscale(
    file: Annotated[Path, typer.Argument(help="A ReadConsumptionAccount answer, or a list of them (JSON).")],
    account: Annotated[str, typer.Option(help="The ledger's account that consumed.")],
    to_date: Annotated[
        str, typer.Option(help="auto, inclusive or exclusive: whether ToDate belongs to the period.")
    ] = "auto",
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Write the facts as JSON Lines here.")
    ] = None,
    db: Db = None,
    mail: Mail = None,
) -> None:
    """Turn OUTSCALE's consumption into facts: printed, written to a file, or (with --mail) recorded.

    The report goes to standard error. Ends with status 1 when a line could not be read; the others are
    imported all the same.
    """
    known: dict[str, ToDate] = {"auto": "auto", "inclusive": "inclusive", "exclusive": "exclusive"}
    if to_date not in known:
        raise WrongCallError(f"--to-date is auto, inclusive or exclusive, not {to_date!r}")
    check_account(account)
    if not file.is_file():
        raise WrongCallError(f"there is no file {file}")
    imported = import_answers(read_answers(file.read_bytes()), account, to_date=known[to_date])
    if mail is not None:
        with _recorder(db, mail) as recorder:
            drafts = parse_events(imported.facts) if imported.facts else []
            _record_drafts(recorder, ((draft, 0) for draft in drafts), show=False)
    elif output is not None:
        output.write_bytes(b"".join(to_lines(imported.facts)))
    else:
        for line in to_lines(imported.facts):
            sys.stdout.write(line.decode())
    _report(imported)


def _report(imported: Imported) -> None:
    for remark in imported.remarks:
        typer.echo(f"remark: {remark}", err=True)
    for unreadable in imported.unreadable:
        typer.echo(f"not imported: {unreadable}", err=True)
    entries = _counted(imported.entries, "entry", "entries")
    typer.echo(f"{entries} in {_counted(len(imported.facts), 'fact', 'facts')}", err=True)
    if imported.unreadable:
        raise typer.Exit(CHECK_FAILED)


class _Tally:
    """How many facts were new and how many were there before; prints receipts when asked."""

    def __init__(self, *, show: bool) -> None:
        self._show = show
        self.new = 0
        self.repeated = 0

    def __str__(self) -> str:
        were = "was" if self.repeated == 1 else "were"
        repeated = f", {self.repeated} {were} recorded already" if self.repeated else ""
        return f"{_counted(self.new, 'fact', 'facts')} recorded{repeated}"

    def take(self, receipts: Iterable[Receipt]) -> None:
        """Count receipts."""
        for receipt in receipts:
            self.new += receipt.new
            self.repeated += not receipt.new
            if self._show:
                typer.echo(orjson.dumps(receipt.to_json()).decode())


def _counted(count: int, one: str, many: str) -> str:
    return f"{count} {one if count == 1 else many}"


def _counting(tally: _Tally, recording: Callable[[], None]) -> None:
    """Say how far it got when an error ends it."""
    try:
        recording()
    except GreffeError:
        typer.echo(f"{tally} before the error; repeating the call records nothing twice", err=True)
        raise


def _record_drafts(recorder: Recorder, drafts: Iterable[tuple[Draft, int]], *, show: bool) -> None:
    tally = _Tally(show=show)

    def all_batches() -> None:
        for batch in _batches(drafts):
            tally.take(recorder.record(batch))

    _counting(tally, all_batches)
    typer.echo(str(tally), err=True)


def _batches(drafts: Iterable[tuple[Draft, int]]) -> Iterator[list[Draft]]:
    """Drafts with the length of their lines, in requests of bounded size."""
    batch: list[Draft] = []
    size = 0
    for draft, length in drafts:
        batch.append(draft)
        size += length
        if len(batch) == _FACTS_IN_A_BATCH or size >= _BYTES_IN_A_BATCH:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _drafts(lines: Iterable[bytes]) -> Iterator[tuple[Draft, int]]:
    for number, line in enumerate(lines, start=1):
        if line.strip():
            try:
                (draft,) = parse_events([parse_json(line)])
            except MalformedFactError as error:
                raise MalformedFactError(*_on_line(number, error.flaws)) from error
            yield draft, len(line)


def _on_line(number: int, flaws: Sequence[Flaw]) -> Iterator[Flaw]:
    for flaw in flaws:
        named = not flaw.fact.startswith(("#", "request"))
        name = f"{flaw.fact} on line {number}" if named else f"on line {number}"
        yield Flaw(name, flaw.field, flaw.rule, flaw.message)


@contextmanager
def _opened(file: str) -> Iterator[BinaryIO]:
    if file == "-":
        yield sys.stdin.buffer
        return
    path = Path(file)
    if not path.is_file():
        raise WrongCallError(f"there is no file {file}")
    with path.open("rb") as lines:
        yield lines


def _check_mail(db: str, mail: str) -> None:
    """Begin no ledger under a mail server that refuses: a mistyped address would leave an empty one.

    Raises:
        ClockUnavailableError: it does not answer as a mail server does.
        WrongCallError: the address is none.
    """
    if exists(db) or mail.startswith(f"{EMBEDDED}:"):
        return
    with closing(open_mail(mail, origin=Settings().origin)) as server:
        if isinstance(server.clock, SmtpClock):
            server.clock.greet()


@contextmanager
def _recorder(db: str | None, mail: str | None) -> Iterator[Recorder]:
    ledger, server = ledger_address(db), mail_address(mail)
    _check_mail(ledger, server)
    with ExitStack() as opened:
        runtime = opened.enter_context(Runtime.open(ledger, server))
        if runtime.recorder is None:
            raise WrongCallError("recording needs a mail server: --mail")
        yield runtime.recorder
