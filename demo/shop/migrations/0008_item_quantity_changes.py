from django.db import migrations

from django_risingwave.streaming.migration_operations import CreateSubscription


class Migration(migrations.Migration):
    dependencies = [("demo_shop", "0007_item_average_quantity_changes")]

    operations = [CreateSubscription("item_quantity_changes", source="item_quantity")]
