"""Is it alive, is it ready, how much does it do."""

from __future__ import annotations

import orjson
from fastapi import APIRouter, Response

from api.documented import problems
from api.metrics import CONTENT_TYPE
from api.schemas import Health, Readiness
from api.services import Services, ServicesOf

router = APIRouter(tags=["operation"])


@router.get("/healthz", operation_id="healthz", responses={200: {"model": Health}, **problems()})
async def healthz() -> Health:
    """The process runs and answers."""
    return Health(status="ok")


@router.get(
    "/readyz",
    operation_id="readyz",
    response_class=Response,
    responses={
        200: {"model": Readiness},
        503: {"model": Readiness, "description": "Something that recording or answering needs is missing."},
        **problems(),
    },
)
def readyz(shared: ServicesOf) -> Response:
    """Whether facts can be recorded and questions answered now, and what is missing if not."""
    size, followed = _positions(shared)
    checks = {
        "ledger": "ok" if size is not None else "unreadable",
        "clock": _clock(shared),
        "projections": "ok" if size is not None and followed == size else "behind",
    }
    ready = checks["ledger"] == "ok" and checks["clock"] != "unreachable"
    body = {"ready": ready, "checks": checks, "size": size, "followed": followed}
    return Response(orjson.dumps(body), 200 if ready else 503, media_type="application/json")


@router.get(
    "/metrics",
    operation_id="metrics",
    response_class=Response,
    responses={200: {"description": "Prometheus's text format", "content": {"text/plain": {}}}, **problems()},
)
def metrics(shared: ServicesOf) -> Response:
    """Counts and delays of this process, for Prometheus; they name nobody."""
    size, followed = _positions(shared)
    if size is not None:
        shared.metrics.log_size.set(size)
        if followed is not None:
            shared.metrics.follower_lag.set(size - followed)
    return Response(shared.metrics.exposition(), media_type=CONTENT_TYPE)


def _positions(shared: Services) -> tuple[int | None, int | None]:
    try:
        return shared.runtime.record.size(), shared.runtime.followed()
    except Exception:  # noqa: BLE001 - whatever ails the ledger, the probe is there to say so
        return None, None


def _clock(shared: Services) -> str:
    if shared.runtime.recorder is None:
        return "read-only"
    return "ok" if shared.runtime.clock_is_reachable() else "unreachable"
