"""What the inner class Stream of a model declares."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from django.core.exceptions import ImproperlyConfigured
from django.db.models import Model, QuerySet

from django_risingwave.streaming.definitions import Subscription
from django_risingwave.streaming.sinks import Sink
from django_risingwave.streaming.views import ViewDefinition

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from django_risingwave.models import RisingWaveModel
    from django_risingwave.streaming.definitions import Definition


# By which a Stream on a model that isn't ours is recognized.
_ATTRIBUTES = frozenset({"connector", "of", "query", "sinks", "subscription"})


class DeclarationError(ImproperlyConfigured):
    """A model's Stream that can't be read."""

    def __init__(self, model: type[Model], message: str, hint: str) -> None:
        super().__init__(f"{model._meta.label}.Stream: {message} {hint}")
        self.message = message
        self.hint = hint


@dataclass(frozen=True)
class Declaration:
    """The definition of a model's relation, and of what is attached to it, by name."""

    definition: Definition | None = None
    attached: Mapping[str, Definition] = field(default_factory=dict)


def stream_of(model: type[Model]) -> type | None:
    """Return the inner class Stream of a model or its abstract bases; None for a proxy.

    A class of this name that has nothing of ours, on a model that isn't ours, is something else.
    """
    if model._meta.proxy:
        return None
    stream = _inner_class(model)
    if stream is None or hasattr(model, "_stream_attributes") or attributes_of(stream) & _ATTRIBUTES:
        return stream
    return None


def _inner_class(model: type[Model]) -> type | None:
    for base in model.__mro__:
        if base is not model and issubclass(base, Model) and not _is_abstract(base):
            continue
        if "Stream" in vars(base):
            return cast("type", vars(base)["Stream"])
    return None


def _is_abstract(model: Any) -> bool:
    return model is Model or model._meta.abstract


def attributes_of(stream: type) -> set[str]:
    """Return the names that a Stream or its bases define."""
    return {name for base in stream.__mro__ if base is not object for name in vars(base) if name[:1] != "_"}


def declared(model: type[Model]) -> Declaration:
    """Return what a model declares; nothing if it has no Stream. Raises DeclarationError."""
    stream = stream_of(model)
    if stream is None:
        return Declaration()
    if not hasattr(model, "_stream_definition"):
        raise DeclarationError(
            model,
            "the model isn't a RisingWave model.",
            "Inherit from a class of django_risingwave.models, or rename the inner class.",
        )
    streaming = cast("type[RisingWaveModel]", model)
    if unknown := attributes_of(stream) - streaming._stream_attributes:
        hint = f"Use {', '.join(sorted(streaming._stream_attributes))}."
        if "indexes" in unknown:
            hint += " Declare indexes in Meta.indexes."
        raise DeclarationError(model, f"unknown attribute {', '.join(sorted(unknown))}.", hint)
    try:
        definition = streaming._stream_definition(stream)
        attached = list(_attached(model, stream))
    except ValueError as error:
        raise DeclarationError(model, str(error), "") from error
    by_name = {attachment.name: attachment for attachment in attached}
    if len(by_name) < len(attached):
        names = ", ".join(attachment.name for attachment in attached)
        raise DeclarationError(model, f"two objects have the same name: {names}.", "Rename one.")
    return Declaration(definition, by_name)


def _attached(model: type[Model], stream: Any) -> Iterator[Definition]:
    source = model._meta.db_table
    subscription = getattr(stream, "subscription", None)
    if isinstance(subscription, str):
        subscription = Subscription(subscription)
    if isinstance(subscription, Subscription):
        yield subscription.definition(source)
    elif subscription is not None:
        raise DeclarationError(
            model,
            f"subscription is {subscription!r}.",
            'Set it to a retention such as "1 day", or to a Subscription.',
        )
    for sink in getattr(stream, "sinks", ()):
        if not isinstance(sink, Sink):
            raise DeclarationError(
                model, f"sinks contains {sink!r}.", "Make it a Sink of django_risingwave.streaming.sinks."
            )
        yield sink.definition(source)


def view_definition(model: type[Model], stream: Any) -> ViewDefinition | None:
    """Return the definition of a materialized view by `query`, or None if others keep the view."""
    query, standin = getattr(stream, "query", None), getattr(stream, "standin", None)
    if query is None:
        return None
    if not isinstance(standin, str | None):
        raise DeclarationError(model, f"standin is {standin!r}.", "Set it to a SELECT.")
    definition = ViewDefinition(model._meta.db_table, _select(model, query), standin and _trimmed(standin))
    try:
        definition.relations_read()
    except ValueError as error:
        raise DeclarationError(
            model,
            f"the query can't be read. {error}",
            "Correct it, or create the view by RunRisingWaveSQL and leave out the query.",
        ) from error
    return definition


def _trimmed(sql: str) -> str:
    text = sql.strip().removesuffix(";").rstrip()
    # What follows, such as a parenthesis, mustn't become part of a comment.
    return f"{text}\n" if "--" in text.rpartition("\n")[2] else text


def _select(model: type[Model], query: Any) -> str:
    if isinstance(query, str):
        return _trimmed(query)
    if not callable(query):
        # The text of a QuerySet would be its rows.
        found = "a QuerySet" if isinstance(query, QuerySet) else repr(query)
        raise DeclarationError(
            model, f"query is {found}.", "Set it to a SELECT, or to a callable that returns a QuerySet."
        )
    from django_risingwave.streaming.declaring.compiling import compile_queryset  # noqa: PLC0415 - needs the app registry

    try:
        queryset = query()
        if isinstance(queryset, QuerySet):
            return compile_queryset(queryset)
    except Exception as error:
        raise DeclarationError(
            model, f"the query raises {type(error).__name__}: {error}", "Correct the callable."
        ) from error
    raise DeclarationError(
        model, f"the query returns {queryset!r}, not a QuerySet.", "Return a QuerySet from the callable."
    )
