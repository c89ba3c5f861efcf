"""How the property tests search, and where ledgers of tests lie.

The same examples each run, so that a commit passes or fails for itself.

``scripts/test --hypothesis-profile=search`` draws new examples instead, and more of them.
"""

from __future__ import annotations

from contextlib import ExitStack

import pytest
from hypothesis import settings
from places import ENGINES, Place, Servers

settings.register_profile("same", derandomize=True, deadline=None)
settings.register_profile("search", max_examples=500, deadline=None)
settings.load_profile("same")


@pytest.fixture(scope="session")
def servers():
    """Private database servers, started when a test needs one."""
    with ExitStack() as stack:
        yield Servers(stack)


@pytest.fixture(params=ENGINES)
def place(request, tmp_path, servers):
    """Where ledgers may lie: each test that asks runs on SQLite, and on each PostgreSQL that can be had."""
    return Place(request.param, tmp_path, servers)
