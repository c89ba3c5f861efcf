"""A small signed log, and the same one rewritten."""

from __future__ import annotations

import pytest
from log_factory import ORIGIN, SmallLog, leaves

from ledger.log.keys import Keys


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    return Keys.open(tmp_path_factory.mktemp("log"), ORIGIN)


@pytest.fixture
def log(keys):
    return SmallLog(keys).add(*leaves(300))


@pytest.fixture
def rewritten(keys):
    """The same log with another second leaf, signed with the real key."""
    return SmallLog(keys).add(b"leaf 0", b"another", *leaves(300)[2:])
