"""Mirrors: tables in RisingWave that follow the tables of Django models in PostgreSQL.

RisingWave reads PostgreSQL's changes by logical replication, with its connector postgres-cdc. One source for
each PostgreSQL database is shared by all of its mirrors.
https://docs.risingwave.com/ingestion/sources/postgresql/pg-cdc
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from django.core.exceptions import ImproperlyConfigured
from django.db import DEFAULT_DB_ALIAS, NotSupportedError, connections, models, router
from django.db.models.fields.related import lazy_related_operation

from django_risingwave.connections import get_connection
from django_risingwave.routers import is_risingwave_model
from django_risingwave.streaming.declaring.declarations import DeclarationError
from django_risingwave.streaming.definitions import Definition
from django_risingwave.streaming.mirrored_columns import (
    column_type,
    mirrored_field,
    source_fields,
    unresolved,
)
from django_risingwave.streaming.publisher import Publisher
from django_risingwave.streaming.rebuilding.altering_columns import add_columns, drop_columns

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from django_risingwave.base import DatabaseWrapper
    from django_risingwave.schema import DatabaseSchemaEditor

#: Seconds for wait_until_mirrored(). On one machine a change takes less than a millisecond.
MIRRORED_SECONDS = 30.0


@dataclass(frozen=True)
class MirrorDefinition(Definition):
    """A table that follows the table of the same name in the PostgreSQL database `using`.

    `columns` has the types by name, `key` the columns of the primary key, and `schema` is the table's.
    """

    kind = "TABLE"
    is_altered_in_place = True

    columns: Mapping[str, str]
    key: Sequence[str]
    using: str = DEFAULT_DB_ALIAS
    schema: str = "public"

    @property
    def source_name(self) -> str:
        """The source in RisingWave that all mirrors of the database share."""
        return source_name(self.using)

    @property
    def source_table(self) -> str:
        """The table in PostgreSQL as RisingWave's connector names it: without quotes before version 3."""
        return f"{self.schema}.{self.name}"

    def tables_followed(self) -> frozenset[str]:
        """Return the table of the same name."""
        return frozenset([self.name])

    def columns_sql(self, quote_name: Callable[[str], str]) -> str:
        """Return the columns and the key. RisingWave refuses NOT NULL and DEFAULT in such a table.

        See not_null_check_for_cdc_table() in src/frontend/src/handler/create_table.rs at v3.0.3.
        """
        columns = [f"{quote_name(name)} {kind}" for name, kind in self.columns.items()]
        return ", ".join([*columns, f"PRIMARY KEY ({', '.join(map(quote_name, self.key))})"])

    def create_sql(self, quote_name: Callable[[str], str]) -> str:
        table = self.source_table.replace("'", "''")
        return (
            f"CREATE TABLE {quote_name(self.name)} ({self.columns_sql(quote_name)}) "
            f"FROM {quote_name(self.source_name)} TABLE '{table}'"
        )

    def check_alteration(self, old: Definition) -> None:
        """Raise NotSupportedError unless only columns are added and dropped."""
        if not isinstance(old, MirrorDefinition):
            raise NotSupportedError(
                f"{old.kind.capitalize()} {old.name!r} can't become a mirror. Delete its model in one "
                "migration, and create it again in another one."
            )
        changed = [
            f"column {name!r} from {old.columns[name]} to {kind}"
            for name, kind in self.columns.items()
            if old.columns.get(name, kind) != kind
        ]
        if list(old.key) != list(self.key):
            changed.append("the primary key")
        if (old.using, old.schema) != (self.using, self.schema):
            changed.append("the database or the schema")
        if changed:
            raise NotSupportedError(
                f"The mirror of {self.source_table} can't change {', '.join(changed)}. Delete the mirror's "
                "model, and the views that read it, in one migration. Create them again in another one."
            )

    def alter_first(self, old: Definition, editor: DatabaseSchemaEditor) -> None:
        """Add the new columns. Raises MirrorError if PostgreSQL doesn't have them yet."""
        if not editor.collect_sql:
            Publisher(self.using, editor.connection).check(self)
        before = cast("MirrorDefinition", old).columns
        added = {name: kind for name, kind in self.columns.items() if name not in before}
        add_columns(editor, self, added)

    def alter_last(self, old: Definition, editor: DatabaseSchemaEditor) -> None:
        """Drop columns, and let PostgreSQL send the values of the new ones, which it had before."""
        before = cast("MirrorDefinition", old).columns
        drop_columns(editor, self, [name for name in before if name not in self.columns])
        if editor.collect_sql:
            return
        if standin := editor.connection.standin:
            standin.copy_mirror_again(self, editor)
        elif added := [name for name in self.columns if name not in before]:
            Publisher(self.using, editor.connection).send_again(self, added)

    def before_create(self, editor: DatabaseSchemaEditor) -> None:
        """Publish the table in PostgreSQL, and create the source if there is none. Raises MirrorError."""
        publisher = Publisher(self.using, editor.connection)
        if editor.collect_sql:
            # Settings have the address, so that it isn't shown.
            hidden = {key: f"${{{key}}}" for key in ("HOST", "PORT", "NAME", "USER", "PASSWORD")}
            editor.execute(publisher.source_sql(self, hidden), None)
            return
        publisher.publish(self)
        with editor.connection.cursor() as cursor:
            kinds = editor.connection.introspection.get_relation_kinds(cursor)
        if kinds.get(self.source_name) != "source":
            publisher.create_source(self)

    def after_drop(self, editor: DatabaseSchemaEditor) -> None:
        """End the table's publication in PostgreSQL, and with the last mirror drop the source and its slot.

        RisingWave doesn't drop the slot, and PostgreSQL would keep its log for it:
        https://github.com/risingwavelabs/risingwave/issues/23955
        """
        drop_source = f"DROP SOURCE {editor.quote_name(self.source_name)}"
        if editor.collect_sql:
            editor.execute(drop_source, None)
            return
        publisher = Publisher(self.using, editor.connection)
        if publisher.withdraw(self):
            editor.execute(drop_source, None)
            publisher.drop()


