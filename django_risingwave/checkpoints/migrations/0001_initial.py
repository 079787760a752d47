from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    """Create the table of saved checkpoints, on the database `default`."""

    initial = True

    dependencies = ()
    operations = (
        migrations.CreateModel(
            name="SavedCheckpoint",
            fields=[
                ("name", models.CharField(max_length=100, primary_key=True, serialize=False)),
                (
                    "relation",
                    models.TextField(help_text="The table or materialized view whose changes are followed."),
                ),
                (
                    "timestamp",
                    models.BigIntegerField(
                        help_text="In milliseconds since 1970. All earlier changes are done. Empty: none is.",
                        null=True,
                    ),
                ),
                (
                    "done",
                    models.BigIntegerField(
                        default=0, help_text="How many changes of this timestamp are done."
                    ),
                ),
                (
                    "digest",
                    models.BigIntegerField(
                        default=0, help_text="Tells whether they are still the same changes."
                    ),
                ),
                (
                    "owner",
                    models.CharField(
                        blank=True,
                        default="",
                        help_text="The process that follows the changes now.",
                        max_length=255,
                    ),
                ),
                ("updated_at", models.DateTimeField()),
            ],
            options={"verbose_name": "checkpoint", "ordering": ("name",)},
        ),
    )
