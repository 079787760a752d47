"""Window functions give PostgreSQL's figures on both servers, or raise NotSupportedError."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from django.db import NotSupportedError
from django.db.models import (
    Avg,
    Count,
    F,
    Max,
    RowRange,
    StdDev,
    Sum,
    ValueRange,
    Variance,
    Window,
    WindowFrameExclusion,
    functions,
)

from tests.django_risingwave.models import Author, Book, Everything

if TYPE_CHECKING:
    from django_risingwave.base import DatabaseWrapper
    from tests.django_risingwave.conftest import Disguise

# In the order of `positive`: two rows in the group a, then three in b. `small` is what is added up.
ROWS: list[dict[str, Any]] = [
    {"text": "a", "small": 1, "float": 1.5, "date": date(2026, 1, 1), "decimal": Decimal(1)},
    {"text": "a", "small": 2, "float": 1.5, "date": date(2026, 1, 1), "decimal": Decimal(1)},
    {"text": "b", "small": 4, "float": 1.5, "date": date(2026, 1, 2), "decimal": Decimal(1)},
    {"text": "b", "small": None, "float": 2.5, "date": date(2026, 1, 2), "decimal": Decimal(2)},
    {"text": "b", "small": None, "float": 2.5, "date": date(2026, 1, 3), "decimal": Decimal(3)},
]


@pytest.fixture
def rows(connection: DatabaseWrapper) -> None:
    with connection.schema_editor() as editor:
        editor.create_model(Everything)
    Everything.objects.bulk_create(
        Everything(
            positive=number,
            datetime=datetime.combine(row["date"], datetime.min.time(), UTC),
            **row,
        )
        for number, row in enumerate(ROWS, start=2)
    )
    connection.flush()


def figures(window: Window) -> list[Any]:
    rows = Everything.objects.annotate(figure=window).order_by("positive")
    return list(rows.values_list("figure", flat=True))


def total(**window: Any) -> Window:
    return Window(Sum("small"), **window)


FIGURES: list[tuple[Window, list[Any]]] = [
    # One number, date or timestamp: the frame ends at the last peer.
    (total(order_by="float"), [7, 7, 7, 7, 7]),
    (total(order_by="-float"), [7, 7, 7, None, None]),
    (total(order_by=F("float").desc(nulls_last=True)), [7, 7, 7, None, None]),
    (total(order_by=F("float") * 2), [7, 7, 7, 7, 7]),
    (total(order_by="decimal"), [7, 7, 7, 7, 7]),
    (total(order_by="date"), [3, 3, 7, 7, 7]),
    (total(order_by="-date"), [7, 7, 4, 4, None]),
    (total(order_by="datetime"), [3, 3, 7, 7, 7]),
    (total(order_by="positive"), [1, 3, 7, 7, 7]),
    (Window(Count("*"), order_by="float"), [3, 3, 3, 5, 5]),
    (Window(Max("positive"), order_by="date"), [3, 3, 5, 5, 6]),
    (Window(functions.LastValue("date"), order_by="date"), [row["date"] for row in ROWS]),
    (total(partition_by="text", order_by="float"), [3, 3, 4, 4, 4]),
    # All rows of the partition are peers.
    (total(partition_by="text", order_by="text"), [3, 3, 4, 4, 4]),
    (total(partition_by=["text", "date"], order_by=["-date", "text"]), [3, 3, 4, 4, None]),
    (total(partition_by="text", order_by=["text", "date"]), [3, 3, 4, 4, 4]),
    (total(frame=ValueRange(end=0)), [7, 7, 7, 7, 7]),
    # No row has a peer.
    (total(order_by=["text", "positive", "id"]), [1, 3, 7, 7, 7]),
    (total(order_by=["-text", "-id"], frame=ValueRange(start=0)), [1, 3, 7, 7, 7]),
    # All rows, in any order.
    (total(order_by="text", frame=ValueRange()), [7, 7, 7, 7, 7]),
    (total(order_by=["text", "time"], frame=ValueRange()), [7, 7, 7, 7, 7]),
    # The frame ends at the row, or doesn't matter.
    (total(order_by=["text", "positive"], frame=RowRange(end=0)), [1, 3, 7, 7, 7]),
    (Window(functions.FirstValue("text"), order_by=["text", "time"]), ["a"] * 5),
    (Window(functions.Rank(), order_by="text"), [1, 1, 3, 3, 3]),
    (Window(functions.DenseRank(), order_by=["text", "date"]), [1, 1, 2, 2, 3]),
    (Window(functions.Rank(), order_by="text", frame=ValueRange(end=0)), [1, 1, 3, 3, 3]),
    (total(partition_by="text"), [3, 3, 4, 4, 4]),
    # A frame may hold no value.
    (total(order_by="positive", frame=RowRange(start=3, end=4)), [None, None, None, None, None]),
    (total(order_by="positive", frame=RowRange(start=-1, end=0)), [1, 3, 6, 4, None]),
    (total(order_by="positive", frame=RowRange(end=-1)), [None, 1, 3, 7, 7]),
    (total(order_by="float", frame=ValueRange(start=0)), [7, 7, 7, None, None]),
    (total(order_by="float", frame=ValueRange(start=0, end=0)), [7, 7, 7, None, None]),
    (
        total(order_by="positive", frame=RowRange(end=0, exclusion=WindowFrameExclusion.CURRENT_ROW)),
        [None, 1, 3, 7, 7],
    ),
    (
        total(
            partition_by="text", order_by="text", frame=ValueRange(exclusion=WindowFrameExclusion.CURRENT_ROW)
        ),
        [2, 1, None, 4, 4],
    ),
    (Window(Avg("small"), order_by="positive", frame=RowRange(start=1, end=2)), [3.0, 4.0, None, None, None]),
    (
        Window(StdDev("small"), order_by="positive", frame=RowRange(start=1, end=2)),
        [1.0, 0.0, None, None, None],
    ),
    (
        Window(Variance("small"), order_by="positive", frame=RowRange(start=1, end=2)),
        [1.0, 0.0, None, None, None],
    ),
]


@pytest.mark.risingwave
@pytest.mark.parametrize(("window", "expected"), FIGURES)
def test_a_window_gives_what_it_gives_on_postgresql(
    rows: None, both_servers: Disguise | None, window: Window, expected: list[Any]
) -> None:
    assert figures(window) == expected


@pytest.mark.parametrize(
    "window",
    [
        total(order_by="text"),
        total(order_by="-boolean"),
        total(order_by="time"),
        total(order_by=["float", "small"]),
        total(partition_by="small", order_by=["float", "text"]),
        total(order_by="text", frame=ValueRange(end=0)),
        total(order_by=["float", "small"], frame=ValueRange(start=0)),
        Window(functions.LastValue("small"), order_by="text"),
        Window(functions.FirstValue("small"), order_by="text", frame=ValueRange(start=0)),
        Window(Count("*"), order_by="uuid"),
    ],
)
def test_an_order_with_peers_that_risingwave_cannot_tell_is_refused(
    rows: None, both_servers: Disguise | None, window: Window
) -> None:
    with pytest.raises(NotSupportedError, match=r"which rows are equal .* Add the primary key"):
        figures(window)


@pytest.mark.parametrize("frame", [ValueRange(start=-1), ValueRange(start=-1, end=0), ValueRange(end=1)])
@pytest.mark.parametrize("order", ["float", "text", "id"])
def test_a_range_of_numbers_is_refused_by_name(
    rows: None, both_servers: Disguise | None, frame: ValueRange, order: str
) -> None:
    with pytest.raises(NotSupportedError, match="RisingWave only supports UNBOUNDED together with PRECEDING"):
        figures(total(order_by=order, frame=frame))


@pytest.mark.parametrize("function", [functions.RowNumber, functions.Rank, functions.DenseRank])
def test_a_number_of_rows_without_an_order_is_refused_by_name(
    rows: None, both_servers: Disguise | None, function: Any
) -> None:
    with pytest.raises(NotSupportedError, match=rf"{function.function}\(\) without an order. Pass order_by"):
        figures(Window(function(), partition_by="text"))


@pytest.fixture
def authors(connection: DatabaseWrapper) -> None:
    with connection.schema_editor() as editor:
        editor.create_model(Author)
        editor.create_model(Book)
    authors = Author.objects.bulk_create([Author(name="a"), Author(name="b")])
    Book.objects.bulk_create(Book(title=title, author=authors[0]) for title in ("x", "y"))
    connection.flush()


def test_the_key_of_a_row_that_a_join_repeats_is_not_unique(
    authors: None, both_servers: Disguise | None
) -> None:
    running = Window(Count("*"), order_by=["name", "id"])
    assert list(Author.objects.annotate(count=running).values_list("name", "count")) == [("a", 1), ("b", 2)]
    with pytest.raises(NotSupportedError, match="which rows are equal"):
        list(Author.objects.filter(books__title__gt="").annotate(count=running))
    by_title = Window(Count("*"), order_by=["author__name", "title", "id"])
    books = Book.objects.order_by("title").annotate(count=by_title)
    assert list(books.values_list("count", flat=True)) == [1, 2]


TABLE = '"django_risingwave_everything"'
SMALL, FLOAT, TEXT = f'{TABLE}."small"', f'{TABLE}."float"', f'{TABLE}."text"'
TO_ROW = "BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW"
BEFORE = f"OVER (ORDER BY {FLOAT} ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)"


@pytest.mark.parametrize(
    ("window", "expected"),
    [
        (total(order_by="-float"), f"OVER (ORDER BY {FLOAT} DESC RANGE {TO_ROW})"),
        (total(order_by="-date"), f'OVER (ORDER BY ({TABLE}."date")::timestamp DESC RANGE {TO_ROW})'),
        (total(partition_by="text", order_by="text"), f"OVER (PARTITION BY {TEXT})"),
        (total(order_by=["text", "id"]), f'OVER (ORDER BY {TEXT}, {TABLE}."id" ROWS {TO_ROW})'),
        (
            total(order_by="float", frame=RowRange(end=-1)),
            f"CASE WHEN COUNT({SMALL}) {BEFORE} > 0 THEN SUM({SMALL}) {BEFORE} END",
        ),
    ],
)
def test_a_frame_is_written_out_the_same_on_both_servers(
    rows: None, both_servers: Disguise | None, window: Window, expected: str
) -> None:
    query = Everything.objects.annotate(figure=window).values("figure").query
    assert f"{expected} AS" in query.get_compiler("risingwave").as_sql()[0]
