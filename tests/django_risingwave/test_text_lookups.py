"""Case-insensitive lookups find text in any alphabet, on both servers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from django.db.models import F, Q, TextField, Value, functions
from django.db.models.fields.json import KT
from django.db.models.lookups import IContains, IEndsWith, IExact, IStartsWith
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.django_risingwave.models import Everything

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from django_risingwave.base import DatabaseWrapper
    from tests.django_risingwave.conftest import Disguise

NAME = "django_risingwave_everything"

ROWS = {
    "çelik": Everything(text="Çelik", email="ÇEL", json={"name": "Çelik", "key": "ÇEL"}),
    "dora": Everything(text="Dora (100 %)\nÄ", email="DORA (", json={"name": "Dora"}),
    "path": Everything(text=r"C:\é[1]^$", email=r":\É[", json={"name": "Éa.b"}),
    "null": Everything(text=None, email=None),
}


@pytest.fixture
def rows(connection: DatabaseWrapper) -> None:
    with connection.schema_editor() as editor:
        editor.create_model(Everything)
    for slug, row in ROWS.items():
        row.pk, row.slug = None, slug
    Everything.objects.bulk_create(ROWS.values())
    connection.flush()


def found(condition: Q) -> set[str]:
    return set(Everything.objects.filter(condition).values_list("slug", flat=True))


def sent(condition: Q) -> Any:
    return Everything.objects.filter(condition).query.get_compiler("risingwave").as_sql()


LOOKUPS: list[tuple[Q, set[str]]] = [
    (Q(text__icontains="ÇEL"), {"çelik"}),
    (Q(text__icontains="LIK"), {"çelik"}),
    (Q(text__icontains="ä"), {"dora"}),
    (Q(text__icontains="\nä"), {"dora"}),
    (Q(text__icontains=r"\É[1]^$"), {"path"}),
    (Q(text__icontains="É.1"), set()),
    (Q(text__istartswith="çEL"), {"çelik"}),
    (Q(text__istartswith="É"), set()),
    (Q(text__istartswith="dORA ("), {"dora"}),
    (Q(text__iendswith="ä"), {"dora"}),
    (Q(text__iendswith="ÇELI"), set()),
    (Q(text__iendswith="É[1]^$"), {"path"}),
    (Q(text__iexact="ÇELIK"), {"çelik"}),
    (Q(text__iexact="ÇELI"), set()),
    (Q(text__iexact="dora (100 %)\nä"), {"dora"}),
    (~Q(text__icontains="ÇEL"), {"dora", "path", "null"}),
    (Q(text__icontains=F("email")), {"çelik", "dora", "path"}),
    (Q(text__istartswith=F("email")), {"çelik", "dora"}),
    (Q(text__iendswith=F("email")), set()),
    (Q(text__iendswith=functions.Concat(Value("E"), Value("LIK"))), {"çelik"}),
    (Q(text__iexact=functions.Concat(F("email"), Value("ik"))), {"çelik"}),
    (Q(text__icontains=Value("É[")), {"path"}),
    (Q(json__name__icontains="ÇEL"), {"çelik"}),
    (Q(json__name__istartswith="é"), {"path"}),
    (Q(json__name__iendswith="ÉA.B"), {"path"}),
    (Q(json__name__iexact="ÇELIK"), {"çelik"}),
    (Q(json__name__icontains=KT("json__key")), {"çelik"}),
    (Q(json__icontains="ÇEL"), {"çelik"}),
]


@pytest.mark.risingwave
@pytest.mark.parametrize(("condition", "expected"), LOOKUPS)
def test_a_case_insensitive_lookup_finds_what_it_finds_on_postgresql(
    rows: None, both_servers: Disguise | None, condition: Q, expected: set[str]
) -> None:
    assert found(condition) == expected


TEXT = f'"{NAME}"."text"::text'
EMAIL = f'"{NAME}"."email"'


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (Q(text__icontains="el"), f"UPPER({TEXT}) LIKE UPPER('%el%')"),
        (Q(text__icontains="ÇEL"), f"{TEXT} ~ ('(?i)' || 'ÇEL')"),
        (Q(text__istartswith="Ç."), rf"{TEXT} ~ ('(?i)' || '^Ç\.')"),
        (Q(text__iendswith="Ç("), rf"{TEXT} ~ ('(?i)' || 'Ç\($')"),
        (Q(text__iexact="Ç\\"), rf"{TEXT} ~ ('(?i)' || '^Ç\\$')"),
        (Q(text__istartswith=F("email")), rf"{TEXT} ~ ('(?i)' || '^' || REPLACE("),
        (Q(text__istartswith=F("email")), rf"REPLACE(({EMAIL}), '\', '\\')"),
    ],
)
def test_risingwave_gets_a_regular_expression_unless_the_text_is_ascii(
    disguise: Disguise, condition: Q, expected: str
) -> None:
    sql, params = sent(condition)
    written = sql % tuple(f"'{param}'" for param in params)
    assert expected in written


@pytest.mark.parametrize("lookup", ["icontains", "istartswith", "iendswith", "iexact"])
@pytest.mark.parametrize("text", ["ÇEL", F("email")])
def test_the_standin_gets_upper(standin: DatabaseWrapper, lookup: str, text: Any) -> None:
    sql, _ = sent(Q(**{f"text__{lookup}": text}))
    assert f"UPPER({TEXT})" in sql
    assert "~" not in sql


@pytest.fixture
def upper_transform() -> Iterator[None]:
    class Upper(functions.Upper):
        lookup_name = "upper"
        bilateral = True

    TextField.register_lookup(Upper)
    yield
    TextField._unregister_lookup(Upper)  # type: ignore[arg-type]  # a transform


def test_a_bilateral_transform_is_applied_to_the_text_alone(
    rows: None, both_servers: Disguise | None, upper_transform: None
) -> None:
    assert found(Q(text__upper__istartswith="çel")) == {"çelik"}
    assert found(Q(text__upper__iexact="çeli")) == set()


MATCHES: dict[Any, Callable[[str, str], bool]] = {
    IContains: lambda text, part: part in text,
    IEndsWith: lambda text, part: text.endswith(part),
    IExact: lambda text, part: text == part,
    IStartsWith: lambda text, part: text.startswith(part),
}
CHARACTERS = st.text("aÇ\\.^$*+?()[]{}|-&#~ %_\n'/", max_size=4)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(text=CHARACTERS, part=CHARACTERS, lookup=st.sampled_from(sorted(MATCHES, key=str)))
def test_every_character_matches_itself_only(disguise: Disguise, text: str, part: str, lookup: Any) -> None:
    # As an expression and, if it isn't ASCII, as a constant.
    with disguise.connection.cursor() as cursor:
        for value in (part, Value(part, TextField())):
            query = Everything.objects.all().query
            compiler = query.get_compiler(connection=disguise.connection)
            sql, params = compiler.compile(lookup(Value(text, TextField()), value))
            cursor.execute(f"SELECT {sql}", params)
            assert cursor.fetchone() == (MATCHES[lookup](text, part),)
