from django.db import migrations

from live.migration_operations import CreateLeadingRows


class Migration(migrations.Migration):
    dependencies = [("demo_shop", "0012_products_by_quantity_leading")]

    operations = [
        CreateLeadingRows(
            "products-by-turnover",
            view="item_turnover",
            key="itemid",
            measure="turnover",
        )
    ]
