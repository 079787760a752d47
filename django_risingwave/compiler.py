"""The SQL of queries, which also generates keys, enforces limits and refuses writes to read-only models."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import NotSupportedError
from django.db.backends.postgresql.compiler import SQLAggregateCompiler as PostgreSQLAggregateCompiler
from django.db.backends.postgresql.compiler import SQLCompiler as PostgreSQLCompiler
from django.db.backends.postgresql.compiler import SQLDeleteCompiler as PostgreSQLDeleteCompiler
from django.db.backends.postgresql.compiler import SQLUpdateCompiler as PostgreSQLUpdateCompiler
from django.db.models.expressions import BaseExpression
from django.db.models.sql.compiler import SQLInsertCompiler as BaseSQLInsertCompiler
from django.utils.functional import cached_property

from django_risingwave.columns.keys import make_key
from django_risingwave.columns.limits import enforce_limit, limit_of
from django_risingwave.expressions.subqueries import (
    check_beside_aggregates,
    check_grouped,
    check_inserted,
)
from django_risingwave.expressions.vendors import CompilesForPostgreSQL
from django_risingwave.fields import RowIdField, has_generated_columns
from django_risingwave.models import ReadOnlyError, ReadOnlyModel
from django_risingwave.relations import check_joins

if TYPE_CHECKING:
    from django.db.models import Field, Model
    from django.db.models.sql import Query

__all__ = [
    "SQLAggregateCompiler",
    "SQLCompiler",
    "SQLDeleteCompiler",
    "SQLInsertCompiler",
    "SQLUpdateCompiler",
]


def _check_writable(query: Query, operation: str) -> None:
    model = query.model
    if model is not None and issubclass(model, ReadOnlyModel):
        raise ReadOnlyError(model, operation)


def _returns_nothing(query: Query) -> bool:
    """Return whether the table has generated columns, for which RisingWave refuses RETURNING.

    src/frontend/src/binder/insert.rs and update.rs at v3.0.3.
    """
    # A proxy has no local fields.
    model: Any = query.get_meta().concrete_model
    return has_generated_columns(model)


def _check_lock_options(query: Query) -> None:
    """Raise NotSupportedError if select_for_update() has an option: each one relies on a lock.

    With skip_locked=True, for example, two workers would take the same row. Without options,
    select_for_update() has no effect, as Django documents it for SQLite. It can't be refused, since
    QuerySet.update_or_create() calls it on every database, and builds the same query as a user's code does.
    https://docs.djangoproject.com/en/stable/ref/models/querysets/#select-for-update
    """
    if not query.select_for_update:
        return
    options = {
        "nowait": query.select_for_update_nowait,
        "skip_locked": query.select_for_update_skip_locked,
        "of": query.select_for_update_of,
        "no_key": query.select_for_no_key_update,
    }
    if given := [name for name, value in options.items() if value]:
        raise NotSupportedError(
            f"RisingWave doesn't lock rows: select_for_update() doesn't support {', '.join(given)}. "
            "Keep rows that must be locked in another database."
        )


class SQLCompiler(CompilesForPostgreSQL, PostgreSQLCompiler):
    """Refuses options of select_for_update(), and writes subqueries that RisingWave can parse."""

    def as_sql(self, *args: Any, **kwargs: Any) -> Any:
        query = self.query
        _check_lock_options(query)
        sql, params = super().as_sql(*args, **kwargs)
        if query.group_by is not None or query.annotations:
            self._check_subqueries()
        if not query.subquery:
            return sql, params
        # At the start of an expression, RisingWave parses parentheses as a subquery only if they start with
        # SELECT or WITH, and misreads `SELECT (SELECT` as a call of a function "select" (parse_prefix and
        # parse_wildcard_or_expr in src/sqlparser/src/parser.rs at v3.0.3).
        if query.combinator:
            sql = f'SELECT "combined".* FROM ({sql}) AS "combined"'  # noqa: S608 - Django's SQL
        elif sql.startswith("SELECT (SELECT "):
            _, (first, _), _ = self.select[0]
            sql = sql.replace(first, f"COALESCE({first})", 1)
        return sql, params

    def _check_subqueries(self) -> None:
        query = self.query
        if query.group_by is not None or any(a.contains_aggregate for a in query.annotation_select.values()):
            selected = [column for column, _, _ in self.select or ()]
            check_beside_aggregates([*selected, self.having])  # type: ignore[attr-defined]  # not in the stubs

    def get_from_clause(self) -> Any:
        """Refuse joins with tables of another database."""
        check_joins(self.query)
        return super().get_from_clause()

    def collapse_group_by(self, expressions: Any, having: Any) -> Any:
        #: The expressions of GROUP BY, for scalar_subqueries.py.
        self.grouped: Any = super().collapse_group_by(expressions, having)
        check_grouped(self.grouped)
        return self.grouped


class SQLInsertCompiler(CompilesForPostgreSQL, BaseSQLInsertCompiler):
    """Generates automatic keys and enforces limits on values.

    The base isn't PostgreSQL's class, which writes UNNEST with several arguments: RisingWave's takes one
    (src/expr/impl/src/table_function/unnest.rs at v3.0.3).
    """

    def as_sql(self, *args: Any, **kwargs: Any) -> Any:
        _check_writable(self.query, "INSERT")
        self._made_keys: list[tuple[Model, int]] = []
        row_id = next((field for field in self.query.fields if isinstance(field, RowIdField)), None)
        if row_id and self.query.raw:
            # loaddata: the rows get row ids of their own.
            self.query.fields = [field for field in self.query.fields if field is not row_id]
        elif row_id:
            raise NotSupportedError(
                f"The server generates {row_id}, so it can't be inserted. Leave the instance's pk None. "
                "(save() inserts an instance with a pk if it finds no row to update.)"
            )
        auto_field = self._auto_field
        if auto_field and auto_field not in self.query.fields and not isinstance(auto_field, RowIdField):
            self.query.fields = [auto_field, *self.query.fields]
        return super().as_sql(*args, **kwargs)

    @property
    def _auto_field(self) -> Any:
        # A proxy's _meta has no auto_field.
        model: Any = self.query.get_meta().concrete_model
        return model._meta.auto_field

    def pre_save_val(self, field: Field[Any, Any], obj: Model) -> Any:
        """Generate an automatic key. The instance gets it after the INSERT."""
        value = super().pre_save_val(field, obj)
        if value is None and field is self._auto_field:
            value = make_key()
            self._made_keys.append((obj, value))
        return value

    @cached_property
    def _limits(self) -> dict[Any, Any]:
        return {field: limit_of(field) for field in self.query.fields}

    def prepare_value(self, field: Field[Any, Any], value: Any) -> Any:
        """Refuse subqueries; refuse or round values as PostgreSQL's columns do: columns/limits.py."""
        value = super().prepare_value(field, value)
        check_inserted(field, value)
        enforce = self._limits.get(field)
        if enforce is None or value is None or hasattr(value, "resolve_expression"):
            return value
        return enforce(value)

    def execute_sql(self, returning_fields: Any = None) -> Any:  # type: ignore[override]  # the stubs know SELECT's
        """Return a row per object, even without RETURNING: bulk_create() asserts their number."""
        objs = self.query.objs
        if not _returns_nothing(self.query):
            rows: Any = super().execute_sql(returning_fields)
            return rows or [()] * len(objs)
        super().execute_sql(None)
        for obj, key in self._made_keys:
            setattr(obj, self._auto_field.attname, key)
        for field in returning_fields or ():
            for obj in objs:
                if field.generated or isinstance(obj.__dict__.get(field.attname), BaseExpression):
                    # Defer the field, as Django does on databases without RETURNING.
                    obj.__dict__.pop(field.attname, None)
        return _NothingReturned([()] * len(objs))


