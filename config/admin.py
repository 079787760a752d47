"""The admin site: what a user types into its address never ends in a server error."""

from __future__ import annotations

import logging
from functools import wraps
from typing import TYPE_CHECKING, Any

from django.contrib.admin import AdminSite, ModelAdmin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.views.main import ERROR_FLAG
from django.core.exceptions import BadRequest, ValidationError
from django.db import DataError, InternalError, NotSupportedError, ProgrammingError
from django.http import HttpResponseRedirect
from django.template.response import TemplateResponse
from django.utils.translation import gettext_lazy as _

from config.logins import few_at_once
from live.logs.repeated_lines import RepeatedLines

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpRequest, HttpResponseBase

    View = Callable[..., HttpResponseBase]

lines = RepeatedLines(logging.getLogger(__name__), logging.WARNING)

#: What a value that no column can hold, or a lookup that the database doesn't have, raises when the query is
#: compiled or run: the driver's ValueError for a NUL character, Python's for the year -1, the server's for an
#: invalid regular expression. InternalError: RisingWave 2.8.0 has no code for most of its errors.
INPUT_ERRORS = (
    *(ArithmeticError, LookupError, TypeError, ValueError),
    *(DataError, InternalError, NotSupportedError, ProgrammingError),
)


class Site(AdminSite):
    """An admin site that answers parameters which its queries refuse as Django answers unknown lookups.

    Django redirects a list with a bad filter to the same list without filters, but notices only what
    QuerySet.filter() raises. What the query itself raises would be a server error:
    https://github.com/django/django/blob/stable/5.2.x/django/contrib/admin/views/main.py
    """

    site_title = site_header = _("Live rankings")

    def admin_view(self, view: Any, cacheable: bool = False) -> Any:  # noqa: FBT001, FBT002 - Django's
        return super().admin_view(refuse_bad_parameters(view), cacheable)

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        return few_at_once(super().login)(request, extra_context)


def refuse_bad_parameters(view: View) -> View:
    """Decorate a view of the admin: answer parameters that its queries refuse with a redirect or a 400.

    The redirect has no parameters but Django's flag of an error. So an error with another cause is raised
    again, and is logged as what it is.
    """

    @wraps(view)
    def wrapper(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if selected := request.POST.getlist(ACTION_CHECKBOX_NAME):
            check_selection(view, selected)
        try:
            response = view(request, *args, **kwargs)
            if isinstance(response, TemplateResponse):
                # The rows of a list are read when it is rendered.
                response.render()
        except INPUT_ERRORS as error:
            if request.method != "GET" or not request.GET or ERROR_FLAG in request.GET:
                raise
            reason = " ".join(str(error).split())[:200]
            lines.log(type(error).__name__, f"admin: bad parameters for {request.path}: {reason}")
            if request.resolver_match and str(request.resolver_match.url_name).endswith("_changelist"):
                return HttpResponseRedirect(f"{request.path}?{ERROR_FLAG}=1")
            raise BadRequest("Bad parameters") from error
        return response

    return wrapper


def check_selection(view: View, selected: list[str]) -> None:
    """Raise BadRequest for keys of rows that can't be keys, with which Django's filter raises ValueError."""
    model_admin = getattr(view, "__self__", None)
    if not isinstance(model_admin, ModelAdmin):
        return
    for key in selected:
        try:
            model_admin.opts.pk.to_python(key)
        except ValidationError as error:
            raise BadRequest("Bad key of a row") from error
        if "\0" in key:
            raise BadRequest("Bad key of a row")
