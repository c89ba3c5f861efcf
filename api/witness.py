"""The witness over HTTP (C2SP tlog-witness): ``POST /add-checkpoint``, and nothing else."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable

import uvicorn
from fastapi import FastAPI, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import PlainTextResponse
from starlette.exceptions import HTTPException

from api.server import address_of, listen, stopped_by_signal
from ledger.log.notes import LONGEST_NOTE_BYTES
from ledger.log.witness import PLAIN, Witness

LARGEST_BODY_BYTES = LONGEST_NOTE_BYTES + 4096
"""A note, an old size line, and 63 hashes in base64."""

_TOO_LARGE = 413
_DRAIN_SECONDS = 5


def create_witness_app(witness: Witness) -> FastAPI:
    """The application over a witness."""
    app = FastAPI(title="Greffe witness", docs_url=None, redoc_url=None, openapi_url=None)

    @app.post("/add-checkpoint", response_class=Response)
    async def add_checkpoint(request: Request) -> Response:
        """Cosign a checkpoint, or say why not."""
        body = bytearray()
        async for part in request.stream():
            body += part
            if len(body) > LARGEST_BODY_BYTES:
                raise HTTPException(_TOO_LARGE, f"a request has at most {LARGEST_BODY_BYTES} bytes")
        answer = await run_in_threadpool(witness.add_checkpoint, bytes(body))
        # not as media_type, to which a charset would be added
        return Response(answer.text, answer.outcome, headers={"Content-Type": answer.media_type})

    @app.exception_handler(HTTPException)
    async def refuse(_request: Request, refused: HTTPException) -> Response:
        return PlainTextResponse(f"{refused.detail}\n", refused.status_code, refused.headers, PLAIN)

    return app


def serve_witness(witness: Witness, host: str, port: int, *, announce: Callable[[str], None] = print) -> None:
    """Serve a witness until SIGTERM or SIGINT; answers what is under way first.

    Raises:
        WrongCallError: the address is taken.
    """
    with contextlib.closing(listen(host, port)) as listening, stopped_by_signal():
        announce(f"Witness {witness.name} on {address_of(listening)}")
        for key in witness.verifier_keys:
            announce(key.text)
        sys.stdout.flush()
        config = uvicorn.Config(
            create_witness_app(witness),
            log_level="warning",
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=_DRAIN_SECONDS,
        )
        uvicorn.Server(config).run(sockets=[listening])
