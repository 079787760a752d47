"""The login page, and how many attempts to log in are allowed: django-axes, with two limits.

Failed attempts are counted by user and address together, so that neither a stranger can lock the owner of an
account out, nor one user of a proxy all others; and by address alone, where they try many users. Apart from
that, a process works on a few attempts at a time.
"""

from __future__ import annotations

from functools import wraps
from ipaddress import ip_address, ip_network
from math import ceil
from threading import BoundedSemaphore
from typing import TYPE_CHECKING, Any

from axes.handlers.database import AxesDatabaseHandler
from axes.handlers.proxy import AxesProxyHandler
from django.conf import settings
from django.contrib.auth import views
from django.db.models import Sum
from django.shortcuts import render
from django.utils import timezone
from django.utils.decorators import method_decorator

from live import addresses, metrics
from live.refusals import try_again
from live.users import database as users_database

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime, timedelta

    from django.db.models import QuerySet
    from django.http import HttpRequest, HttpResponse, HttpResponseBase

    View = Callable[..., HttpResponseBase]

#: Attempts to log in that a process works on at the same time. Their passwords are hashed one after the
#: other, up to half a second each: the last one waits for about five seconds.
MAX_ATTEMPTS_AT_ONCE = 10
#: Failed attempts at one user from one address, within AXES_COOLOFF_TIME: enough for people who try each of
#: their few passwords.
FAILURES_PER_USER: int = settings.AXES_FAILURE_LIMIT
#: Failed attempts from one address at all users together. An office behind one address has many users who
#: mistype; somebody who tries a list of stolen passwords needs thousands of attempts.
FAILURES_PER_ADDRESS = 100
#: Characters that django-axes has for a name. The login form takes longer ones, which PostgreSQL refuses.
MAX_NAME_LENGTH = 255
#: Whoever has one IPv6 address has the 2**64 of its network. https://www.rfc-editor.org/rfc/rfc6177
IPV6_PREFIX_LENGTH = 64

_attempts = BoundedSemaphore(MAX_ATTEMPTS_AT_ONCE)


def few_at_once(view: View) -> View:
    """Decorate a view that logs in: answer 503 while MAX_ATTEMPTS_AT_ONCE attempts are running."""

    @wraps(view)
    def wrapper(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.method != "POST":
            return view(request, *args, **kwargs)
        if not _attempts.acquire(blocking=False):
            metrics.REFUSED.labels("logins").inc()
            return try_again(render(request, "busy.html", status=503))
        try:
            return view(request, *args, **kwargs)
        finally:
            _attempts.release()

    return wrapper


def address_of(request: HttpRequest) -> str | None:
    """Return the address, or the IPv6 network's first one, by which attempts are counted."""
    text = addresses.request_address(request)
    if not text:
        return None
    if ip_address(text).version == 6:
        return str(ip_network((text, IPV6_PREFIX_LENGTH), strict=False).network_address)
    return text


def name_of(request: HttpRequest, credentials: dict[str, Any] | None = None) -> str | None:
    """Return the name of the user by which attempts are counted. A longer one can't be anybody's."""
    name: str | None = (request.POST if credentials is None else credentials).get("username")
    return name and name[:MAX_NAME_LENGTH]


class LoginHandler(AxesDatabaseHandler):  # type: ignore[misc]  # django-axes has no types
    """Counts failed attempts in the database of users, which all processes share."""

    # Any: django-axes adds attributes to requests.
    def get_failures(self, request: Any, credentials: dict[str, Any] | None = None) -> int:
        """Return the failures as a share of their limit, in units of AXES_FAILURE_LIMIT."""
        of_user, of_address = (_count(attempts) for attempts in self.get_user_attempts(request, credentials))
        if not _is_one_client(request.axes_ip_address):
            of_address = 0
        return max(of_user, of_address * FAILURES_PER_USER // FAILURES_PER_ADDRESS)

    def user_login_failed(
        self, sender: Any, credentials: dict[str, Any], request: Any = None, **kwargs: Any
    ) -> None:
        """Count a failure. One row for each user and address: who changes the User-Agent gets no more."""
        if request is not None:
            request.axes_user_agent = request.axes_http_accept = ""
        super().user_login_failed(sender, credentials, request, **kwargs)

    def reset_user_attempts(self, request: HttpRequest, credentials: dict[str, Any] | None = None) -> int:
        """Forget the failures at this user only: nobody resets an address's by a login of his own."""
        count: int = self.filter_user_attempts(request, credentials)[0].delete()[0]
        return count


def _count(attempts: QuerySet[Any]) -> int:
    return attempts.aggregate(count=Sum("failures_since_start"))["count"] or 0


def _is_one_client(address: str | None) -> bool:
    """Return whether the address is a client's. A proxy that isn't in LIVE_TRUSTED_PROXIES is often local."""
    return address is not None and not ip_address(address).is_loopback


def locked_out(request: HttpRequest, *_: object) -> HttpResponse:
    """Answer an attempt to log in that isn't allowed."""
    until = _locked_until(request)
    seconds = max(1, ceil((until - timezone.now()).total_seconds()))
    context = {"until": until, "minutes": ceil(seconds / 60)}
    response = render(request, "locked_out.html", context, status=429)
    response.headers["Retry-After"] = str(seconds)
    # The failed attempts are logged.
    response._has_been_logged = True  # type: ignore[attr-defined]
    return response


def _locked_until(request: Any) -> datetime:
    """Return when enough of the failures are too old to count."""
    limits = FAILURES_PER_USER, FAILURES_PER_ADDRESS
    handler = AxesProxyHandler.get_implementation()
    cooloff: timedelta = settings.AXES_COOLOFF_TIME
    until = timezone.now()
    for limit, attempts in zip(
        limits, handler.get_user_attempts(request, request.axes_credentials), strict=True
    ):
        left = _count(attempts)
        for failed_at, count in attempts.order_by("attempt_time").values_list(
            "attempt_time", "failures_since_start"
        ):
            if left < limit:
                break
            left -= count
            until = max(until, failed_at + cooloff)
    return until


@method_decorator(few_at_once, name="dispatch")
class LoginView(views.LoginView):
    """Django's login page; offers no form while the database of users is lost."""

    template_name = "login.html"

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        users_database.check_available()
        return super().dispatch(request, *args, **kwargs)
