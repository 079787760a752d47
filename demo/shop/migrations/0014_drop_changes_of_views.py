from django.db import migrations

from django_risingwave.streaming.migration_operations import DropSubscription


class Migration(migrations.Migration):
    """Drop the subscriptions to the views: the rankings listen to their leading rows."""

    dependencies = [("demo_shop", "0013_products_by_turnover_leading")]

    operations = [
        DropSubscription("state_turnover_changes", source="state_turnover"),
        DropSubscription("item_average_quantity_changes", source="item_average_quantity"),
        DropSubscription("item_quantity_changes", source="item_quantity"),
        DropSubscription("item_turnover_changes", source="item_turnover"),
    ]
