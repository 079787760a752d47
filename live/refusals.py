"""How views answer requests that they can't serve."""

from __future__ import annotations

import logging
import sys
from contextlib import suppress
from functools import wraps
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import BadRequest, SuspiciousOperation
from django.http import HttpResponseServerError, JsonResponse
from django.http.multipartparser import MultiPartParserError
from django.shortcuts import render, resolve_url
from django.utils import translation
from django.utils.translation import get_language, gettext, gettext_noop
from django.views import defaults

from live import boards, parameters
from live.conf import RETRY_AFTER_SECONDS
from live.declared.registry import ready
from live.embedding import allow_embedding, gets_cookies
from live.errors import RequestError
from live.hub_state import NoDataError
from live.logs.repeated_lines import RepeatedLines
from live.loops import on_hubs_loop
from live.rankings import RANKINGS
from live.users import access
from live.users import database as users_database

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from django.http import HttpRequest, HttpResponseBase

    View = Callable[..., Coroutine[Any, Any, HttpResponseBase]]
    #: Called with the request, the status and what is wrong: an error, or a text in English.
    Refusal = Callable[[HttpRequest, int, RequestError | str], HttpResponseBase]

#: Programs get them in English, viewers in their language.
NO_DATA = gettext_noop("The rankings can't be read right now.")
USERS_LOST = gettext_noop("Users can't be looked up right now.")
NOT_READABLE = gettext_noop("The request can't be read.")
#: What Django raises for requests that can't be read.
UNREADABLE = (SuspiciousOperation, BadRequest, MultiPartParserError)

_lines = RepeatedLines(logging.getLogger(__name__), logging.ERROR)


def refuse_with(refusal: Refusal) -> Callable[[View], View]:
    """Decorate a view, so that `refusal` answers the requests that the view can't serve."""

    def decorate(view: View) -> View:
        @wraps(view)
        async def wrapper(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            try:
                if not await access.may_look(request):
                    return refusal(request, 401, "Log in first.")
                await on_hubs_loop(request, ready())
                return await view(request, *args, **kwargs)
            except RequestError as error:
                return refusal(request, 404 if isinstance(error, LookupError) else 400, error)
            except NoDataError:
                return try_again(refusal(request, 503, NO_DATA))
            except users_database.UsersUnavailableError:
                return _users_lost(request, refusal)

        return wrapper

    return decorate


def server_error(request: HttpRequest) -> HttpResponseBase:
    """Answer 503 while the database of users can't be asked, 400 to what can't be read, or as Django does.

    Set handler500 in the project's URLconf to it. No middleware sees all of these errors: SessionMiddleware
    raises some, after the views and after its own process_exception. Django calls this for every error,
    wherever it was raised. https://docs.djangoproject.com/en/5.2/ref/urls/#handler500
    """
    error, refusal = sys.exception(), page_refusal if request.accepts("text/html") else json_refusal
    if isinstance(error, users_database.UsersUnavailableError):
        users_database.report(error)
        return _users_lost(request, refusal)
    if isinstance(error, UNREADABLE):
        # Django answers these with 400, unless its page of another error has raised them: it reads the form
        # for the token, as of a form with too many fields that is sent to an unknown address.
        return refusal(request, 400, NOT_READABLE)
    return _server_error(request)


def _server_error(request: HttpRequest) -> HttpResponseBase:
    try:
        return defaults.server_error(request)
    except Exception as error:  # noqa: BLE001
        # What is wrong with the page is often wrong with 500.html too: its static files weren't collected.
        # The server would answer in place of Django, with another traceback.
        reason = " ".join(str(error).split()) or type(error).__name__
        _lines.log("500.html", f"500.html: can't be rendered ({reason})")
        return HttpResponseServerError("Server Error (500)", content_type="text/plain")


def _users_lost(request: HttpRequest, refusal: Refusal) -> HttpResponseBase:
    response = try_again(refusal(request, 503, USERS_LOST))
    # The outage is logged once. Django would log each answer.
    response._has_been_logged = True  # type: ignore[attr-defined]
    return response


def try_again(response: HttpResponseBase) -> HttpResponseBase:
    """Tell the client when to repeat the request."""
    response.headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    return response


def json_refusal(_request: HttpRequest, status: int, message: RequestError | str) -> HttpResponseBase:
    """Answer a program, in English; a 404 lists the rankings that exist."""
    body: dict[str, Any] = {"error": str(message)}
    if status == 404:
        body["rankings"] = list(RANKINGS)
    return JsonResponse(body, status=status)


def page_refusal(request: HttpRequest, status: int, message: RequestError | str) -> HttpResponseBase:
    """Answer a person: with the login page, or a page that says what is wrong."""
    if status == 401:
        return redirect_to_login(boards.address(request))
    return _render(request, "live/refusal.html", status, message)


def widget_refusal(request: HttpRequest, status: int, message: RequestError | str) -> HttpResponseBase:
    """Answer inside another site's iframe, which must not show the login page."""
    return allow_embedding(
        _render(
            request,
            "live/widget_refusal.html",
            status,
            message,
            login_url=resolve_url(settings.LOGIN_URL),
            gets_cookies=gets_cookies(request),
            theme=parameters.theme(request.GET),
        )
    )


def _render(
    request: HttpRequest, template: str, status: int, message: RequestError | str, **context: Any
) -> HttpResponseBase:
    with translation.override(_language(request)):
        context |= {
            "status": status,
            "message": message.translated if isinstance(message, RequestError) else gettext(message),
            "retry_after": RETRY_AFTER_SECONDS,
        }
        return render(request, template, context, status=status)


def _language(request: HttpRequest) -> str | None:
    """Return the language that the request asks for, else the viewer's."""
    with suppress(*UNREADABLE):  # Of a request with too many parameters.
        if (asked := request.GET.get("language")) in dict(settings.LANGUAGES):
            return asked
    return get_language()
