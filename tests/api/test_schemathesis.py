"""Schemathesis reads the OpenAPI description and tries the running server with it."""

from __future__ import annotations

import os
import subprocess
import sysconfig
from pathlib import Path

import pytest
from conftest import Served, consumption, opened

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
    "unsupported_method",
)


def _run(served: Served, examples: int, folder: Path, phases: str) -> None:
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
def test_no_undocumented_answer(served: Served, tmp_path: Path) -> None:
    """Whatever the description allows, no 5xx and no answer that it does not describe."""
    _run(served, 6, tmp_path, "examples,coverage,fuzzing")


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_no_undocumented_answer_in_a_campaign(served: Served, tmp_path: Path) -> None:
    """The same, at length."""
    _run(served, 300, tmp_path, "examples,coverage,fuzzing,stateful")
