"""Models with a field of each kind that queries are about, in an app registry of their own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db import models
from django.test.utils import isolate_apps

with isolate_apps("tests.comparison"):

    class Author(models.Model):
        id = models.BigAutoField(primary_key=True)
        name = models.CharField(max_length=30, null=True)
        age = models.IntegerField(null=True)
        born = models.DateField(null=True)
        active = models.BooleanField(null=True)
        # NaN, too.
        rating = models.FloatField(null=True)

        class Meta:
            app_label = "comparison"

        def __str__(self) -> str:
            return f"author {self.pk}"

    class Tag(models.Model):
        id = models.BigAutoField(primary_key=True)
        name = models.CharField(max_length=20)

        class Meta:
            app_label = "comparison"

        def __str__(self) -> str:
            return f"tag {self.pk}"

    class Book(models.Model):
        id = models.BigAutoField(primary_key=True)
        title = models.TextField(default="")
        author = models.ForeignKey(Author, models.CASCADE, null=True, related_name="books")
        editor = models.ForeignKey(Author, models.SET_NULL, null=True, related_name="edited")
        tags = models.ManyToManyField(Tag, related_name="books")
        price = models.DecimalField(max_digits=12, decimal_places=2, null=True)
        pages = models.IntegerField(null=True)
        published = models.DateField(null=True)
        sold_at = models.DateTimeField(null=True)
        opens = models.TimeField(null=True)
        takes = models.DurationField(null=True)
        attrs = models.JSONField(null=True)
        code = models.UUIDField(null=True)
        address = models.GenericIPAddressField(null=True)
        cover = models.BinaryField(null=True)

        class Meta:
            app_label = "comparison"

        def __str__(self) -> str:
            return f"book {self.pk}"


#: In the order of their creation.
MODELS: tuple[type[models.Model], ...] = (Author, Tag, Book)


@dataclass(frozen=True)
class Shelf:
    """The rows of one database."""

    alias: str

    @property
    def authors(self) -> Any:
        return Author._default_manager.using(self.alias)

    @property
    def books(self) -> Any:
        return Book._default_manager.using(self.alias)

    @property
    def tags(self) -> Any:
        return Tag._default_manager.using(self.alias)
