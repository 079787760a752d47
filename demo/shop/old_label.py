"""Carries over databases of earlier versions, in which the shop's app label was `shop`.

Django records migrations, content types and permissions by app label. The tables themselves have names of
their own and stay as they are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib.contenttypes.models import ContentType
from django.db import router
from django.db.migrations.recorder import MigrationRecorder

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper

OLD_LABEL, LABEL = "shop", "demo_shop"
#: In their order. Earlier versions had the first five.
MIGRATIONS = (
    "0001_orders",
    "0002_state_turnover",
    "0003_item_average_quantity",
    "0004_item_quantity",
    "0005_item_turnover",
    "0006_state_turnover_changes",
    "0007_item_average_quantity_changes",
    "0008_item_quantity_changes",
    "0009_item_turnover_changes",
    "0010_states_by_turnover_leading",
    "0011_products_by_average_quantity_leading",
    "0012_products_by_quantity_leading",
    "0013_products_by_turnover_leading",
    "0014_drop_changes_of_views",
    "0015_order_placed_at",
    "0016_turnover_windows",
    "0017_turnover_windows_leading",
)
WINDOWS = {
    f"{model}{window}"
    for model in ("stateturnover", "itemturnover")
    for window in ("15m", "1h", "today", "7d")
}
MODELS = {"order", "stateturnover", "itemaveragequantity", "itemquantity", "itemturnover", *WINDOWS}


def has_old_label(connection: BaseDatabaseWrapper) -> bool:
    """Return whether the database records migrations of the old shop and nothing else under its label.

    These may be the first few, of an older version or of an interrupted run, but at least two: in a shared
    database, `shop` may be the label of somebody else's app, which has other migrations.
    """
    recorder = MigrationRecorder(connection)
    if not recorder.has_table():
        return False
    migrations = recorder.migration_qs
    recorded = set(migrations.filter(app=OLD_LABEL).values_list("name", flat=True))
    is_old_shop = len(recorded) >= 2 and recorded == set(MIGRATIONS[: len(recorded)])
    return is_old_shop and not migrations.filter(app=LABEL).exists()


def rename_old_label(connection: BaseDatabaseWrapper) -> None:
    """Record the migrations and the content types of the old shop under its new label.

    Permissions refer to content types by key, so they follow. Call this only if `has_old_label()`, before
    MigrationExecutor reads the recorded migrations. After an interruption it can be repeated.
    """
    if router.allow_migrate_model(connection.alias, ContentType):
        content_types = ContentType.objects.using(connection.alias)
        content_types.filter(app_label=OLD_LABEL, model__in=MODELS).update(app_label=LABEL)
    # Last, since has_old_label() looks at these rows. No transaction, because RisingWave rolls nothing back.
    MigrationRecorder(connection).migration_qs.filter(app=OLD_LABEL).update(app=LABEL)
    ContentType.objects.clear_cache()
