from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps

PRODUCTS = ["Coffee", "Green tea", "Oat milk"]


def add_products(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    Product = apps.get_model("shop", "Product")
    Product.objects.bulk_create(Product(name=name) for name in PRODUCTS)


class Migration(migrations.Migration):
    dependencies = [("shop", "0001_initial")]

    operations = [migrations.RunPython(add_products, migrations.RunPython.noop)]
