"""A new ledger, served over HTTP."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from served import Served, serve_in_thread

from api.runtime import Runtime
from api.settings import Settings


@pytest.fixture
def serve_ledger(tmp_path: Path) -> Iterator[Callable[..., Served]]:
    """Serves a ledger in the test's folder: ``serve_ledger(mail=…, settings=…)``."""
    with ExitStack() as stack:

        def serve(mail: str | None = "", **settings: Any) -> Served:
            where = f"sqlite:///{tmp_path}/ledger.db"
            server = f"embedded:{tmp_path}/mail" if mail == "" else mail
            runtime = stack.enter_context(Runtime.open(where, server, settings=Settings(**settings)))
            return serve_in_thread(runtime, stack)

        yield serve


@pytest.fixture
def served(serve_ledger: Callable[..., Served]) -> Served:
    """A new ledger, served."""
    return serve_ledger()
