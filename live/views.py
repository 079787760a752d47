"""The page, what it polls, the JSON and the widget; all answered from the hub."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.contrib.auth.views import redirect_to_login
from django.http import HttpResponse, HttpResponseNotModified, JsonResponse
from django.shortcuts import render, resolve_url
from django.urls import reverse
from django.utils.cache import get_conditional_response, patch_cache_control
from django.views.decorators.clickjacking import xframe_options_exempt
from django.views.decorators.http import require_safe
from django_htmx.middleware import HtmxDetails

from live import access, frames, hub, pages, parameters
from live.conf import RETRY_AFTER_SECONDS, live_settings
from live.rankings import RANKINGS, Ranking, UnknownRankingError, select
from live.reading import Reading, read
from live.snapshots import combined_etag

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from django.http import HttpRequest, HttpResponseBase

    View = Callable[..., Coroutine[Any, Any, HttpResponseBase]]
    Refusal = Callable[[HttpRequest, int, str], HttpResponseBase]


def refused_by(refusal: Refusal) -> Callable[[View], View]:
    """Answer by `refusal(request, status, message)` what a view can't: no login, bad parameters, no data."""

    def decorate(view: View) -> View:
        @wraps(view)
        async def wrapper(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if not await access.may_look(request):
                return refusal(request, 401, "log in first")
            try:
                response = await view(request, *args, **kwargs)
            except parameters.ParameterError as error:
                return refusal(request, 400, str(error))
            except UnknownRankingError as error:
                return refusal(request, 404, str(error))
            except hub.NoDataError:
                response = refusal(request, 503, "the rankings can't be read right now")
                response.headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
            return response

        return wrapper

    return decorate


def as_json(_request: HttpRequest, status: int, message: str) -> HttpResponseBase:
    """A refusal for programs."""
    body: dict[str, Any] = {"error": message}
    if status == 404:
        body["rankings"] = list(RANKINGS)
    return JsonResponse(body, status=status)


def as_page(request: HttpRequest, status: int, message: str) -> HttpResponseBase:
    """A refusal for people: the login page, or a page that says what is wrong."""
    if status == 401:
        return redirect_to_login(request.get_full_path())
    context = {
        "status": status,
        "message": message,
        "rankings": RANKINGS.values(),
        "retry_after": RETRY_AFTER_SECONDS,
    }
    return render(request, "live/refusal.html", context, status=status)


def as_widget(request: HttpRequest, status: int, message: str) -> HttpResponseBase:
    """A refusal inside somebody's frame, where the login page can't be shown."""
    context = {
        "status": status,
        "message": message,
        "retry_after": RETRY_AFTER_SECONDS,
        "login_url": resolve_url(settings.LOGIN_URL),
    }
    return _framed(render(request, "live/widget_refusal.html", context, status=status))


@require_safe
@refused_by(as_page)
async def dashboard(request: HttpRequest) -> HttpResponseBase:
    """All rankings, moving by themselves."""
    parameters.check_known(request.GET, ())
    rankings = list(RANKINGS.values())
    context = await _page_context(request, rankings)
    # Fetched here, since templates can't wait for it.
    context["user"] = await request.auser()
    context["login_page"] = resolve_url(settings.LOGIN_URL)
    context["snippets"] = [
        (ranking, request.build_absolute_uri(reverse("live:embed", args=[ranking.slug])))
        for ranking in rankings
    ]
    return _fresh(render(request, "live/dashboard.html", context))


@require_safe
@refused_by(as_json)
async def cards(request: HttpRequest) -> HttpResponseBase:
    """What a page polls: the cards, or 304 if they are those of the HX-PTag sent."""
    parameters.check_known(request.GET, ("rankings",))
    rankings = parameters.rankings(request.GET)
    reading = await read(request, rankings)
    tag = combined_etag(reading.snapshots)
    response: HttpResponse
    if HtmxDetails(request).ptag == tag:
        response = HttpResponseNotModified()
    else:
        response = HttpResponse("".join(frames.card(snapshot) for snapshot in reading.snapshots))
    response.headers["HX-PTag"] = tag
    return _checked(response, reading)


@require_safe
@refused_by(as_json)
async def api_rankings(request: HttpRequest) -> HttpResponseBase:
    """All rankings, or those of `?rankings=`, as JSON."""
    parameters.check_known(request.GET, ("rankings",))
    rankings = parameters.rankings(request.GET)
    reading = await read(request, rankings)
    body = {"rankings": [frames.payload(snapshot) for snapshot in reading.snapshots]}
    return _json(request, reading, body)


@require_safe
@refused_by(as_json)
async def api_ranking(request: HttpRequest, slug: str) -> HttpResponseBase:
    """One ranking as JSON."""
    parameters.check_known(request.GET, ())
    reading = await read(request, select([slug]))
    return _json(request, reading, frames.payload(reading.snapshots[0]))


@require_safe
@xframe_options_exempt
@refused_by(as_widget)
async def embed(request: HttpRequest, slug: str) -> HttpResponseBase:
    """One ranking as a page made for an iframe; `?theme=` light, dark or as the viewer's system."""
    parameters.check_known(request.GET, ("theme",))
    theme = parameters.one_of(request.GET, "theme", ("auto", "light", "dark"))
    context = await _page_context(request, select([slug]))
    return _framed(_fresh(render(request, "live/embed.html", {**context, "theme": theme})))


@require_safe
async def healthz(_request: HttpRequest) -> HttpResponseBase:
    """The process answers. For load balancers: open to all, and says nothing else."""
    return JsonResponse({"status": "ok"})


async def _page_context(request: HttpRequest, rankings: Sequence[Ranking]) -> dict[str, Any]:
    reading = await read(request, rankings)
    updates = pages.updates(rankings, ptag=combined_etag(reading.snapshots), checked_at=reading.checked_at)
    return updates | {
        "snapshots": reading.snapshots,
        "source": reading.snapshots[0].source,
        "stale": reading.stale,
        "retry_after": RETRY_AFTER_SECONDS,
    }


def _json(request: HttpRequest, reading: Reading, body: dict[str, Any]) -> HttpResponseBase:
    etag = f'"{combined_etag(reading.snapshots)}"'
    response = JsonResponse(body, headers={"ETag": etag})
    return _checked(get_conditional_response(request, etag=etag, response=response) or response, reading)


def _checked(response: HttpResponseBase, reading: Reading) -> HttpResponseBase:
    """Say how fresh the answer is, also where it is 304."""
    response.headers["Checked-At"] = frames.isoformat(reading.checked_at)
    return _fresh(response)


def _fresh(response: HttpResponseBase) -> HttpResponseBase:
    """Let caches ask again each time, and keep it out of shared ones."""
    patch_cache_control(response, private=True, no_cache=True)
    return response


def _framed(response: HttpResponseBase) -> HttpResponseBase:
    """Let the sites of LIVE_FRAME_ANCESTORS put the page into a frame, and no other: by default this one."""
    ancestors = live_settings.FRAME_ANCESTORS
    if "csp.middleware.CSPMiddleware" in settings.MIDDLEWARE:
        # What django-csp's decorator csp_replace does, which does not await asynchronous views (4.0).
        response._csp_replace = {"frame-ancestors": ancestors}  # type: ignore[attr-defined]
    elif "django.middleware.csp.ContentSecurityPolicyMiddleware" in settings.MIDDLEWARE:
        # Django's csp_override: https://docs.djangoproject.com/en/6.0/ref/csp/
        response._csp_config = {**settings.SECURE_CSP, "frame-ancestors": ancestors}  # type: ignore[attr-defined]
    else:
        response.headers["Content-Security-Policy"] = f"frame-ancestors {' '.join(ancestors)}"
    return response
