from django.db import migrations, models

from django_risingwave.streaming.aggregates import Sum
from django_risingwave.streaming.migration_operations import CreateMaterializedView


class Migration(migrations.Migration):
    dependencies = [("demo_shop", "0001_orders")]

    operations = [
        migrations.CreateModel(
            name="StateTurnover",
            fields=[
                ("state", models.CharField(max_length=255, primary_key=True, serialize=False)),
                ("turnover", models.DecimalField(decimal_places=10, max_digits=28)),
            ],
            options={
                "db_table": "state_turnover",
                "managed": False,
                "required_db_vendor": "risingwave",
                "default_permissions": ("view",),
            },
        ),
        CreateMaterializedView(
            "state_turnover",
            source="orders",
            group_by=["state"],
            measures={"turnover": Sum("(qty * price)::numeric")},
        ),
    ]
