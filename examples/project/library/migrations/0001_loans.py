from django.db import migrations, models

from django_risingwave.fields import RowIdField


class Migration(migrations.Migration):
    initial = True

    operations = [
        migrations.CreateModel(
            name="Loan",
            fields=[("row_id", RowIdField()), ("book", models.CharField(max_length=200))],
            options={"db_table": "loans", "required_db_vendor": "risingwave"},
        ),
    ]
