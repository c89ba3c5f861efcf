"""Ledgers to ask, in a file each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from registry import Registry


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    """An empty ledger under a simulated clock."""
    made = Registry(tmp_path)
    yield made
    made.close()


@pytest.fixture
def make_registry(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Registry]:
    """Makes ledgers, for tests that need many."""
    return lambda: Registry(tmp_path_factory.mktemp("registry"))
