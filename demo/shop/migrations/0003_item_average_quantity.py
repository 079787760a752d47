from django.db import migrations, models

from django_risingwave.streaming.aggregates import Average
from django_risingwave.streaming.migration_operations import CreateMaterializedView


class Migration(migrations.Migration):
    dependencies = [("demo_shop", "0002_state_turnover")]

    operations = [
        migrations.CreateModel(
            name="ItemAverageQuantity",
            fields=[
                ("itemid", models.IntegerField(primary_key=True, serialize=False, verbose_name="item")),
                ("average_quantity", models.DecimalField(decimal_places=10, max_digits=28)),
            ],
            options={
                "db_table": "item_average_quantity",
                "managed": False,
                "required_db_vendor": "risingwave",
                "default_permissions": ("view",),
            },
        ),
        CreateMaterializedView(
            "item_average_quantity",
            source="orders",
            group_by=["itemid"],
            measures={"average_quantity": Average("qty")},
        ),
    ]
