"""Models in PostgreSQL and their mirrors, in an app registry of their own, out of sight of `migrate`."""

# ruff: noqa: DJ008 - the models are never shown

from __future__ import annotations

import uuid
from typing import Any

from django.db import models
from django.test.utils import isolate_apps

from django_risingwave.models import MaterializedView, Mirror, ReadOnlyManager

LABEL = "mirrored"

with isolate_apps("django_risingwave"):

    class Customer(models.Model):
        objects: models.Manager[Any] = models.Manager()
        id = models.UUIDField(primary_key=True, default=uuid.uuid4)
        name = models.CharField(max_length=20, unique=True)

        class Meta:
            app_label = LABEL

    class Order(models.Model):
        objects: models.Manager[Any] = models.Manager()
        id = models.AutoField(primary_key=True)
        customer = models.ForeignKey(Customer, models.CASCADE, null=True)
        item = models.CharField(max_length=20, db_column="itemname", db_index=True)
        quantity = models.PositiveIntegerField(default=1)
        price = models.DecimalField(max_digits=10, decimal_places=2, default="1.50")
        at = models.DateTimeField(auto_now_add=True)
        ip = models.GenericIPAddressField(null=True)
        note = models.JSONField(default=dict)
        open = models.BooleanField(default=True)

        class Meta:
            app_label = LABEL

    class OrderMirror(Mirror):
        objects: models.Manager[Any] = ReadOnlyManager()

        class Meta(Mirror.Meta):
            app_label = LABEL

        class Stream:
            of = Order

    class CustomerMirror(Mirror):
        objects: models.Manager[Any] = ReadOnlyManager()

        class Meta(Mirror.Meta):
            app_label = LABEL

        class Stream:
            of = Customer
            fields = ("id",)

    class ItemQuantity(MaterializedView):
        objects: models.Manager[Any] = ReadOnlyManager()
        item = models.CharField(max_length=20, primary_key=True)
        quantity = models.BigIntegerField()

        class Meta(MaterializedView.Meta):
            app_label = LABEL
            db_table = "item_quantity"

        class Stream:
            query = "SELECT itemname AS item, sum(quantity) AS quantity FROM mirrored_order GROUP BY itemname"
