"""The page, the cards that it polls, the JSON API and the widget. All are answered from the hub."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from django.conf import settings
from django.http import (
    HttpResponse,
    HttpResponseNotModified,
    HttpResponseRedirect,
    JsonResponse,
    QueryDict,
)
from django.shortcuts import render, resolve_url
from django.templatetags.static import static
from django.urls import reverse
from django.utils import translation
from django.utils.cache import get_conditional_response, patch_cache_control
from django.utils.translation import get_language
from django.views.decorators.clickjacking import xframe_options_exempt
from django.views.decorators.gzip import gzip_page
from django.views.decorators.http import require_POST, require_safe
from django_htmx.middleware import HtmxDetails

from live import boards, controls, pages, parameters, preferences, rendering
from live.conf import RETRY_AFTER_SECONDS
from live.declared.invitations import first_steps, is_invited
from live.embedding import allow_embedding, gets_cookies, iframe
from live.formats import isoformat
from live.history import clock as history_clock
from live.rankings import RANKINGS, select
from live.reading import Reading, read
from live.refusals import json_refusal, page_refusal, refuse_with, widget_refusal
from live.users import access
from live.users import database as users_database

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponseBase

    from live.cards import Card
    from live.parameters import Selection

#: How long browsers and proxies may keep the address of the script for pages that embed widgets.
SCRIPT_ADDRESS_SECONDS = 3600


@require_safe
@gzip_page
@refuse_with(page_refusal)
async def dashboard(request: HttpRequest) -> HttpResponseBase:
    """Show the rankings that the URL or the user has chosen: kept up to date, or with `?at=` as they were.

    docs/board.md lists the parameters. Others are ignored, such as those of a newsletter's links.
    """
    if not RANKINGS:
        return revalidated(render(request, "live/no_rankings.html", await first_steps(request)))
    # The template can't await request.auser() itself.
    user = await access.viewer(request)
    kept = await preferences.kept_by(user)
    board = boards.board(request.GET, kept, get_language())
    login_url = f"{resolve_url(settings.LOGIN_URL)}?{urlencode({'next': boards.address(request)})}"
    context = await page_context(request, board.selection, login_url, board.refresh)
    context |= {"user": user, "may_log_out": user is None or user.is_authenticated}
    context |= controls.context(request, board, kept, user)
    context["may_add"] = await is_invited(request)
    context["embed_script"] = request.build_absolute_uri(reverse("live:embed-script"))
    context["snippets"] = [
        (ranking, iframe(ranking, request.build_absolute_uri(reverse("live:embed", args=[ranking.slug]))))
        for ranking in board.selection.rankings
    ]
    with translation.override(board.selection.language):
        return revalidated(render(request, "live/dashboard.html", context))


@require_POST
@refuse_with(json_refusal)
async def save_preferences(request: HttpRequest) -> HttpResponseBase:
    """Keep what a user has chosen on the page; an empty value is forgotten."""
    chosen = boards.checked(request.POST)
    user = await access.viewer(request)
    if user is None:
        raise users_database.UsersUnavailableError
    if not user.is_authenticated:
        return json_refusal(request, 401, "Log in first.")
    await preferences.keep(user, chosen)
    return HttpResponse(status=204)


@require_safe
@refuse_with(json_refusal)
async def cards(request: HttpRequest) -> HttpResponseBase:
    """Answer a page's poll: with the cards, or 304 if the page's HX-PTag says that it has them."""
    parameters.check_known(request.GET, parameters.SELECTION)
    reading = await read(request, parameters.selection(request.GET, get_language()))
    response: HttpResponse
    if HtmxDetails(request).ptag == reading.etag:
        response = HttpResponseNotModified()
    else:
        response = HttpResponse("".join(_card(known, reading.selection.language) for known in reading.cards))
    response.headers["HX-PTag"] = reading.etag
    response.headers["Live-Ping"] = rendering.ping_header(reading.ping)
    return _with_checked_at(response, reading)


@require_safe
@refuse_with(json_refusal)
async def sparklines(request: HttpRequest) -> HttpResponseBase:
    """Answer a page that polls with the small charts of its rows, as the WebSocket sends them."""
    parameters.check_known(request.GET, parameters.SELECTION)
    selection = parameters.selection(request.GET, get_language())
    known = history_clock.sparklines()
    found = [known[ranking.id].payload for ranking in selection.rankings if ranking.id in known]
    return revalidated(JsonResponse(found, safe=False))


@require_safe
@refuse_with(json_refusal)
async def api_rankings(request: HttpRequest) -> HttpResponseBase:
    """Answer with all rankings, or those of `?rankings=`, as JSON."""
    parameters.check_known(request.GET, (*parameters.SELECTION, "at"))
    selection = parameters.selection(request.GET, get_language())
    reading = await read(request, selection, parameters.moment(request.GET))
    with translation.override(reading.selection.language):
        known = [rendering.known_payload(card) for card in reading.cards]
    return _json(request, reading, {"rankings": known})


@require_safe
@refuse_with(json_refusal)
async def api_ranking(request: HttpRequest, slug: str) -> HttpResponseBase:
    """Answer with one ranking as JSON."""
    reading = await read(request, one(request, slug, check=True), parameters.moment(request.GET))
    with translation.override(reading.selection.language):
        known = rendering.known_payload(reading.cards[0])
    return _json(request, reading, known)


@require_safe
@xframe_options_exempt
@refuse_with(widget_refusal)
async def embed(request: HttpRequest, slug: str) -> HttpResponseBase:
    """Show one ranking in an iframe. `?theme=` is `light`, `dark`, or `auto` for the viewer's own.

    Other parameters are ignored.
    """
    theme = parameters.one_of(request.GET, "theme", parameters.THEMES)
    login_url = resolve_url(settings.LOGIN_URL) if gets_cookies(request) else None
    selection = one(request, slug)
    context = await page_context(request, selection, login_url)
    with translation.override(selection.language):
        page = render(request, "live/embed.html", {**context, "theme": theme})
    return allow_embedding(revalidated(page))


@require_safe
async def embed_script(request: HttpRequest) -> HttpResponseBase:
    """Redirect to the script for pages that embed widgets, whose own address changes with its contents."""
    response = HttpResponseRedirect(static("live/embed.js"))
    patch_cache_control(response, public=True, max_age=SCRIPT_ADDRESS_SECONDS)
    return response


@require_safe
async def healthz(_request: HttpRequest) -> HttpResponseBase:
    """Tell load balancers that the process answers. Open to everyone, since it says nothing else."""
    return JsonResponse({"status": "ok"})


def one(request: HttpRequest, slug: str, *, check: bool = False, top: int | None = None) -> Selection:
    """Return the selection of one ranking, with `top` rows unless the request asks for another number.

    Raises ParameterError, UnknownRankingError.
    """
    if check:
        known = [name for name in parameters.SELECTION if name != "rankings"]
        parameters.check_known(request.GET, (*known, "at"))
    query = request.GET.copy()
    query["rankings"] = select([slug])[0].slug
    if top is not None:
        query.setdefault("top", str(top))
    return parameters.selection(query, get_language())


async def page_context(
    request: HttpRequest, selection: Selection, login_url: str | None, refresh: int | None = None
) -> dict[str, Any]:
    """Return what the templates of a page with these rankings need, now or at the moment of `?at=`.

    Raises NoDataError, ParameterError.
    """
    reading = await read(request, selection, parameters.moment(request.GET))
    updates = pages.updates(
        selection, ptag=reading.etag, ping=reading.ping, login_url=login_url, refresh=refresh
    )
    return updates | {
        "reading": reading,
        "at": reading.at,
        "now_url": _url_of_now(request),
        "cards": reading.cards,
        "source": reading.source,
        "retry_after": RETRY_AFTER_SECONDS,
    }


def _url_of_now(request: HttpRequest) -> str:
    query = QueryDict(boards.query_of(request), mutable=True)
    query.pop("at", None)
    return f"{request.path}?{query.urlencode(safe=',')}" if query else request.path


def _card(known: Card, language: str) -> str:
    if known.snapshot is None:
        return rendering.placeholder(known, language)
    return rendering.card(known.snapshot, known.size, language)


def _json(request: HttpRequest, reading: Reading, body: dict[str, Any]) -> HttpResponseBase:
    """Answer with the body, or 304 if the request's If-None-Match has its etag."""
    etag = f'"{reading.etag}"'
    if reading.at is not None:
        body["at"] = isoformat(reading.at)
    response = JsonResponse(body, headers={"ETag": etag})
    answer = get_conditional_response(request, etag=etag, response=response) or response
    return _with_checked_at(answer, reading)


def _with_checked_at(response: HttpResponseBase, reading: Reading) -> HttpResponseBase:
    """Add the time of the last read. A 304 has it too: the same rows may have been read again."""
    if reading.checked_at is not None:
        response.headers["Checked-At"] = isoformat(reading.checked_at)
    return revalidated(response)


def revalidated(response: HttpResponseBase) -> HttpResponseBase:
    """Make browsers ask each time whether their copy is current; keep shared caches from storing one."""
    patch_cache_control(response, private=True, no_cache=True)
    return response
