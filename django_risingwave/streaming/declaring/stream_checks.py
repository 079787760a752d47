"""System checks of what models declare in their inner class Stream."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.core.checks import CheckMessage, Error
from django.core.checks import Warning as CheckWarning
from django.core.management import get_commands, load_command_class

from django_risingwave.streaming.autodetector import RisingWaveAutodetector
from django_risingwave.streaming.connectors.options import ConnectedDefinition, exposed
from django_risingwave.streaming.declaring.declarations import DeclarationError, declared, stream_of
from django_risingwave.streaming.detecting.changed_models import CircularDefinitionsError, models_in_order

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from django.apps import AppConfig
    from django.db.models import Model

    from django_risingwave.streaming.declaring.declarations import Declaration
    from django_risingwave.streaming.definitions import Definition

#: The commands that write migrations, and that say whether there are changes without a migration.
COMMANDS = ("makemigrations", "migrate")


def check_streams(app_configs: Sequence[AppConfig] | None) -> list[CheckMessage]:
    """Check that each Stream can be read, and that no views read each other in a circle."""
    models = [
        model
        for model in apps.get_models()
        if (app_configs is None or model._meta.app_config in app_configs) and stream_of(model) is not None
    ]
    messages: list[CheckMessage] = []
    definitions: dict[type[Model], Definition] = {}
    for model in models:
        try:
            declaration = declared(model)
        except DeclarationError as error:
            messages.append(
                Error(
                    f"Stream: {error.message}",
                    hint=error.hint or None,
                    obj=model,
                    id="django_risingwave.E010",
                )
            )
        else:
            if declaration.definition is not None:
                definitions[model] = declaration.definition
            messages += _check_secrets(model, declaration)
    return [*messages, *_check_circles(definitions), *(_check_commands() if models else ())]


def _check_circles(definitions: dict[type[Model], Definition]) -> Iterator[CheckMessage]:
    try:
        models_in_order(definitions)
    except CircularDefinitionsError as error:
        yield Error(
            str(error.problem),
            hint=error.hint,
            obj=apps.get_model(*error.circle[0]),
            id="django_risingwave.E011",
        )


def _check_secrets(model: type[Model], declaration: Declaration) -> Iterator[CheckMessage]:
    """Warn about passwords and the like that would stand in a migration file."""
    for definition in (declaration.definition, *declaration.attached.values()):
        if not isinstance(definition, ConnectedDefinition):
            continue
        owner = f"{definition.kind.lower()} {definition.name!r}"
        for name in exposed(definition.options()):
            variable = name.replace(".", "_").upper()
            yield CheckWarning(
                f"The value of option {name} of {owner} looks like a secret, but migrations would have it.",
                hint=f'Set the option to Environment("{variable}"), or to a Secret: see '
                "django_risingwave.streaming.secrets.",
                obj=model,
                id="django_risingwave.W010",
            )


def _check_commands() -> Iterator[CheckMessage]:
    """Refuse commands of other apps that don't know streaming models: they would write wrong migrations."""
    for name in COMMANDS:
        app: Any = get_commands()[name]
        command: Any = load_command_class(app, name) if isinstance(app, str) else app
        autodetector = getattr(command, "autodetector", None)
        if isinstance(autodetector, type) and issubclass(autodetector, RisingWaveAutodetector):
            continue
        yield Error(
            f"The command {name} is that of {type(command).__module__}, whose autodetector doesn't know "
            "streaming models: it finds no change of a Stream.",
            hint='Move "django_risingwave" before the app of this command in INSTALLED_APPS, or give the '
            "command an autodetector that inherits from its own and from "
            "django_risingwave.streaming.autodetector.RisingWaveAutodetector.",
            id="django_risingwave.E012",
        )
