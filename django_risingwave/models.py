"""Base classes of models whose tables or views are on RisingWave."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, TypeVar

from django.db import NotSupportedError, models
from django.db.models.base import ModelBase

from django_risingwave.queries import RisingWaveManager, RisingWaveQuerySet

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from typing import Self

    from django_risingwave.streaming.checkpoints import Checkpoint
    from django_risingwave.streaming.definitions import Definition
    from django_risingwave.streaming.following.model_changes import Changes
    from django_risingwave.streaming.subscriptions import Since

_Model_co = TypeVar("_Model_co", bound=models.Model, covariant=True)


class ReadOnlyError(NotSupportedError):
    """A write to a read-only model."""

    def __init__(self, model: type[models.Model], operation: str) -> None:
        super().__init__(
            f"{model._meta.label} is read-only: {operation} would change rows that are computed from other "
            "tables. Write to those tables instead."
        )


def _refuse(method: Callable[..., object]) -> Callable[..., NoReturn]:
    """Return a method of the same name that raises ReadOnlyError.

    It keeps the attributes that templates and managers look at, alters_data and queryset_only.
    """
    name = method.__name__

    @wraps(method)
    def refuse(self: Any, *args: Any, **kwargs: Any) -> NoReturn:
        model = type(self) if isinstance(self, models.Model) else self.model
        raise ReadOnlyError(model, f"{name}()")

    return refuse


class RisingWaveModel(models.Model):
    """A model whose table is on RisingWave, where routers.RisingWaveRouter sends its queries.

    Its default manager's `str(queryset.query)` is RisingWave's SQL.
    """

    # The class of the default manager.
    _manager: ClassVar[type[models.Manager[Any]]] = RisingWaveManager
    # What an inner class Stream may declare.
    _stream_attributes: ClassVar[frozenset[str]] = frozenset({"sinks", "subscription"})

    class Meta:
        abstract = True
        # The router looks at this instead of the class, which migrations don't have.
        required_db_vendor = "risingwave"

    @classmethod
    def _prepare(cls) -> None:
        """Add `objects` to a concrete model that declares no manager, as Django does.

        An `objects` on this abstract class would keep subclasses from declaring one of another type:
        django-stubs makes it a class variable of one type.
        """
        if not cls._meta.managers:
            cls.add_to_class("objects", cls._manager())
        ModelBase._prepare(cls)  # type: ignore[attr-defined]  # not in the stubs

    @classmethod
    def changes(
        cls,
        since: Since | datetime | Checkpoint = "now",
        *,
        using: str | None = None,
        subscription: str | None = None,
    ) -> Changes[Self]:
        """Return an iterator over the changes of the table or view, for `for` and `async for`.

        It needs a subscription, such as that of `class Stream: subscription = "1 day"`. See model_changes.py.
        """
        from django_risingwave.streaming.following.model_changes import Changes  # noqa: PLC0415 - imports sessions

        return Changes(cls, since, using=using, subscription=subscription)

    @classmethod
    def _stream_definition(cls, stream: type) -> Definition | None:
        """Return the definition of the model's relation, or None if it is a table or others keep it.

        Raises DeclarationError.
        """
        return None


class _RefusedWrites:
    """The writes that a QuerySet and its Manager have in common."""

    create = _refuse(models.QuerySet.create)
    acreate = _refuse(models.QuerySet.acreate)
    bulk_create = _refuse(models.QuerySet.bulk_create)
    abulk_create = _refuse(models.QuerySet.abulk_create)
    bulk_update = _refuse(models.QuerySet.bulk_update)
    abulk_update = _refuse(models.QuerySet.abulk_update)
    get_or_create = _refuse(models.QuerySet.get_or_create)
    aget_or_create = _refuse(models.QuerySet.aget_or_create)
    update_or_create = _refuse(models.QuerySet.update_or_create)
    aupdate_or_create = _refuse(models.QuerySet.aupdate_or_create)
    update = _refuse(models.QuerySet.update)
    aupdate = _refuse(models.QuerySet.aupdate)


class ReadOnlyQuerySet(_RefusedWrites, RisingWaveQuerySet[_Model_co]):
    """A QuerySet that refuses every write with ReadOnlyError."""

    delete = _refuse(models.QuerySet.delete)
    adelete = _refuse(models.QuerySet.adelete)
    _insert = _refuse(models.QuerySet._insert)  # type: ignore[attr-defined]  # not in the stubs
    _update = _refuse(models.QuerySet._update)  # type: ignore[attr-defined]  # not in the stubs
    _raw_delete = _refuse(models.QuerySet._raw_delete)


_ReadOnlyManager = models.Manager.from_queryset(ReadOnlyQuerySet)


# from_queryset() copies the refusals, but type checkers see Manager's own methods, which return instances.
class ReadOnlyManager(_RefusedWrites, _ReadOnlyManager[_Model_co]):
    """A Manager that refuses every write with ReadOnlyError."""


class ReadOnlyModel(RisingWaveModel):
    """A model that refuses every write with ReadOnlyError.

    Its default manager is a ReadOnlyManager. Writes that bypass the model and its manager, such as a
    cascade or those of a plain Manager on a subclass, are refused by compiler.py, which compiles all SQL of
    the alias.
    """

    class Meta(RisingWaveModel.Meta):
        abstract = True
        default_permissions = ("view",)

    _manager = ReadOnlyManager

    save = _refuse(models.Model.save)
    asave = _refuse(models.Model.asave)
    save_base = _refuse(models.Model.save_base)
    delete = _refuse(models.Model.delete)
    adelete = _refuse(models.Model.adelete)


class Mirror(ReadOnlyModel):
    """A model over a table that follows the table of a Django model in PostgreSQL.

    An example::

        class OrderMirror(Mirror):
            class Stream:
                of = Order
                fields = ["id", "item", "quantity"]  # all fields if left out

    It has the fields of Order, made when the class is: a foreign key becomes a field of its key, such as
    customer_id. A field that the class declares itself for a column is kept. The table has the name of
    Order's, so that the SQL of views reads `FROM shop_order`. docs/backend/mirrors.md says what PostgreSQL
    needs.

    Raises ImproperlyConfigured for a model or a field that can't be mirrored.
    """

    _stream_attributes = ReadOnlyModel._stream_attributes | {"fields", "of", "schema", "using"}

    class Meta(ReadOnlyModel.Meta):
        abstract = True
        managed = False

    if TYPE_CHECKING:
        # Type checkers don't see the fields. Annotate those whose types they should know: `quantity: int`.
        def __getattr__(self, name: str) -> Any: ...

    @classmethod
    def _prepare(cls) -> None:
        """Add the fields, before Django adds a key of its own."""
        from django_risingwave.streaming.mirrors import add_mirrored_fields  # noqa: PLC0415 - imports models

        add_mirrored_fields(cls)
        super()._prepare()

    @classmethod
    def _stream_definition(cls, stream: type) -> Definition | None:
        from django_risingwave.streaming.mirrors import mirror_definition  # noqa: PLC0415 - imports models

        return mirror_definition(cls)


class MaterializedView(ReadOnlyModel):
    """A model over a materialized view, whose SELECT its inner class Stream declares.

    An example::

        class StateTurnover(MaterializedView):
            state = models.CharField(max_length=2, primary_key=True)
            turnover = models.DecimalField(max_digits=28, decimal_places=10)

            class Meta(MaterializedView.Meta):
                db_table = "state_turnover"

            class Stream:
                query = "SELECT state, sum((qty * price)::numeric) AS turnover FROM orders GROUP BY state"
                subscription = "1 day"

    `makemigrations` writes the operations that create, change and drop the view. `query` is a SELECT, or a
    callable that returns a QuerySet. Without one, others keep the view, such as RunRisingWaveSQL.

    Declare one column primary_key=True, such as the grouping key. It may be NULL in one row.
    """

    _stream_attributes = ReadOnlyModel._stream_attributes | {"query", "standin"}

    class Meta(ReadOnlyModel.Meta):
        abstract = True
        managed = False

    @classmethod
    def _stream_definition(cls, stream: type) -> Definition | None:
        from django_risingwave.streaming.declaring.declarations import view_definition  # noqa: PLC0415 - reads SQL

        return view_definition(cls, stream)


class Source(ReadOnlyModel):
    """A model over a source, whose connector its inner class Stream declares.

    An example::

        class Click(Source):
            click_id = models.TextField(primary_key=True)
            page = models.TextField()
            arrived_at = models.DateTimeField()

            class Meta(Source.Meta):
                db_table = "clicks"

            class Stream:
                connector = {
                    "connector": "kafka",
                    "topic": "clicks",
                    "properties.bootstrap.server": Environment("KAFKA_SERVERS"),
                }
                include = {"timestamp": "arrived_at"}

    RisingWave doesn't keep the rows: views read them as they arrive. A query reads them from the connector,
    if that can be read again, as Kafka can. RisingWave has no NOT NULL in sources, so each column may be
    NULL, and doesn't check that the primary key is unique.
    """

    _stream_attributes = frozenset(
        {"connector", "encode", "encode_options", "format", "include", "sinks", "watermark"}
    )

    class Meta(ReadOnlyModel.Meta):
        abstract = True
        managed = False

    @classmethod
    def _stream_definition(cls, stream: type) -> Definition | None:
        from django_risingwave.streaming.declaring.connector_models import source_definition  # noqa: PLC0415 - a cycle

        return source_definition(cls, stream)


class ConnectorTable(RisingWaveModel):
    """A model over a table that keeps the rows of a connector, which its inner class Stream declares.

    The Stream is that of a Source, with append_only and on_conflict, sinks and a subscription. A new message
    with the primary key of an earlier one replaces its row, unless on_conflict says otherwise. Without a key,
    declare a RowIdField.

    The columns may be NULL, whatever the fields say: a message that lacks a value for a NOT NULL column would
    be lost.
    """

    _stream_attributes = (
        Source._stream_attributes
        | RisingWaveModel._stream_attributes
        | frozenset({"append_only", "on_conflict"})
    )

    class Meta(RisingWaveModel.Meta):
        abstract = True
        managed = False

    @classmethod
    def _stream_definition(cls, stream: type) -> Definition | None:
        from django_risingwave.streaming.declaring.connector_models import table_definition  # noqa: PLC0415 - a cycle

        return table_definition(cls, stream)
