"""docs/architecture.md names files that exist, and its drawings show the imports."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "architecture.md").read_text()
DRAWINGS = re.findall(r"^```mermaid\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
#: Ordinary wishes that the table must answer at least.
MIN_WISHES = 20


def named_paths(text: str) -> list[str]:
    """Return the code spans that name a file or a folder."""
    prose = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    path = r"[\w.-]+/[\w./-]*|[\w-]+\.(?:py|md|toml|yaml)|Dockerfile|Makefile"
    return [span for span in re.findall(r"`([^`\n]+)`", prose) if re.fullmatch(path, span)]


def wishes() -> list[list[str]]:
    """Return the cells of each row of the table that says where to change what."""
    table = PAGE.partition("## Where to change what")[2]
    return [line.strip("| ").split(" | ") for line in table.splitlines() if line.startswith("| ")][1:]


def test_each_file_that_the_page_names_exists() -> None:
    named = named_paths(PAGE)
    assert len(named) > 100
    # Modules of a Django backend are named without their folder.
    missing = [
        path
        for path in named
        if not any((base / path).exists() for base in (ROOT, ROOT / "django_risingwave"))
    ]
    assert missing == []


def test_each_name_in_brackets_is_in_the_file_before_it() -> None:
    found = re.findall(r"`([\w./-]+)` \(`(\w+)`\)", PAGE)
    assert found
    for path, name in found:
        assert name in (ROOT / path).read_text(), f"{path} has no {name}"


def test_the_table_answers_wishes_with_files_and_tests() -> None:
    assert len(wishes()) >= MIN_WISHES
    for wish, files, tests in wishes():
        assert named_paths(files), wish
        assert named_paths(tests), wish


# Drawings ------------------------------------------------------------------------------------------------


class Drawing:
    """Boxes, each a file or a folder, and the arrows between them."""

    def __init__(self, text: str) -> None:
        #: The path of each box, by its name in the drawing.
        self.boxes: dict[str, str] = dict(re.findall(r'\b(\w+)\["([\w./]+)', text))
        bare = re.sub(r'\["[^"]*"\]', "", text)
        self.arrows = {
            (self.boxes[start], self.boxes[end]) for start, end in re.findall(r"(\w+) --> (\w+)", bare)
        }

    def follow(self, start: str) -> set[str]:
        """Return the boxes that arrows lead to from `start`, one arrow or several."""
        found: set[str] = set()
        ends = {end for begin, end in self.arrows if begin == start}
        while ends:
            found |= ends
            ends = {end for begin, end in self.arrows if begin in ends} - found
        return found

    def box_of(self, module: str) -> str | None:
        """Return the box of a module's file, if it is drawn."""
        file = f"{module.replace('.', '/')}.py"
        package = f"{module.replace('.', '/')}/"
        for path in self.boxes.values():
            if file == path or (path.endswith("/") and (file.startswith(path) or package == path)):
                return path
        return None

    def imports(self) -> dict[tuple[str, str], set[str]]:
        """Return the modules that the files of one box import from another box, by the two boxes."""
        found: dict[tuple[str, str], set[str]] = {}
        for path in self.boxes.values():
            files = sorted((ROOT / path).rglob("*.py")) if path.endswith("/") else [ROOT / path]
            for module in (name for file in files for name in imported_modules(file)):
                box = self.box_of(module)
                if box not in (None, path):
                    found.setdefault((path, str(box)), set()).add(module)
        return found


def imported_modules(file: Path) -> Iterator[str]:
    """Yield what a file imports when it runs: `from a import b` yields a.b and a."""
    nodes: list[ast.AST] = [ast.parse(file.read_text())]
    while nodes:
        node = nodes.pop()
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            nodes += node.orelse
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        else:
            nodes += ast.iter_child_nodes(node)


@pytest.mark.parametrize("text", DRAWINGS, ids=["packages", "live", "backend"])
def test_each_arrow_is_an_import_and_each_import_follows_arrows(text: str) -> None:
    drawing = Drawing(text)
    assert all((ROOT / path).exists() for path in drawing.boxes.values())
    imports = drawing.imports()
    assert drawing.arrows - set(imports) == set(), "These arrows are drawn, but nothing is imported."
    astray = {pair: modules for pair, modules in imports.items() if pair[1] not in drawing.follow(pair[0])}
    assert astray == {}, "These imports follow no arrow."
