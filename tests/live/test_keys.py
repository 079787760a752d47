"""Keys in URLs."""

from __future__ import annotations

import uuid
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from django.db import models
from django.http import QueryDict

from live.keys import key_query, parse_key

TEXT = models.CharField(max_length=255, null=True)


@pytest.mark.parametrize(
    ("key", "field"),
    [
        (None, TEXT),
        ("", TEXT),
        (" ", TEXT),
        ("null", TEXT),
        ("1", TEXT),
        ("..", TEXT),
        ("a/b?c#d&key=x", TEXT),
        ('"quoted" \\ % +', TEXT),
        ("Köln 🦀\n\u202e", TEXT),
        (17, models.IntegerField()),
        (-1, models.BigIntegerField()),
        (1.5, models.FloatField()),
        (True, models.BooleanField()),
        (date(2026, 11, 27), models.DateField()),
        (uuid.UUID(int=7), models.UUIDField()),
        ({"a": [1, None]}, models.JSONField()),
    ],
)
def test_a_key_of_any_kind_comes_back_from_a_url(key: Any, field: models.Field[Any, Any]) -> None:
    query = QueryDict(key_query(key))
    assert parse_key(query["key"], field) == key
    assert type(parse_key(query["key"], field)) is type(key)


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("1.5", models.IntegerField()),
        ('"1"', models.IntegerField()),
        ("9007199254740993", models.FloatField()),
        ("1e999", models.FloatField()),
        ('"Infinity"', models.FloatField()),
        ("1.5", models.DecimalField(max_digits=9, decimal_places=2)),
        ("1", models.BooleanField()),
        ('"True"', models.BooleanField()),
        ("17", TEXT),
        ('"00000000000000000000000000000007"', models.UUIDField()),
    ],
)
def test_what_the_field_would_take_for_another_key_is_no_key(text: str, field: Any) -> None:
    with pytest.raises(LookupError):
        parse_key(text, field)


@pytest.mark.parametrize(
    ("text", "field", "key"),
    [
        ("1.0", models.IntegerField(), 1),
        ("1", models.FloatField(), 1.0),
        ("1e3", models.BigIntegerField(), 1000),
        # As the rows have it: JSON has no such number.
        ('"nan"', models.FloatField(), "nan"),
        ('"1.50"', models.DecimalField(max_digits=9, decimal_places=2), Decimal("1.50")),
    ],
)
def test_a_number_is_the_same_however_json_writes_it(text: str, field: Any, key: Any) -> None:
    parsed = parse_key(text, field)
    assert (parsed, type(parsed)) == (key, type(key))


@pytest.mark.parametrize(
    ("text", "field"),
    [
        (None, TEXT),
        ("", TEXT),
        ("Ohio", TEXT),
        ("NaN", models.FloatField()),
        ("[1]", TEXT),
        ("true", models.IntegerField()),
        ('"x"', models.IntegerField()),
        ("1e999", models.IntegerField()),
        ('"\\u0000"', TEXT),
        ('"\\ud800"', TEXT),
        ('"2026-13-01"', models.DateField()),
        ("[" * 500, TEXT),
        ('"' + "x" * 1_000 + '"', TEXT),
    ],
)
def test_what_no_key_can_be_is_refused_with_an_example(text: str | None, field: Any) -> None:
    with pytest.raises(ValueError, match="must be a key of the ranking as JSON, such as"):
        parse_key(text, field)
