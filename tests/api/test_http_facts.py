"""Recording by HTTP, against a real server under the embedded mail server."""

from __future__ import annotations

import base64
import hashlib
import socket
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import httpx
import orjson
import pytest
from served import Served, consumption, event, opened, serve_in_thread

from api.runtime import Runtime
from ledger.clock.simulated import SimulatedClock
from ledger.facts.envelope import parse_events
from ledger.log.checkpoints import SignedCheckpoint
from ledger.log.notes import VerifierKey

Serve = Callable[..., Served]
PROBLEM = "application/problem+json"


def free_port() -> int:
    """A port where nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
    return port


class TestReceipts:
    """What is recorded, and what the caller is told."""

    def test_a_new_fact_gets_201_and_a_receipt(self, served: Served) -> None:
        """A receipt names position, hash and stamp; the checkpoint is signed by the ledger's keys."""
        answer = served.post(opened("ACC-1"))
        assert answer.status_code == 201
        body = answer.json()
        (receipt,) = body["receipts"]
        assert receipt["position"] == 1
        assert receipt["stamp"]["position"] == 0
        assert receipt["stamp"]["server"] == "embedded"
        assert receipt["legal_time"] == receipt["stamp"]["time"]
        signed = SignedCheckpoint.parse(body["checkpoint"].encode())
        assert (signed.checkpoint.origin, signed.checkpoint.size) == (
            served.runtime.record.identity.origin,
            4,
        )
        (keys,) = served.runtime.record.history("keys")
        assert len(signed.verified_by(map(VerifierKey.parse, keys.fields["data"]["keys"]))) == 2

    def test_a_repeated_fact_gets_200_and_the_first_receipt(self, served: Served) -> None:
        """Sending the same fact again records nothing and answers as the first time."""
        first = served.post(opened("ACC-1"))
        again = served.post(opened("ACC-1"))
        assert again.status_code == 200
        assert again.json()["receipts"] == first.json()["receipts"]
        assert served.runtime.record.size() == 4

    def test_a_mix_of_old_and_new_gets_201(self, served: Served) -> None:
        """A request of which anything is new was created."""
        served.post(opened("ACC-1"))
        answer = served.post(opened("ACC-1"), consumption("ACC-1", "C-1"))
        assert answer.status_code == 201
        assert len(answer.json()["receipts"]) == 2

    @pytest.mark.parametrize(
        "media_type", ["application/cloudevents+json", "application/json", "application/json; charset=utf-8"]
    )
    def test_one_event_is_taken_under_each_media_type(self, served: Served, media_type: str) -> None:
        """A single event needs no list."""
        answer = served.client.post(
            "/v1/facts", content=orjson.dumps(opened("ACC-1")), headers={"Content-Type": media_type}
        )
        assert answer.status_code == 201

    def test_what_was_acknowledged_is_answered_at_once(self, served: Served) -> None:
        """A question asked right after a receipt rests on the fact."""
        served.post(opened("ACC-1"))
        for number in range(20):
            assert served.post(consumption("ACC-1", f"C-{number}")).status_code == 201
            answer = served.client.get("/v1/accounts/ACC-1/acceptance").json()
            assert len(answer["result"]["deliveries"]) == number + 1


