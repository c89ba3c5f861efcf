"""The examples in the API's documentation are what the API answers."""

from __future__ import annotations

import json

import http_examples
import pytest
from served import Served

from api.schemas import Receipts


@pytest.fixture(scope="module")
def made() -> dict[str, object]:
    """The answers, made again."""
    return http_examples.made()


@pytest.mark.parametrize("name", [*http_examples.CALLS, "record_facts"])
def test_an_example_is_the_answer(made: dict[str, object], name: str) -> None:
    """Each stored example is what the API answers to its call today, hashes and signatures apart."""
    stored = json.loads(http_examples.FILE.read_text(encoding="utf-8"))
    assert http_examples.steady(stored[name]) == http_examples.steady(made[name])


def test_receipts_have_their_shape(made: dict[str, object]) -> None:
    """The example of a recording has the shape that the documentation gives."""
    Receipts.model_validate(made["record_facts"])


def test_every_answer_and_parameter_is_shown(served: Served) -> None:
    """Each parameter and each answer in text or JSON has an example; bytes and metrics have none."""
    without = []
    for path, methods in served.client.get("/openapi.json").json()["paths"].items():
        for operation in methods.values():
            without += [
                f"{path} ?{parameter['name']}"
                for parameter in operation.get("parameters", [])
                if not ({"example", "examples"} & (parameter.keys() | parameter["schema"].keys()))
            ]
            without += [
                f"{path} {status}"
                for status, answer in operation["responses"].items()
                for media, content in answer.get("content", {}).items()
                if media not in {"application/octet-stream", "application/zip"}
                and not ({"example", "examples"} & content.keys())
            ]
    assert without == ["/readyz 503", "/metrics 200"]
