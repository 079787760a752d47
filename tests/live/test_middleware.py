"""How a request passes through the middleware, before a view that is asynchronous."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest
from asgiref.sync import SyncToAsync
from django.http import HttpResponse
from django.test import AsyncClient
from django.urls import path
from django.utils.deprecation import MiddlewareMixin

if TYPE_CHECKING:
    from django.http import HttpRequest

ONE_THREAD = "live.middleware.OneThreadMiddleware"
#: What has run, each with its thread.
steps: list[tuple[str, threading.Thread]] = []


class Noting(MiddlewareMixin):
    def process_request(self, request: HttpRequest) -> None:
        steps.append(("request", threading.current_thread()))

    def process_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        steps.append(("response", threading.current_thread()))
        return response


async def view(request: HttpRequest) -> HttpResponse:
    steps.append(("view", threading.current_thread()))
    return HttpResponse()


urlpatterns = [path("noted/", view)]


@pytest.fixture
def halves(monkeypatch) -> list[str]:
    """The halves of middleware that have been called in a thread by themselves."""
    called: list[str] = []
    call = SyncToAsync.__call__

    def noting(self: SyncToAsync[Any, Any], *args: Any, **kwargs: Any) -> Any:
        name = getattr(self.func, "__name__", "")
        if name in ("process_request", "process_response"):
            called.append(name)
        return call(self, *args, **kwargs)

    monkeypatch.setattr(SyncToAsync, "__call__", noting)
    return called


async def test_the_middleware_runs_in_one_go_in_one_thread_and_the_view_on_the_event_loop(settings, halves):
    steps.clear()
    settings.ROOT_URLCONF = __name__
    settings.MIDDLEWARE = [f"{__name__}.Noting", f"{__name__}.Noting", ONE_THREAD]
    response = await AsyncClient().get("/noted/")
    assert response.status_code == 200
    assert [name for name, _ in steps] == ["request", "request", "view", "response", "response"]
    of_middleware = {thread for name, thread in steps if name != "view"}
    assert len(of_middleware) == 1
    assert threading.current_thread() not in of_middleware
    assert dict(steps)["view"] is threading.current_thread()
    assert halves == []


async def test_no_middleware_of_the_site_changes_to_a_thread_by_itself(settings, halves):
    assert settings.MIDDLEWARE[-1] == ONE_THREAD
    # Asks for collected files.
    settings.MIDDLEWARE = [name for name in settings.MIDDLEWARE if "whitenoise" not in name]
    response = await AsyncClient().get("/healthz/")
    assert response.status_code == 200
    assert response.headers["X-Frame-Options"] == "DENY"
    assert halves == []
