"""What a PostgreSQL database needs so that RisingWave, or the stand-in, can follow its tables."""

from __future__ import annotations

import re
import time
from contextlib import contextmanager
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from django.db import NotSupportedError, ProgrammingError, connections

from django_risingwave.streaming.connectors.hidden_values import execute
from django_risingwave.streaming.connectors.options import exposed, options_sql
from django_risingwave.streaming.identifiers import quote
from django_risingwave.streaming.sessions import open_session

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from django_risingwave.base import DatabaseWrapper
    from django_risingwave.streaming.mirrors import MirrorDefinition

#: The longest name of a replication slot: https://www.postgresql.org/docs/18/limits.html
_MAX_SLOT_BYTES = 63
#: Seconds until a slot must be free after its reader is gone.
_RELEASE_SECONDS = 30
#: Seconds between two looks at a slot.
_POLL_SECONDS = 0.05

# Whether the role may replicate, connect, use the schema and read the table. Amazon RDS has roles for the
# first, and RisingWave's connector looks for them too.
_PRIVILEGES = """
    SELECT rolsuper OR rolreplication OR EXISTS (
            SELECT FROM pg_auth_members JOIN pg_roles AS granted ON granted.oid = roleid
            WHERE member = reader.oid AND granted.rolname IN ('rds_replication', 'rds_superuser')
        ),
        has_database_privilege(oid, current_database(), 'CONNECT'),
        has_schema_privilege(oid, %s, 'USAGE'),
        has_table_privilege(oid, %s, 'SELECT')
    FROM pg_roles AS reader WHERE rolname = %s
"""


class MirrorError(NotSupportedError):
    """A table that can't be mirrored as its database or its settings are."""


