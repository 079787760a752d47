"""The pages' links lead somewhere, and their code is valid and names commands that exist."""

from __future__ import annotations

import ast
import importlib.util
import re
import shlex
import subprocess
import textwrap
from pathlib import Path

import pytest
from django.core.management import get_commands

ROOT = Path(__file__).parents[1]
PAGES = subprocess.run(
    ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"],
    cwd=ROOT,
    check=True,
    capture_output=True,
    text=True,
).stdout.split()
#: Django's commands and those of this project's apps; `runserver` and the like are among them.
COMMANDS = get_commands()
MAKE_TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def blocks(page: str, *languages: str) -> list[str]:
    """Return the page's code blocks in these languages."""
    pattern = r"^( *)```(\w*)\n(.*?)^\1```$"
    found = re.findall(pattern, (ROOT / page).read_text(), re.MULTILINE | re.DOTALL)
    return [textwrap.dedent(code) for _, language, code in found if language in languages]


def commands(page: str) -> list[list[str]]:
    """Return the words of each command that the page shows."""
    lines: list[str] = []
    for code in blocks(page, "sh"):
        lines += code.replace("\\\n", " ").splitlines()
    for code in blocks(page, "console"):
        lines += [line.removeprefix("$ ") for line in code.splitlines() if line.startswith("$ ")]
    return [words for line in lines if (words := shlex.split(line, comments=True))]


def test_there_are_pages_to_look_at() -> None:
    assert "README.md" in PAGES
    assert len(PAGES) > 10


@pytest.mark.parametrize("name", PAGES)
def test_links_lead_somewhere(name: str) -> None:
    page = ROOT / name
    links = re.findall(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)", page.read_text())
    for link in links:
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = page if not path else (page.parent / path).resolve()
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize("name", [name for name in PAGES if blocks(name, "python")])
def test_python_in_a_page_is_valid(name: str) -> None:
    for code in blocks(name, "python"):
        prompts = re.findall(r"^(?:>>>|\.\.\.) ?(.*)$", code, re.MULTILINE)
        # `...` in a dictionary stands for entries that the page leaves out.
        ast.parse("\n".join(prompts) if code.startswith(">>>") else code.replace(", ...}", "}"))


@pytest.mark.parametrize("name", [name for name in PAGES if blocks(name, "sh")])
def test_shell_in_a_page_is_valid(name: str) -> None:
    for code in blocks(name, "sh"):
        done = subprocess.run(["bash", "-n"], input=code, text=True, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", [name for name in PAGES if commands(name)])
def test_a_page_names_commands_that_exist(name: str) -> None:
    own = re.findall(r"^# \w+/management/commands/(\w+)\.py$", (ROOT / name).read_text(), re.MULTILINE)
    for words in commands(name):
        [program, *arguments] = [word for word in words if not re.match(r"[A-Z_]+=", word)]
        if program == "make":
            assert set(arguments) <= MAKE_TARGETS, words
        if "manage.py" in words:
            assert words[words.index("manage.py") + 1] in {*COMMANDS, *own}, words
        if "-m" in words and "python" in words[words.index("-m") - 1]:
            assert importlib.util.find_spec(words[words.index("-m") + 1]), words
        for word in words:
            if re.fullmatch(r"(tests|benchmarks|examples)/[\w/.-]+", word):
                assert (ROOT / word).exists(), words
