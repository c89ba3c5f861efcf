"""``greffe evidence`` and ``greffe verify`` from outside, on real ledgers."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from evidence_factory import SmallLedger, files_of, rebagged
from typer.testing import CliRunner

from scripts.greffe import app

RUNNER = CliRunner()


def run(*arguments, status=0):
    result = RUNNER.invoke(app, [str(argument) for argument in arguments], catch_exceptions=False)
    assert result.exit_code == status, result.output
    return result


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    return SmallLedger(tmp_path_factory.mktemp("ledger"))


@pytest.fixture
def wanted(small, monkeypatch):
    """The options that say which ledger."""
    monkeypatch.setenv("GREFFE_KEYS", str(small.keys_folder))
    return ["--db", small.url, "--mail", small.mail_url]


@pytest.mark.parametrize("subject", ["ACC-1", "ACC-1/reserve/1"])
def test_a_package_is_made_and_verified(small, wanted, tmp_path, subject):
    """A package of a subject or an account is accepted, ML-DSA-44 too, and rests on the facts of its conclusions."""
    path = tmp_path / "package.zip"
    run("evidence", subject, *wanted, "-o", path, "--as-of", "2026-12-31T00:00:00Z")
    answer = json.loads(run("verify", path, "--key", small.key, "--json").stdout)
    assert answer["accepted"]
    assert not any("ML-DSA" in row["sentence"] for row in answer["checks"] if row["result"] == "not checked")
    again = [row["result"] for row in answer["checks"] if row["name"] == "report made again"]
    assert again == ["ok"] * 4
    files = files_of(path.read_bytes())
    conclusions = json.loads(files["data/conclusions.json"])["conclusions"]
    assert any(row["rule"] == "reserve_standing" and row["quotations"][0]["text"] for row in conclusions)
    for row in conclusions:
        for reason in row["because"]:
            assert f"data/leaves/{reason['position']}.json" in files
    assert b"client.example" not in b"".join(files.values())


def test_the_same_package_by_the_verifier_alone(wanted, tmp_path):
    """The file inside, run by itself, accepts what the command made, and status 1 says that one byte is other."""
    path = tmp_path / "package.zip"
    run("evidence", "ACC-1", *wanted, "-o", path, "--disclose", "all")
    data = path.read_bytes()
    (tmp_path / "verify.py").write_bytes(files_of(data)["data/verify.py"])
    command = [sys.executable, "-I", "verify.py", "package.zip"]
    assert subprocess.run(command, cwd=tmp_path, capture_output=True, check=False).returncode == 0
    path.write_bytes(data.replace(b"a@client.example", b"b@client.example"))
    assert subprocess.run(command, cwd=tmp_path, capture_output=True, check=False).returncode == 1
    assert "REFUSED" in run("verify", path, status=1).stdout


def test_a_report_in_other_words(small, wanted, tmp_path):
    """A PDF, or a sentence of the text, that the contents do not give is told, even signed by the ledger itself."""
    path = tmp_path / "package.zip"
    run("evidence", "ACC-1", *wanted, "-o", path)
    files = files_of(path.read_bytes())
    files["data/report/report.fr.pdf"] += b"%"
    files["data/report/report.en.txt"] = files["data/report/report.en.txt"].replace(b"Ledger:", b"Record:")
    path.write_bytes(rebagged(files, small.keys))
    answer = json.loads(run("verify", path, "--json").stdout)
    told = {
        row["sentence"].split()[0]: row["result"]
        for row in answer["checks"]
        if row["name"] == "report made again"
    }
    assert sorted(name for name, result in told.items() if result == "not checked") == [
        "data/report/report.en.txt",
        "data/report/report.fr.pdf",
    ]


@pytest.mark.parametrize(
    "arguments",
    [["ACC-9"], ["ACC-1", "--disclose", "some"], ["ACC-1", "--timestamp"], ["ACC-1", "--as-of", "yesterday"]],
    ids=" ".join,
)
def test_a_wrong_call(wanted, tmp_path, arguments):
    """A wrong call ends with status 2, a sentence, and no file."""
    result = run("evidence", *arguments, *wanted, "-o", tmp_path / "package.zip", status=2)
    assert result.stderr.startswith("greffe: ")
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_none(tmp_path):
    """A missing file is no package."""
    assert "REFUSED" in run("verify", tmp_path / "none.zip", status=1).stdout
