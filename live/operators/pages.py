"""The answers to /livez, /readyz and /metrics, from memory: without a thread, a database or a template."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

from django.core.handlers.asgi import ASGIRequest
from django.http import HttpResponse, HttpResponseNotAllowed, HttpResponseNotFound, JsonResponse
from prometheus_client import REGISTRY
from prometheus_client.exposition import choose_encoder

from live.addresses import client_address, is_loopback, is_loopback_host, is_operator, request_address
from live.logs.request_context import HEADER, begin_request
from live.operators import health

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpRequest

    from live.servers.base import Scope, Send

#: Headers that only proxies send: from where a request comes, and what it asked the proxy for.
PROXY_HEADERS = (
    *("Forwarded", "Via", "X-Real-IP"),
    *("X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto"),
)


def answer(request: HttpRequest) -> HttpResponse | None:
    """Return the answer if the request is for one of PAGES, else None.

    Who isn't one of LIVE_OPERATORS gets the answer of a page that doesn't exist.
    """
    page = PAGES.get(request.path_info)
    if page is None:
        return None
    response: HttpResponse
    if not _is_from_operator(request):
        response = HttpResponseNotFound("Not found.\n", content_type="text/plain")
    elif request.method not in {"GET", "HEAD"}:
        response = HttpResponseNotAllowed(["GET", "HEAD"])
    else:
        response = page(request)
    response.headers["Cache-Control"] = "no-store"
    # Django logs refusals in a thread of a pool, which may be full; and each probe would have its line.
    response._has_been_logged = True  # type: ignore[attr-defined]
    return response


async def answer_asgi(scope: Scope, send: Send) -> bool:
    """Answer an HTTP request for one of PAGES on the event loop; return False if it is for another page.

    Django's handler starts a thread for each request, and a server that shuts down refuses them.
    """
    if not scope["path"].endswith(tuple(PAGES)):
        return False
    try:
        request = ASGIRequest(scope, BytesIO())
    except UnicodeDecodeError:
        return False
    request_id = begin_request(request)
    response = answer(request)
    if response is None:
        return False
    headers = {**response.headers, HEADER: request_id, "Content-Length": len(response.content)}
    await send(
        {
            "type": "http.response.start",
            "status": response.status_code,
            "headers": [(name.lower().encode(), str(value).encode()) for name, value in headers.items()],
        }
    )
    body = b"" if request.method == "HEAD" else response.content
    await send({"type": "http.response.body", "body": body})
    return True


def _is_from_operator(request: HttpRequest) -> bool:
    """Return whether one of LIVE_OPERATORS asks.

    A proxy on this machine makes strangers look like programs on it. Who asks from a loopback address must
    ask this machine by one of its own names, and without a proxy's headers.
    """
    address = request_address(request)
    if not is_operator(address):
        return False
    is_proxied = any(name in request.headers for name in PROXY_HEADERS)
    if is_loopback(address):
        return not is_proxied and is_loopback_host(request.headers.get("Host", ""))
    # Through a proxy that isn't in LIVE_TRUSTED_PROXIES, everybody has the proxy's address.
    return not is_proxied or address != client_address(request.META.get("REMOTE_ADDR"), None)


def livez(_request: HttpRequest) -> HttpResponse:
    """Tell that the process answers. If it doesn't, restart it."""
    return JsonResponse({"status": health.Status.OK})


def readyz(request: HttpRequest) -> HttpResponse:
    """Tell whether to send requests to this process: 503 if not. `?strict` counts lost databases, too."""
    report = health.report()
    refused = {health.Status.FAILED}
    if "strict" in request.META.get("QUERY_STRING", "").split("&"):
        refused.add(health.Status.DEGRADED)
    return JsonResponse(report, status=503 if report["status"] in refused else 200)


def metrics(request: HttpRequest) -> HttpResponse:
    """Write this process's metrics in the format that Prometheus asks for."""
    encode, content_type = choose_encoder(request.headers.get("Accept", ""))
    return HttpResponse(encode(REGISTRY), content_type=content_type)


PAGES: dict[str, Callable[[HttpRequest], HttpResponse]] = {
    "/livez": livez,
    "/readyz": readyz,
    "/metrics": metrics,
}
