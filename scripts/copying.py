"""``greffe copy``: a ledger moved to another engine, leaf for leaf, root for root."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console

from ledger.store import shown
from ledger.store.copying import copy as copy_ledger

_From = Annotated[str, typer.Option("--from", help="The ledger to copy: sqlite:///FILE or postgresql://…")]
_To = Annotated[str, typer.Option("--to", help="Where to: an address at which nothing is recorded yet.")]


def copy(source: _From, target: _To) -> None:
    """Copy a ledger with its vault to another file or database, and compare every row of it.

    Stop what records in it first: what is recorded meanwhile is not in the copy, and is counted. The folder
    of keys is not copied; whoever goes on with the copy takes it along, and records in the old one no more.
    """
    console = Console(highlight=False, soft_wrap=True, stderr=True)
    with console.status("copying") as status:
        copied = copy_ledger(
            source, target, lambda table, count: status.update(f"copying {table}: {count:,}")
        )
    typer.echo(f"{copied.leaves} leaves, root {copied.root.hex()}, copied to {shown(target)}")
    for table, count in copied.rows.items():
        typer.echo(f"  {table}: {count} rows, equal")
    if copied.since:
        typer.echo(
            f"{copied.since} leaves were recorded meanwhile and are NOT in the copy: stop what records,"
            " and copy to another place"
        )
        raise typer.Exit(1)
