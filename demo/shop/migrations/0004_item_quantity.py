from django.db import migrations, models

from django_risingwave.streaming.aggregates import Sum
from django_risingwave.streaming.migration_operations import CreateMaterializedView


class Migration(migrations.Migration):
    dependencies = [("demo_shop", "0003_item_average_quantity")]

    operations = [
        migrations.CreateModel(
            name="ItemQuantity",
            fields=[
                ("itemid", models.IntegerField(primary_key=True, serialize=False, verbose_name="item")),
                ("quantity", models.BigIntegerField()),
            ],
            options={
                "db_table": "item_quantity",
                "managed": False,
                "required_db_vendor": "risingwave",
                "default_permissions": ("view",),
            },
        ),
        CreateMaterializedView(
            "item_quantity",
            source="orders",
            group_by=["itemid"],
            measures={"quantity": Sum("qty")},
        ),
    ]
