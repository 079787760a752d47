from django.db import migrations

from live.migration_operations import CreateLeadingRows

WINDOWS = ("15m", "1h", "today", "7d")


class Migration(migrations.Migration):
    dependencies = [("demo_shop", "0016_turnover_windows")]

    operations = [
        CreateLeadingRows(
            f"{slug}--{window}",
            view=f"{view}__{window}",
            key=key,
            measure="turnover",
        )
        for slug, view, key in (
            ("states-by-turnover", "state_turnover", "state"),
            ("products-by-turnover", "item_turnover", "itemid"),
        )
        for window in WINDOWS
    ]
