"""`{% load live %}`: live rankings in any template. See docs/integrating.md."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlencode

from django import template
from django.conf import settings
from django.shortcuts import resolve_url
from django.template import Context
from django.template.loader import render_to_string
from django.urls import get_script_prefix
from django.utils.html import json_script
from django.utils.safestring import SafeString
from django.utils.translation import get_language

from live import formats, pages, rendering
from live.cards import Card
from live.keys import key_query
from live.parameters import Selection, supported_language
from live.rankings import Ranking, UnknownRankingError, select
from live.texts import texts
from live.users import access
from live.windows import Window

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable
    from datetime import datetime

    from django.http import HttpRequest
    from django.template.base import Template

    from live.snapshots import ShownAlert

register = template.Library()

#: Texts that include_once keeps: dialogs of some kB, by the language and by what their viewers have chosen.
MAX_RENDERED = 200

#: The request's attribute that holds the rankings of its page, each with whether the visitor is known to be
#: allowed to see it. It is None after live_scripts.
PAGE_RANKINGS = "_live_rankings"


@register.filter
def age(moment: datetime) -> str:
    """Return how long ago a moment was: "2 s ago"."""
    return formats.age(moment)


@register.filter
def isoformat(moment: datetime) -> str:
    """Return a moment for a <time> element: 2026-11-23T15:04:05.678Z."""
    return formats.isoformat(moment)


@register.filter
def clock(moment: datetime) -> str:
    """Return a moment's hour and minute in UTC: "14:05 UTC"."""
    return formats.clock(moment)


@register.filter
def notices(alerts: Iterable[ShownAlert], title: str) -> str:
    """Return what a page notifies its viewer of: the text of each alert by its id, as JSON."""
    return json.dumps({shown.alert.id: f"{title}: {shown}" for shown in alerts}, ensure_ascii=False)


@register.simple_tag
def live_texts() -> SafeString:
    """Put the texts of the scripts in the active language into the page, where state.js finds them."""
    return _texts_in(get_language())


@lru_cache
def _texts_in(_language: str | None) -> SafeString:
    found = texts()
    return json_script(found, "live-texts") if found else SafeString("")


register.filter("key_query", key_query)


@register.simple_tag
def live_card(card: Card) -> SafeString:
    """Return a card, rendered once for all pages and polls unless something is to be said about it."""
    language = supported_language(get_language())
    if card.snapshot is None:
        return SafeString(rendering.placeholder(card, language))
    if card.state or card.note or card.at is not None:
        return SafeString(render_to_string("live/card.html", {"card": card}))
    return SafeString(rendering.card(card.snapshot, card.size, language))


@register.simple_tag(takes_context=True)
def include_once(context: Context, name: str, **values: Hashable) -> SafeString:
    """Include a template that needs these values and no others: it is rendered once for the same values."""
    engine = cast("Template", context.template).engine
    return _rendered(engine.get_template(name), get_language(), get_script_prefix(), tuple(values.items()))


@lru_cache(maxsize=MAX_RENDERED)
def _rendered(
    compiled: Template, _language: str | None, _prefix: str, values: tuple[tuple[str, Hashable], ...]
) -> SafeString:
    """Render a template. One that has been changed is compiled anew, and so is another one."""
    return compiled.render(Context(dict(values)))


@register.inclusion_tag("live/tag_head.html")
def live_head(*, htmx: bool = True) -> dict[str, Any]:
    """Put the styles of the rankings, and unless `htmx=False` the settings of htmx, into the <head>."""
    return {"htmx": htmx}


@register.inclusion_tag("live/tag_ranking.html", takes_context=True)
def live_ranking(context: Context, slug: str) -> dict[str, Any]:
    """Show a ranking as this process last read it, or a link to the login.

    The tag never waits: if this process hasn't read the ranking yet, or can't look up the user here, as in an
    asynchronous view, it leaves a placeholder that the browser fills. Raises TemplateSyntaxError.
    """
    request = request_of(context, "live_ranking")
    try:
        [ranking] = select([slug])
    except UnknownRankingError as error:
        raise template.TemplateSyntaxError(f"live_ranking: {error}") from None
    allowed = access.may_look_now(request)
    if allowed is False:
        return {"card": Card(ranking, None), "login_url": login_url(request)}
    on_page: dict[Ranking, bool] | None = getattr(request, PAGE_RANKINGS, {})
    if on_page is None:
        raise template.TemplateSyntaxError(
            f"live_ranking {slug!r} comes after live_scripts. Put live_scripts after all rankings."
        )
    if ranking in on_page:
        raise template.TemplateSyntaxError(
            f"live_ranking {slug!r} is on the page twice. Show each ranking once per page."
        )
    on_page[ranking] = allowed is True
    setattr(request, PAGE_RANKINGS, on_page)
    ping = pages.last_ping() if allowed else None
    fault = ping.faults.get(ranking.id) if ping else None
    last = pages.last_snapshot(ranking) if allowed else None
    if last is None:
        return {"card": Card(ranking, None, fault=fault)}
    snapshot, checked_at = last
    interval = ping.intervals.get(ranking.id, 0) if ping else 0
    state, note = rendering.state_and_note(checked_at, fault, interval)
    return {"card": Card(ranking, snapshot, None, fault, state, note)}


@register.simple_tag(takes_context=True)
def live_scripts(context: Context, *, htmx: bool = True) -> str:
    """Keep the page's rankings up to date; put this at the end of the <body>.

    With `htmx=False` the page must load htmx 4 itself. Without rankings the tag is empty. Raises
    TemplateSyntaxError.
    """
    request = request_of(context, "live_scripts")
    on_page: dict[Ranking, bool] | None = getattr(request, PAGE_RANKINGS, {})
    setattr(request, PAGE_RANKINGS, None)
    if not on_page:
        return ""
    selection = Selection(list(on_page), Window.ALL, None, supported_language(get_language()))
    updates = pages.updates(selection, ping=pages.last_ping(), login_url=login_url(request))
    return render_to_string("live/tag_scripts.html", updates | {"without_htmx": not htmx})


def request_of(context: Context, tag: str) -> HttpRequest:
    """Return the request of a template's context. Raises TemplateSyntaxError."""
    request: HttpRequest | None = getattr(context, "request", None) or context.get("request")
    if request is None:
        raise template.TemplateSyntaxError(
            f"{tag} needs the request in the template's context. Render the template with render(request, …)."
        )
    return request


def login_url(request: HttpRequest) -> str:
    """Return the URL of the login page, which leads back to this page."""
    return f"{resolve_url(settings.LOGIN_URL)}?{urlencode({'next': request.get_full_path()})}"
