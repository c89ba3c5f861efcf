"""The command ``greffe``. Exit status: 0 fine, 1 a check failed, 2 the call was wrong."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from functools import wraps
from typing import Any

import typer
from rich.console import Console

from api.server import serve as serve_ledger
from api.settings import Settings
from ledger.contract.terms import look_in
from ledger.errors import FlawedFactsError, GreffeError
from scripts import access, asking, checking, copying, erasing, evidence, recording, signing, witness
from scripts.bench import bench as measure
from scripts.options import Db, Mail

app = typer.Typer(
    name="greffe",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
WRONG_CALL = 2


def told_plainly(command: Callable[..., Any]) -> Callable[..., Any]:
    """Say an error of ours in a sentence on standard error and end with status 2, without a traceback."""

    @wraps(command)
    def told(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - whatever the command takes
        try:
            return command(*args, **kwargs)
        except FlawedFactsError as error:
            for flaw in error.flaws:
                typer.echo(f"greffe: {flaw}", err=True)
        except GreffeError as error:
            typer.echo(f"greffe: {error}", err=True)
        raise typer.Exit(WRONG_CALL)

    return told


@app.callback()
@told_plainly
def settle() -> None:
    """The registry of a cloud contract: facts under the mail server's clock, conclusions with reasons."""
    folder = Settings().terms
    if folder is not None:
        look_in(folder)


@told_plainly
def serve(
    db: Db = None,
    mail: Mail = None,
    host: str = typer.Option(None, help="The address to listen on; 127.0.0.1 unless told otherwise."),
    port: int = typer.Option(None, help="The port to listen on; 8000 unless told otherwise, 0 for any."),
) -> None:
    """Serve the API and read-only pages; a simulated ledger is served read-only and needs no --mail."""
    settings = Settings()
    serve_ledger(
        db or settings.db,
        mail or settings.mail,
        host or settings.host,
        settings.port if port is None else port,
        settings=settings,
        announce=lambda line: Console(highlight=False, soft_wrap=True).print(line, markup=False),
    )


for name, command in (
    ("serve", serve),
    ("record", told_plainly(recording.record)),
    ("simulate", told_plainly(recording.simulate)),
    ("query", told_plainly(asking.query)),
    ("explain", told_plainly(asking.explain)),
    ("readings", told_plainly(asking.show_readings)),
    ("audit", told_plainly(checking.audit)),
    ("rebuild", told_plainly(checking.rebuild)),
    ("copy", told_plainly(copying.copy)),
    ("erase", told_plainly(erasing.erase)),
    ("evidence", told_plainly(evidence.evidence)),
    ("verify", told_plainly(evidence.verify)),
    ("keys", told_plainly(signing.keys)),
    ("vouch", told_plainly(signing.vouch)),
    ("witness", told_plainly(witness.witness)),
    ("bench", told_plainly(measure)),
    ("demo", told_plainly(recording.demo)),
):
    app.command(name)(command)

importing = typer.Typer(help="Turn another system's files into facts.", no_args_is_help=True)
importing.command("outscale")(told_plainly(recording.import_outscale))
app.add_typer(importing, name="import")

callers = typer.Typer(help="API keys: who may write, read and audit.", no_args_is_help=True)
callers.command("add")(told_plainly(access.add))
callers.command("list")(told_plainly(access.show))
callers.command("revoke")(told_plainly(access.revoke))
app.add_typer(callers, name="access")


def main() -> None:
    """Run the command; reading long histories makes many small objects, so that collecting less is faster."""
    gc.set_threshold(100_000, 20, 20)
    sys.exit(app())


if __name__ == "__main__":
    main()
