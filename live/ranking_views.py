"""The pages of one ranking and of one key, with the ranking's chart and its export as CSV."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlencode

from django.conf import settings
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpResponse, StreamingHttpResponse
from django.shortcuts import render, resolve_url
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.cache import get_conditional_response
from django.utils.crypto import salted_hmac
from django.utils.http import content_disposition_header
from django.utils.safestring import mark_safe
from django.utils.text import capfirst
from django.utils.translation import get_language, gettext, gettext_noop
from django.views.decorators.gzip import gzip_page
from django.views.decorators.http import require_safe

from live import boards, controls, parameters, preferences
from live.conf import live_settings
from live.declared.invitations import change_address
from live.embedding import iframe
from live.formats import quantity
from live.history import clock as history_clock
from live.hub_state import NoDataError
from live.keys import PARAMETER, UnknownKeyError, parse_key
from live.opened.chart import BOX, Span, default_span
from live.opened.details import find_details
from live.opened.exports import BusyError, Export, csv_chunks
from live.opened.origin import find_origin
from live.opened.past import chart_html, key_chart_html
from live.opened.places import find_places, of_one_kind
from live.rankings import RelationRanking, select
from live.reading import read
from live.refusals import page_refusal, refuse_with, try_again
from live.users import access
from live.views import one, page_context, revalidated
from live.windows import Window

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from django.http import HttpRequest, HttpResponseBase

    from live.boards import Board
    from live.parameters import Selection
    from live.rankings import Ranking
    from live.reading import Reading

#: Rows on the page of one ranking: all that are kept of each.
ROWS = parameters.SIZES[-1]
BUSY = gettext_noop("Other exports are running. Try again soon.")


@require_safe
@gzip_page
@refuse_with(page_refusal)
async def ranking(request: HttpRequest, slug: str) -> HttpResponseBase:
    """Show one ranking: its leading 50, their past, and where they come from.

    `?window=` is one that the ranking has, and `?span=` how far the chart reaches back.
    """
    select([slug])
    board, context = await _controls(request, slug)
    selection = replace(board.selection, size=board.top if "top" in request.GET else ROWS)
    [shown] = selection.rankings
    span = _span(request, shown)
    context |= await page_context(request, selection, context["login_url"], board.refresh)
    reading: Reading = context["reading"]
    query = urlencode({"window": shown.window, "language": selection.language} | _moment(request))
    with translation.override(selection.language):
        context |= _facts(reading) | {
            "ranking": shown,
            "change_url": await change_address(request, shown),
            "title": capfirst(shown.title),
            "scope": _scope(reading),
            # Rendered from a template.
            "chart": mark_safe(await _chart(reading, span)),  # noqa: S308
            "origin": await find_origin(shown),
            "csv_url": f"{reverse('live:csv', args=[slug])}?{query}",
            "json_url": f"{reverse('live:api-ranking', args=[slug])}?{query}&top={ROWS}",
            "csv_hint": _csv_hint(reading),
            "copies": _copies(request, selection),
        }
        return revalidated(render(request, "live/ranking.html", context))


@require_safe
@refuse_with(page_refusal)
async def chart(request: HttpRequest, slug: str) -> HttpResponseBase:
    """Answer a page of one ranking with the chart of this minute, and with what is known of the last read."""
    selection = one(request, slug, top=ROWS)
    span = _span(request, selection.rankings[0])
    reading = await read(request, selection)
    html = await _chart(reading, span)
    facts = _facts(reading)
    with translation.override(selection.language):
        body = (html + render_to_string("live/origin_facts.html", facts)).encode()
    etag = f'"{salted_hmac("live.chart", body, algorithm="sha256").hexdigest()[:16]}"'
    response = HttpResponse(body, headers={"ETag": etag})
    return revalidated(get_conditional_response(request, etag=etag, response=response) or response)


@require_safe
@refuse_with(page_refusal)
async def export(request: HttpRequest, slug: str) -> HttpResponseBase:
    """Answer with a ranking as CSV: all keys of its view, not more than LIVE_EXPORT_ROWS.

    With `?at=` they are the leading rows of that moment.
    """
    selection, at = one(request, slug), parameters.moment(request.GET)
    [exported] = selection.rankings
    day = timezone.localdate(at)
    filename = f"{exported.id}-{day:%Y-%m-%d}.csv"
    headers = {
        "Content-Type": "text/csv; charset=utf-8; header=present",
        "Content-Disposition": content_disposition_header(as_attachment=True, filename=filename),
    }
    if request.method == "HEAD":
        return revalidated(HttpResponse(headers=headers))
    if at is not None:
        past = await read(request, selection, at)
        with translation.override(selection.language):
            values = past.snapshots[0].values if past.snapshots else ()
            return revalidated(HttpResponse(b"".join(csv_chunks(exported, values)), headers=headers))
    try:
        running = Export(exported, selection.language)
    except (BusyError, RuntimeError):
        return try_again(page_refusal(request, 503, BUSY))
    first = await running.first()
    chunks: Iterator[bytes] | AsyncIterator[bytes]
    # Under WSGI, Django would read all of an asynchronous iterator into memory.
    chunks = running.chunks_async(first) if isinstance(request, ASGIRequest) else running.chunks(first)
    return revalidated(StreamingHttpResponse(cast("Any", chunks), headers=headers))


@require_safe
@gzip_page
@refuse_with(page_refusal)
async def key(request: HttpRequest, slug: str) -> HttpResponseBase:
    """Show one key: its place in each ranking of its kind, and what its app knows of it.

    `?key=` is the key's JSON, `?window=` one of the rankings' windows, `?span=` as in ranking().
    """
    window = parameters.window(request.GET)
    [opened] = select([slug], window)
    # A ranking of a relation has no model.
    field = None if isinstance(opened, RelationRanking) else opened.model._meta.get_field(opened.key)
    asked = request.GET.get(PARAMETER)
    try:
        found = parse_key(asked, cast("Any", field))
    except LookupError:
        raise UnknownKeyError(slug, asked or "") from None
    span = _span(request, opened)
    rankings = of_one_kind(opened, window)
    board, context = await _controls(request, ",".join(ranking.slug for ranking in rankings))
    with translation.override(board.selection.language):
        selection = replace(board.selection, rankings=rankings, window=window, size=ROWS)
        reading = await read(request, selection)
        snapshots = {snapshot.ranking.id: snapshot for snapshot in reading.snapshots}
        places = await find_places(opened, rankings, snapshots, found)
        is_ranked = any(place.rank for place in places)
        details, is_lost = None, False
        try:
            details = await find_details(opened, found)
        except NoDataError:
            # The app's tables may take longer than a ranking.
            is_lost = True
        if not is_ranked and details is None and not is_lost:
            raise UnknownKeyError(slug, str(opened.name(found)))
        own = next(place for place in places if place.ranking.id == opened.id)
        html = await key_chart_html(opened, found, own.value, span, board.selection.language)
        context |= {
            "ranking": opened,
            "chart": mark_safe(html),  # noqa: S308
            "name": str(opened.name(found)),
            "source": reading.source,
            "places": places,
            "details": details,
            "is_lost": is_lost,
            "box": BOX,
        }
        return revalidated(render(request, "live/key.html", context))


def _moment(request: HttpRequest) -> dict[str, str]:
    """Return the parameter of the moment that is shown, if it isn't now."""
    return {"at": request.GET["at"]} if "at" in request.GET else {}


