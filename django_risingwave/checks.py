"""System checks for models on RisingWave."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.core.checks import CheckMessage, Error

from django_risingwave.models import MaterializedView, RisingWaveModel

if TYPE_CHECKING:
    from collections.abc import Sequence

    from django.apps import AppConfig


def check_models(app_configs: Sequence[AppConfig] | None = None, **kwargs: Any) -> list[CheckMessage]:
    """Find models whose Meta lost what the Meta of their base says, as a Meta of its own does."""
    return [
        message
        for model in apps.get_models()
        if app_configs is None or model._meta.app_config in app_configs
        for message in _check_model(model)
    ]


def _check_model(model: type) -> list[CheckMessage]:
    messages: list[CheckMessage] = []
    if not issubclass(model, RisingWaveModel) or model._meta.proxy:
        return messages
    base = MaterializedView if issubclass(model, MaterializedView) else RisingWaveModel
    hint = f"Write `class Meta({base.__name__}.Meta):`."
    if model._meta.required_db_vendor != "risingwave":
        messages.append(
            Error(
                "The model is a RisingWaveModel, but its Meta has no required_db_vendor = 'risingwave', so "
                "the router doesn't send it to RisingWave.",
                hint=hint,
                obj=model,
                id="django_risingwave.E001",
            )
        )
    if issubclass(model, MaterializedView) and model._meta.managed:
        messages.append(
            Error(
                "The model is a MaterializedView, but its Meta has no managed = False, so migrate would "
                "make a table of it.",
                hint=hint,
                obj=model,
                id="django_risingwave.E002",
            )
        )
    return messages
