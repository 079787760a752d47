"""The rankings of a project. docs/rankings.md shows how to declare one."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ImproperlyConfigured
from django.db.models import F
from django.utils.translation import gettext, gettext_noop

from live import formats
from live.errors import RequestError
from live.windows import Window

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from django.db.models import QuerySet
    from django.utils.functional import _StrOrPromise

    from django_risingwave.models import MaterializedView
    from django_risingwave.readable import Relation
    from live.keys import KeyDetails
    from live.thresholds import Threshold


@dataclass(frozen=True)
class Ranking:
    """The rows of a materialized view that have the largest measure."""

    #: Names the ranking in URLs and in comma-separated parameters.
    slug: str
    #: What follows "Top 5" in the heading: "states by turnover".
    title: _StrOrPromise
    model: type[MaterializedView]
    #: The model's field that tells the rows apart.
    key: str
    #: The model's field that the rows are ranked by.
    measure: str
    #: Returns a key as people read it.
    name: Callable[[Any], str] = formats.key
    #: Returns a measure as people read it. By default it is an amount of `currency`, or a whole number.
    display: Callable[[float], str] | None = None
    #: How many rows are shown where nobody asks for another number.
    size: int = 5
    #: Whether the sum of all measures means something: that of turnovers does, that of averages doesn't.
    summed: bool = True
    #: The code of the measure's currency, such as "USD": https://www.iso.org/iso-4217-currency-codes.html
    currency: str = ""
    #: What the measure counts: "units an order line".
    unit: _StrOrPromise = ""
    #: What the keys are, in the plural: "states".
    keys: _StrOrPromise = ""
    #: Returns what the app knows of one key, for the key's page: None if it has no such key.
    details: Callable[[Any], KeyDetails | None] | None = None
    #: The command that fills it, for the card of an empty one: "python manage.py import_orders".
    filled_by: str = ""
    #: The models of the same ranking in other windows, with the same key and measure.
    windows: Mapping[Window, type[MaterializedView]] = field(default_factory=dict, hash=False)
    #: The window of this variant of the ranking.
    window: Window = Window.ALL
    #: Limits that viewers and a webhook are told of when a value passes them.
    thresholds: tuple[Threshold, ...] = ()
    #: Differs after a change of the definition at run time; part of the etags of its snapshots.
    version: str = ""

    @cached_property
    def id(self) -> str:
        """Names this variant, in ids of elements too: the slug, and the window if it has one."""
        return self.slug if self.window is Window.ALL else f"{self.slug}--{self.window}"

    @property
    def kept_id(self) -> str:
        """Names in the database what is kept for this variant: live/leading.py."""
        return self.id

    @cached_property
    def variants(self) -> dict[Window, Ranking]:
        """The ranking in each of its windows, in the order of Window."""
        models = {**self.windows, Window.ALL: self.model}
        return {
            window: replace(self, model=models[window], window=window)
            for window in Window
            if window in models
        }

    def within(self, window: Window) -> Ranking:
        """Return the ranking in this window, or in all time if it doesn't have the window."""
        return self.variants.get(window, self)

    @property
    def has_details(self) -> bool:
        """Whether the rows' names lead to the pages of their keys. A template would call `details`."""
        return self.details is not None

    @property
    def heading(self) -> str:
        """The title on its own: "Top 5 states by turnover"."""
        return gettext("Top %(size)d %(title)s") % {"size": self.size, "title": self.title}

    def displayed(self, value: float | None) -> str:
        """Return a measure as people read it, a dash for none."""
        if value is None:
            return "–"
        if self.display is not None:
            return str(self.display(value))
        return formats.money(value, self.currency) if self.currency else formats.quantity(value)

    def queryset(
        self, model: type[MaterializedView] | None = None, rows: int | None = None
    ) -> QuerySet[MaterializedView]:
        """Return the `size` rows, or another number, with the largest measure, ties by key, and NULL last.

        They are read from the ranking's own model, or from another one with the same fields. The query has
        neither a cast, with which RisingWave 2.8.0 uses no index, nor the aliases and the positions that
        values_list() writes: it is the query whose plan RisingWave has shown.
        """
        order = F(self.measure).desc(nulls_last=True), F(self.key).asc(nulls_last=True)
        manager = (model or self.model)._default_manager
        return manager.only(self.key, self.measure).order_by(*order)[: rows or self.size]


@dataclass(frozen=True)
class RelationRanking(Ranking):
    """A ranking of a relation that has no Django model: live/declared/ makes it of what a user has chosen.

    `key` and `measure` are columns. `model` is MaterializedView itself, for the router only.
    """

    relation: Relation = field(kw_only=True)
    #: Whether the smallest measure comes first.
    ascending: bool = False

    @property
    def kept_id(self) -> str:
        """The id with a hash of what the ranking is read from: a changed ranking is read anew."""
        text = repr((self.relation, self.key, self.measure, self.summed, self.ascending))
        return f"{self.id}-{hashlib.sha256(text.encode()).hexdigest()[:6]}"


class UnknownRankingError(RequestError, LookupError):
    """No ranking has this slug; the message lists those that exist."""

    def __init__(self, slug: str) -> None:
        super().__init__(
            gettext_noop("Unknown ranking %(slug)s. Choose from: %(known)s."),
            slug=formats.quoted(slug),
            known=", ".join(RANKINGS),
        )


#: All rankings by slug, in the order of INSTALLED_APPS. The module `rankings` of each app registers its own.
RANKINGS: dict[str, Ranking] = {}
SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*", re.ASCII)


def register(*rankings: Ranking) -> None:
    """Add rankings to the page, the WebSocket, the JSON API and the widgets.

    Raises ImproperlyConfigured if a slug is malformed or taken, FieldDoesNotExist if the model lacks the key
    or the measure.
    """
    for ranking in rankings:
        if not SLUG.fullmatch(ranking.slug):
            raise ImproperlyConfigured(
                f"The slug of a ranking must consist of a-z, 0-9 and single hyphens between them,"
                f" not {ranking.slug!r}."
            )
        if RANKINGS.get(ranking.slug, ranking) != ranking:
            raise ImproperlyConfigured(
                f"Two rankings have the slug {ranking.slug!r}. Give one of them another slug."
            )
        allowed = [window for window in Window if window is not Window.ALL]
        if wrong := [window for window in ranking.windows if window not in allowed]:
            raise ImproperlyConfigured(
                f"The windows of ranking {ranking.slug!r} must be among {', '.join(allowed)}, not {wrong[0]}."
            )
        for variant in ranking.variants.values():
            for name in (variant.key, variant.measure):
                variant.model._meta.get_field(name)
        RANKINGS[ranking.slug] = ranking


def variants() -> list[Ranking]:
    """Return all rankings, each in all of its windows."""
    # A list, because users' rankings come and go on another thread.
    return [variant for ranking in list(RANKINGS.values()) for variant in ranking.variants.values()]


def select(slugs: Iterable[str], window: Window = Window.ALL) -> list[Ranking]:
    """Return the rankings with these slugs in this window, each once, in the given order.

    One that doesn't have the window is returned as it is. Raises UnknownRankingError.
    """
    try:
        return [RANKINGS[slug].within(window) for slug in dict.fromkeys(slugs)]
    except KeyError as error:
        raise UnknownRankingError(error.args[0]) from None
