"""The application: facts in, answers out, read-only pages beside them; no rule lives here."""

from __future__ import annotations

from http import HTTPStatus
from importlib import metadata, resources
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api import asking, evidence, pages, probes, problems, proof, recording
from api.documented import show_answers
from api.problems import Problem
from api.runtime import Runtime, open_access
from api.schemas import fact_components
from api.services import Services

DESCRIPTION = """\
Greffe keeps the record of a cloud contract: each fact under the mail server's clock, each conclusion with its
article. Recording is safe to repeat: the same id and source with the same content give the first receipt.
Instants are RFC 3339; amounts and quantities are decimal strings. Refusals are RFC 9457 problems.
"""

_SECURITY_HEADERS = (
    (
        b"content-security-policy",
        (
            b"default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none';"
            b" frame-ancestors 'none'"
        ),
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
)
_NOT_KEPT = (b"cache-control", b"no-store")
_KEPT_FOR_GOOD = (b"cache-control", b"public, max-age=31536000, immutable")


def create_app(runtime: Runtime) -> FastAPI:
    """The application over an open ledger; whoever opened the ledger closes it, and ``app.state.access``."""
    app = FastAPI(
        title="Greffe",
        version=metadata.version("greffe"),
        description=DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    access = open_access(runtime.record.url, runtime.settings)
    app.state.access = access
    app.state.services = Services(runtime, access)
    if runtime.recorder is not None:
        shared: Services = app.state.services
        runtime.recorder.on_commit.append(lambda _size: shared.metrics.commits.inc())
    problems.install(app)
    app.add_exception_handler(HTTPStatus.NOT_FOUND, pages.missing_page)
    for module in (recording, evidence, asking, proof, probes, pages):
        app.include_router(module.router)
    app.mount("/static", StaticFiles(directory=str(resources.files("api") / "static")), name="static")
    app.add_middleware(SecurityHeaders)
    app.openapi = lambda: _openapi(app)  # type: ignore[method-assign]
    return app


def _openapi(app: FastAPI) -> dict[str, Any]:
    """FastAPI's own description, with the shapes of facts and of problems."""
    if app.openapi_schema is None:
        schema = get_openapi(
            title=app.title, version=app.version, description=app.description, routes=app.routes
        )
        components = schema.setdefault("components", {}).setdefault("schemas", {})
        components.update(fact_components())
        problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
        components.update(problem.pop("$defs"))
        components["Problem"] = problem
        _only_problems(schema)
        show_answers(schema)
        app.openapi_schema = schema
    return app.openapi_schema


def _only_problems(schema: dict[str, Any]) -> None:
    """Drop FastAPI's own shape of a validation error, which is never sent."""
    for methods in schema["paths"].values():
        for operation in methods.values():
            content = operation["responses"].get("422", {}).get("content", {})
            if "application/json" in content:
                del operation["responses"]["422"]
    for name in ("HTTPValidationError", "ValidationError"):
        schema["components"]["schemas"].pop(name, None)


def _is_tile(path: str) -> bool:
    """Whether what lies at a path never changes and is nobody's secret."""
    return path.startswith("/tile/") and not path.startswith("/tile/entries/")


class SecurityHeaders:
    """Puts the headers that a browser obeys on every answer; the record is never kept in a cache."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the call on, and add the headers where its answer starts."""

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = [*message["headers"], *_SECURITY_HEADERS]
                if _is_tile(scope["path"]) and message["status"] == HTTPStatus.OK:
                    headers.append(_KEPT_FOR_GOOD)
                elif not scope["path"].startswith("/static/"):
                    headers.append(_NOT_KEPT)
                message = {**message, "headers": headers}
            await send(message)

        await self._app(scope, receive, with_headers if scope["type"] == "http" else send)
