"""Error reports, as Django mails them, without secrets."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from django.utils.safestring import SafeString, mark_safe
from django.views.debug import ExceptionReporter, SafeExceptionReporterFilter

from live.logs.hidden_secrets import HIDDEN, hide_secrets

if TYPE_CHECKING:
    from django.http import HttpRequest

_DJANGOS_SETTINGS = SafeExceptionReporterFilter.hidden_settings.pattern


class ReportFilter(SafeExceptionReporterFilter):
    """Hides what Django's own filter shows: all cookies, what a form sent, and the webhook's URL.

    Set DEFAULT_EXCEPTION_REPORTER_FILTER to it.
    """

    hidden_settings = re.compile(
        f"{SafeExceptionReporterFilter.hidden_settings.pattern}|WEBHOOK", re.IGNORECASE
    )

    def get_safe_cookies(self, request: HttpRequest) -> dict[str, str]:
        return dict.fromkeys(getattr(request, "COOKIES", {}), HIDDEN)

    def get_post_parameters(self, request: HttpRequest | None) -> dict[str, str]:
        return {} if request is None else dict.fromkeys(request.POST, HIDDEN)


class Reporter(ExceptionReporter):
    """Writes error reports without secrets: URLs and messages of exceptions contain some, too.

    Set DEFAULT_EXCEPTION_REPORTER to it.
    """

    def get_traceback_text(self) -> SafeString:
        return mark_safe(hide_secrets(super().get_traceback_text()))  # noqa: S308 - Django has escaped it

    def get_traceback_html(self) -> SafeString:
        return mark_safe(hide_secrets(super().get_traceback_html()))  # noqa: S308 - as above
