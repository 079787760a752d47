"""URLs of the site."""

from django.contrib import admin
from django.contrib.auth.views import LogoutView
from django.urls import include, path

from config.logins import LoginView

# Answers 503, not 500, while the database of users is lost.
handler500 = "live.refusals.server_error"

urlpatterns = [
    path("", include("live.urls")),
    path("login/", LoginView.as_view(), name="login"),
    path("logout/", LogoutView.as_view(), name="logout"),
    path("admin/", admin.site.urls),
]
