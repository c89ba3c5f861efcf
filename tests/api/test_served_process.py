"""The served process from outside: what it prints, how it stops, and what a crash may not lose."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from served import consumption, opened

KEY = "k" * 43
_CODE = """
import sys
from api.server import serve
serve(sys.argv[1], sys.argv[2], "127.0.0.1", 0, announce=lambda line: print(line, flush=True))
"""


class Process:
    """A served ledger in a process of its own."""

    def __init__(self, folder: Path, **environment: str) -> None:
        command = [sys.executable, "-c", _CODE, f"sqlite:///{folder}/ledger.db", f"embedded:{folder}/mail"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
        assert self.process.stdout is not None
        self.lines: list[str] = []
        for line in self.process.stdout:
            self.lines.append(line.strip())
            if "/?token=" in line:
                break
        self.url = re.findall(r"http://\S+", self.lines[0])[0]
        self.link = re.findall(r"http://\S+", self.lines[-1])[0]


@contextmanager
def process(folder: Path, **environment: str) -> Iterator[Process]:
    """A process that is gone at the end, however the test went."""
    running = Process(folder, **environment)
    try:
        yield running
    finally:
        running.process.kill()
        running.process.wait(20)
        assert running.process.stdout is not None
        running.process.stdout.close()


def test_first_start_prints_a_key_and_a_link_that_work(tmp_path: Path) -> None:
    """A newcomer can record and look with what the first start prints; the key is printed once only."""
    with process(tmp_path) as first:
        (key,) = (line.rpartition(" ")[2] for line in first.lines if line.startswith("First API key"))
        headers = {"Authorization": f"Bearer {key}"}
        assert httpx.post(f"{first.url}/v1/facts", json=opened("ACC-1"), headers=headers).status_code == 201
        with httpx.Client(follow_redirects=True) as browser:
            assert "ACC-1" in browser.get(first.link).text
        first.process.send_signal(signal.SIGTERM)
        assert first.process.wait(20) == 0
    with process(tmp_path) as second:
        assert not any("API key" in line for line in second.lines)
        assert httpx.get(f"{second.url}/v1/accounts", headers=headers).json() == {"accounts": ["ACC-1"]}


@pytest.mark.timeout(180)
def test_kill_9_loses_nothing_acknowledged(tmp_path: Path) -> None:
    """Whatever was acknowledged before a kill is there after it, once, at the same position."""
    acknowledged: dict[str, int] = {}
    headers = {"Authorization": f"Bearer {KEY}"}
    for turn in range(4):
        with process(tmp_path, GREFFE_API_KEY=KEY) as running:
            client = httpx.Client(base_url=running.url, headers=headers, timeout=20)
            assert client.post("/v1/facts", json=opened("ACC-1")).status_code in (200, 201)
            for fact, position in acknowledged.items():
                again = client.post("/v1/facts", json=consumption("ACC-1", fact))
                assert again.status_code == 200
                assert again.json()["receipts"][0]["position"] == position
            killer = threading.Timer(0.25 + 0.15 * turn, running.process.kill)
            killer.start()
            deadline = time.monotonic() + 20
            number = 0
            while time.monotonic() < deadline:
                name = f"C-{turn}-{number}"
                try:
                    answer = client.post("/v1/facts", json=consumption("ACC-1", name))
                except httpx.HTTPError:
                    break
                assert answer.status_code == 201
                acknowledged[name] = answer.json()["receipts"][0]["position"]
                number += 1
            assert number > 0, "the process died before it acknowledged anything"
            killer.join()
    assert len(set(acknowledged.values())) == len(acknowledged)