def _span(request: HttpRequest, ranking: Ranking) -> Span:
    """Return how far the chart of a ranking reaches back. Raises ParameterError."""
    default = default_span(ranking.window)
    others = [other for other in Span if other is not default]
    return Span(parameters.one_of(request.GET, "span", (default, *others)))


async def _controls(request: HttpRequest, slugs: str) -> tuple[Board, dict[str, Any]]:
    """Return what is shown, and the context of its controls. Raises ParameterError."""
    user = await access.viewer(request)
    kept = await preferences.kept_by(user)
    query = request.GET.copy()
    query["rankings"] = slugs
    board = boards.board(query, kept, get_language())
    return board, controls.context(request, board, kept, user, is_board=False) | {
        "user": user,
        "may_log_out": user is None or user.is_authenticated,
        "login_url": f"{resolve_url(settings.LOGIN_URL)}?{urlencode({'next': boards.address(request)})}",
    }


async def _chart(reading: Reading, span: Span) -> str:
    snapshot = reading.snapshots[0] if reading.snapshots else None
    ranking = reading.selection.rankings[0]
    return await chart_html(ranking, snapshot, span, reading.selection.language, reading.at)


def _scope(reading: Reading) -> list[str]:
    """Return what the page says under its title: how many keys there are, their sum, the server."""
    [ranking] = reading.selection.rankings
    totals = reading.snapshots[0].totals if reading.snapshots else None
    texts = []
    if totals is not None:
        texts.append(f"{quantity(totals.keys)} {ranking.keys or gettext('keys')}")
        if totals.sum is not None and ranking.summed:
            texts.append(ranking.displayed(totals.sum))
    return [*texts, str(ranking.window.label), *([reading.source] if reading.source else [])]


def _facts(reading: Reading) -> dict[str, Any]:
    """Return when the ranking was last read, how long that took, and when it last changed."""
    [ranking] = reading.selection.rankings
    return {
        "changed_at": reading.snapshots[0].changed_at if reading.snapshots else None,
        "checked_at": reading.checked_at,
        "milliseconds": history_clock.milliseconds(ranking),
        "source": reading.source,
    }


def _csv_hint(reading: Reading) -> str:
    """Return how many rows the export has, if that isn't all of them."""
    if reading.at is not None:
        return gettext("the first %(rows)s keys") % {"rows": quantity(ROWS)}
    totals = reading.snapshots[0].totals if reading.snapshots else None
    if totals is None or totals.keys <= live_settings.EXPORT_ROWS:
        return gettext("all keys")
    return gettext("the first %(rows)s keys") % {"rows": quantity(live_settings.EXPORT_ROWS)}


def _copies(request: HttpRequest, selection: Selection) -> list[dict[str, str]]:
    """Return the addresses that the page offers to copy."""
    [ranking] = selection.rankings
    socket = request.build_absolute_uri(f"/ws/rankings/?{selection.query}&format=json").replace(
        "http", "ws", 1
    )
    embed = request.build_absolute_uri(reverse("live:embed", args=[ranking.slug]))
    if ranking.window is not Window.ALL:
        embed += f"?window={ranking.window}"
    return [
        {"id": "copy-socket", "label": "WebSocket", "text": socket},
        {"id": "copy-iframe", "label": "iframe", "text": iframe(ranking, embed)},
    ]
