"""``greffe query`` and ``greffe explain``: questions put to a ledger file, without HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import orjson
import typer
from rich.console import Console

from api.runtime import Runtime
from ledger.errors import WrongCallError
from projections.answers import Answers
from projections.everywhere import SORTED_BY, everywhere
from scripts import tables
from scripts.options import AsJson, AsOf, Db, KnownAt, Reading, instant, ledger_address, readings


@contextmanager
def _answers(db: str | None) -> Iterator[Answers]:
    with Runtime.open(ledger_address(db)) as runtime:
        yield runtime.answers


def query(
    name: Annotated[str, typer.Argument(help="A projection: contract, acceptance, invoices, balance, …")],
    account: Annotated[
        str | None, typer.Argument(help="The account; left out, every account is asked.")
    ] = None,
    as_of: AsOf = None,
    known_at: KnownAt = None,
    reading: Reading = None,
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many rows of a long answer.")] = None,
    after: Annotated[
        str | None, typer.Option(help="Go on after this row (`next` of the answer before).")
    ] = None,
    db: Db = None,
    as_json: AsJson = False,  # noqa: FBT002 - a flag of the command line
) -> None:
    """Ask a projection about an account, at any instant."""
    if account is None and name in SORTED_BY:
        _query_everywhere(name, as_of, known_at, reading, db, as_json=as_json)
        return
    with _answers(db) as answers:
        accounts = [account] if account else [str(row["account"]) for row in answers.accounts()]
        if not accounts:
            raise WrongCallError("the ledger holds no account yet")
        told = [
            answers.ask(
                name,
                each,
                as_of=instant(as_of),
                known_at=instant(known_at),
                readings=readings(reading),
                limit=limit,
                after=after,
            )
            for each in accounts
        ]
    if as_json:
        _print_json(told[0] if account else told)
        return
    for answer in told:
        tables.show_answer(Console(), name, answer)


def _query_everywhere(
    name: str,
    as_of: str | None,
    known_at: str | None,
    reading: list[str] | None,
    db: str | None,
    *,
    as_json: bool,
) -> None:
    """One list over all accounts."""
    with _answers(db) as answers:
        answer = everywhere(
            answers, name, as_of=instant(as_of), known_at=instant(known_at), readings=readings(reading)
        )
    if as_json:
        _print_json(answer)
    else:
        tables.show_answer(Console(), name, answer)


def explain(
    subject: Annotated[str, typer.Argument(help="A subject, such as ACC-1/invoice/F-2021-06.")],
    as_of: AsOf = None,
    known_at: KnownAt = None,
    reading: Reading = None,
    db: Db = None,
    as_json: AsJson = False,  # noqa: FBT002 - a flag of the command line
) -> None:
    """Say every conclusion on a subject: rule, article, quoted words, readings and facts."""
    with _answers(db) as answers:
        answer = answers.explain(
            subject, as_of=instant(as_of), known_at=instant(known_at), readings=readings(reading)
        )
    if as_json:
        _print_json(answer)
    else:
        tables.show_explanation(Console(), answer)


def show_readings(
    account: Annotated[str, typer.Argument(help="The account.")],
    as_of: AsOf = None,
    known_at: KnownAt = None,
    db: Db = None,
    as_json: AsJson = False,  # noqa: FBT002 - a flag of the command line
) -> None:
    """Say what would change under each other reading: which conclusions, and how many euros."""
    with _answers(db) as answers:
        answer = answers.alternatives(account, as_of=instant(as_of), known_at=instant(known_at))
    if as_json:
        _print_json(answer)
    else:
        tables.show_readings(Console(), answer)


def _print_json(answer: Any) -> None:  # noqa: ANN401 - any JSON
    typer.echo(orjson.dumps(answer, option=orjson.OPT_INDENT_2).decode())
