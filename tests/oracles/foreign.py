"""Programs that we did not write, asked in batches: each question is a JSON object, each answer « ok » or why not."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest

HERE = Path(__file__).parent
GO_PATH = Path("/usr/share/gocode")


def encoded(value):
    """JSON as Go reads it: bytes in base64."""
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, list):
        return [encoded(item) for item in value]
    return value


class Program:
    """One of those programs, ready to be asked."""

    def __init__(self, *command, folder=HERE):
        self._command = command
        self._folder = folder

    def ask(self, *questions):
        lines = "\n".join(
            json.dumps({key: encoded(value) for key, value in row.items()}) for row in questions
        )
        done = subprocess.run(
            self._command,
            input=lines + "\n",
            capture_output=True,
            text=True,
            check=True,
            cwd=self._folder,
            timeout=120,
        )
        answers = done.stdout.splitlines()
        assert len(answers) == len(questions), done.stderr
        return answers


def go_oracle(folder):
    """Go's golang.org/x/mod/sumdb, from Debian's packages, built offline."""
    if shutil.which("go") is None or not (GO_PATH / "src/golang.org/x/mod/sumdb").is_dir():
        pytest.skip("no Go with golang.org/x/mod (Debian: golang-go, golang-golang-x-mod-dev)")
    environment = {
        "PATH": "/usr/bin:/bin:/usr/local/bin:/usr/local/go/bin", "HOME": str(folder), "GOPATH": str(GO_PATH),
        "GO111MODULE": "off", "GOCACHE": str(folder / "cache"), "GOFLAGS": "", "CGO_ENABLED": "0",
    }  # fmt: skip
    program = folder / "oracle"
    subprocess.run(
        ["go", "build", "-o", str(program), "oracle.go"],
        cwd=HERE / "go",
        env=environment,
        check=True,
        timeout=240,
    )
    return Program(str(program))


def node_oracle():
    """Npm's @sigstore/verify."""
    if shutil.which("node") is None or not (HERE / "node_modules/@sigstore/verify").is_dir():
        pytest.skip("no @sigstore/verify (npm install --no-package-lock in tests/oracles)")
    return Program("node", "inclusion.js")


class Sigstore:
    """PyPI's sigstore, by the function with which it verifies Rekor's entries."""

    def __init__(self):
        merkle = pytest.importorskip("sigstore._internal.merkle", reason="no sigstore (pip install sigstore)")
        self._verify = merkle.verify_merkle_inclusion
        self._refusal = pytest.importorskip("sigstore.errors").VerificationError

    def ask(self, *questions):
        return [self._answer(row) for row in questions]

    def _answer(self, row):
        proof = SimpleNamespace(
            log_index=row["Index"], tree_size=row["Size"], hashes=row["Hashes"], root_hash=row["Root"]
        )
        entry = SimpleNamespace(_inner=SimpleNamespace(inclusion_proof=proof, canonicalized_body=row["Leaf"]))
        try:
            self._verify(entry)
        except self._refusal as error:
            return str(error)
        return "ok"
