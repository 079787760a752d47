"""What the server can do. Grouped as Django groups them; each False with the fact behind it.

Facts are from RisingWave's source at v3.0.3 (paths below src/) unless a page is linked. The stand-in can do
more, and is treated alike, so that what works on it works on RisingWave.
"""

from django.db.backends.base.features import BaseDatabaseFeatures
from django.db.backends.postgresql.features import DatabaseFeatures as PostgreSQLDatabaseFeatures

from django_risingwave.version import RISINGWAVE_FLOOR


class DatabaseFeatures(PostgreSQLDatabaseFeatures):
    """What differs from PostgreSQL's."""

    minimum_database_version = RISINGWAVE_FLOOR

    # Nothing rolls back: https://docs.risingwave.com/sql/transactions. Django's own probe (insert, roll
    # back, count) could pass, for the row it inserted isn't visible yet.
    supports_transactions = False
    # SAVEPOINT is a syntax error (sqlparser).
    uses_savepoints = False
    can_release_savepoints = False
    can_rollback_ddl = False

    # "not implemented": UNIQUE, CHECK, FOREIGN KEY (frontend/src/handler/create_table.rs).
    supports_foreign_keys = False
    can_create_inline_fk = False
    can_defer_constraint_checks = False
    supports_column_check_constraints = False
    supports_table_check_constraints = False
    can_introspect_check_constraints = False
    can_introspect_foreign_keys = False
    supports_on_delete_db_cascade = False
    supports_on_delete_db_default = False
    supports_on_delete_db_null = False
    supports_deferrable_unique_constraints = False
    supports_nulls_distinct_unique_constraints = False
    # No WHERE in CREATE INDEX (frontend/src/handler/create_index.rs).
    supports_partial_indexes = False
    supports_functions_in_partial_indexes = False
    # TABLESPACE is a syntax error.
    supports_tablespaces = False
    # One action per ALTER TABLE; a comma is a syntax error.
    supports_combined_alters = False
    # Only "C", which is what it uses anyway.
    supports_collation_on_charfield = False
    supports_collation_on_textfield = False
    supports_non_deterministic_collations = False
    test_collations = BaseDatabaseFeatures.test_collations
    # pg_attrdef is empty.
    can_introspect_default = False
    # A default must fold to a constant.
    supports_expression_defaults = False
    # `GENERATED ALWAYS AS (…) STORED` is a syntax error; RisingWave writes `column type AS expression`.
    supports_stored_generated_columns = False
    supports_virtual_generated_columns = False

    # No uuid type, so no uuid functions (frontend/src/binder/expr/mod.rs). Django 5.2 and 6.0 don't ask for
    # the functions.
    has_native_uuid_field = False
    supports_uuid4_function = False
    supports_uuid4_function_in_default = False
    supports_uuid7_function = False
    supports_uuid7_function_shift = False

    # STATEMENT_TIMESTAMP() isn't there.
    test_now_utc_template = "NOW() AT TIME ZONE 'UTC'"

    # FOR UPDATE is a syntax error; compiler.py refuses select_for_update().
    has_select_for_update = False
    has_select_for_update_nowait = False
    has_select_for_update_of = False
    has_select_for_update_skip_locked = False
    has_select_for_no_key_update = False

    # ON CONFLICT belongs to the table, not to an INSERT:
    # https://docs.risingwave.com/sql/commands/sql-create-table
    supports_ignore_conflicts = False
    supports_update_conflicts = False
    supports_update_conflicts_with_target = False
    # DEFAULT and DEFAULT VALUES in an INSERT are syntax errors.
    supports_default_keyword_in_insert = False
    supports_default_keyword_in_bulk_insert = False
    insert_test_table_with_defaults = None

    # Every selected column must be grouped by, also when the primary key is
    # (frontend/planner_test/tests/testdata/output/agg.yaml).
    allows_group_by_selected_pks = False

    # `(a, b) IN (SELECT …)`: "Subquery must return only one column" (frontend/planner_test/tests/testdata/
    # output/subquery_expr_correlated.yaml). Django writes ANDs and EXISTS instead.
    supports_tuple_lookups = False
    supports_tuple_comparison_against_subquery = False

    # "not implemented": EXCLUDE GROUP and TIES (frontend/src/binder/expr/function/window.rs), the default of
    # lag() and lead() (frontend/src/expr/window_function.rs).
    supports_frame_exclusion = False
    supports_default_in_lead_lag = False

    # No sequences.
    supports_sequence_reset = False
    # No PL/pgSQL.
    create_test_procedure_without_params_sql = None  # type: ignore[assignment]  # the stubs know PostgreSQL's
    create_test_procedure_with_int_param_sql = None  # type: ignore[assignment]  # the stubs know PostgreSQL's
    # No TEMPLATE in CREATE DATABASE.
    can_clone_databases = False
