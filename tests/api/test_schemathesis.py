"""Schemathesis reads the OpenAPI description and tries the running server with it."""

from __future__ import annotations

import os
import subprocess
import sysconfig
from pathlib import Path

import pytest
from served import Served, consumption, opened

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
    "unsupported_method",
)


def _run(served: Served, folder: Path, method: str, phases: str, examples: int) -> None:
    served.post(opened("ACC-1"), consumption("ACC-1", "C-1"))
    key = served.client.headers["authorization"]
    command = [
        str(Path(sysconfig.get_path("scripts")) / "schemathesis"),
        "run",
        f"{served.url}/openapi.json",
        "--header",
        f"Authorization: {key}",
        "--checks",
        ",".join(CHECKS),
        "--include-method",
        method,
        "--phases",
        phases,
        "--max-examples",
        str(examples),
        "--generation-database",
        "none",
        "--no-color",
        "--seed",
        "20210601",
    ]
    environment = {**os.environ, "SCHEMATHESIS_HOOKS": ""}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]


@pytest.mark.timeout(180)
def test_questions_get_documented_answers(served: Served, tmp_path: Path) -> None:
    """Whatever is asked, no 5xx and no answer that the description does not have."""
    _run(served, tmp_path, "GET", "examples,coverage,fuzzing", 10)


@pytest.mark.timeout(180)
def test_facts_get_documented_answers(served: Served, tmp_path: Path) -> None:
    """Whatever is posted, no 5xx and no answer that the description does not have."""
    _run(served, tmp_path, "POST", "examples,fuzzing", 10)


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_campaign_gets_documented_answers(served: Served, tmp_path: Path, method: str) -> None:
    """The same at length; the coverage of a hundred types of fact alone takes minutes."""
    _run(served, tmp_path, method, "examples,coverage,fuzzing,stateful", 300)
