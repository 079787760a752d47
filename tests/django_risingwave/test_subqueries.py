"""Subqueries work where RisingWave supports them, and are refused elsewhere before they are sent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from django.db import NotSupportedError
from django.db.models import Count, Exists, Max, OuterRef, Q, Subquery

from tests.django_risingwave.models import Author, Book

if TYPE_CHECKING:
    from django.db.models import QuerySet

    from django_risingwave.base import DatabaseWrapper

OWN = Subquery(Book.objects.filter(author=OuterRef("pk")).order_by("title").values("title")[:1])


@pytest.fixture(autouse=True)
def _books(connection: DatabaseWrapper) -> None:
    with connection.schema_editor() as editor:
        editor.create_model(Author)
        editor.create_model(Book)
    ann, bob = Author.objects.bulk_create([Author(name="Ann"), Author(name="Bob")])
    Book.objects.bulk_create([Book(title="A", author=ann), Book(title="B", author=ann)])
    Book.objects.create(title="C", author=bob)
    connection.flush()


def names(authors: QuerySet[Author]) -> list[str]:
    return list(authors.order_by("name").values_list("name", flat=True))


def test_a_subquery_can_select_a_subquery_first() -> None:
    first = Author.objects.filter(pk=OuterRef("author")).annotate(first=OWN).values("first")
    books = Book.objects.annotate(first=Subquery(first)).order_by("title")
    assert list(books.values_list("title", "first")) == [("A", "A"), ("B", "A"), ("C", "C")]


def test_a_union_can_be_used_in_an_expression() -> None:
    shortest = Author.objects.order_by("name").values("pk")[:1]
    longest = Author.objects.order_by("-name").values("pk")[:1]
    assert names(Author.objects.filter(pk__in=shortest.union(longest))) == ["Ann", "Bob"]


@pytest.mark.parametrize(
    ("authors", "message"),
    [
        (
            lambda: Author.objects.aggregate(last=Max("name", filter=Exists(Book.objects.all()))),
            "an aggregate",
        ),
        (lambda: Author.objects.annotate(own=OWN).values("own").annotate(Count("pk")).get(), "GROUP BY"),
        (lambda: Author.objects.annotate(Count("books"), own=OWN).get(), "next to an aggregate"),
    ],
)
def test_a_subquery_that_risingwave_does_not_support_is_refused(authors: Any, message: str) -> None:
    with pytest.raises(NotSupportedError, match=message):
        authors()


def test_an_annotated_subquery_can_be_aggregated() -> None:
    authors = Author.objects.annotate(has=Exists(Book.objects.filter(author=OuterRef("pk"), title="C")))
    assert authors.aggregate(last=Max("name", filter=Q(has=True))) == {"last": "Bob"}
