"""Error reports, as Django mails them, without secrets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.utils.safestring import SafeString, mark_safe
from django.views.debug import ExceptionReporter, SafeExceptionReporterFilter

from live.logs.hidden_secrets import HIDDEN, hide_secrets

if TYPE_CHECKING:
    from django.http import HttpRequest


class ReportFilter(SafeExceptionReporterFilter):
    """Hides all cookies and everything that a form sent in error reports, which Django's own filter shows.

    Set DEFAULT_EXCEPTION_REPORTER_FILTER to it.
    """

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
