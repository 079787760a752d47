"""The texts of the scripts are those that can be translated."""

from __future__ import annotations

import re

from django.utils import translation

from live.texts import TEXTS, texts
from tests.processes import ROOT

SCRIPTS = sorted((ROOT / "live" / "static" / "live").glob("*.js"))
#: A call of text() with a literal, or with one of two.
CALL = re.compile(r'\btext\(\s*(?:[^"()]*\? )?"([^"]+)"(?: : "([^"]+)")?')


def test_every_text_of_a_script_can_be_translated():
    written = {
        text for script in SCRIPTS for call in CALL.findall(script.read_text()) for text in call if text
    }
    assert len(written) > 20
    assert written <= set(TEXTS)


def test_a_page_in_english_needs_no_texts_and_another_gets_all():
    with translation.override("en"):
        assert texts() == {}
    with translation.override("de"):
        assert set(texts()) == set(TEXTS)
