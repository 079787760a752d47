"""The login page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib.auth import views

from live import users_database

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponseBase


class LoginView(views.LoginView):
    """Django's login page; offers no form while the database of users is lost."""

    template_name = "login.html"

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        users_database.check_available()
        return super().dispatch(request, *args, **kwargs)
