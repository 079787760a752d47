from django.db.backends.postgresql.creation import DatabaseCreation as PostgreSQLDatabaseCreation


class DatabaseCreation(PostgreSQLDatabaseCreation):
    """Makes and drops the test database."""
