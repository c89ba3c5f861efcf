"""Evidence packages over HTTP."""

from __future__ import annotations

from pathlib import Path

import pytest
from served import Served, consumption, opened

from ledger.evidence import verifier


@pytest.fixture
def grown(served: Served) -> Served:
    """A ledger of two accounts."""
    served.post(opened("ACC-1"), opened("ACC-2"), consumption("ACC-1", "C-1"))
    return served


def failures(folder: Path, package: bytes) -> list[str]:
    path = folder / "package.zip"
    path.write_bytes(package)
    return [check.sentence for check in verifier.verify(path).checks if check.result == verifier.FAILED]


@pytest.mark.parametrize("subject", ["ACC-1", "ACC-1/consumption/C-1"])
def test_a_package(grown: Served, tmp_path: Path, subject: str) -> None:
    """A reader's package is accepted by the verifier; personal values stand in it when asked for."""
    answer = grown.client_of("reader", account="ACC-1").get(f"/v1/subjects/{subject}/evidence")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/zip")
    assert failures(tmp_path, answer.content) == []
    assert b"client.example" not in answer.content
    clear = grown.client.get("/v1/subjects/ACC-1/evidence", params={"disclose": "all"})
    assert b"acc-1@client.example" in clear.content
    assert failures(tmp_path, clear.content) == []


def test_who_may_not(grown: Served) -> None:
    """Another account's, an unknown subject's and a call without a key are refused."""
    bound = grown.client_of("reader", account="ACC-1")
    assert bound.get("/v1/subjects/ACC-2/evidence").status_code == 403
    assert grown.client.get("/v1/subjects/ACC-9/evidence").status_code == 404
    assert grown.client.get("/v1/subjects/ACC-1/evidence", params={"disclose": "some"}).status_code == 422
    assert bound.get("/v1/subjects/ACC-1/evidence", headers={"Authorization": ""}).status_code == 401
