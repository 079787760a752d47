"""URLs of the site."""

from django.contrib import admin
from django.contrib.auth.views import LogoutView
from django.templatetags.static import static
from django.urls import include, path
from django.utils.functional import lazy
from django.views.generic import RedirectView

from config.logins import LoginView

# Answers 503, not 500, while the database of users is lost.
handler500 = "live.refusals.server_error"

# Static files have other names after each change.
icon = lazy(static, str)("live/icon.svg")

urlpatterns = [
    path("", include("live.urls")),
    path("login/", LoginView.as_view(), name="login"),
    path("logout/", LogoutView.as_view(), name="logout"),
    path("admin/", admin.site.urls),
    # Browsers ask for it where no page names an icon: in the admin, for JSON.
    path("favicon.ico", RedirectView.as_view(url=icon)),
]
