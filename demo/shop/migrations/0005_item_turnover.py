from django.db import migrations, models

from django_risingwave.streaming.aggregates import Sum
from django_risingwave.streaming.migration_operations import CreateMaterializedView


class Migration(migrations.Migration):
    dependencies = [("demo_shop", "0004_item_quantity")]

    operations = [
        migrations.CreateModel(
            name="ItemTurnover",
            fields=[
                ("itemid", models.IntegerField(primary_key=True, serialize=False, verbose_name="item")),
                ("turnover", models.DecimalField(decimal_places=10, max_digits=28)),
            ],
            options={
                "db_table": "item_turnover",
                "managed": False,
                "required_db_vendor": "risingwave",
                "default_permissions": ("view",),
            },
        ),
        CreateMaterializedView(
            "item_turnover",
            source="orders",
            group_by=["itemid"],
            measures={"turnover": Sum("(qty * price)::numeric")},
        ),
    ]
