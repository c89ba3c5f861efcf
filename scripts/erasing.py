"""``greffe erase``: personal values of an account, once the contract lets them go."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from api.runtime import Runtime, views_path
from ledger.clock.embedded import EMBEDDED
from ledger.contract.clauses.retention import Keeping
from ledger.erasure import Erased, Erasure, Search, counted, stamped_too_early
from ledger.errors import WrongCallError
from ledger.instants import plain
from projections.erasable import erasable
from scripts.options import Db, Mail, ledger_address, mail_address

CHECK_FAILED = 1
OUT_OF_REACH = "backups, copies elsewhere, freed disk blocks, and a database server's own files and log"
_SHOWN = 10

DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would go and why the rest stays.")]
Request = Annotated[
    str | None, typer.Option(help="The request that asks for it, such as A/rights-request/ID.")
]
Also = Annotated[
    list[Path] | None, typer.Option("--search", help="Search this file or folder too (exports); repeatable.")
]


def erase(
    account: Annotated[str, typer.Argument(help="Whose personal values.")],
    db: Db = None,
    mail: Mail = None,
    dry_run: DryRun = False,  # noqa: FBT002
    request: Request = None,
    search: Also = None,
) -> None:
    """Erase an account's personal values, class by class, where the contract no longer has them kept.

    Destroys their key and ciphertexts, searches every byte of the ledger's files for what is gone, and
    records that. What must still be kept is refused with its article; nothing overrides that. Ends with
    status 1 when nothing may be erased, or something was found after the erasure.
    """
    address, console = ledger_address(db), Console(highlight=False, soft_wrap=True)
    url = None if dry_run else mail_address(mail)
    with Runtime.open(address, url) as runtime:
        keeping = erasable(runtime.answers, account, datetime.now(UTC))
        console.print(_table(keeping, counted(runtime.record, account, [row.retention for row in keeping])))
        if dry_run:
            return
        if request is not None and not runtime.record.history(request):
            raise WrongCallError(f"there is no request {request} in the record")
        if runtime.recorder is None:
            raise WrongCallError("an erasure is recorded under the mail server's clock: --mail")
        erasure = Erasure(
            runtime.record,
            runtime.recorder,
            account,
            [row.retention for row in keeping if row.allowed],
            mail_folder=_folder(url),
            views=views_path(address, runtime.settings),
            further=search or (),
        )
        done = list(erasure.run(request))
    for erased in done:
        _tell(console, erased)
    _conclude(console, done, keeping)


def _folder(url: str | None) -> Path | None:
    """The folder of the embedded mail server, which is under the ledger's control."""
    prefix = f"{EMBEDDED}:"
    return Path(url.removeprefix(prefix)) if url is not None and url.startswith(prefix) else None


def _table(keeping: list[Keeping], values: dict[str, int]) -> Table:
    table = Table("class", "values", "article", "may be erased", "since", "why")
    for row in keeping:
        since = plain(row.since) if row.since else "not known yet"
        allowed = "yes" if row.allowed else "no"
        table.add_row(row.retention, str(values.get(row.retention, 0)), row.article, allowed, since, row.why)
    return table


def _tell(console: Console, erased: Erased) -> None:
    console.print(
        f"erased {erased.values} values ({', '.join(erased.classes)}), recorded at position"
        f" {erased.receipt.position}, {plain(erased.receipt.legal_time)}"
    )
    if not erased.before.hits:
        console.print(
            "nothing to search for: the values were destroyed by an earlier call, which did not end"
            if erased.values
            else "nothing was found before, and nothing after"
        )
    console.print(_searched("before", erased.before))
    console.print(_searched("after", erased.after))
    for hit in erased.after.hits[:_SHOWN]:
        console.print(f"[red]still there[/] {hit.file} at byte {hit.offset}")
    sought = erased.sought
    if sought.too_short or sought.technical:
        console.print(
            f"not searched for: {sought.too_short} values of a few bytes, which any file has, and"
            f" {sought.technical} that the log holds as technical words too"
        )
    for name in erased.after.files:
        console.print(f"  searched {name}", markup=False)
    console.print(f"{OUT_OF_REACH} are out of this search's reach")


def _searched(when: str, found: Search) -> str:
    return f"{when}: {len(found.hits)} places found in {len(found.files)} files, {found.size_bytes} bytes"


def _conclude(console: Console, done: list[Erased], keeping: list[Keeping]) -> None:
    refused = [row for row in keeping if not row.allowed]
    for row in refused:
        since = f" before {plain(row.since)}" if row.since else ""
        console.print(f"[yellow]refused[/] {row.retention}: art. {row.article} keeps it{since}: {row.why}")
    early = [row for row in keeping if row.allowed and any(stamped_too_early(e, row.since) for e in done)]
    for row in early:
        console.print(
            f"[red]too early[/] {row.retention}: the mail server's clock reads less than this host's"
        )
    if not done:
        console.print("nothing was erased" + ("" if refused else ": nothing is left"))
    if early or any(erased.after.hits for erased in done) or (not done and refused):
        raise typer.Exit(CHECK_FAILED)