class TestRefusals:
    """What is refused, and how it is said."""

    @pytest.mark.parametrize(
        ("body", "media_type", "status"),
        [
            (b"{", "application/json", 400),
            (b"\xff", "application/json", 400),
            (b"[" * 100_000, "application/json", 400),
            (b"{}", "text/plain", 415),
            (b"[]", "application/json", 422),
            (b"3", "application/json", 422),
            (b'{"a": 1.5}', "application/json", 422),
            (b'{"a": 1, "a": 2}', "application/json", 422),
            (b'{"id": "\\ud800"}', "application/json", 422),
        ],
    )
    def test_a_bad_body_is_a_problem(self, served: Served, body: bytes, media_type: str, status: int) -> None:
        """Whatever is sent, the answer is a problem of the right status."""
        answer = served.client.post("/v1/facts", content=body, headers={"Content-Type": media_type})
        assert answer.status_code == status
        assert answer.headers["content-type"] == PROBLEM
        assert answer.json()["status"] == status

    def test_every_flaw_of_every_fact_is_named(self, served: Served) -> None:
        """A refusal names fact, field and rule of all that is wrong, and nothing is recorded."""
        wrong = event("account.opened", "ACC-1", {"email": "nobody", "region": 3}, id="one")
        unknown = event("account.exploded", "ACC-1", {}, id="two")
        answer = served.post(wrong, unknown)
        assert answer.status_code == 422
        flaws = {(flaw["fact"], flaw["field"]) for flaw in answer.json()["flaws"]}
        assert {("one", "/data/region"), ("two", "/type")} <= flaws
        assert served.runtime.record.size() == 0

    def test_a_taken_id_with_other_content_is_409(self, served: Served) -> None:
        """An id and source mean one content for ever."""
        served.post(opened("ACC-1"))
        other = opened("ACC-1")
        other["data"] = {**other["data"], "region": "us-east-2"}
        answer = served.post(other)
        assert answer.status_code == 409
        assert answer.json()["flaws"][0]["rule"] == "identity.conflict"

    def test_too_large_a_body_is_413(self, serve_ledger: Serve) -> None:
        """A body over the limit is refused, announced or streamed."""
        served = serve_ledger(largest_body_bytes=1000)
        headers = {"Content-Type": "application/json"}
        announced = served.client.post("/v1/facts", content=b" " * 1001, headers=headers)
        streamed = served.client.post("/v1/facts", content=iter([b" " * 600] * 2), headers=headers)
        assert (announced.status_code, streamed.status_code) == (413, 413)

    def test_without_a_mail_server_answer_503_and_store_nothing(self, serve_ledger: Serve) -> None:
        """No stamp, no commit: the caller is told when to come back, and the probe says why."""
        served = serve_ledger(mail=f"smtp://127.0.0.1:{free_port()}")
        answer = served.post(opened("ACC-1"))
        assert answer.status_code == 503
        assert int(answer.headers["retry-after"]) > 0
        assert answer.headers["content-type"] == PROBLEM
        assert served.runtime.record.size() == 0
        ready = served.client.get("/readyz")
        assert (ready.status_code, ready.json()["checks"]["clock"]) == (503, "unreachable")

    def test_unknown_paths_and_methods_are_problems(self, served: Served) -> None:
        """404 and 405 are RFC 9457 too, and 405 says what is allowed."""
        assert served.client.get("/v1/nothing").headers["content-type"] == PROBLEM
        answer = served.client.delete("/v1/facts")
        assert (answer.status_code, answer.headers["content-type"]) == (405, PROBLEM)
        assert "allow" in answer.headers


