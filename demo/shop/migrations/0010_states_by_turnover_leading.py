from django.db import migrations

from live.migration_operations import CreateLeadingRows


class Migration(migrations.Migration):
    dependencies = [("demo_shop", "0009_item_turnover_changes")]

    operations = [
        CreateLeadingRows(
            "states-by-turnover",
            view="state_turnover",
            key="state",
            measure="turnover",
        )
    ]
