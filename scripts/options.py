"""Options that several commands share, and what they mean."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import typer

from api.settings import Settings
from ledger.contract.finding import Readings
from ledger.errors import WrongCallError
from ledger.instants import parse_instant

Db = Annotated[
    str | None, typer.Option(help="The ledger: sqlite:///FILE or postgresql://… (GREFFE_DB when left out).")
]
Mail = Annotated[
    str | None,
    typer.Option(help="The mail server: embedded:DIR or smtp://HOST:PORT?journal=DIR (GREFFE_MAIL)."),
]
AsOf = Annotated[
    str | None, typer.Option(help="The instant to answer for, inclusive (RFC 3339); now when left out.")
]
KnownAt = Annotated[
    str | None, typer.Option(help="Only what was recorded before the first commit stamped after this.")
]
Reading = Annotated[
    list[str] | None, typer.Option(help="Decide with another reading, such as R2=2; may be repeated.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print the API's own answer.")]


def ledger_address(db: str | None) -> str:
    """The ledger that a command is about."""
    return db or Settings().db


def mail_address(mail: str | None) -> str:
    """The mail server that a command stamps by.

    Raises:
        WrongCallError: none was given.
    """
    found = mail or Settings().mail
    if found is None:
        raise WrongCallError("recording needs a mail server: --mail embedded:DIR or --mail smtp://HOST:PORT")
    return found


def instant(text: str | None) -> datetime | None:
    """An instant of the command line, if one was given."""
    return None if text is None else parse_instant(text)


def readings(choices: list[str] | None) -> Readings:
    """The readings chosen on the command line."""
    return Readings.parse(choices or [])