class TestAnswers:
    """What may be asked."""

    @pytest.mark.parametrize(
        ("path", "status"),
        [
            ("/v1/accounts/ACC-9/contract", 404),
            ("/v1/accounts/ACC-1/horoscope", 404),
            ("/v1/accounts/ACC-1/contract?as_of=yesterday", 422),
            ("/v1/accounts/ACC-1/contract?as_of=2021-02-30T00:00:00Z", 422),
            ("/v1/accounts/ACC-1/contract?reading=R99=2", 422),
            ("/v1/accounts/ACC-1/contract?reading=R2=9", 422),
            ("/v1/accounts/ACC-1/usage?limit=0", 422),
            ("/v1/subjects/ACC-1/consumption/none", 404),
            ("/v1/subjects/ACC-1/consumption/none/explanation", 404),
            ("/v1/facts?after=-2", 422),
        ],
    )
    def test_a_wrong_question_is_a_problem(self, served: Served, path: str, status: int) -> None:
        """What does not exist is 404; what cannot be asked is 422."""
        served.post(opened("ACC-1"))
        answer = served.client.get(path)
        assert (answer.status_code, answer.headers["content-type"]) == (status, PROBLEM)

    @pytest.mark.parametrize(
        ("path", "named"),
        [
            ("/v1/accounts/ACC-1/contract?asof=2021-06-01T00:00:00Z", ["/query/asof", "as_of", "known_at"]),
            ("/v1/accounts/ACC-1/deadlines.ics?known_at=2021-06-01T00:00:00Z", ["/query/known_at", "as_of"]),
            ("/v1/subjects/ACC-1?as_of=2021-06-01T00:00:00Z", ["/query/as_of", "it has none"]),
            ("/v1/accounts?limit=3&page=2", ["/query/limit"]),
            ("/v1/facts?before=3", ["/query/before", "after, limit"]),
            ("/v1/proofs/consistency?old=1&new=2", ["/query/new", "old"]),
            ("/checkpoint?size=2", ["/query/size", "it has none"]),
        ],
    )
    def test_a_parameter_that_a_call_does_not_have(self, served: Served, path: str, named: list[str]) -> None:
        """An unknown parameter is not passed over: the problem names it, and those that the call has."""
        served.post(opened("ACC-1"))
        answer = served.client.get(path)
        assert (answer.status_code, answer.headers["content-type"]) == (422, PROBLEM)
        assert all(word in answer.json()["detail"] for word in named)

    def test_recording_has_one_parameter(self, served: Served) -> None:
        """A fact posted with a mistyped parameter is not recorded."""
        assert served.client.post("/v1/facts?proofs=true", json=opened("ACC-1")).status_code == 422
        assert served.client.get("/v1/facts").json()["size"] == 0

    @pytest.mark.parametrize(
        ("path", "words"),
        [
            ("/v1/accounts/ACC-1/contract?as_of=yesterday", "'yesterday' is not an RFC 3339 instant with an"),
            (
                "/v1/deadlines?known_at=2021-06-01T09:00:00",
                "is not an RFC 3339 instant with an offset, such as",
            ),
            ("/v1/accounts/ACC-1/contract?as_of={x}%25", "'{x}%' is not an RFC 3339 instant"),
            ("/v1/accounts/a@b/contract", "'a@b' is not the name of an account"),
            ("/v1/subjects/a@b", "'a@b' is not a subject"),
        ],
    )
    def test_what_a_parameter_should_be_is_said_in_words(self, served: Served, path: str, words: str) -> None:
        """A wrong value is told in words, not as a regular expression."""
        detail = served.client.get(path).json()["detail"]
        assert words in detail
        assert "^" not in detail

    def test_the_envelope_says_whose_clock_gave_as_of(self, served: Served) -> None:
        """Without as_of the host's clock answers, and says so."""
        served.post(opened("ACC-1"))
        without = served.client.get("/v1/accounts/ACC-1/contract").json()
        given = served.client.get("/v1/accounts/ACC-1/contract?as_of=2031-01-01T00:00:00Z").json()
        assert (without["as_of_source"], given["as_of_source"]) == ("host", "request")

    def test_a_subject_shows_its_facts_in_clear(self, served: Served) -> None:
        """Personal values are read from the vault, while the leaf holds a commitment."""
        served.post(opened("ACC-1"))
        (fact,) = served.client.get("/v1/subjects/ACC-1").json()["facts"]
        assert fact["data"]["email"] == "acc-1@client.example"
        (_, leaf, *_) = served.client.get("/v1/facts").json()["leaves"]
        assert "acc-1@client.example" not in leaf["leaf"]

    def test_the_log_gives_exact_leaves(self, served: Served) -> None:
        """The bytes of each leaf hash to the receipt's hash, page by page."""
        receipt = served.post(opened("ACC-1")).json()["receipts"][0]
        first = served.client.get("/v1/facts?limit=1").json()
        second = served.client.get(f"/v1/facts?limit=1&after={first['next']}").json()
        leaf = base64.b64decode(second["leaves"][0]["leaf_base64"])
        assert leaf == second["leaves"][0]["leaf"].encode()
        assert hashlib.sha256(b"\0" + leaf).hexdigest() == receipt["leaf_hash"]
        third = served.client.get(f"/v1/facts?after={second['next']}").json()
        assert ([leaf["type"] for leaf in third["leaves"]], third["next"]) == (
            ["basis.recorded", "key.rotated"],
            None,
        )


def test_metrics_count_facts_and_name_nobody(served: Served) -> None:
    """Prometheus sees counts, never an account."""
    served.post(opened("ACC-1"))
    text = httpx.get(f"{served.url}/metrics").text
    assert "greffe_facts_recorded_total 1.0" in text
    assert "greffe_commits_total 1.0" in text
    assert "ACC-1" not in text


def test_a_simulated_ledger_is_read_only(tmp_path: Path) -> None:
    """A simulated ledger answers, and refuses facts with the reason."""
    where = f"sqlite:///{tmp_path}/simulated.db"
    with Runtime.simulated(where, SimulatedClock(datetime(2021, 6, 1, tzinfo=UTC))) as runtime:
        assert runtime.recorder is not None
        runtime.recorder.record(parse_events([opened("ACC-1")]))
    with ExitStack() as stack:
        served = serve_in_thread(stack.enter_context(Runtime.open(where)), stack)
        assert served.client.get("/v1/accounts").json() == {"accounts": ["ACC-1"]}
        answer = served.post(opened("ACC-2"))
        assert (answer.status_code, answer.json()["type"]) == (403, "/docs#read-only")
        assert "simulated" in answer.json()["detail"]
        assert "Simulated ledger" in served.client.get("/").text
