from django.db import migrations

from live.migration_operations import CreateLeadingRows


class Migration(migrations.Migration):
    dependencies = [("demo_shop", "0010_states_by_turnover_leading")]

    operations = [
        CreateLeadingRows(
            "products-by-average-quantity",
            view="item_average_quantity",
            key="itemid",
            measure="average_quantity",
            summed=False,
        )
    ]
