"""``POST /v1/facts``: facts in, receipts out, all or nothing."""

from __future__ import annotations

import asyncio
import json
from functools import cache
from importlib import resources
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Query, Request, Response

from api.access import Caller
from api.documented import problems
from api.parameters import OnlyKnown
from api.problems import RefusedError, of_error
from api.proof import inclusion, signed_of
from api.schemas import MEDIA_TYPES, Receipts, fact_request
from api.services import Services, ServicesOf, Writer
from ledger.errors import ClockUnavailableError, GreffeError
from ledger.facts.envelope import Draft, parse_request
from ledger.recorder import Receipt, Recorder

router = APIRouter(tags=["facts"], dependencies=[OnlyKnown])
_PARSED_ON_THE_LOOP_BYTES = 32 * 1024
"""A body up to this size is parsed at once; a larger one in a thread, so that nobody else waits for it."""


@cache
def examples() -> dict[str, Any]:
    """One example of each type of fact that a producer may send, by type."""
    text = resources.files("ledger.facts").joinpath("examples.jsonl").read_text(encoding="utf-8")
    events = (json.loads(line) for line in text.splitlines() if line.strip())
    return {event["type"]: event for event in events}


@router.post(
    "/v1/facts",
    summary="Record facts",
    operation_id="record_facts",
    status_code=201,
    response_class=Response,
    openapi_extra={"requestBody": fact_request(examples())},
    responses={
        201: {"model": Receipts, "description": "Recorded: at least one fact is new."},
        200: {
            "model": Receipts,
            "description": "All were recorded before, with this content: the first receipts.",
        },
        **problems(400, 401, 403, 409, 413, 415, 422, 503),
    },
)
async def record_facts(
    request: Request,
    shared: ServicesOf,
    calling: Writer,
    proof: Annotated[  # noqa: FBT002
        bool,
        Query(
            description="add to each receipt its .tlog-proof",
            openapi_examples={"with proofs": {"value": True}},
        ),
    ] = False,
) -> Response:
    """Record one fact or a batch, whole or not at all; safe to repeat.

    Each fact is a CloudEvent. The answer comes once the facts are durable under the mail server's stamp
    and the log's keys have signed a checkpoint that holds them.
    """
    recorder = shared.runtime.recorder
    if recorder is None:
        raise RefusedError("read-only", _why_read_only(shared))
    _check_media_type(request.headers.get("content-type", ""))
    body = await _body(request, shared.runtime.settings.largest_body_bytes)
    try:
        receipts = await _record(recorder, shared, calling, body)
    except GreffeError as error:
        answer = of_error(error)
        if isinstance(error, ClockUnavailableError):
            shared.metrics.clock_up.set(0)
        shared.metrics.refused.labels(str(answer.status_code)).inc()
        return answer
    return await asyncio.to_thread(_answer, shared, receipts, proof=proof)


async def _record(recorder: Recorder, shared: Services, calling: Caller, body: bytes) -> list[Receipt]:
    if len(body) <= _PARSED_ON_THE_LOOP_BYTES:
        drafts = parse_request(body)
    else:
        drafts = await asyncio.to_thread(parse_request, body)
    _check_accounts(calling, drafts)
    with shared.metrics.timed(shared.metrics.stamping):
        # shielded: a caller who hangs up must not cancel a request that others' commit carries
        return await asyncio.shield(asyncio.wrap_future(recorder.submit(drafts)))


def _answer(shared: Services, receipts: list[Receipt], *, proof: bool) -> Response:
    new = sum(receipt.new for receipt in receipts)
    shared.metrics.recorded.inc(new)
    shared.metrics.repeated.inc(len(receipts) - new)
    shared.metrics.clock_up.set(1)
    signed = signed_of(shared.runtime.record)
    rows = [receipt.to_json() for receipt in receipts]
    if proof:
        tree = shared.runtime.record.tree()
        for row in rows:
            row["proof"] = inclusion(tree, row["position"], signed).to_bytes().decode()
    answer = {"receipts": rows, "checkpoint": signed.to_bytes().decode()}
    return Response(orjson.dumps(answer), 201 if new else 200, media_type="application/json")


def _why_read_only(shared: Services) -> str:
    if shared.runtime.is_simulated:
        return (
            "This ledger is simulated: its clock was told what time it is,"
            " so it takes facts from greffe simulate only."
        )
    return "This ledger is served without a mail server, and without a stamp nothing is recorded."


def _check_media_type(given: str) -> None:
    if given.partition(";")[0].strip().lower() not in MEDIA_TYPES:
        raise RefusedError(
            "media-type", f"{given or 'no media type'} is not one of {', '.join(MEDIA_TYPES)}."
        )


async def _body(request: Request, largest: int) -> bytes:
    """The body, refused as soon as it is known to be too large."""
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > largest:
        raise _too_large(largest)
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > largest:
            raise _too_large(largest)
        parts.append(part)
    return b"".join(parts)


def _too_large(largest: int) -> RefusedError:
    return RefusedError("too-large", f"A request has at most {largest} bytes: split the batch.")


def _check_accounts(calling: Caller, drafts: list[Draft]) -> None:
    for draft in drafts:
        if not calling.may_write(draft.account):
            raise RefusedError("forbidden", f"{calling.name} may not record facts of {draft.subject}.")
