from django.urls import path

from live import views

app_name = "live"
urlpatterns = [
    path("", views.dashboard, name="dashboard"),
    path("partials/rankings/", views.cards, name="cards"),
    path("api/rankings/", views.api_rankings, name="api-rankings"),
    path("api/rankings/<str:slug>/", views.api_ranking, name="api-ranking"),
    path("embed/<str:slug>/", views.embed, name="embed"),
    path("healthz/", views.healthz, name="healthz"),
]
