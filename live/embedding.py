"""Widgets in iframes: the HTML of one, and which sites may show it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings
from django.utils.html import escape

from live.conf import live_settings

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponseBase

    from live.rankings import Ranking


def iframe(ranking: Ranking, url: str) -> str:
    """Return the HTML that shows a ranking's widget in a page: plain text, to be escaped by a template.

    Users may have written the title, and whoever copies the HTML pastes it into another site.
    """
    return (
        f'<iframe src="{escape(url)}" title="{escape(ranking.heading)}, live" width="100%" height="340"'
        ' loading="lazy" referrerpolicy="strict-origin" sandbox="allow-scripts allow-same-origin allow-popups'
        ' allow-popups-to-escape-sandbox"></iframe>'
    )


def gets_cookies(request: HttpRequest) -> bool:
    """Return whether the browser sends this site's session to the widget that it asks for.

    It doesn't to an iframe in a page of another site, unless SESSION_COOKIE_SAMESITE is "None". Browsers tell
    by headers, but not to sites without TLS. https://developer.mozilla.org/docs/Web/HTTP/Reference/Headers/Sec-Fetch-Site
    """
    is_foreign = request.headers.get("Sec-Fetch-Site") == "cross-site"
    is_framed = request.headers.get("Sec-Fetch-Dest") != "document"
    return not (is_foreign and is_framed) or settings.SESSION_COOKIE_SAMESITE == "None"


def allow_embedding(response: HttpResponseBase) -> HttpResponseBase:
    """Let the sites of LIVE_FRAME_ANCESTORS, and no others, show this response in an iframe.

    The directive goes into the policy of the project's CSP middleware; without one, into a header of its own.
    """
    ancestors = live_settings.FRAME_ANCESTORS
    if "csp.middleware.CSPMiddleware" in settings.MIDDLEWARE:
        # What django-csp's decorator csp_replace does. In 4.0 the decorator doesn't await asynchronous views.
        # https://django-csp.readthedocs.io/en/latest/decorators.html
        response._csp_replace = {"frame-ancestors": ancestors}  # type: ignore[attr-defined]
    elif "django.middleware.csp.ContentSecurityPolicyMiddleware" in settings.MIDDLEWARE:
        # What Django's decorator csp_override does: https://docs.djangoproject.com/en/6.0/ref/csp/
        response._csp_config = {**settings.SECURE_CSP, "frame-ancestors": ancestors}  # type: ignore[attr-defined]
    else:
        response.headers["Content-Security-Policy"] = f"frame-ancestors {' '.join(ancestors)}"
    return response
