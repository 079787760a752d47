from django.contrib import admin
from django.urls import include, path
from shop import views

urlpatterns = [
    path("", views.index, name="index"),
    path("order/<int:pk>/", views.order, name="order"),
    path("admin/", admin.site.urls),
    path("rankings/", include("live.urls")),  # live
]
