"""Evidence packages of an open ledger: conclusions by the projections, facts and proofs by the ledger."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, BinaryIO

from fastapi import APIRouter, Query, Response

from api.documented import problems
from api.parameters import AsOf, OnlyKnown, Subject, instant_of
from api.runtime import Runtime, keys_path
from api.services import Reader, ServicesOf, check_subject
from ledger.clock.servers import journal_of
from ledger.contract.finding import PRIMARY, Readings
from ledger.errors import NotRecordedError
from ledger.evidence.gather import Disclosure, Extent, Request, gather
from ledger.evidence.package import write
from ledger.log.keys import Keys
from ledger.log.tokens import Authority
from projections.explanation import concluded

router = APIRouter(dependencies=[OnlyKnown])
_ZIP = "application/zip"


@dataclass(frozen=True, slots=True)
class Asked:
    """A package as it is asked for; instants are UTC, and now when left out."""

    subject: str
    as_of: datetime | None = None
    known_at: datetime | None = None
    readings: Readings = PRIMARY
    disclosure: Disclosure = field(default_factory=Disclosure)
    timestamped: bool = False
    """Whether the first configured authority timestamps the package as a whole."""


def write_evidence(runtime: Runtime, asked: Asked, target: BinaryIO, *, mail: str | None = None) -> None:
    """Write the package that is asked for; ``mail`` is the mail server's address, which tells of the journal.

    Raises:
        NotRecordedError: there is no such subject, or nothing of this ledger was signed yet.
        WrongCallError: no authority is configured that could timestamp it.
        ProofError: the authority gave no token.
    """
    record, settings = runtime.record, runtime.settings
    folder = keys_path(record.url, settings)
    if not folder.is_dir():
        raise NotRecordedError(f"the keys of this ledger are not at {folder}: a package cannot be signed")
    authorities = [Authority.parse(text) for text in settings.tsa]
    conclusions = concluded(
        runtime.answers, asked.subject, as_of=asked.as_of, known_at=asked.known_at, readings=asked.readings
    )
    origin = record.identity.origin
    content = gather(
        record,
        Request(
            asked.subject,
            conclusions["as_of"],
            conclusions,
            asked.disclosure,
            journal_of(mail or settings.mail, origin),
            [root for authority in authorities for root in authority.roots],
        ),
    )
    authority = authorities[0] if asked.timestamped and authorities else None
    write(content, target, Keys.open(folder, origin), authority)


@router.get(
    "/v1/subjects/{subject:path}/evidence",
    tags=["proof"],
    operation_id="evidence",
    response_class=Response,
    responses={
        200: {"description": "An evidence package (greffe verify)", "content": {_ZIP: {}}},
        **problems(401, 403, 404, 422),
    },
)
def evidence(
    shared: ServicesOf,
    calling: Reader,
    subject: Subject,
    as_of: AsOf = None,
    disclose: Annotated[
        Extent,
        Query(
            description="Which personal values stand in it in clear.",
            openapi_examples={"what an invoice needs": {"value": "billing"}},
        ),
    ] = "none",
) -> Response:
    """A package that proves what the ledger says of a subject or an account, offline."""
    check_subject(calling, subject)
    target = io.BytesIO()
    asked = Asked(subject, instant_of(as_of), disclosure=Disclosure(disclose))
    write_evidence(shared.runtime, asked, target)
    return Response(target.getvalue(), media_type=_ZIP)
