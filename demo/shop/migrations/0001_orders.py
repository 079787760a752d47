from django.db import migrations, models

from django_risingwave.fields import FiniteFloatField, RowIdField


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Order",
            fields=[
                ("row_id", RowIdField()),
                ("orderid", models.IntegerField(null=True, verbose_name="order")),
                ("itemid", models.IntegerField(null=True, verbose_name="item")),
                ("qty", models.IntegerField(null=True, verbose_name="quantity")),
                ("price", FiniteFloatField(null=True)),
                ("dt", models.DateField(null=True, verbose_name="date")),
                ("state", models.CharField(max_length=255, null=True)),
            ],
            options={"db_table": "orders", "required_db_vendor": "risingwave"},
        ),
    ]
