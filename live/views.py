"""The page, the cards that it polls, the JSON API and the widget. All are answered from the hub."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from django.conf import settings
from django.http import HttpResponse, HttpResponseNotModified, JsonResponse
from django.shortcuts import render, resolve_url
from django.urls import reverse
from django.utils.cache import get_conditional_response, patch_cache_control
from django.views.decorators.clickjacking import xframe_options_exempt
from django.views.decorators.http import require_safe
from django_htmx.middleware import HtmxDetails

from live import pages, parameters, rendering
from live.conf import RETRY_AFTER_SECONDS
from live.embedding import allow_embedding, gets_cookies
from live.formats import isoformat
from live.rankings import RANKINGS, Ranking, select
from live.reading import Reading, read
from live.refusals import json_refusal, page_refusal, refuse_with, widget_refusal
from live.users import access

if TYPE_CHECKING:
    from collections.abc import Sequence

    from django.http import HttpRequest, HttpResponseBase

    from live.faults import Fault
    from live.snapshots import Snapshot


@require_safe
@refuse_with(page_refusal)
async def dashboard(request: HttpRequest) -> HttpResponseBase:
    """Show all rankings, kept up to date. Parameters are ignored, such as those of a newsletter's links."""
    rankings = list(RANKINGS.values())
    if not rankings:
        return render(request, "live/no_rankings.html")
    login_url = f"{resolve_url(settings.LOGIN_URL)}?{urlencode({'next': request.path})}"
    context = await _page_context(request, rankings, login_url)
    # The template can't await request.auser() itself.
    user = await access.viewer(request)
    context |= {"user": user, "may_log_out": user is None or user.is_authenticated}
    context["snippets"] = [
        (ranking, request.build_absolute_uri(reverse("live:embed", args=[ranking.slug])))
        for ranking in rankings
    ]
    return _revalidated(render(request, "live/dashboard.html", context))


@require_safe
@refuse_with(json_refusal)
async def cards(request: HttpRequest) -> HttpResponseBase:
    """Answer a page's poll: with the cards, or 304 if the page's HX-PTag says that it has them."""
    parameters.check_known(request.GET, ("rankings",))
    reading = await read(request, parameters.rankings(request.GET))
    response: HttpResponse
    if HtmxDetails(request).ptag == reading.etag:
        response = HttpResponseNotModified()
    else:
        response = HttpResponse("".join(_card(*known) for known in reading.cards))
    response.headers["HX-PTag"] = reading.etag
    response.headers["Live-Ping"] = rendering.ping_header(reading.ping)
    return _with_checked_at(response, reading)


@require_safe
@refuse_with(json_refusal)
async def api_rankings(request: HttpRequest) -> HttpResponseBase:
    """Answer with all rankings, or those of `?rankings=`, as JSON."""
    parameters.check_known(request.GET, ("rankings",))
    reading = await read(request, parameters.rankings(request.GET))
    return _json(request, reading, {"rankings": [rendering.known_payload(*known) for known in reading.cards]})


@require_safe
@refuse_with(json_refusal)
async def api_ranking(request: HttpRequest, slug: str) -> HttpResponseBase:
    """Answer with one ranking as JSON."""
    parameters.check_known(request.GET, ())
    reading = await read(request, select([slug]))
    return _json(request, reading, rendering.known_payload(*reading.cards[0]))


@require_safe
@xframe_options_exempt
@refuse_with(widget_refusal)
async def embed(request: HttpRequest, slug: str) -> HttpResponseBase:
    """Show one ranking in an iframe. `?theme=` is `light`, `dark`, or `auto` for the viewer's own.

    Other parameters are ignored.
    """
    theme = parameters.one_of(request.GET, "theme", ("auto", "light", "dark"))
    login_url = resolve_url(settings.LOGIN_URL) if gets_cookies(request) else None
    context = await _page_context(request, select([slug]), login_url)
    return allow_embedding(_revalidated(render(request, "live/embed.html", {**context, "theme": theme})))


@require_safe
async def healthz(_request: HttpRequest) -> HttpResponseBase:
    """Tell load balancers that the process answers. Open to everyone, since it says nothing else."""
    return JsonResponse({"status": "ok"})


async def _page_context(
    request: HttpRequest, rankings: Sequence[Ranking], login_url: str | None
) -> dict[str, Any]:
    """Return what the templates of a page with these rankings need. Raises NoDataError."""
    reading = await read(request, rankings)
    updates = pages.updates(rankings, ptag=reading.etag, ping=reading.ping, login_url=login_url)
    return updates | {
        "cards": [
            (
                ranking,
                snapshot,
                fault,
                *rendering.state_and_note(reading.ping.checked_at.get(ranking.slug), fault),
            )
            for ranking, snapshot, fault in reading.cards
        ],
        "source": reading.snapshots[0].source if reading.snapshots else "",
        "retry_after": RETRY_AFTER_SECONDS,
    }


def _card(ranking: Ranking, snapshot: Snapshot | None, fault: Fault | None) -> str:
    return rendering.placeholder(ranking, fault) if snapshot is None else rendering.card(snapshot)


def _json(request: HttpRequest, reading: Reading, body: dict[str, Any]) -> HttpResponseBase:
    """Answer with the body, or 304 if the request's If-None-Match has its etag."""
    etag = f'"{reading.etag}"'
    response = JsonResponse(body, headers={"ETag": etag})
    answer = get_conditional_response(request, etag=etag, response=response) or response
    return _with_checked_at(answer, reading)


def _with_checked_at(response: HttpResponseBase, reading: Reading) -> HttpResponseBase:
    """Add the time of the last read. A 304 has it too: the same rows may have been read again."""
    if reading.checked_at is not None:
        response.headers["Checked-At"] = isoformat(reading.checked_at)
    return _revalidated(response)


def _revalidated(response: HttpResponseBase) -> HttpResponseBase:
    """Make browsers ask each time whether their copy is current; keep shared caches from storing one."""
    patch_cache_control(response, private=True, no_cache=True)
    return response
