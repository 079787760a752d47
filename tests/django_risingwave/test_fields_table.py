"""The table of fields in the documentation agrees with the backend."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from django.db import connections, models
from django.test.utils import isolate_apps

from django_risingwave import checks, fields
from django_risingwave.columns.limits import NUMERIC_DIGITS

if TYPE_CHECKING:
    from django_risingwave.base import DatabaseWrapper

PAGE = Path(__file__).parents[2] / "docs" / "backend" / "fields.md"
ROW = re.compile(r"^\| `(\w+)` \| `([^`]+)` \|", re.MULTILINE)
# IPAddressField exists only for old migrations; a OneToOneField has the type of its target.
UNLISTED = {"IPAddressField", "OneToOneField"}


def columns() -> dict[str, str]:
    return dict(ROW.findall(PAGE.read_text()))


def test_the_table_lists_each_column_type_of_the_backend() -> None:
    connection = cast("DatabaseWrapper", connections["risingwave"])
    assert columns().keys() == connection.data_types.keys() - UNLISTED


def test_the_table_gives_the_column_type_of_each_field() -> None:
    written = columns()
    options = {"DecimalField": {"max_digits": 28, "decimal_places": 2}, "CharField": {"max_length": 5}}
    with isolate_apps("django_risingwave"):
        model: Any = type(
            "Documented",
            (models.Model,),
            {
                "__module__": __name__,
                "Meta": type("Meta", (), {"app_label": "django_risingwave"}),
                "id": models.BigAutoField(primary_key=True),
                **{
                    name.lower(): getattr(models, name)(**options.get(name, {}))
                    for name in written
                    if not name.endswith("AutoField")
                },
            },
        )
    types = {type(field).__name__: field.db_type(connections["risingwave"]) for field in model._meta.fields}
    for name in ("AutoField", "SmallAutoField"):
        types[name] = getattr(models, name)(primary_key=True, name="id").db_type(connections["risingwave"])
    assert types == written


def test_the_page_lists_each_field_of_this_package() -> None:
    section = PAGE.read_text().split("## Fields of this package")[1].split("\n## ")[0]
    own = {
        name
        for name, member in vars(fields).items()
        if isinstance(member, type) and issubclass(member, models.Field) and not name.startswith("_")
    }
    assert set(re.findall(r"^- \*\*`(\w+)`\*\*", section, re.MULTILINE)) == own


def test_the_limits_agree_with_the_code() -> None:
    text = PAGE.read_text()
    assert f"`max_digits` of {NUMERIC_DIGITS} at most" in text
    code = inspect.getsource(checks) + inspect.getsource(fields)
    assert set(re.findall(r"[EW]00\d", text)) <= set(re.findall(r"[EW]00\d", code))
