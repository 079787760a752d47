from django.urls import include, path
from library import views

urlpatterns = [
    path("", views.index, name="index"),
    path("borrow/", views.borrow, name="borrow"),
    path("rankings/", include("live.urls")),  # live
]
