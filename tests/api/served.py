"""A ledger under the embedded mail server, served by a real HTTP server on a port of its own."""

from __future__ import annotations

import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import httpx
import uvicorn

from api.access import Access
from api.app import create_app
from api.runtime import Runtime

Event = dict[str, Any]


@dataclass
class Served:
    """A running server, its runtime, and a client of the roles writer and auditor."""

    url: str
    runtime: Runtime
    access: Access
    client: httpx.Client

    def client_of(self, *roles: str, account: str | None = None) -> httpx.Client:
        """A client with a key of these roles."""
        key = self.access.add_key(f"key-{len(self.access.list_keys())}", roles, account)
        return httpx.Client(base_url=self.url, headers={"Authorization": f"Bearer {key}"}, timeout=30)

    def post(self, *events: Event) -> httpx.Response:
        """Record events in one request."""
        return self.client.post(
            "/v1/facts",
            json=list(events),
            headers={"Content-Type": "application/cloudevents-batch+json"},
        )


def event(type_: str, subject: str, data: dict[str, Any] | None = None, **attributes: Any) -> Event:
    """A CloudEvent with an id of its own."""
    place = attributes.pop("id", f"{type_}:{subject}")
    found = {"specversion": "1.0", "id": place, "source": "/tests", "type": type_, "subject": subject}
    return {**found, **attributes, **({"data": data} if data is not None else {})}


def opened(account: str) -> Event:
    """The opening of an account."""
    return event(
        "account.opened", account, {"email": f"{account.lower()}@client.example", "region": "eu-west-2"}
    )


def consumption(account: str, name: str, day: str = "2021-06-01") -> Event:
    """An hour of one machine."""
    entry = {
        "service": "fcu",
        "resource": "tinav4.c2r4p1",
        "resource_id": "i-12345678",
        "subregion": "eu-west-2a",
        "from": f"{day}T08:00:00Z",
        "to": f"{day}T09:00:00Z",
        "quantity": "3600",
        "unit": "second",
    }
    return event("consumption.recorded", f"{account}/consumption/{name}", {"entries": [entry]})


def serve_in_thread(runtime: Runtime, stack: ExitStack) -> Served:
    """Serve a runtime on a free port until the stack closes."""
    app = create_app(runtime)
    access: Access = app.state.access
    stack.callback(access.close)
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning", access_log=False))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + 20
    while not server.started:
        assert time.monotonic() < deadline, "the server did not start"
        time.sleep(0.01)

    def stop() -> None:
        server.should_exit = True
        thread.join(20)
        assert not thread.is_alive(), "the server did not stop"

    stack.callback(stop)
    url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    key = access.add_key("tests", ["writer", "auditor"])
    headers = {"Authorization": f"Bearer {key}"}
    client = stack.enter_context(httpx.Client(base_url=url, headers=headers, timeout=30))
    return Served(url, runtime, access, client)
