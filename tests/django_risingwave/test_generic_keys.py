"""Every column that refers to automatic keys is a bigint, also without a ForeignKey."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.apps import apps
from django.contrib.contenttypes.fields import GenericForeignKey
from django.contrib.contenttypes.models import ContentType
from django.db import models
from django.db.migrations.state import ModelState, StateApps
from django.test.utils import isolate_apps

from django_risingwave.columns.keys import holds_keys
from tests.django_risingwave.models import Author, Base

if TYPE_CHECKING:
    from django_risingwave.base import DatabaseWrapper

with isolate_apps("django_risingwave"):

    class Tag(Base):
        type_id = models.IntegerField()
        object_id = models.PositiveIntegerField()
        small_object_id = models.PositiveSmallIntegerField(null=True)
        number = models.PositiveIntegerField(default=0)
        content_type = models.ForeignKey(ContentType, models.DO_NOTHING, db_constraint=False, null=True)
        tagged = GenericForeignKey("content_type", "object_id")
        small = GenericForeignKey("content_type", "small_object_id")

        class Meta(Base.Meta):
            app_label = "django_risingwave"

    class Visit(Base):
        author_id = models.SmallIntegerField()
        author = models.ForeignObject(
            Author, models.CASCADE, from_fields=["author_id"], to_fields=["id"], related_name="+"
        )

        class Meta(Base.Meta):
            app_label = "django_risingwave"

    class ProxyAuthor(Author):
        class Meta(Base.Meta):
            app_label = "django_risingwave"
            proxy = True


@pytest.fixture
def tables(connection: DatabaseWrapper) -> DatabaseWrapper:
    with connection.schema_editor() as editor:
        for model in (Author, Tag, Visit):
            editor.create_model(model)
    return connection


def test_a_generic_foreign_key_stores_and_finds_an_automatic_key(tables: DatabaseWrapper) -> None:
    author = Author.objects.create(name="A")
    tag = Tag.objects.create(type_id=1, object_id=author.pk, small_object_id=author.pk)
    tables.flush()
    assert list(Tag.objects.filter(object_id=author.pk, small_object_id=author.pk)) == [tag]
    assert not Tag.objects.filter(object_id__lt=author.pk).exists()
    assert not Tag.objects.filter(small_object_id__gt=author.pk).exists()


def test_a_migration_creates_the_same_column_without_the_generic_foreign_key(
    connection: DatabaseWrapper, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(apps.all_models["django_risingwave"], "tag", Tag)
    state = ModelState.from_model(Tag, exclude_rels=True)
    state.bases = (models.Model,)
    field = state.render(StateApps([], {}))._meta.get_field("object_id")
    assert field.db_type(connection) == "bigint"


def test_a_foreign_object_stores_and_finds_an_automatic_key(tables: DatabaseWrapper) -> None:
    author = Author.objects.create(name="A")
    visit = Visit.objects.create(author_id=author.pk)
    tables.flush()
    assert Visit.objects.filter(author__name="A").get() == visit
    assert Visit.objects.get(author_id=author.pk).author == author


def test_other_integer_fields_keep_their_types(connection: DatabaseWrapper) -> None:
    number = Tag._meta.get_field("number")
    assert number.db_type(connection) == "integer"
    assert not holds_keys(vars(number))


def test_a_number_beyond_the_range_of_other_integer_fields_finds_nothing(tables: DatabaseWrapper) -> None:
    with tables.execute_wrapper(lambda *_: pytest.fail("asked")):
        assert not Tag.objects.filter(number=2**40)


def test_bulk_create_generates_the_keys_of_a_proxy(tables: DatabaseWrapper) -> None:
    made = ProxyAuthor.objects.bulk_create([ProxyAuthor(name="A"), ProxyAuthor(name="B")])
    assert all(author.pk for author in made)