class Publisher:
    """The PostgreSQL database `using`, for one database of RisingWave or the stand-in, its reader.

    Each reader has a publication and a replication slot of its own, both with the same name.

    OPTIONS["mirrored_databases"] of the reader's alias has the address at which it reaches PostgreSQL, where
    that isn't Django's own.
    """

    def __init__(self, using: str, reader: DatabaseWrapper) -> None:
        self.using, self.reader = using, reader
        self._given: dict[str, Any] = dict(reader.mirrored_databases.get(using, {}))

    @property
    def name(self) -> str:
        """The name of the slot and the publication: lower-case letters, digits and underscores."""
        if slot := self._given.get("SLOT"):
            return str(slot)
        databases = f"{self.reader.settings_dict['NAME']}_{connections[self.using].settings_dict['NAME']}"
        name = "mirrors_" + re.sub(r"[^a-z0-9_]", "_", databases.lower())
        if len(name) > _MAX_SLOT_BYTES:
            name = f"{name[: _MAX_SLOT_BYTES - 9]}_{sha256(databases.encode()).hexdigest()[:8]}"
        return name

    @contextmanager
    def cursor(self) -> Iterator[Any]:
        """Give a cursor of a new connection, which commits each statement.

        A slot can't be made in a transaction that has written.
        """
        if connections[self.using].vendor != "postgresql":
            raise MirrorError(
                f"Mirrors follow tables in PostgreSQL, but DATABASES[{self.using!r}] is "
                f"{connections[self.using].display_name}. Move the model's table to PostgreSQL."
            )
        session = open_session(self.using)
        try:
            with session.cursor() as cursor:
                yield cursor
        finally:
            session.close()

    def address(self, cursor: Any) -> dict[str, str]:
        """Return the reader's way to the database: HOST, PORT, NAME, USER and PASSWORD."""
        info = cursor.connection.info
        own = {"HOST": info.host, "PORT": info.port, "NAME": info.dbname, "USER": info.user}
        own["PASSWORD"] = info.password
        return {key: str(self._given.get(key, value) or "") for key, value in own.items()}

    # Publishing ------------------------------------------------------------------------------------------

    def publish(self, mirror: MirrorDefinition, *, only_columns: bool = False) -> None:
        """Check the database and the reader's privileges, and add the table to the publication.

        With only_columns, the publication has no other columns of the table.
        """
        with self.cursor() as cursor:
            self._check(cursor, mirror)
            self._grant(cursor, mirror)
            cursor.execute(
                "SELECT attnames FROM pg_publication_tables "
                "WHERE pubname = %s AND schemaname = %s AND tablename = %s",
                [self.name, mirror.schema, mirror.name],
            )
            published, table, publication = cursor.fetchone(), _table(mirror), quote(self.name)
            if only_columns:
                table += f" ({', '.join(map(quote, mirror.columns))})"
            if published and only_columns and set(published[0]) != set(mirror.columns):
                cursor.execute(f"ALTER PUBLICATION {publication} DROP TABLE {_table(mirror)}")
            elif published:
                return
            cursor.execute("SELECT 1 FROM pg_publication WHERE pubname = %s", [self.name])
            if cursor.fetchone():
                cursor.execute(f"ALTER PUBLICATION {publication} ADD TABLE {table}")
            else:
                # RisingWave requires the option for partitioned tables.
                cursor.execute(
                    f"CREATE PUBLICATION {publication} FOR TABLE {table} "
                    "WITH (publish_via_partition_root = true)"
                )

    def check(self, mirror: MirrorDefinition) -> None:
        """Raise MirrorError if the database or the table isn't ready to be mirrored."""
        with self.cursor() as cursor:
            self._check(cursor, mirror)

    def _check(self, cursor: Any, mirror: MirrorDefinition) -> None:
        cursor.execute("SHOW wal_level")
        ((level,),) = cursor.fetchall()
        if level != "logical":
            raise MirrorError(
                f"Mirrors need wal_level = logical in PostgreSQL, but that of database {self.using!r} is "
                f"{level!r}. Run `ALTER SYSTEM SET wal_level = logical` as a superuser, and restart "
                "PostgreSQL."
            )
        cursor.execute("SELECT relreplident FROM pg_class WHERE oid = to_regclass(%s)", [_table(mirror)])
        found = cursor.fetchone()
        if found is None:
            raise MirrorError(
                f"Table {mirror.source_table} doesn't exist in database {self.using!r}. Run `manage.py "
                f"migrate --database {self.using}` first. If the table is in another schema, set "
                "Stream.schema."
            )
        cursor.execute(
            "SELECT attname FROM pg_attribute WHERE attrelid = to_regclass(%s) AND NOT attisdropped",
            [_table(mirror)],
        )
        if missing := mirror.columns.keys() - {name for (name,) in cursor.fetchall()}:
            raise MirrorError(
                f"Table {mirror.source_table} in database {self.using!r} has no column "
                f"{', '.join(sorted(missing))}. Run `manage.py migrate --database {self.using}` first."
            )
        if found[0] == "n":
            raise MirrorError(
                f"Table {mirror.source_table} has the replica identity NOTHING, which leaves out what was "
                f"updated. Run `ALTER TABLE {_table(mirror)} REPLICA IDENTITY DEFAULT`."
            )

    def _grant(self, cursor: Any, mirror: MirrorDefinition) -> None:
        """Give the reader's role what it lacks. Raises MirrorError with the SQL that we may not run."""
        role = self.address(cursor)["USER"]
        cursor.execute(_PRIVILEGES, [mirror.schema, _table(mirror), role])
        privileges = cursor.fetchone()
        if privileges is None:
            raise MirrorError(
                f"PostgreSQL has no role {role!r}, as which RisingWave reads. Run `CREATE ROLE "
                f"{quote(role)} LOGIN REPLICATION PASSWORD '…'`."
            )
        grants = (
            f"ALTER ROLE {quote(role)} REPLICATION",
            f"GRANT CONNECT ON DATABASE {quote(self.address(cursor)['NAME'])} TO {quote(role)}",
            f"GRANT USAGE ON SCHEMA {quote(mirror.schema)} TO {quote(role)}",
            f"GRANT SELECT ON {_table(mirror)} TO {quote(role)}",
        )
        refused = []
        for grant, granted in zip(grants, privileges, strict=True):
            if granted:
                continue
            try:
                cursor.execute(grant)
            except ProgrammingError:
                refused.append(f"{grant};")
        if refused:
            raise MirrorError(
                f"Role {role!r} may not follow table {mirror.source_table}, and Django's role may not grant "
                f"it. Run as a superuser of database {self.using!r}: {' '.join(refused)}"
            )

    def send_again(self, mirror: MirrorDefinition, columns: Sequence[str]) -> None:
        """Let PostgreSQL send the rows that have values in these columns, which it had before the mirror.

        RisingWave has NULL there: ADD COLUMN of such a table reads no existing rows.
        """
        same = ", ".join(f"{quote(name)} = {quote(name)}" for name in columns)
        filled = " OR ".join(f"{quote(name)} IS NOT NULL" for name in columns)
        with self.cursor() as cursor:
            cursor.execute(f"UPDATE {_table(mirror)} SET {same} WHERE {filled}")  # noqa: S608 - quoted

    def withdraw(self, mirror: MirrorDefinition) -> bool:
        """Take the table out of the publication. Returns whether it was the last one."""
        with self.cursor() as cursor:
            tables = "SELECT schemaname, tablename FROM pg_publication_tables WHERE pubname = %s"
            cursor.execute(tables, [self.name])
            published = set(cursor.fetchall())
            if (mirror.schema, mirror.name) in published:
                cursor.execute(f"ALTER PUBLICATION {quote(self.name)} DROP TABLE {_table(mirror)}")
            return not published - {(mirror.schema, mirror.name)}

    def drop(self) -> None:
        """Drop the slot, once its reader is gone, and the publication."""
        with self.cursor() as cursor:
            self._drop_slot(cursor)
            cursor.execute(f"DROP PUBLICATION IF EXISTS {quote(self.name)}")

    def _drop_slot(self, cursor: Any) -> None:
        until = time.monotonic() + _RELEASE_SECONDS
        while True:
            cursor.execute("SELECT active FROM pg_replication_slots WHERE slot_name = %s", [self.name])
            match cursor.fetchone():
                case None:
                    return
                case (False,):
                    cursor.execute("SELECT pg_drop_replication_slot(%s)", [self.name])
                    return
            if time.monotonic() > until:
                raise MirrorError(
                    f"Replication slot {self.name!r} is still read, so it can't be dropped. PostgreSQL keeps "
                    "its log until it is: end its reader, then run "
                    f"`SELECT pg_drop_replication_slot('{self.name}')`."
                )
            time.sleep(_POLL_SECONDS)

    # RisingWave's source ---------------------------------------------------------------------------------

    def source_sql(self, mirror: MirrorDefinition, address: Mapping[str, str]) -> str:
        """Return the CREATE SOURCE that all mirrors of the database share.

        Names stand in place of the project's own options that look like passwords.
        """
        options: dict[str, Any] = {
            "connector": "postgres-cdc",
            "hostname": address["HOST"],
            "port": address["PORT"],
            "username": address["USER"],
            "password": address["PASSWORD"],
            "database.name": address["NAME"],
            "schema.name": mirror.schema,
            "slot.name": self.name,
            "publication.name": self.name,
            "publication.create.enable": "false",
        }
        options |= self._own_options | {name: _placeholder(name) for name in exposed(self._own_options)}
        return f"CREATE SOURCE {quote(mirror.source_name)} WITH ({options_sql(options, quote)})"

    @property
    def _own_options(self) -> dict[str, Any]:
        """The project's own options of the connector."""
        return {name: value for name, value in self._given.items() if not name.isupper()}

    def create_source(self, mirror: MirrorDefinition) -> None:
        """Create the source, with a statement whose passwords nothing shows. Raises MirrorError."""
        with self.cursor() as cursor:
            address = self.address(cursor)
        if address["HOST"].startswith("/"):
            raise MirrorError(
                f"RisingWave can't reach PostgreSQL at the socket {address['HOST']}. Set "
                f"OPTIONS['mirrored_databases'][{self.using!r}]['HOST'] of DATABASES[{self.reader.alias!r}] "
                "to a host name."
            )
        sql = self.source_sql(mirror, address | {"PASSWORD": _placeholder("PASSWORD")})
        hidden = {name: self._own_options[name] for name in exposed(self._own_options)}
        hidden["PASSWORD"] = address["PASSWORD"]
        execute(self.reader, sql, {_placeholder(name): value for name, value in hidden.items()})


def _table(mirror: MirrorDefinition) -> str:
    return f"{quote(mirror.schema)}.{quote(mirror.name)}"


def _placeholder(name: str) -> str:
    """Return what stands for a value in SQL that is shown."""
    return f"${{{name}}}"
