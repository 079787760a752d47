from django.db import migrations

from live.migration_operations import CreateLeadingRows


class Migration(migrations.Migration):
    dependencies = [("shop", "0002_products")]

    operations = [CreateLeadingRows("top-products", view="product_sales", key="product", measure="sold")]
