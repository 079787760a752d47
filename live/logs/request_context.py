"""Which request or WebSocket the running code serves: the id in its log lines, and its secrets."""

from __future__ import annotations

import re
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from django.core.handlers.asgi import ASGIRequest
from django.http import QueryDict
from django.http.cookie import parse_cookie

from live.addresses import is_trusted_proxy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from django.http import HttpRequest

#: The header that carries a request's id, from a proxy and to the client.
HEADER = "X-Request-ID"
#: Names of headers, parameters and form fields whose values are secrets. As Django's error reports have it,
#: and the names of sessions. https://docs.djangoproject.com/en/5.2/ref/exceptions/
SECRET_NAMES = re.compile("api|auth|token|key|secret|pass|signature|session|csrf", re.IGNORECASE)
#: What a proxy may send as an id: anything else could be meant to confuse who reads the log.
_SANE_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}")


@dataclass(frozen=True, eq=False)
class RequestContext:
    """A request or a WebSocket."""

    id: str
    #: Returns its cookies, passwords and tokens. Called only when something is logged.
    secrets: Callable[[], Iterable[str]]


#: Each request and each WebSocket has a task of its own. Under WSGI several requests share a thread.
_current: ContextVar[RequestContext | None] = ContextVar("live_request", default=None)


def begin_request(request: HttpRequest) -> str:
    """Let the running task or thread serve this request; return the request's id."""
    scope = request.scope if isinstance(request, ASGIRequest) else None
    peer = _peer(scope) if scope is not None else request.META.get("REMOTE_ADDR")
    request_id = _id(peer, request.headers.get(HEADER))
    _current.set(RequestContext(request_id, lambda: _request_secrets(request)))
    return request_id


def end_request(**_: Any) -> None:
    """Let the running thread serve no request any more: a receiver of Django's signal request_finished."""
    _current.set(None)


def begin_socket(scope: Any) -> None:
    """Let the running task serve the WebSocket with this ASGI scope."""
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
    request_id = _id(_peer(scope), headers.get(HEADER.lower()))
    query = scope.get("query_string", b"")
    _current.set(RequestContext(request_id, lambda: _secrets(headers, query)))


def request_id() -> str | None:
    """Return the id of the request or WebSocket that the running code serves, if it serves one."""
    context = _current.get()
    return None if context is None else context.id


def request_secrets() -> set[str]:
    """Return the secrets of the request or WebSocket that the running code serves."""
    context = _current.get()
    return set() if context is None else set(context.secrets())


def _peer(scope: Any) -> str | None:
    client = scope.get("client")
    return client[0] if client else None


def _id(peer: str | None, header: str | None) -> str:
    if header and _SANE_ID.fullmatch(header) and is_trusted_proxy(peer or ""):
        return header
    return uuid4().hex


def _request_secrets(request: HttpRequest) -> Iterator[str]:
    headers = {name.lower(): value for name, value in request.headers.items()}
    yield from _secrets(headers, request.META.get("QUERY_STRING", ""))
    # Only a form that a view has read already: reading it here could wait for the client.
    form = getattr(request, "_post", None)
    if isinstance(form, QueryDict):
        yield from _named_secrets(form)


def _secrets(headers: Mapping[str, str], query: str | bytes) -> Iterator[str]:
    yield from parse_cookie(headers.get("cookie", "")).values()
    for name, value in headers.items():
        if SECRET_NAMES.search(name) and not name.startswith("sec-websocket-"):
            yield value
            # "Bearer …": without the word, too.
            yield value.rpartition(" ")[2]
    try:
        yield from _named_secrets(QueryDict(query))
    except Exception:  # noqa: BLE001 - what can't be parsed, such as 1,001 parameters, is no parameter of ours
        return


def _named_secrets(parameters: QueryDict) -> Iterator[str]:
    for name, values in parameters.lists():
        if SECRET_NAMES.search(name):
            yield from map(str, values)
