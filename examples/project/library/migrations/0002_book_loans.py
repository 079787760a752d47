from django.db import migrations, models

from django_risingwave.streaming.aggregates import Count
from django_risingwave.streaming.migration_operations import CreateMaterializedView


class Migration(migrations.Migration):
    dependencies = [("library", "0001_loans")]

    operations = [
        migrations.CreateModel(
            name="BookLoans",
            fields=[
                ("book", models.CharField(max_length=200, primary_key=True, serialize=False)),
                ("loans", models.BigIntegerField()),
            ],
            options={
                "db_table": "book_loans",
                "managed": False,
                "required_db_vendor": "risingwave",
                "default_permissions": ("view",),
            },
        ),
        CreateMaterializedView("book_loans", source="loans", group_by=["book"], measures={"loans": Count()}),
    ]