def add_mirrored_fields(model: type[models.Model]) -> None:
    """Give a mirror its source's table name, and its source's fields but those that it declares itself.

    The field of a foreign key to a model that isn't loaded yet is added when it is.

    Raises ImproperlyConfigured if the source can't be mirrored.
    """
    source, names = _source_of(model), getattr(_stream_of(model), "fields", None)
    options: Any = model._meta
    if options.original_attrs.setdefault("db_table", source._meta.db_table) != source._meta.db_table:
        raise ImproperlyConfigured(
            f"{model._meta.label} has the db_table {model._meta.db_table!r}, but a mirror has the name of "
            f"its source's table, {source._meta.db_table!r}. Remove db_table."
        )
    options.db_table = source._meta.db_table
    declared = {field.column for field in options.local_fields}
    for field in source_fields(source, names):
        if field.column in declared:
            continue
        waiting: Any = unresolved(field)
        if waiting and not field.primary_key:
            add = partial(_add_field, model, field)
            lazy_related_operation(add, waiting.model, waiting.remote_field.model)
        else:
            _add_field(model, field)
    if len(source._meta.pk_fields) > 1 and "pk" not in vars(model):
        key = (field.attname for field in source._meta.pk_fields)
        model.add_to_class("pk", models.CompositePrimaryKey(*key))


def _add_field(model: type[models.Model], field: models.Field[Any, Any], *loaded: type[models.Model]) -> None:
    model.add_to_class(field.attname, mirrored_field(field))


def mirror_definition(model: type[models.Model]) -> MirrorDefinition:
    """Return the definition of a mirror. Raises DeclarationError, naming a column that has no type."""
    source, stream = _source_of(model), _stream_of(model)
    fields = source_fields(source, getattr(stream, "fields", None))
    try:
        columns = {str(field.column): column_type(field) for field in fields}
    except ImproperlyConfigured as error:
        raise DeclarationError(
            model, str(error), "Leave it out: list the others in Stream.fields."
        ) from error
    return MirrorDefinition(
        source._meta.db_table,
        columns,
        [str(field.column) for field in source._meta.pk_fields],
        getattr(stream, "using", None) or router.db_for_write(source),
        getattr(stream, "schema", "public"),
    )


def _stream_of(model: type[models.Model]) -> Any:
    return getattr(model, "Stream", None)


def _source_of(model: type[models.Model]) -> type[models.Model]:
    """Return the model that a mirror follows."""
    source = getattr(_stream_of(model), "of", None)
    if not (isinstance(source, type) and issubclass(source, models.Model)):
        raise ImproperlyConfigured(
            f"{model._meta.label} mirrors no model. Name one in its inner class: `class Stream: of = Order`."
        )
    if source._meta.abstract or source._meta.proxy or is_risingwave_model(source):
        raise ImproperlyConfigured(
            f"{model._meta.label} can't mirror {source._meta.label}: a mirror follows a model with a table "
            "in PostgreSQL. Choose a model that is neither abstract, a proxy nor on RisingWave."
        )
    return source


def end_mirrors(connection: DatabaseWrapper) -> None:
    """End the replication of all mirrors, so that a test database can be dropped."""
    if connection.standin is not None:
        connection.standin.drop_replication()
        return
    with connection.cursor() as cursor:
        kinds = connection.introspection.get_relation_kinds(cursor)
        for alias in connections:
            if kinds.get(source_name(alias)) == "source":
                cursor.execute(f"DROP SOURCE {connection.ops.quote_name(source_name(alias))} CASCADE")
                Publisher(alias, connection).drop()


def source_name(using: str) -> str:
    """Return the name of the source in RisingWave that all mirrors of a database share."""
    return f"mirrors_of_{using}"


def wait_until_mirrored(using: str | None = None, seconds: float = MIRRORED_SECONDS) -> None:
    """Wait until the mirrors have what is committed in PostgreSQL now. For tests on the stand-in.

    RisingWave doesn't tell how far its connector has read: there, this only waits for a checkpoint.

    Raises TimeoutError.
    """
    connection = get_connection(using)
    if connection.standin is None:
        connection.flush()
    else:
        connection.standin.wait_until_mirrored(seconds)
