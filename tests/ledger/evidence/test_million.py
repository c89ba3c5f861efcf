"""A ten-year package of a million facts of one subject is verified in under a minute (issue: acceptance 4)."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import time

import pytest
from log_factory import SmallLog

from ledger.evidence.package import Content, Omission, verifier_source, write
from ledger.facts.envelope import encode, new_salt
from ledger.log.keys import Keys
from ledger.log.merkle import leaf_hash
from ledger.log.tiles import width_at

FACTS, IN_A_COMMIT = 1_000_000, 10_000
SECONDS = 60
ENTRY = {
    "from": "2021-06-01T08:00:00.000000Z", "quantity": "3600", "resource_id": "i-12345678", "service": "fcu",
    "to": "2021-06-01T09:00:00.000000Z", "unit": "second",
}  # fmt: skip
SUBJECT = "ACC-1/consumption/all"


def fact(number):
    return encode(
        {
            "data": {"entries": [ENTRY]}, "id": f"c-{number}", "salt": new_salt(), "source": "/metering",
            "subject": SUBJECT, "type": "consumption.recorded", "v": 1,
        }
    )  # fmt: skip


def stamp(facts):
    data = {
        "count": len(facts), "digest": hashlib.sha256(b"".join(map(leaf_hash, facts))).hexdigest(), "message_id": "<m@x>",
        "message_sha256": "0" * 64, "queue_id": "4jXrjs6ZNnzKHG6", "server": "simulated",
        "time": "2026-11-23T03:18:09.925849Z",
    }  # fmt: skip
    return encode({"data": data, "salt": new_salt(), "subject": "stamp", "type": "stamp.received", "v": 1})


@pytest.mark.long
def test_a_million_facts(tmp_path):
    """The verifier alone, on one core, accepts the honest package in time, and names the one leaf that is other."""
    log = SmallLog(Keys.open(tmp_path / "keys", "greffe.test/x"), "greffe.test/x")
    omissions = [Omission("token", "-", "none"), Omission("report", "-", "none")]
    for first in range(0, FACTS, IN_A_COMMIT):
        facts = [fact(first + at) for at in range(IN_A_COMMIT)]
        omissions.append(Omission("message", str(len(log.leaves)), "a simulated clock sends no message"))
        log.add(stamp(facts), *facts)
    size = len(log.leaves)
    places = [(level, n) for level in range(8) for n in range((size >> 8 * (level + 1)) + 1)]
    content = Content(
        subject=SUBJECT, as_of="2031-06-01T00:00:00Z", covers=range(size), head=log.signed(), keys=log.keys.verifier_keys,
        leaves=dict(enumerate(log.leaves)), conclusions={"conclusions": []},
        tiles={place: log.tile(*place) for place in places if width_at(size, *place)}, omissions=omissions,
    )  # fmt: skip
    with (tmp_path / "package.zip").open("wb") as target:
        write(content, target, log.keys)
    (tmp_path / "verify.py").write_bytes(verifier_source())
    command = [sys.executable, "-I", "verify.py", "package.zip"]
    begun = time.monotonic()
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, check=False, text=True)
    assert time.monotonic() - begun < SECONDS
    assert done.returncode == 0, done.stdout
    leaves = {**content.leaves, 500_000: content.leaves[500_000].replace(b'"3600"', b'"3601"')}
    with (tmp_path / "package.zip").open("wb") as target:
        write(_with_leaves(content, leaves), target, log.keys)
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, check=False, text=True)
    assert done.returncode == 1
    assert "leaf 500000" in done.stdout


def _with_leaves(content, leaves):
    from dataclasses import replace  # noqa: PLC0415

    return replace(content, leaves=leaves)
