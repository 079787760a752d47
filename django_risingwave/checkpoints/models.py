"""Checkpoints as they are saved: django_risingwave.streaming.checkpoints reads and writes them."""

from __future__ import annotations

from django.db import models


class SavedCheckpoint(models.Model):
    """How far the changes of a relation are done by those who follow them under a name."""

    name = models.CharField(max_length=100, primary_key=True)
    relation = models.TextField(help_text="The table or materialized view whose changes are followed.")
    timestamp = models.BigIntegerField(
        null=True, help_text="In milliseconds since 1970. All earlier changes are done. Empty: none is."
    )
    done = models.BigIntegerField(default=0, help_text="How many changes of this timestamp are done.")
    digest = models.BigIntegerField(default=0, help_text="Tells whether they are still the same changes.")
    owner = models.CharField(
        max_length=255, blank=True, default="", help_text="The process that follows the changes now."
    )
    updated_at = models.DateTimeField()

    class Meta:
        verbose_name = "checkpoint"
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name
