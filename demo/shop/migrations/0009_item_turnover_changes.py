from django.db import migrations

from django_risingwave.streaming.migration_operations import CreateSubscription


class Migration(migrations.Migration):
    dependencies = [("demo_shop", "0008_item_quantity_changes")]

    operations = [CreateSubscription("item_turnover_changes", source="item_turnover")]
