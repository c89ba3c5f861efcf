"""What a request needs of its application, and who may ask for what."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import APIKeyCookie, HTTPAuthorizationCredentials, HTTPBearer

from api.access import Access, Caller
from api.metrics import Metrics
from api.problems import RefusedError
from api.runtime import Runtime

SESSION_COOKIE = "greffe_session"
_CHALLENGE = {"WWW-Authenticate": 'Bearer realm="greffe"'}

_bearer = HTTPBearer(
    auto_error=False, scheme_name="key", description="A key made by greffe access, with its roles."
)
_cookie = APIKeyCookie(
    name=SESSION_COOKIE,
    auto_error=False,
    scheme_name="session",
    description="A session opened by the one-time link that greffe serve prints; it reads, and never writes.",
)


@dataclass(slots=True)
class Services:
    """What the application shares between its requests."""

    runtime: Runtime
    access: Access
    metrics: Metrics = field(default_factory=Metrics)


def services(request: Request) -> Services:
    """The application's services."""
    found: Services = request.app.state.services
    return found


ServicesOf = Annotated[Services, Depends(services)]


async def caller(
    shared: ServicesOf,
    key: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
    session: Annotated[str | None, Depends(_cookie)],
) -> Caller:
    """Who calls: the holder of a key, else of a session."""
    if key is not None:
        found = shared.access.caller_of_key(key.credentials)
        if found is not None:
            return found
    elif session is not None:
        found = shared.access.caller_of_session(session)
        if found is not None:
            return found
    raise RefusedError("no-key", "This call needs a key in force: Authorization: Bearer KEY.", _CHALLENGE)


AnyCaller = Annotated[Caller, Depends(caller)]


async def writer(calling: AnyCaller) -> Caller:
    """A caller who may record facts."""
    if "writer" not in calling.roles:
        raise RefusedError("forbidden", f"Recording facts needs the role writer; {_roles(calling)}.")
    return calling


async def reader(calling: AnyCaller) -> Caller:
    """A caller who may read something."""
    if calling.roles.isdisjoint({"reader", "auditor"}):
        raise RefusedError("forbidden", f"Reading needs the role reader or auditor; {_roles(calling)}.")
    return calling


async def auditor(calling: AnyCaller) -> Caller:
    """A caller who may read the whole log."""
    if not calling.may_audit:
        raise RefusedError("forbidden", f"The log is for auditors; {_roles(calling)}.")
    return calling


Writer = Annotated[Caller, Depends(writer)]
Reader = Annotated[Caller, Depends(reader)]
Auditor = Annotated[Caller, Depends(auditor)]


def _roles(calling: Caller) -> str:
    return f"{calling.name} has {', '.join(sorted(calling.roles))}"


def check_account(calling: Caller, account: str) -> None:
    """Refuse an account that is not the caller's, whether or not it exists."""
    if not calling.may_read_account(account):
        raise RefusedError("forbidden", f"{calling.name} may not read the account {account}.")


def check_subject(calling: Caller, subject: str) -> None:
    """Refuse a subject that the caller may not read, whether or not it exists."""
    if not calling.may_read_subject(subject):
        raise RefusedError("forbidden", f"{calling.name} may not read the subject {subject}.")
