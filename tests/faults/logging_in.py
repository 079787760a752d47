"""Logs in and out as a browser does."""

from __future__ import annotations

import http.cookiejar
import time
import urllib.error
import urllib.request
from typing import TYPE_CHECKING
from urllib.parse import urlencode

if TYPE_CHECKING:
    from tests.faults.site import Served

#: Seconds that a page may take.
TIMEOUT_SECONDS = 60


class Visitor:
    """A browser without a screen."""

    def __init__(self, served: Served, which: int = 0) -> None:
        self.url = served.servers[which].url
        self.cookies = http.cookiejar.CookieJar()
        self.opener = urllib.request.build_opener(
            urllib.request.HTTPCookieProcessor(self.cookies), urllib.request.ProxyHandler({})
        )

    def request(self, path: str, **fields: str) -> int:
        """Open a page, or send a form; return the status, after redirects. Raises OSError."""
        if fields:
            fields["csrfmiddlewaretoken"] = self.cookie("csrftoken")
        data = urlencode(fields).encode() if fields else None
        request = urllib.request.Request(f"{self.url}{path}", data, {"Referer": f"{self.url}{path}"})
        try:
            with self.opener.open(request, timeout=TIMEOUT_SECONDS) as response:
                response.read()
                return int(response.status)
        except urllib.error.HTTPError as error:
            with error:
                return error.code

    def cookie(self, name: str) -> str:
        """Return the value of a cookie; empty if there is none."""
        return next((cookie.value or "" for cookie in self.cookies if cookie.name == name), "")

    def log_in(self, name: str, password: str) -> float:
        """Log in by the login page; return the seconds it took. Raises AssertionError if it is refused."""
        began = time.monotonic()
        self.request("/login/")
        status = self.request("/login/", username=name, password=password)
        assert self.cookie("sessionid"), f"The login was refused with {status}."
        return time.monotonic() - began

    def log_out(self) -> None:
        """Log out by the button in the page."""
        self.request("/logout/", next="/login/")
