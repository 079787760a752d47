"""Statements are found among those that a RisingWave server was sent, whatever their literals and names."""

from __future__ import annotations

import json

import pytest

from django_risingwave.testing.transcripts import FOLDER, VERSION, Transcript, Transcripts, form, load, shape

pytestmark = pytest.mark.unversioned


def test_a_transcript_is_written_as_it_was_read() -> None:
    lines = (FOLDER / f"{VERSION}.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(transcript.to_json()) for transcript in load()] == [json.loads(line) for line in lines]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("SELECT a FROM t WHERE b = 1", "select  a from t where b = -20"),
        ("SELECT a FROM t WHERE b IN ('x')", "SELECT a FROM t WHERE b IN ('y', 'z')"),
        ("""INSERT INTO "t" ("a") VALUES (1), (NULL)""", """INSERT INTO "t" ("a") VALUES ('x'::interval)"""),
        (
            """UPDATE "t" SET "a" = NULL, "b" = 1 WHERE "c" = 1""",
            """UPDATE "t" SET "a" = 'x', "b" = 'y' WHERE "c" = 2""",
        ),
        ('FETCH 1 FROM "_django_curs_12_sync_1"', 'FETCH 2 FROM "_django_curs_345_sync_6"'),
        ('DROP INDEX "t_a_0123abcd"', 'DROP INDEX "t_a_f9e9e375"'),
    ],
)
def test_statements_that_differ_in_literals_have_the_same_form(one: str, other: str) -> None:
    assert form(one) == form(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("SELECT a FROM t WHERE b = 1", "SELECT a FROM t WHERE b = '1'"),
        ("SELECT a FROM t WHERE b = 1", "SELECT a FROM t WHERE c = 1"),
        ("SELECT '1'::int", "SELECT '1'::bigint"),
        ("SELECT 1; SELECT 2", "SELECT 1"),
    ],
)
def test_statements_that_differ_in_more_have_different_forms(one: str, other: str) -> None:
    assert form(one) != form(other)


def test_statements_that_differ_in_names_and_lengths_have_the_same_shape() -> None:
    one = 'SELECT "t"."a", "t"."b" FROM "t" WHERE "t"."a" = 1 LIMIT 21'
    assert shape(one) == shape('SELECT "u"."c" AS "c", "u"."d", "u"."e" FROM "u" WHERE "u"."d" = 2 LIMIT 1')
    assert shape(one) != shape('SELECT "t"."a", "t"."b" FROM "t" LIMIT 21')


def test_a_statement_is_found_by_text_then_form_then_shape() -> None:
    one, two, three = (Transcript(f'SELECT "{name}"') for name in ("a1", "a2", "b"))
    transcripts = Transcripts([one, two, three])
    assert transcripts.find('SELECT "a2"') == [two]
    assert transcripts.find('SELECT "a3"') == [one, two]
    assert transcripts.find('SELECT "c"') == [one, two, three]
    assert transcripts.find("SELECT 1") == []


def test_a_new_table_is_found_if_all_its_column_definitions_are() -> None:
    create = Transcript('CREATE TABLE "t" ("id" bigint NOT NULL PRIMARY KEY, "a" varchar NULL, "b" date)')
    refused = Transcript('CREATE TABLE "u" ("id" bigint, "c" uuid)', error={"M": "unsupported"})
    transcripts = Transcripts([create, refused])
    assert transcripts.find('CREATE TABLE "u" ("x" date, "y" varchar NULL, "z" varchar NULL)') == [create]
    assert transcripts.find('CREATE TABLE "u" ("x" date, "y" uuid)') == []
