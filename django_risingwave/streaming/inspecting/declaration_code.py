"""The Python code of a model's base class and Stream, as inspectdb writes it from what a server has."""

from __future__ import annotations

import re
from inspect import cleandoc
from typing import TYPE_CHECKING, Any

from django_risingwave.streaming.connectors.sql import SecretName, hides_value, read_connector, variable
from django_risingwave.streaming.inspecting import created_sql
from django_risingwave.streaming.inspecting.index_code import index_code

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from django_risingwave.streaming.connectors.sql import Connector
    from django_risingwave.streaming.inspecting.catalog import Catalog, CatalogObject

_IMPORTS = {
    "ArrayField": "django.contrib.postgres.fields",
    "NaiveDateTimeField": "django_risingwave.fields",
    "RowIdField": "django_risingwave.fields",
    "ConnectorTable": "django_risingwave.models",
    "MaterializedView": "django_risingwave.models",
    "ReadOnlyModel": "django_risingwave.models",
    "RisingWaveModel": "django_risingwave.models",
    "Source": "django_risingwave.models",
    "Subscription": "django_risingwave.streaming.definitions",
    "Environment": "django_risingwave.streaming.secrets",
    "Secret": "django_risingwave.streaming.secrets",
    "Sink": "django_risingwave.streaming.sinks",
}
#: Names of classes that a model in the same module must not have.
RESERVED = frozenset({*_IMPORTS, "None", "True", "False"})
# Where the code uses a name of another module: as a base class, or to make an object.
_USES = re.compile(rf"(?<![\w.'\"])({'|'.join(_IMPORTS)})(?:\(|\.Meta\)|\):)")
# Characters of a line of SQL.
_SQL_WIDTH = 96
# Parts of an SQL text that a line break must not divide.
_SQL_PARTS = re.compile(r"""(?:'(?:[^']|'')*'|"(?:[^"]|"")*"|[^\s'"])+""")
_QUOTED = re.compile(r"""'(?:[^']|'')*'|"(?:[^"]|"")*\"""")
_CLAUSES = frozenset({"EXCEPT", "FROM", "GROUP", "HAVING", "INTERSECT", "LIMIT", "ORDER", "UNION", "WHERE"})


def base_class(relation: CatalogObject) -> str:
    """Return the name of the model's base class."""
    match relation.kind:
        case "materialized view":
            return "MaterializedView"
        case "source":
            return "Source" if read_connector(relation.definition) else "ReadOnlyModel"
        case "table" if not created_sql.is_mirror(relation.definition):
            return "ConnectorTable" if read_connector(relation.definition) else "RisingWaveModel"
        case _:
            return "ReadOnlyModel"


def imports(lines: Iterable[str]) -> Iterator[str]:
    """Yield the imports of what the lines of a module use."""
    used = {name for line in lines for name in _USES.findall(line)}
    modules: dict[str, list[str]] = {}
    for name in sorted(used):
        modules.setdefault(_IMPORTS[name], []).append(name)
    for module, names in sorted(modules.items()):
        yield f"from {module} import {', '.join(names)}"


def meta_code(catalog: Catalog, relation: CatalogObject, field_name: Callable[[str], str]) -> Iterator[str]:
    """Yield the lines of class Meta that declare the indexes of a relation with a definition."""
    if relation.kind == "table" and not read_connector(relation.definition):
        # Its model is unmanaged, so nothing would create them.
        return
    indexes = [found for found in catalog.attached(relation.name) if found.kind == "index"]
    if not indexes:
        return
    yield "        indexes = ["
    for index in indexes:
        code = index_code(index, field_name)
        definition = " ".join(index.definition.split())
        yield f"            {code}," if code else f"            # Write this one by hand: {definition}"
    yield "        ]"


def stream_code(catalog: Catalog, relation: CatalogObject) -> Iterator[str]:
    """Yield the lines of class Stream, if the relation has a definition or something attached to it."""
    lines = [*_definition(relation), *_subscriptions(catalog, relation), *_sinks(catalog, relation)]
    if lines:
        yield ""
        yield "    class Stream:"
        yield from (f"        {line}".rstrip() for line in lines)


def _definition(relation: CatalogObject) -> Iterator[str]:
    if relation.kind == "materialized view":
        if query := created_sql.select(relation.definition):
            yield from _query(query)
    elif connector := read_connector(relation.definition):
        yield from _connector(connector)


