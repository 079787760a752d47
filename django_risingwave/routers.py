"""A router between RisingWave and other databases.

DATABASE_ROUTERS = ["django_risingwave.routers.RisingWaveRouter"]
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.core.exceptions import ImproperlyConfigured
from django.db import DEFAULT_DB_ALIAS, connections

if TYPE_CHECKING:
    from django.db.models import Model

VENDOR = "risingwave"


def _is_risingwave_alias(alias: str | None) -> bool:
    return alias is not None and connections[alias].vendor == VENDOR


def first_risingwave_alias() -> str | None:
    """Return the first alias in DATABASES that is on RisingWave, or None."""
    return next(filter(_is_risingwave_alias, connections), None)


def is_risingwave_model(model: type[Model] | Model) -> bool:
    """Return whether RisingWaveRouter sends the model's queries to RisingWave."""
    # The table of a many-to-many field is on the database of the field's model, and a proxy on its model's.
    owner: Any = model._meta.auto_created or model._meta.concrete_model or model
    return bool(owner._meta.required_db_vendor == VENDOR)


class RisingWaveRouter:
    """Route models with `required_db_vendor = "risingwave"` to RisingWave, and no others.

    Subclasses of models.RisingWaveModel have it in their Meta. Models in migrations keep it too, though they
    aren't subclasses.
    """

    def db_for_read(self, model: type[Model], instance: Model | None = None, **hints: Any) -> str | None:
        """Return an alias of RisingWave for its models: the instance's, or else the first in DATABASES.

        Raises ImproperlyConfigured if DATABASES has none.
        """
        hinted = instance._state.db if instance is not None else None
        if is_risingwave_model(model):
            if _is_risingwave_alias(hinted):
                return hinted
            return self._alias_for(model)
        if _is_risingwave_alias(hinted):
            # On None Django would use the instance's alias.
            return DEFAULT_DB_ALIAS
        return None

    db_for_write = db_for_read

    def _alias_for(self, model: type[Model]) -> str:
        if alias := first_risingwave_alias():
            return alias
        raise ImproperlyConfigured(
            f"{model._meta.label} is on RisingWave, but no database in DATABASES has the ENGINE "
            '"django_risingwave". Add one.'
        )

    def allow_relation(self, obj1: Model, obj2: Model, **hints: Any) -> bool | None:
        """Forbid relations between models on RisingWave and others, which are on another database.

        RelationsRouter permits them.
        """
        return False if is_risingwave_model(obj1) != is_risingwave_model(obj2) else None

    def allow_migrate(
        self, db: str, app_label: str, model_name: str | None = None, **hints: Any
    ) -> bool | None:
        """Allow tables of RisingWave's models on RisingWave only, and other tables elsewhere only.

        Operations without a model (RunPython, RunSQL) run on RisingWave only if all models of the app are
        there, and elsewhere only if not. The hint `required_db_vendor` names the databases instead:
        "risingwave", or another vendor.
        """
        on_risingwave = _is_risingwave_alias(db)
        if "required_db_vendor" in hints:
            belongs = hints["required_db_vendor"] == VENDOR
        elif model := hints.get("model") or _installed_model(app_label, model_name):
            belongs = is_risingwave_model(model)
        else:
            belongs = _has_only_risingwave_models(app_label)
        if belongs:
            return on_risingwave
        return False if on_risingwave else None


class RelationsRouter(RisingWaveRouter):
    """A RisingWaveRouter that permits relations between RisingWave and other databases.

    An instance of the other database can then be assigned to a ForeignKey. The key is stored, and neither
    server checks it; the system check E008 says what else such a field needs (docs/backend/relations.md).
    """

    def allow_relation(self, obj1: Model, obj2: Model, **hints: Any) -> bool | None:
        """Permit every relation of a model on RisingWave."""
        return True if is_risingwave_model(obj1) or is_risingwave_model(obj2) else None


def _installed_model(app_label: str, model_name: str | None) -> type[Model] | None:
    try:
        return apps.get_model(app_label, model_name) if model_name else None
    except LookupError:
        return None


def _has_only_risingwave_models(app_label: str) -> bool:
    models = [model for model in apps.get_models() if model._meta.app_label == app_label]
    return bool(models) and all(map(is_risingwave_model, models))
