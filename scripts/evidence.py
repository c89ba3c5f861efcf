"""``greffe evidence`` and ``greffe verify``: packages that prove what the ledger says, made and examined."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, get_args

import typer
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PublicKey
from cryptography.hazmat.primitives.serialization import Encoding

from api.evidence import Asked, write_evidence
from api.runtime import Runtime
from api.settings import Settings
from ledger.errors import WrongCallError
from ledger.evidence import verifier
from ledger.evidence.gather import Disclosure, Extent
from ledger.evidence.retelling import retell
from ledger.log.tokens import Authority
from scripts.options import AsJson, AsOf, Db, KnownAt, Mail, Reading, instant, ledger_address, readings

CHECK_FAILED = 1

Disclose = Annotated[
    list[str] | None,
    typer.Option(help="none, billing, all, or the path of a field in its fact (/data/email); repeatable."),
]
Timestamp = Annotated[
    bool, typer.Option("--timestamp", help="Have the first authority of GREFFE_TSA timestamp the package.")
]
Pinned = Annotated[
    list[str] | None,
    typer.Option(help="A verifier key that must have signed it, received by another way; repeatable."),
]


def evidence(
    subject: Annotated[str, typer.Argument(help="A subject such as ACC-1/invoice/F-1, or an account.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="The file to write.")],
    db: Db = None,
    mail: Mail = None,
    as_of: AsOf = None,
    known_at: KnownAt = None,
    reading: Reading = None,
    disclose: Disclose = None,
    timestamp: Timestamp = False,  # noqa: FBT002 - a flag of the command line
) -> None:
    """Write an evidence package: facts, proofs, stamping messages, conclusions and a verifier, in one ZIP.

    Personal values are left out unless --disclose says otherwise, and listed as left out. With --mail the
    journal's messages are in it. Its signature is by the ledger's own key.
    """
    if timestamp and not Settings().tsa:
        raise WrongCallError("nobody can timestamp it: GREFFE_TSA names no authority")
    asked = Asked(
        subject,
        instant(as_of),
        instant(known_at),
        readings(reading),
        disclosure(disclose or []),
        timestamped=timestamp,
    )
    unfinished = output.with_name(f".{output.name}.unfinished")
    try:
        with Runtime.open(ledger_address(db)) as runtime, unfinished.open("wb") as target:
            write_evidence(runtime, asked, target, mail=mail)
        unfinished.replace(output)
    except OSError as error:
        raise WrongCallError(f"{output} cannot be written: {error}") from error
    finally:
        unfinished.unlink(missing_ok=True)
    typer.echo(f"{output}: {output.stat().st_size} bytes", err=True)


def disclosure(choices: list[str]) -> Disclosure:
    """What is disclosed, from the words of the command line.

    Raises:
        WrongCallError: a word is neither a choice nor a path.
    """
    words: tuple[Extent, ...] = get_args(Extent)
    fields = frozenset(choice for choice in choices if choice.startswith("/"))
    named = [choice for choice in choices if choice not in fields] or ["none"]
    for word in words:
        if named == [word]:
            return Disclosure(word, fields)
    raise WrongCallError(f"--disclose is {', '.join(words)}, or the path of a field such as /data/email")


def verify(
    file: Annotated[Path, typer.Argument(help="An evidence package.")],
    key: Pinned = None,
    as_json: AsJson = False,  # noqa: FBT002 - a flag of the command line
) -> None:
    """Verify an evidence package without any ledger; status 1 when anything fails.

    Without --key the ledger's key is the package's own word. Authorities of GREFFE_TSA are trusted.
    """
    roots = b"".join(
        root.public_bytes(Encoding.PEM) for text in Settings().tsa for root in Authority.parse(text).roots
    )
    found = verifier.verify(
        file, pinned=key or [], authorities=roots or None, extra={verifier.ML_DSA_44: ml_dsa_44_verifies}
    )
    if found.accepted:
        retell(file, found)
    typer.echo(verifier.told(found, as_json=as_json))
    if not found.accepted:
        raise typer.Exit(CHECK_FAILED)


def ml_dsa_44_verifies(material: bytes, signature: bytes, message: bytes) -> bool:
    """What openssl 3.0 cannot: whether an ML-DSA-44 signature (FIPS 204) is of this key."""
    try:
        MLDSA44PublicKey.from_public_bytes(material).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True
