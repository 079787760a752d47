"""Checks messages against docs/schemas/."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker
from referencing import Registry, Resource

from live.protocol import VERSION
from tests.processes import ROOT

FOLDER = ROOT / "docs" / "schemas" / str(VERSION)
SCHEMAS: dict[str, dict[str, Any]] = {
    file.stem: json.loads(file.read_text()) for file in sorted(FOLDER.glob("*.json"))
}
#: Schemas of whole messages and answers.
WHOLE = set(SCHEMAS) - {"types"}
_registry = Registry().with_resources(
    (f"{name}.json", Resource.from_contents(schema)) for name, schema in SCHEMAS.items()
)
# By default, jsonschema accepts any string as a date-time.
_formats = FormatChecker(formats=())


@_formats.checks("date-time", raises=ValueError)
def is_moment(value: object) -> bool:
    return not isinstance(value, str) or bool(datetime.fromisoformat(value))


def validator(schema: dict[str, Any]) -> Draft202012Validator:
    return Draft202012Validator(schema, registry=_registry, format_checker=_formats)


def faults(name: str, message: object) -> list[str]:
    """Return what is wrong with a message, by the schema of that name."""
    found = validator(SCHEMAS[name]).iter_errors(message)
    return [f"{error.json_path}: {error.message}" for error in found]
