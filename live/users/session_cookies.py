"""What a session's cookie may contain. Anything else is no session."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.conf import settings

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from django.http import HttpResponseBase
    from django.http.request import HttpRequest

#: The keys of all of Django's session engines are of these characters: of letters and digits, or signed data.
#: Of 8 characters and more, as Django's SessionBase has it, up to the 4,096 of RFC 6265.
_KEY = re.compile(r"[\x21-\x7e]{8,4096}")


def session_key(cookies: Mapping[str, str]) -> str | None:
    """Return the key of the session that the cookies name, or None."""
    key = cookies.get(settings.SESSION_COOKIE_NAME)
    return key if key is not None and _KEY.fullmatch(key) else None


class SessionCookieMiddleware:
    """Drops a session cookie that can't be one, before SessionMiddleware asks the database for it.

    PostgreSQL's drivers refuse strings with a NUL with a ValueError, which Django answers with 500.
    """

    sync_capable = async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response
        if iscoroutinefunction(get_response):
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        """Answer the request."""
        if session_key(request.COOKIES) is None:
            request.COOKIES.pop(settings.SESSION_COOKIE_NAME, None)
        return self.get_response(request)
