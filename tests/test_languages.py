"""Every text that a viewer sees is there in each language. `make messages` adds new ones to the catalogs."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.messages import (
    CATALOGS,
    LANGUAGES,
    as_mo,
    as_po,
    path_of,
    texts_in,
    translations,
    untranslated,
    updated,
)

pytestmark = pytest.mark.unversioned
#: Placeholders: %(name)s, %s, {name}.
PLACEHOLDER = re.compile(r"%\(\w+\)[a-z]|%[sd]|\{\w+\}")

each_catalog = pytest.mark.parametrize(
    ("folder", "language"), [(folder, language) for folder in CATALOGS for language in LANGUAGES]
)


@each_catalog
def test_a_catalog_has_the_texts_of_the_code_and_no_others(folder, language):
    assert as_po(updated(folder, language)) == path_of(folder, language).read_bytes(), "Run: make messages"


@each_catalog
def test_every_text_is_translated(folder, language):
    catalog = translations(folder, language)
    assert len(catalog) > 0
    assert [message.id for message in untranslated(catalog)] == []


@each_catalog
def test_a_translation_has_the_placeholders_of_its_text(folder, language):
    wrong = []
    for message in translations(folder, language):
        texts: Any = message.id if isinstance(message.id, tuple) else (message.id,)
        strings: Any = message.string if isinstance(message.string, tuple) else (message.string,)
        wanted = set(PLACEHOLDER.findall(texts[-1]))
        found = [set(PLACEHOLDER.findall(string)) for string in strings]
        # The text for one may leave out the number.
        if message.id and (found[-1] != wanted or any(some - wanted for some in found)):
            wrong.append(message.id)
    assert wrong == []


@each_catalog
def test_django_reads_what_the_catalog_says(folder, language):
    compiled = path_of(folder, language).with_suffix(".mo").read_bytes()
    assert texts_in(compiled) == texts_in(as_mo(translations(folder, language))), "Run: make messages"
