"""The answers shown in the API's documentation, made by the API itself from a small simulated story.

Run as a program, it writes ``api/examples.json`` again; a test holds that file against a new run.
"""

from __future__ import annotations

import json
import re
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from served import event, serve_in_thread

from api.runtime import Runtime
from api.settings import Settings
from scripts import scenario

FILE = Path(__file__).parents[2] / "api" / "examples.json"
_SUBJECT = "ACC-1/invoice/F-2021-06"
_AT = "2021-06-08T00:00:00Z"
CALLS = {
    "list_accounts": "/v1/accounts",
    "ask_deadlines": f"/v1/deadlines?as_of={_AT}",
    "read_calendar": f"/v1/accounts/ACC-1/deadlines.ics?as_of={_AT}",
    "weigh_readings": f"/v1/accounts/ACC-1/readings?as_of={_AT}",
    "ask": f"/v1/accounts/ACC-1/invoices?as_of={_AT}",
    "explain": f"/v1/subjects/{_SUBJECT}/explanation?as_of={_AT}",
    "read_subject": f"/v1/subjects/{_SUBJECT}",
    "read_log": "/v1/facts?limit=2",
    "checkpoint": "/checkpoint",
    "inclusion_proof": "/v1/proofs/inclusion/1",
    "consistency_proof": "/v1/proofs/consistency?old=2",
    "healthz": "/healthz",
    "readyz": "/readyz",
}
_STORY = [
    ("2021-05-03T09:00:00Z", event("account.opened", "ACC-1", {"email": "ops@client.example", "region": "eu-west-2"})),
    ("2021-06-01T07:00:00Z", event("notification.sent", "ACC-1/notification/F-2021-06", {
        "kind": "invoice", "channel": "email", "to": "ops@client.example", "about": _SUBJECT,
    })),
    ("2021-06-01T07:00:00Z", event("invoice.issued", _SUBJECT, {
        "period": {"from": "2021-05-03", "to": "2021-05-31"}, "net": "100.00", "vat": "20.00", "total": "120.00",
        "currency": "EUR", "issue_date": "2021-06-01", "due": "on_receipt",
    }, mail="ACC-1/notification/F-2021-06")),
]  # fmt: skip
_LONGEST_LINE = 1000
_VARIES = re.compile(
    r"[0-9a-f]{64}|[A-Za-z0-9+/=_-]{43,}"  # hashes, commitments, signatures, leaves: leaves are salted
    r"|[0-9a-f]{32}\.|(?<=\.)[0-9a-f]{16}(?=@)|(?<=queue_id\W{4})\w+|(?<=queue_id\W{5})\w+"  # stamps
    r"|(?<=salt\W{5})[\w-]{22}|(?<=DTSTAMP:)\S+|(?<=\"tzdata\": \")[^\"]+"
)


def made() -> dict[str, Any]:
    """The answer to each call, as JSON where it is JSON."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        url = f"sqlite:///{folder}/ledger.db"
        lines = [json.dumps({"at": at, "fact": fact}).encode() for at, fact in _STORY]
        receipts = list(scenario.simulate(lines, url))
        runtime = stack.enter_context(Runtime.open(url, settings=Settings()))
        client = serve_in_thread(runtime, stack).client
        found: dict[str, Any] = {}
        for name, path in CALLS.items():
            answer = client.get(path)
            assert answer.is_success or name == "readyz", f"{path}: {answer.text}"
            is_json = answer.headers["content-type"] == "application/json"
            found[name] = answer.json() if is_json else _short(answer.text)
    found["weigh_readings"]["result"] = [
        row for row in found["weigh_readings"]["result"] if row["conclusions"]
    ]
    found["record_facts"] = {"receipts": [receipts[-1].to_json()], "checkpoint": found["checkpoint"]}
    return found


def _short(text: str) -> str:
    """A text without the lines of a post-quantum signature, which has some thousands of characters."""
    return "".join(line for line in text.splitlines(keepends=True) if len(line) < _LONGEST_LINE)


def steady(told: object) -> str:
    """What is the same in each run: without hashes, salts and signatures."""
    return _VARIES.sub("…", json.dumps(told, indent=1, sort_keys=True))


if __name__ == "__main__":
    FILE.write_text(json.dumps(made(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
