"""`{% load live %}`: live rankings in any template. docs/integrating.md tells how."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from django import template
from django.conf import settings
from django.core.exceptions import SynchronousOnlyOperation
from django.shortcuts import resolve_url

from live import access, formats, frames, hub, pages
from live.rankings import Ranking, UnknownRankingError, select

if TYPE_CHECKING:
    from datetime import datetime

    from django.http import HttpRequest
    from django.template.context import Context

register = template.Library()

#: Where a request keeps the rankings that its page shows.
ATTRIBUTE = "_live_rankings"


@register.filter
def age(moment: datetime) -> str:
    """How long ago: "2 s ago"."""
    return formats.age(moment)


@register.filter
def isoformat(moment: datetime) -> str:
    """The moment for a <time>: 2026-11-23T15:04:05.678Z."""
    return frames.isoformat(moment)


@register.filter
def element_id(key: Any) -> str:
    """A key of any kind as part of an element's id: letters and digits only, the same each time."""
    return hashlib.sha256(repr(key).encode()).hexdigest()[:10]


@register.inclusion_tag("live/tag_head.html")
def live_head(*, htmx: bool = True) -> dict[str, Any]:
    """For the page's <head>: styles of the rankings, and htmx's settings unless `htmx=False`."""
    return {"htmx": htmx}


@register.inclusion_tag("live/tag_ranking.html", takes_context=True)
def live_ranking(context: Context, slug: str) -> dict[str, Any]:
    """A ranking as this process last read it; who may not see it is asked to log in.

    It waits for nothing: what hasn't been read yet, and a user that can't be looked up here, as in an
    asynchronous view, leave a place that the browser fills. Raises TemplateSyntaxError.
    """
    request = request_of(context, "live_ranking")
    try:
        [ranking] = select([slug])
    except UnknownRankingError as error:
        raise template.TemplateSyntaxError(f"live_ranking: {error}") from None
    allowed = may_look(request)
    if allowed is False:
        return {"ranking": ranking, "login_url": login_url(request)}
    shown: dict[Ranking, bool] | None = getattr(request, ATTRIBUTE, {})
    if shown is None:
        raise template.TemplateSyntaxError("live_ranking: live_scripts comes after all rankings of the page")
    if ranking in shown:
        raise template.TemplateSyntaxError(f"live_ranking: the page shows {slug!r} already")
    last = hub.last(ranking) if allowed else None
    shown[ranking] = allowed is True
    setattr(request, ATTRIBUTE, shown)
    if last is None:
        return {"ranking": ranking}
    snapshot, checked_at = last
    return {"snapshot": snapshot, "checked_at": checked_at, "stale": hub.is_old(checked_at)}


@register.simple_tag(takes_context=True)
def live_scripts(context: Context, *, htmx: bool = True) -> str:
    """For the end of the page's <body>: keeps its rankings up to date.

    `htmx=False` if the page has htmx 4 itself. Nothing where there is no ranking. Raises TemplateSyntaxError.
    """
    request = request_of(context, "live_scripts")
    shown: dict[Ranking, bool] | None = getattr(request, ATTRIBUTE, {})
    setattr(request, ATTRIBUTE, None)
    if not shown:
        return ""
    updates = pages.updates(list(shown)) | {"without_htmx": not htmx}
    if not all(shown.values()):
        updates["login_url"] = login_url(request)
    return template.loader.render_to_string("live/tag_scripts.html", updates)


def request_of(context: Context, tag: str) -> HttpRequest:
    """The request that the page answers. Raises TemplateSyntaxError."""
    request: HttpRequest | None = getattr(context, "request", None) or context.get("request")
    if request is None:
        raise template.TemplateSyntaxError(f"{tag} needs the request: render(request, …)")
    return request


def may_look(request: HttpRequest) -> bool | None:
    """Whether the request's user may see the rankings; None if that can't be found out here."""
    if access.is_open():
        return True
    try:
        return hasattr(request, "user") and request.user.is_authenticated
    except SynchronousOnlyOperation:
        return None


def login_url(request: HttpRequest) -> str:
    """The login page, which comes back to this one."""
    return f"{resolve_url(settings.LOGIN_URL)}?{urlencode({'next': request.get_full_path()})}"
