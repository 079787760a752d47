import django.db.models.functions.datetime
from django.db import migrations, models


class Migration(migrations.Migration):
    """Add the time of each order.

    The orders of before are given the beginning of their day in UTC, the most that is known of them, so that
    they leave the windows. Without a date, or with one in the future, they keep the time of the migration.
    """

    dependencies = [("demo_shop", "0014_drop_changes_of_views")]

    operations = [
        migrations.AddField(
            model_name="order",
            name="placed_at",
            field=models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), null=True),
        ),
        migrations.RunSQL(
            "UPDATE orders SET placed_at = dt::timestamptz WHERE dt::timestamptz < placed_at",
            migrations.RunSQL.noop,
        ),
    ]
