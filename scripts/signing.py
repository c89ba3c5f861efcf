"""``greffe keys`` and ``greffe vouch``: which keys sign the log, and who vouches for it."""

from __future__ import annotations

from typing import Annotated

import orjson
import typer

from api.runtime import Runtime, keys_path
from api.settings import Settings
from api.vouching import vouching_of
from ledger import instants
from ledger.errors import NotRecordedError, WrongCallError
from ledger.notary import Notary
from ledger.store import Record, open_record
from scripts.options import AsJson, Db, Mail, ledger_address, mail_address

CHECK_FAILED = 1

Renew = Annotated[
    bool, typer.Option("--renew", help="Sign with new keys from now on; the next commit records them.")
]


def keys(db: Db = None, renew: Renew = False, as_json: AsJson = False) -> None:  # noqa: FBT002
    """Print the ledger's verifier keys (C2SP vkeys), and those that it signed with before.

    Whoever verifies what this ledger says pins these keys, as received by another way than this one.
    """
    address = ledger_address(db)
    if renew:
        record = open_record(address)
        try:
            Notary(keys_path(address, Settings()), record).renew_keys()
        finally:
            record.close()
    with Runtime.open(address) as runtime:
        rows = [*_recorded(runtime.record), *_unrecorded(address, runtime.record)]
    if as_json:
        typer.echo(orjson.dumps(rows, option=orjson.OPT_INDENT_2).decode())
        return
    for row in rows:
        since = f"from {row['from']}" if row["from"] else "recorded with the next commit"
        until = f", retired {row['until']}" if row["until"] else ""
        typer.echo(f"# {since}{until}\n{row['key']}")


def _recorded(record: Record) -> list[dict[str, str | None]]:
    """The keys that the record names: since when, and until when if they were retired."""
    rows: dict[str, dict[str, str | None]] = {}
    for fact in record.history("keys"):
        at = instants.plain(fact.legal_time)
        for key in fact.fields["data"]["keys"]:
            rows.setdefault(key, {"key": key, "from": at, "until": None})
        for key in fact.fields["data"].get("retired", ()):
            rows[key]["until"] = at
    return list(rows.values())


def _unrecorded(address: str, record: Record) -> list[dict[str, str | None]]:
    """The keys in the folder that no fact names yet."""
    folder = keys_path(address, Settings())
    if not folder.is_dir():
        return []
    known = {key for fact in record.history("keys") for key in fact.fields["data"]["keys"]}
    try:
        present = Notary(folder, record).verifier_keys
    except NotRecordedError:
        return []
    return [{"key": key.text, "from": None, "until": None} for key in present if key.text not in known]


def vouch(db: Db = None, mail: Mail = None) -> None:
    """Ask witnesses and timestamping authorities about the newest checkpoint now, and record their answers.

    Ends with status 1 when too few cosigned for the policy of GREFFE_WITNESSES, or an authority of GREFFE_TSA
    gave no token.
    """
    with Runtime.open(ledger_address(db), mail_address(mail)) as runtime:
        vouching = vouching_of(runtime)
        if vouching is None:
            raise WrongCallError("nobody is asked: GREFFE_WITNESSES and GREFFE_TSA name nobody")
        found = vouching.round(anyway=True)
    assert found is not None  # noqa: S101 - it was asked anyway
    for refusal in found.refusals:
        typer.echo(f"refused: {refusal}", err=True)
    enough = {None: "no policy", True: "enough for the policy", False: "TOO FEW for the policy"}
    count = f"{found.cosignatures} cosignatures, {found.tokens} tokens"
    typer.echo(f"checkpoint of {found.size} leaves: {count}, {enough[found.policy_met]}")
    if found.policy_met is False or found.refusals:
        raise typer.Exit(CHECK_FAILED)