def _query(query: str, head: str = "query = ", tail: str = "") -> Iterator[str]:
    is_one_line = "\n" not in query.strip()
    if "\\" in query or '"""' in query or any("\n" in text for text in _QUOTED.findall(query)):
        yield f"{head}{query!r}{tail}"
    elif is_one_line and len(query) < _SQL_WIDTH and '"' not in query:
        yield f'{head}"{query}"{tail}'
    else:
        yield f'{head}"""'
        yield from (
            f"    {line}" for line in (_wrapped(query) if is_one_line else cleandoc(query).splitlines())
        )
        yield f'"""{tail}'


def _wrapped(sql: str) -> list[str]:
    """Return the text in lines, each of which begins with a clause or where the last one is full."""
    lines, line, depth = [], "", 0
    for part in _SQL_PARTS.findall(sql):
        begins = depth == 0 and part.upper() in _CLAUSES
        if line and (begins or len(line) + 1 + len(part) > _SQL_WIDTH):
            lines.append(line)
            line = part
        else:
            line = f"{line} {part}" if line else part
        bare = _QUOTED.sub("", part)
        depth += bare.count("(") - bare.count(")")
    return [*lines, line]


def _subscriptions(catalog: Catalog, relation: CatalogObject) -> Iterator[str]:
    subscriptions = [found for found in catalog.attached(relation.name) if found.kind == "subscription"]
    usual = f"{relation.name}_changes"
    subscriptions.sort(key=lambda found: (found.name != usual, found.name))
    for number, found in enumerate(subscriptions):
        retention = created_sql.retention(found.definition) or "1 day"
        code = f"Subscription({retention!r}, name={found.name!r})" if found.name != usual else repr(retention)
        # A Stream declares one.
        yield f"{'# ' if number else ''}subscription = {code}"


def _sinks(catalog: Catalog, relation: CatalogObject) -> Iterator[str]:
    sinks = [found for found in catalog.attached(relation.name) if found.kind == "sink"]
    if not sinks:
        return
    yield "sinks = ["
    for found in sinks:
        connector = read_connector(found.definition)
        if connector is None:
            # Not its statement, which may have a password.
            yield f"    # The sink {found.name!r} can't be read. Write it by hand: SHOW CREATE SINK shows it."
            continue
        yield "    Sink("
        yield f"        {found.name!r},"
        if connector.options:
            yield from (f"        {line}" for line in _options("connector=", connector.options, ","))
        for name in ("format", "encode", "into"):
            if value := getattr(connector, name):
                yield f"        {name}={value!r},"
        if connector.encode_options:
            yield from (
                f"        {line}" for line in _options("encode_options=", connector.encode_options, ",")
            )
        if connector.query:
            yield from (f"        {line}" for line in _query(connector.query, "query=", ","))
        yield "    ),"
    yield "]"


def _connector(connector: Connector) -> Iterator[str]:
    yield from _options("connector = ", connector.options)
    # The defaults of Source and ConnectorTable.
    if (connector.format, connector.encode) != ("PLAIN", "JSON"):
        yield f"format = {connector.format!r}"
        yield f"encode = {connector.encode!r}"
    if connector.encode_options:
        yield from _options("encode_options = ", connector.encode_options)
    if connector.include:
        yield f"include = {connector.include!r}"
    if connector.watermark:
        yield f"watermark = {connector.watermark!r}"
    if connector.append_only:
        yield "append_only = True"
    if connector.on_conflict:
        yield f"on_conflict = {connector.on_conflict!r}"


def _options(head: str, options: Mapping[str, Any], tail: str = "") -> Iterator[str]:
    yield f"{head}{{"
    for name, value in options.items():
        yield f"    {name!r}: {_value(name, value)}"
    yield f"}}{tail}"


def _value(name: str, value: str | SecretName) -> str:
    if isinstance(value, SecretName):
        return f"Secret({value.name!r}),"
    if name_of_variable := variable(value):
        # The stand-in records it.
        return f"Environment({name_of_variable!r}),"
    if hides_value(name, value):
        made_up = re.sub(r"\W+", "_", name).upper()
        return f"Environment({made_up!r}),  # The server has its value in clear."
    return f"{value!r},"
