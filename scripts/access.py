"""``greffe access``: API keys."""

from __future__ import annotations

from contextlib import closing
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from api.runtime import open_access
from scripts.options import Db, ledger_address

Role = Annotated[list[str], typer.Option(help="writer, reader or auditor; may be repeated.")]


def add(
    name: Annotated[str, typer.Argument(help="Who will hold the key.")],
    role: Role,
    account: Annotated[str | None, typer.Option(help="Bind the key to one account.")] = None,
    db: Db = None,
) -> None:
    """Make a key and print it once: only its hash is kept."""
    with closing(open_access(ledger_address(db))) as access:
        typer.echo(access.add_key(name, role, account))


def show(db: Db = None) -> None:
    """List the keys; nobody can list their secrets."""
    with closing(open_access(ledger_address(db))) as access:
        table = Table("name", "roles", "account", "created", "revoked")
        for key in access.list_keys():
            table.add_row(
                key.name, ", ".join(key.roles), key.account or "all", key.created, key.revoked or ""
            )
    Console().print(table)


def revoke(name: Annotated[str, typer.Argument(help="Whose key.")], db: Db = None) -> None:
    """End a key; it opens nothing from now on."""
    with closing(open_access(ledger_address(db))) as access:
        access.revoke_key(name)
    typer.echo(f"the key {name} is revoked")
