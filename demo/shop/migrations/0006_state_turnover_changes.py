from django.db import migrations

from django_risingwave.streaming.migration_operations import CreateSubscription


class Migration(migrations.Migration):
    dependencies = [("demo_shop", "0005_item_turnover")]

    operations = [CreateSubscription("state_turnover_changes", source="state_turnover")]
