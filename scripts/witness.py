"""``greffe witness``: what the party runs that does not keep the ledger."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from api.witness import serve_witness
from ledger.errors import ProofError, WrongCallError
from ledger.log.fraud import FraudProof
from ledger.log.notes import VerifierKey
from ledger.log.witness import Witness

CHECK_FAILED = 1


def witness(
    log: Annotated[
        list[str], typer.Option(help="A verifier key of a log (greffe keys prints them); may be repeated.")
    ],
    state: Annotated[
        Path | None, typer.Option(help="The folder of its keys and of what it cosigned last.")
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="Its name, a URL without scheme; remembered in --state.")
    ] = None,
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="The port to listen on; 0 for any.", min=0, max=65_535)] = 8001,
    verify_fraud: Annotated[
        Path | None, typer.Option(help="Verify a fraud proof with the keys in --log, instead of serving.")
    ] = None,
) -> None:
    """Cosign the checkpoints of a log that only ever grows (C2SP tlog-witness).

    Whoever shows it another history is refused, and a contradiction that the log signed is kept in the
    folder fraud of --state. With --verify-fraud, ends with status 1 unless the file is proof by itself.
    """
    try:
        keys = [VerifierKey.parse(text) for text in log]
    except ProofError as error:
        raise WrongCallError(f"--log: {error}") from error
    if verify_fraud is not None:
        _verify(verify_fraud, keys)
    elif state is None:
        raise WrongCallError("a witness needs a folder to remember in: --state DIR")
    else:
        serve_witness(Witness(state, keys, name), host, port, announce=typer.echo)


def _verify(path: Path, keys: list[VerifierKey]) -> None:
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise WrongCallError(f"cannot read {path}: {error.strerror}") from error
    try:
        proof = FraudProof.parse(raw)
        proof.verify(keys)
    except ProofError as error:
        typer.echo(f"NOT PROVEN: {error}")
        raise typer.Exit(CHECK_FAILED) from error
    typer.echo(f"PROVEN: {proof.meaning}")
