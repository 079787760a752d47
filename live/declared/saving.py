"""What the views of declared rankings do in the databases. Each function is called in a thread of its own."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.db import Error, transaction
from django.forms.models import model_to_dict
from django.utils import timezone
from django.utils.translation import gettext

from live.declared import keeping
from live.declared.choices import Columns, find_chosen
from live.declared.declarations import Format, ranking_of
from live.declared.forms import DeclarationForm
from live.declared.previews import Preview, PreviewError, preview
from live.declared.registry import forget
from live.models import Crossing, DeclaredRanking
from live.users import database as users_database

if TYPE_CHECKING:
    from collections.abc import Mapping

    from django.db.models import QuerySet

    from django_risingwave.base import DatabaseWrapper
    from django_risingwave.readable import Relation
    from live.rankings import RelationRanking


#: Measures whose sum most likely means nothing.
NOT_SUMMED = re.compile("average|avg|mean|median|percent|pct|quota|rate|ratio|share", re.IGNORECASE)

logger = logging.getLogger(__name__)


class NotOfferedError(LookupError):
    """The relation isn't among those that the site may read."""

    def __init__(self, relation: Relation) -> None:
        super().__init__(
            gettext("%(relation)s isn't among the materialized views and tables that this site may read.")
            % {"relation": str(relation)}
        )


@dataclass
class Draft:
    """A form as a user has filled it in, and what the ranking would be."""

    form: DeclarationForm
    columns: Columns
    #: None if the form isn't valid or the ranking can't be read.
    preview: Preview | None = None
    #: Why it can't be read.
    problem: str = ""
    #: What would be sent to make its leading rows; empty if they can't be made.
    statements: tuple[str, ...] = ()
    is_kept: bool = False
    #: Why they can't be made.
    obstacle: str = ""
    #: The former leading rows of a ranking that is changed, which it would no longer be read from.
    former: RelationRanking | None = None


def draft(
    connection: DatabaseWrapper, data: Mapping[str, Any], row: DeclaredRanking | None, relation: Relation
) -> Draft:
    """Check a form, and read the ranking that it declares. Raises NotOfferedError, django.db.Error."""
    columns = find_chosen(connection, relation)
    if columns is None:
        raise NotOfferedError(relation)
    if "key" not in data:
        data = _defaults(columns, row)
    # Before the form, which changes the row.
    former = None if row is None else ranking_of(row)
    form = DeclarationForm(columns, data, instance=row or DeclaredRanking())
    if not columns.is_rankable or not form.is_valid():
        return Draft(form, columns)
    ranking = ranking_of(form.declared())
    draft = Draft(form, columns)
    try:
        draft.is_kept = keeping.is_kept(connection, ranking)
        draft.obstacle = keeping.obstacle(connection, ranking)
        if former is not None and former.kept_id != ranking.kept_id and keeping.may_drop(connection, former):
            draft.former = former
    except Error as error:
        # RisingWave may have no function that tells of privileges, and the ranking can be shown all the same.
        logger.info("declared rankings: can't ask whether leading rows can be made (%s)", error)
        draft.obstacle = gettext("The database doesn’t say whether they can be.")
    if not draft.obstacle:
        draft.statements = tuple(keeping.statements(connection, ranking))
    try:
        draft.preview = preview(connection, ranking)
    except PreviewError as error:
        draft.problem = str(error)
    return draft


def _defaults(columns: Columns, row: DeclaredRanking | None) -> dict[str, Any]:
    """Return what a form that isn't filled in yet begins with."""
    if row is not None and (row.schema, row.relation) == (columns.relation.schema, columns.relation.name):
        return model_to_dict(row)
    key, measure = columns.likely_key, columns.likely_measure
    title = columns.relation.name.replace("_", " ")
    is_summed = not NOT_SUMMED.search(measure)
    return {
        "key": key,
        "measure": measure,
        "title": title if row is None else row.title,
        "slug": "" if row is None else row.slug,
        "ascending": "False",
        "size": 5,
        "format": Format.NUMBER if is_summed else Format.DECIMALS,
        "summed": is_summed,
    }


def rows(slug: str) -> QuerySet[DeclaredRanking]:
    """Return the rows of a declared ranking: one or none."""
    return DeclaredRanking.objects.filter(slug=slug)


def save(row: DeclaredRanking, owner_id: Any = None) -> None:
    """Save a declared ranking and announce it; a new one gets an owner. Raises django.db.Error."""
    with transaction.atomic(using=users_database.alias()):
        old = DeclaredRanking.objects.filter(pk=row.pk).first()
        if old is None:
            row.owner_id = owner_id
        elif ranking_of(old).kept_id != ranking_of(row).kept_id:
            forget(row.slug)
        elif (old.alert, old.limit) != (row.alert, row.limit):
            Crossing.objects.filter(ranking=row.slug, ended_at=None).update(ended_at=timezone.now())
        row.save()


def save_for(_connection: DatabaseWrapper, row: DeclaredRanking, owner_id: Any) -> None:
    """Save a declared ranking for a user. Raises django.db.Error."""
    save(row, owner_id)


def keep(connection: DatabaseWrapper, row: DeclaredRanking) -> str:
    """Make the leading rows of a ranking, and let all processes read them.

    Return why that failed, for the user; "" if it didn't.
    """
    try:
        keeping.keep(connection, ranking_of(row))
    except (Error, OSError) as error:
        return gettext("The ranking is saved, but its leading rows can't be made: %(reason)s") % {
            "reason": " ".join(str(error).split())[:300]
        }
    # Its time of change is new: it is read from somewhere else now.
    save(row)
    return ""


def delete(_connection: DatabaseWrapper, row: DeclaredRanking) -> None:
    """Delete a declared ranking. Raises django.db.Error."""
    with transaction.atomic(using=users_database.alias()):
        DeclaredRanking.objects.filter(pk=row.pk).delete()


def drop(connection: DatabaseWrapper, ranking: RelationRanking) -> str:
    """Drop the leading rows of a ranking; a failure is only logged."""
    try:
        keeping.drop(connection, ranking)
    except (Error, OSError) as error:
        logger.warning("ranking %s: its leading rows can't be dropped (%s)", ranking.id, error)
    return ""
