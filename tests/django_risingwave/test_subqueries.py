"""Subqueries work where RisingWave supports them, and are refused elsewhere before they are sent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from django.contrib.contenttypes.fields import GenericForeignKey, GenericRelation
from django.contrib.contenttypes.models import ContentType
from django.db import NotSupportedError, models
from django.db.models import Count, Exists, F, Func, IntegerField, Max, OuterRef, Q, Subquery, Value
from django.db.models.functions import Coalesce, Left
from django.db.models.lookups import Exact
from django.test.utils import isolate_apps

from tests.django_risingwave.models import Author, Base, Book

if TYPE_CHECKING:
    from django.db.models import QuerySet

    from django_risingwave.base import DatabaseWrapper

TITLES = Book.objects.filter(author=OuterRef("pk"))
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


def names(authors: QuerySet[Any, Any]) -> list[str]:
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


def counted(books: QuerySet[Any]) -> list[tuple[str, Any]]:
    return list(Author.objects.annotate(n=Subquery(books)).order_by("name").values_list("name", "n"))


@pytest.mark.risingwave
@pytest.mark.parametrize(
    "books",
    [
        lambda: TITLES.values("author").annotate(n=Count("*")).values("n"),
        lambda: TITLES.order_by().values("author").annotate(n=Count("id"), m=Max("title")).values("n"),
        lambda: TITLES.values("author", "author__id").annotate(n=Count("*")).values("n"),
        lambda: (
            TITLES.values("author__name")
            .filter(author__name=OuterRef("name"))
            .annotate(n=Count("*"))
            .values("n")
        ),
        lambda: TITLES.annotate(n=Func(F("id"), function="COUNT", output_field=IntegerField())).values("n"),
        lambda: (
            Book.objects.annotate(initial=Left("author__name", 1))
            .filter(initial=Left(OuterRef("name"), 1))
            .values("initial")
            .annotate(n=Count("*"))
            .values("n")
        ),
    ],
)
def test_the_rows_of_each_row_are_aggregated(books: Any) -> None:
    assert counted(books()) == [("Ann", 2), ("Bob", 1)]


@pytest.mark.risingwave
def test_a_row_is_found_by_its_primary_key() -> None:
    names = Subquery(Author.objects.filter(pk=OuterRef("author")).values("name"))
    titles = Subquery(Book.objects.filter(pk=OuterRef("pk")).values("author__name"))
    books = Book.objects.annotate(name=names, same=titles).order_by("title")
    assert list(books.values_list("name", "same")) == [("Ann", "Ann"), ("Ann", "Ann"), ("Bob", "Bob")]


@pytest.mark.parametrize(
    ("books", "reason"),
    [
        (lambda: TITLES.values("title"), "no filter compares id with"),
        (lambda: TITLES.values("title")[:2], "no filter compares id with"),
        (lambda: TITLES.values("title").annotate(n=Count("*")).values("n"), "no filter compares title with"),
        (lambda: TITLES.annotate(n=Count("readers")).values("n"), "no filter compares id with"),
        (lambda: TITLES.values("author").annotate(n=Count("*")).order_by("title").values("n"), "title with"),
        (
            lambda: (
                Book.objects.exclude(author=OuterRef("pk"))
                .values("author")
                .annotate(n=Count("*"))
                .values("n")
            ),
            "no filter compares author with",
        ),
        (
            lambda: (
                Book.objects.filter(Q(author=OuterRef("pk")) | Q(title="A"))
                .values("author")
                .annotate(n=Count("*"))
                .values("n")
            ),
            "no filter compares author with",
        ),
        (lambda: Author.objects.filter(pk=OuterRef("pk")).values("books__title"), "joins a table"),
        (lambda: TITLES.values("title").union(TITLES.values("title")), "is a union"),
    ],
)
def test_a_subquery_that_might_return_several_rows_is_refused(books: Any, reason: str) -> None:
    with pytest.raises(
        NotSupportedError, match=f"more than one row: .*{reason}.*Subquery\\(queryset\\[:1\\]\\)"
    ):
        counted(books())


@isolate_apps("django_risingwave")
def test_a_generic_relation_might_return_several_rows() -> None:
    class Note(Base):
        content_type = models.ForeignKey(ContentType, models.DO_NOTHING)
        object_id = models.BigIntegerField()
        item = GenericForeignKey()
        text = models.CharField(max_length=10)

        class Meta(Base.Meta):
            app_label = "django_risingwave"

    class Noted(Base):
        notes = GenericRelation(Note)

        class Meta(Base.Meta):
            app_label = "django_risingwave"

    notes = Noted.objects.filter(pk=OuterRef("pk")).values("notes__text")
    with pytest.raises(NotSupportedError, match="more than one row: it joins a table"):
        list(Author.objects.annotate(note=Subquery(notes)))


def test_rows_that_are_only_looked_for_may_be_several() -> None:
    assert names(Author.objects.filter(Exists(TITLES))) == ["Ann", "Bob"]
    assert names(Author.objects.filter(name__in=Subquery(TITLES.values("author__name")))) == ["Ann", "Bob"]


@pytest.mark.risingwave
@pytest.mark.parametrize(
    ("left", "right", "found"),
    [
        (Exists(TITLES), Exists(TITLES.filter(title="C")), ["Bob"]),
        (OWN, Subquery(Book.objects.order_by("title").values("title")[:1]), ["Ann"]),
        (
            Subquery(TITLES.filter(title="C").values("title")[:1]),
            Subquery(TITLES.values("title")[:1]),
            ["Bob"],
        ),
        (Coalesce(OWN, Value("")), Coalesce(OWN, Value("")), ["Ann", "Bob"]),
    ],
)
def test_two_subqueries_can_be_compared(left: Any, right: Any, found: list[str]) -> None:
    assert names(Author.objects.filter(Exact(left, right))) == found
    annotated = Author.objects.annotate(same=Exact(left, right))
    assert names(annotated.filter(same=True)) == found


@pytest.mark.risingwave
def test_a_comparison_with_null_is_null() -> None:
    nothing = Subquery(Book.objects.filter(title="Z").values("title")[:1])
    same = Author.objects.annotate(same=Exact(OWN, nothing))
    assert list(same.values_list("same", flat=True)) == [None, None]
    assert names(Author.objects.filter(~Q(Exact(OWN, nothing)))) == []


def test_a_subquery_in_an_insert_is_refused() -> None:
    name = Subquery(Author.objects.values("name")[:1])
    for create in (
        lambda: Author.objects.create(name=name),
        lambda: Author.objects.bulk_create([Author(name=Coalesce(name, Value("")))]),
    ):
        with pytest.raises(NotSupportedError, match=r"subquery as a value of an INSERT .*Author\.name"):
            create()


def test_a_primary_key_is_not_updated(connection: DatabaseWrapper) -> None:
    with pytest.raises(NotSupportedError, match=r"can't update a primary key .*Author\.id"):
        Author.objects.filter(name="Ann").update(id=5)
    author = Author.objects.get(name="Ann")
    author.pk = 5
    author.save()
    connection.flush()
    assert names(Author.objects.all()) == ["Ann", "Ann", "Bob"]
