from django.db.backends.postgresql.introspection import (
    DatabaseIntrospection as PostgreSQLDatabaseIntrospection,
)


class DatabaseIntrospection(PostgreSQLDatabaseIntrospection):
    """Reads what tables there are."""