class _NothingReturned(list[tuple[()]]):
    """A row per object, as bulk_create() asserts, yet false, so that save() assigns nothing."""

    def __bool__(self) -> bool:
        return False


class SQLUpdateCompiler(CompilesForPostgreSQL, PostgreSQLUpdateCompiler):
    """Refuses to update read-only models and primary keys, and enforces limits on values."""

    def as_sql(self, *args: Any, **kwargs: Any) -> Any:
        _check_writable(self.query, "UPDATE")
        query: Any = self.query
        for field, _, _ in query.values:
            if field in field.model._meta.pk_fields:
                # RisingWave 2.8.0: "update modifying the PK column is unsupported".
                raise NotSupportedError(
                    f"RisingWave can't update a primary key ({field}). Insert a row with the new key, then "
                    "delete the old one."
                )
        query.values = [(field, model, enforce_limit(field, value)) for field, model, value in query.values]
        return super().as_sql(*args, **kwargs)

    def execute_returning_sql(self, returning_fields: Any) -> Any:
        """Return nothing where RETURNING is refused; save() then defers the fields. New in Django 6.0."""
        if _returns_nothing(self.query):
            returning_fields = None
        return super().execute_returning_sql(returning_fields)


class SQLDeleteCompiler(CompilesForPostgreSQL, PostgreSQLDeleteCompiler):
    """Refuses to delete rows of read-only models."""

    def as_sql(self, *args: Any, **kwargs: Any) -> Any:
        _check_writable(self.query, "DELETE")
        return super().as_sql(*args, **kwargs)

    def _as_sql(self, query: Query) -> Any:
        #: The condition, which isn't the query's own if that has joins: in_subquery.py.
        self.where: Any = query.where
        return super()._as_sql(query)  # type: ignore[misc]  # not in the stubs


class SQLAggregateCompiler(CompilesForPostgreSQL, PostgreSQLAggregateCompiler):
    """PostgreSQL's."""
