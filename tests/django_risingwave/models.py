"""Models for these tests, in an app registry of their own, out of sight of `migrate` and `check`."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models
from django.db.models.functions import Concat
from django.test.utils import isolate_apps

from django_risingwave.fields import FiniteFloatField, RowIdField
from django_risingwave.models import MaterializedView, ReadOnlyManager, ReadOnlyModel, RisingWaveModel

with isolate_apps("django_risingwave"):

    class Base(RisingWaveModel):
        objects: models.Manager[Any] = models.Manager()

        class Meta(RisingWaveModel.Meta):
            abstract = True

    class Author(Base):
        id = models.AutoField(primary_key=True)
        name = models.CharField(max_length=20, unique=True)

        class Meta(Base.Meta):
            app_label = "django_risingwave"

    class Book(Base):
        id = models.SmallAutoField(primary_key=True)
        title = models.CharField(max_length=20, db_index=True)
        author = models.ForeignKey(Author, models.CASCADE, related_name="books")
        readers = models.ManyToManyField(Author, related_name="reads")

        class Meta(Base.Meta):
            app_label = "django_risingwave"
            unique_together = (("title", "author"),)

    class Everything(Base):
        """A field of each kind."""

        id = models.BigAutoField(primary_key=True)
        binary = models.BinaryField(null=True)
        boolean = models.BooleanField(null=True)
        date = models.DateField(null=True)
        datetime = models.DateTimeField(null=True)
        decimal = models.DecimalField(max_digits=12, decimal_places=3, null=True)
        duration = models.DurationField(null=True)
        email = models.EmailField(null=True)
        float = models.FloatField(null=True)
        ip = models.GenericIPAddressField(null=True)
        json = models.JSONField(null=True)
        positive = models.PositiveIntegerField(null=True)
        slug = models.SlugField(null=True)
        small = models.SmallIntegerField(null=True)
        text = models.TextField(null=True)
        time = models.TimeField(null=True)
        uuid = models.UUIDField(null=True, unique=True)

        class Meta(Base.Meta):
            app_label = "django_risingwave"
            constraints = (
                models.CheckConstraint(condition=models.Q(positive__gt=1), name="positive_check"),
                models.UniqueConstraint(fields=["slug"], name="slug_unique"),
                models.UniqueConstraint(fields=["text"], condition=models.Q(small=1), name="text_unique"),
            )
            indexes = (models.Index(fields=["small", "-positive"], name="small_positive"),)

    class Sale(Base):
        """A table with generated columns."""

        id = models.BigAutoField(primary_key=True)
        total = models.GeneratedField(
            expression=models.F("price") * models.F("count"),
            output_field=models.DecimalField(max_digits=12, decimal_places=2),
            db_persist=True,
        )
        price = models.DecimalField(max_digits=12, decimal_places=2)
        count = models.IntegerField(null=True)
        kind = models.CharField(max_length=10, db_default="retail")
        label = models.GeneratedField(
            expression=Concat("kind", models.Value(": 100 %"), output_field=models.TextField()),
            output_field=models.TextField(),
            db_persist=True,
            db_index=True,
        )

        class Meta(Base.Meta):
            app_label = "django_risingwave"

    class Event(Base):
        """A table without a primary key."""

        row_id = RowIdField()
        kind = models.CharField(max_length=10, null=True, blank=True)
        amount = models.IntegerField(null=True, blank=True)
        weight = FiniteFloatField(null=True, blank=True)

        class Meta(Base.Meta):
            app_label = "django_risingwave"
            managed = False
            db_table = "events"

    class KindTotal(MaterializedView):
        objects: ClassVar[ReadOnlyManager[Any]]

        kind = models.CharField(max_length=10, primary_key=True)
        total = models.BigIntegerField(null=True)

        class Meta(MaterializedView.Meta):
            app_label = "django_risingwave"
            db_table = "kind_total"

    class UnguardedKindTotal(MaterializedView):
        """The same view with plain managers and methods, which don't refuse writes."""

        kind = models.CharField(max_length=10, primary_key=True)
        total = models.BigIntegerField(null=True)
        objects: ClassVar[models.Manager[Any]] = models.Manager()

        class Meta(MaterializedView.Meta):
            app_label = "django_risingwave"
            db_table = "kind_total"

        save: Any = models.Model.save
        save_base: Any = models.Model.save_base
        delete: Any = models.Model.delete

    class Number(ReadOnlyModel):
        """A view with as many rows as the test chooses."""

        objects: ClassVar[ReadOnlyManager[Any]]

        id = models.BigIntegerField(primary_key=True)
        text = models.TextField()

        class Meta(ReadOnlyModel.Meta):
            app_label = "django_risingwave"
            managed = False
            db_table = "numbers"

    class Shelf(Base):
        id = models.BigAutoField(primary_key=True)

        class Meta(Base.Meta):
            app_label = "django_risingwave"

    class ShelfTotal(ReadOnlyModel):
        """A read-only model within reach of a cascade and a related manager."""

        objects: ClassVar[ReadOnlyManager[Any]]

        id = models.BigIntegerField(primary_key=True)
        shelf = models.ForeignKey(Shelf, models.CASCADE, related_name="totals", null=True)

        class Meta(ReadOnlyModel.Meta):
            app_label = "django_risingwave"
