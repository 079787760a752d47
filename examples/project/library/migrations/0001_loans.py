from django.db import migrations, models

from django_risingwave.fields import RowIdField
from django_risingwave.streaming.migration_operations import CreateTable


class Migration(migrations.Migration):
    initial = True

    operations = [
        migrations.CreateModel(
            name="Loan",
            fields=[("row_id", RowIdField()), ("book", models.CharField(max_length=200))],
            options={"db_table": "loans", "managed": False, "required_db_vendor": "risingwave"},
        ),
        CreateTable("Loan"),
    ]
