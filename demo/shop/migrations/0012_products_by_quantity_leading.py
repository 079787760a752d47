from django.db import migrations

from live.migration_operations import CreateLeadingRows


class Migration(migrations.Migration):
    dependencies = [("demo_shop", "0011_products_by_average_quantity_leading")]

    operations = [
        CreateLeadingRows(
            "products-by-quantity",
            view="item_quantity",
            key="itemid",
            measure="quantity",
        )
    ]
