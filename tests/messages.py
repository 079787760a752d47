"""Keeps the catalogs of translations: `make messages` adds the texts of the code, and drops old ones.

Babel reads the code: gettext's own programs, which makemessages needs, are on few machines.
"""

from __future__ import annotations

import os
import subprocess
import sys
from gettext import GNUTranslations
from io import BytesIO
from pathlib import Path

from babel.messages import Catalog, Message
from babel.messages.extract import extract
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po
from django.conf import settings
from django.utils.translation.template import templatize

ROOT = Path(__file__).parent.parent
#: The folder of each catalog, and the code whose texts it has.
CATALOGS = {
    "live/locale": ("live",),
    "demo/shop/locale": ("demo",),
    "config/locale": ("config", "templates"),
}
#: The functions that mark a text, and which of their arguments it consists of.
KEYWORDS = {
    **dict.fromkeys(("_", "gettext", "gettext_lazy", "gettext_noop")),
    **dict.fromkeys(("ngettext", "ngettext_lazy"), (1, 2)),
    **dict.fromkeys(("pgettext", "pgettext_lazy"), ((1, "c"), 2)),
    **dict.fromkeys(("npgettext", "npgettext_lazy"), ((1, "c"), 2, 3)),
}
LANGUAGES = [code for code, _ in settings.LANGUAGES if code != "en"]


def path_of(folder: str, language: str) -> Path:
    """Return the path of a catalog."""
    return ROOT / folder / language / "LC_MESSAGES" / "django.po"


def texts_of(folder: str) -> Catalog:
    """Return the texts that the code of a catalog marks, with the files that have them and the comments."""
    catalog = Catalog()
    tracked = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", *CATALOGS[folder]],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    for name in sorted(tracked.stdout.splitlines()):
        path = ROOT / name
        if path.suffix not in (".py", ".html", ".txt") or not path.exists():
            continue
        code = path.read_text()
        if path.suffix != ".py":
            # Babel takes indentation for Python's.
            code = "\n".join(line.lstrip() for line in templatize(code).splitlines())
        for _, text, comments, context in extract(
            "python", BytesIO(code.encode()), keywords=KEYWORDS, comment_tags=["Translators:"]
        ):
            catalog.add(text, locations=[(name, 0)], auto_comments=comments, context=context)
    return catalog


def translations(folder: str, language: str) -> Catalog:
    """Return a catalog as it is, empty if there is none."""
    path = path_of(folder, language)
    if not path.exists():
        return Catalog(locale=language)
    with path.open("rb") as file:
        return read_po(file, locale=language)


def updated(folder: str, language: str) -> Catalog:
    """Return a catalog with exactly the texts of the code, and the translations that there are."""
    old, new = translations(folder, language), Catalog(locale=language, fuzzy=False)
    for message in texts_of(folder):
        if message.id:
            known = old.get(message.id, message.context)
            new.add(
                message.id,
                known.string if known is not None else "",
                locations=message.locations,
                auto_comments=message.auto_comments,
                context=message.context,
            )
    return new


def as_po(catalog: Catalog) -> bytes:
    """Return a catalog as the text of a file: without times and versions, which change from run to run."""
    output = BytesIO()
    write_po(output, catalog, width=110, sort_output=True, omit_header=False, include_lineno=False)
    kept = ("Content-Type", "Content-Transfer-Encoding", "Language:", "Plural-Forms", "MIME-Version")
    lines = output.getvalue().decode().splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("msgid"))
    end = lines.index("", start)
    header = [line for line in lines[start:end] if not line.startswith('"') or line[1:].startswith(kept)]
    return "\n".join([*header, *lines[end:], ""]).encode()


def as_mo(catalog: Catalog) -> bytes:
    """Return a catalog as Django reads it."""
    output = BytesIO()
    write_mo(output, catalog)
    return output.getvalue()


def texts_in(mo: bytes) -> dict[object, str]:
    """Return what a compiled catalog says, without its header, which has times and versions."""
    known = dict(GNUTranslations(BytesIO(mo))._catalog)  # type: ignore[attr-defined]
    known.pop("", None)
    return known


def untranslated(catalog: Catalog) -> list[Message]:
    """Return the texts without a translation, or without one for each number."""
    return [message for message in catalog if message.id and not all(_strings(message))]


def _strings(message: Message) -> tuple[str, ...]:
    strings = message.string if isinstance(message.string, tuple | list) else (message.string,)
    return tuple(string or "" for string in strings)


def main() -> None:
    """Write all catalogs, and print what has no translation."""
    for folder in CATALOGS:
        for language in LANGUAGES:
            catalog = updated(folder, language)
            path = path_of(folder, language)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(as_po(catalog))
            compiled, mo = path.with_suffix(".mo"), as_mo(translations(folder, language))
            if not compiled.exists() or texts_in(compiled.read_bytes()) != texts_in(mo):
                compiled.write_bytes(mo)
            for message in untranslated(catalog):
                sys.stdout.write(f"{path.relative_to(ROOT)}: {message.id!r} has no translation\n")


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    main()
