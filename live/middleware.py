"""Django's middleware of `live`: request ids, the answers to operators, and threads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from asgiref.sync import iscoroutinefunction, markcoroutinefunction

from live.logs.request_context import HEADER, begin_request
from live.operators import pages as operator_pages

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from django.http import HttpResponseBase
    from django.http.request import HttpRequest


class OperatorMiddleware:
    """Gives each request an id, and answers /livez, /readyz and /metrics.

    The id is in the log lines of the request and in the header X-Request-ID of its answer. Must be the first
    middleware: operators ask by IP and over plain HTTP, and the lines and answers of the others need the id.
    """

    sync_capable = async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response
        self.is_async = iscoroutinefunction(get_response)
        if self.is_async:
            # Makes Django await the answer. https://docs.djangoproject.com/en/5.2/topics/http/middleware/
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        """Answer the request."""
        if self.is_async:
            return self._answer(request)
        request_id = begin_request(request)
        return _with_id(operator_pages.answer(request) or self.get_response(request), request_id)

    async def _answer(self, request: HttpRequest) -> HttpResponseBase:
        request_id = begin_request(request)
        answer = operator_pages.answer(request)
        return _with_id(answer or await self.get_response(request), request_id)  # type: ignore[misc]


def _with_id(response: HttpResponseBase, request_id: str) -> HttpResponseBase:
    response.headers.setdefault(HEADER, request_id)
    return response


class OneThreadMiddleware:
    """Runs the middleware before it in one go, in one thread. Put it last.

    Most middleware of Django and of others is synchronous inside. Before an asynchronous view, Django calls
    each of its two halves in a thread by itself, which takes longer than the middleware; before a synchronous
    one, which this is, it changes to a thread once. The view runs on the event loop all the same.
    https://docs.djangoproject.com/en/5.2/topics/async/#async-views
    """

    sync_capable, async_capable = True, False

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Answer the request."""
        return self.get_response(request)
