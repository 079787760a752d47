"""What `live` keeps in the database of users and sessions."""

from __future__ import annotations

from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from live.json_field import TextJSONField


class Record(models.Model):
    """The leading rows of a ranking at one minute. live/history/ writes and reads them."""

    #: Ranking.id
    ranking = models.CharField(max_length=250)
    #: A whole minute. The process that creates the row reads the ranking.
    at = models.DateTimeField()
    #: A key and its value, the next key and its value …, in the ranking's order; None until they have been
    #: read. As pairs they would take a third more space.
    rows = TextJSONField(null=True)
    keys = models.BigIntegerField(null=True)
    total = models.FloatField(null=True)
    #: How long the read took.
    milliseconds = models.FloatField(null=True)

    class Meta:
        verbose_name = _("record of a ranking")
        verbose_name_plural = _("records of rankings")
        default_permissions = ("view",)
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["ranking", "at"], name="live_record_of_a_minute"),
        ]

    def __str__(self) -> str:
        return f"{self.ranking} at {self.at:%Y-%m-%d %H:%M}"

    @property
    def pairs(self) -> list[tuple[Any, float | None]]:
        """The keys and their values; none in a gap."""
        return list(zip(self.rows[::2], self.rows[1::2], strict=True)) if self.rows else []


class Preferences(models.Model):
    """What a user has chosen on the page."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, primary_key=True, related_name="+"
    )
    values = models.JSONField(default=dict)

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"Preferences of {self.user}"


class DeclaredRanking(models.Model):
    """A ranking that a user has declared, from a relation of the database of the rankings."""

    slug = models.SlugField(max_length=100, unique=True)
    title = models.CharField(_("title"), max_length=200)
    schema = models.CharField(max_length=255)
    relation = models.CharField(max_length=255)
    key = models.CharField(_("key"), max_length=255)
    measure = models.CharField(_("measure"), max_length=255)
    ascending = models.BooleanField(_("smallest first"), default=False)
    size = models.PositiveSmallIntegerField(_("rows"), default=5)
    #: Whether the sum of all measures means something.
    summed = models.BooleanField(default=True)
    format = models.CharField(_("format"), max_length=20, default="number")
    currency = models.CharField(_("currency"), max_length=3, blank=True)
    #: On which side of `limit` a row's value alerts: "above" or "below"; empty for none.
    alert = models.CharField(_("alert"), max_length=5, blank=True)
    limit = models.FloatField(_("limit"), null=True, blank=True)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )
    changed_at = models.DateTimeField(auto_now=True)

    class Meta:
        verbose_name = _("ranking")
        default_permissions = ()
        permissions: ClassVar = [
            ("add_ranking", "Can add rankings"),
            ("change_ranking", "Can change rankings"),
            ("delete_ranking", "Can delete rankings"),
        ]

    def __str__(self) -> str:
        return self.title


class Crossing(models.Model):
    """A value that has passed a threshold. live/alerts/ writes them."""

    #: Ranking.id
    ranking = models.CharField(max_length=250)
    #: Names the threshold among those of the ranking.
    threshold = models.CharField(max_length=250)
    #: The key of the row as JSON, empty if the threshold is of the whole ranking.
    key = models.TextField(blank=True)
    value = models.FloatField()
    began_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("crossed threshold")
        verbose_name_plural = _("crossed thresholds")
        default_permissions = ("view",)
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["ranking", "threshold", "key"],
                condition=models.Q(ended_at=None),
                name="live_open_crossing",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.ranking} {self.threshold} since {self.began_at:%Y-%m-%d %H:%M}"
