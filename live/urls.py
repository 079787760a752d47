from django.urls import path

from live import declaring, ranking_views, views

app_name = "live"
urlpatterns = [
    path("", views.dashboard, name="dashboard"),
    path("partials/rankings/", views.cards, name="cards"),
    path("sparklines/", views.sparklines, name="sparklines"),
    path("api/rankings/", views.api_rankings, name="api-rankings"),
    path("api/rankings/<str:slug>/", views.api_ranking, name="api-ranking"),
    path("embed/<str:slug>/", views.embed, name="embed"),
    path("embed.js", views.embed_script, name="embed-script"),
    path("rankings/new/", declaring.add_ranking, name="add-ranking"),
    path("rankings/<str:slug>/", ranking_views.ranking, name="ranking"),
    path("rankings/<str:slug>/chart/", ranking_views.chart, name="chart"),
    path("rankings/<str:slug>/csv/", ranking_views.export, name="csv"),
    path("rankings/<str:slug>/key/", ranking_views.key, name="key"),
    path("rankings/<str:slug>/edit/", declaring.change_ranking, name="change-ranking"),
    path("rankings/<str:slug>/delete/", declaring.delete_ranking, name="delete-ranking"),
    path("preferences/", views.save_preferences, name="preferences"),
    path("healthz/", views.healthz, name="healthz"),
]
