from django.db import migrations, models

from django_risingwave.streaming.model_operations import CreateStreamingModel
from django_risingwave.streaming.views import ViewDefinition

STATE = ("state", models.CharField(max_length=255, primary_key=True, serialize=False))
ITEM = ("itemid", models.IntegerField(primary_key=True, serialize=False, verbose_name="item"))
CONDITIONS = {
    "15m": "placed_at > now() - INTERVAL '15 minutes'",
    "1h": "placed_at > now() - INTERVAL '1 hour'",
    "today": "date_trunc('day', placed_at, 'UTC') + INTERVAL '1 day' > now()",
    "7d": "placed_at > now() - INTERVAL '7 days'",
}


def create(name, key, window):
    view = f"{key[0].removesuffix('id')}_turnover__{window}"
    condition = CONDITIONS[window]
    return CreateStreamingModel(
        name=f"{name}{window.capitalize()}",
        fields=[key, ("turnover", models.DecimalField(decimal_places=10, max_digits=28))],
        options={
            "db_table": view,
            "managed": False,
            "default_permissions": ("view",),
            "required_db_vendor": "risingwave",
        },
        definition=ViewDefinition(
            view,
            f"SELECT {key[0]}, sum((qty * price)::numeric) AS turnover FROM orders "  # noqa: S608
            f"WHERE {condition} GROUP BY {key[0]}",
        ),
    )


class Migration(migrations.Migration):
    dependencies = [("demo_shop", "0015_order_placed_at")]

    operations = [
        create(name, key, window)
        for name, key in (("StateTurnover", STATE), ("ItemTurnover", ITEM))
        for window in CONDITIONS
    ]
