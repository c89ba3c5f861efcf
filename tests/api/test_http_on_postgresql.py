"""The API over a ledger in PostgreSQL, also when the server goes away."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import pytest
from places import Place, only_postgresql
from served import Served, consumption, opened, serve_in_thread

from api.runtime import Runtime
from api.settings import Settings
from scripts.bench.postgresql import private_postgresql, why_not


def served_on(stack: ExitStack, url: str, folder: Path) -> Served:
    """A ledger served under the embedded mail server."""
    settings = Settings(keys=folder / "keys", access=folder / "access", views=folder / "views")
    runtime = stack.enter_context(Runtime.open(url, f"embedded:{folder}/mail", settings=settings))
    return serve_in_thread(runtime, stack)


@only_postgresql
def test_recorded_asked_and_proved(place: Place, tmp_path: Path) -> None:
    """Receipts, answers, the feed and proofs are those of any ledger."""
    with ExitStack() as stack:
        served = served_on(stack, place.url(), tmp_path)
        assert served.post(opened("ACC-1"), consumption("ACC-1", "c-1")).status_code == 201
        assert served.post(consumption("ACC-1", "c-1")).status_code == 200
        assert served.post(consumption("ACC-1", "c-1", "2021-06-02")).status_code == 409
        assert served.client.get("/v1/accounts/ACC-1/contract").status_code == 200
        assert served.client.get("/checkpoint").status_code == 200
        assert served.client.get("/readyz").status_code == 200


@pytest.mark.postgresql
@pytest.mark.skipif(why_not() is not None, reason=str(why_not()))
def test_a_server_that_goes_away_and_comes_back(tmp_path: Path) -> None:
    """While it is away callers get 503 and when to repeat; then the same request is recorded once."""
    with private_postgresql() as server, ExitStack() as stack:
        served = served_on(stack, server.new_schema("ledger"), tmp_path)
        assert served.post(opened("ACC-1")).status_code == 201
        server.kill()
        refused = served.post(consumption("ACC-1", "c-1"))
        assert refused.status_code == 503
        assert refused.headers["Retry-After"] == "5"
        assert refused.json()["type"].endswith("#store-unavailable")
        server.start()
        assert served.post(consumption("ACC-1", "c-1")).status_code in {201, 503}
        assert served.post(consumption("ACC-1", "c-1")).status_code in {200, 201}
        assert served.post(consumption("ACC-1", "c-1")).status_code == 200
