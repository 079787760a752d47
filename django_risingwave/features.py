"""What the server can do. Grouped as Django groups them; each False with the fact behind it.

Facts are from RisingWave's source at v3.0.3 (paths below src/) unless a page is linked. The stand-in can do
more, and is treated alike, so that what works on it works on RisingWave.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import django
from django.db.backends.base.features import BaseDatabaseFeatures
from django.db.backends.postgresql.features import DatabaseFeatures as PostgreSQLDatabaseFeatures
from django.utils.functional import cached_property

from django_risingwave.version import RISINGWAVE_FLOOR

if TYPE_CHECKING:
    from django_risingwave.base import DatabaseWrapper


class DatabaseFeatures(PostgreSQLDatabaseFeatures):
    """What differs from PostgreSQL's."""

    connection: DatabaseWrapper

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
    # A table's are stored, as PostgreSQL's with STORED are; only a source's are computed on read:
    # https://docs.risingwave.com/sql/query-syntax/generated-columns
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

    # FOR UPDATE is a syntax error. Django then ignores select_for_update(); compiler.py refuses its options.
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

    # "not implemented" (frontend/src/expr/window_function.rs).
    supports_default_in_lead_lag = False

    # No sequences.
    supports_sequence_reset = False
    # No PL/pgSQL.
    create_test_procedure_without_params_sql = None  # type: ignore[assignment]  # the stubs know PostgreSQL's
    create_test_procedure_with_int_param_sql = None  # type: ignore[assignment]  # the stubs know PostgreSQL's
    # No TEMPLATE in CREATE DATABASE.
    can_clone_databases = False

    @property
    def supported_explain_formats(self) -> set[str]:  # type: ignore[override]  # as MySQL's in Django
        """PostgreSQL's, and RisingWave's own: sqlparser/src/parser.rs (parse_explain), where 2.1 has none."""
        server = self.connection.server_version
        if not server.is_risingwave:
            return set(PostgreSQLDatabaseFeatures.supported_explain_formats)
        return {"DOT", "JSON", "TEXT", "XML", "YAML"} if server.numbers >= (2, 2) else set()

    @cached_property
    def introspected_field_types(self) -> dict[str, str]:  # type: ignore[override]  # as Django's own
        # Automatic keys are bigint and no more; there is no uuid and no inet (base.py).
        return super().introspected_field_types | {
            "AutoField": "BigIntegerField",
            "BigAutoField": "BigIntegerField",
            "GenericIPAddressField": "CharField",
            "SmallAutoField": "BigIntegerField",
        }

    @cached_property
    def django_test_skips(self) -> dict[str, set[str]]:  # type: ignore[override]  # as Django's own
        """Django's own tests that don't ask for the feature that they need: docs/conformance.md."""
        return super().django_test_skips | _DJANGO_TEST_SKIPS


def _tests(names: str, *, since: tuple[int, int] = (5, 2), before: tuple[int, int] | None = None) -> set[str]:
    """Return "a.B.c" and "a.B.d" of "a.B c d": the words with a dot are the classes of those that follow.

    None, if they are of other versions of Django than is installed: its runner refuses what isn't there.
    """
    tests: set[str] = set()
    case = ""
    if since > django.VERSION or (before and before <= django.VERSION):
        return tests
    for name in names.split():
        if "." in name:
            case = name
        else:
            tests.add(f"{case}.{name}")
    return tests


# Where a feature is missing, and the test runs nevertheless.
_DJANGO_TEST_SKIPS = {
    "RisingWave has no UNIQUE.": _tests("""
        auth_tests.test_basic.BasicTestCase test_unicode_username
        auth_tests.test_migrations.ProxyModelWithSameAppLabelTests
        test_migrate_with_existing_target_permission
        constraints.tests.UniqueConstraintTests test_database_constraint test_name
        contenttypes_tests.test_operations.ContentTypeOperationsTests test_content_type_rename_conflict
        contenttypes_tests.test_operations.ContentTypeOperationsTests test_existing_content_type_rename
        get_or_create.tests.GetOrCreateThroughManyToMany test_something
        inspectdb.tests.InspectDBTestCase test_unique_together_meta
        introspection.tests.IntrospectionTests test_get_constraints
        migrations.test_operations.OperationTests test_add_covering_unique_constraint
        migrations.test_operations.OperationTests test_add_func_unique_constraint
        migrations.test_operations.OperationTests test_alter_field_with_func_unique_constraint
        migrations.test_operations.OperationTests test_alter_index_together_remove_with_unique_together
        migrations.test_operations.OperationTests test_alter_unique_together test_rename_field_unique_together
        migrations.test_operations.OperationTests test_create_model_with_covering_unique_constraint
        migrations.test_operations.OperationTests test_remove_covering_unique_constraint
        migrations.test_operations.OperationTests test_remove_func_unique_constraint
        model_fields.test_filefield.FileFieldTests test_unique_when_same_filename
        one_to_one.tests.OneToOneTests test_multiple_o2o
        queries.test_bulk_update.BulkUpdateTests test_database_routing_batch_atomicity
        schema.tests.SchemaTests test_alter_field_fk_to_o2o test_alter_field_o2o_keeps_unique
        schema.tests.SchemaTests test_alter_field_o2o_to_fk test_composed_constraint_with_fk
        schema.tests.SchemaTests test_composite_func_unique_constraint test_func_unique_constraint
        schema.tests.SchemaTests test_func_unique_constraint_covering test_func_unique_constraint_lookups
        schema.tests.SchemaTests test_func_unique_constraint_nondeterministic
        schema.tests.SchemaTests test_func_unique_constraint_nonexistent_field test_indexes
        schema.tests.SchemaTests test_remove_constraints_capital_letters test_unique
        schema.tests.SchemaTests test_remove_field_unique_does_not_remove_meta_constraints
        schema.tests.SchemaTests test_remove_unique_together_does_not_remove_meta_constraints
        schema.tests.SchemaTests test_unique_and_reverse_m2m test_unique_constraint
        schema.tests.SchemaTests test_unique_constraint_field_and_expression test_unique_together
    """)
    | _tests(
        """
        auth_tests.test_management.CreatesuperuserManagementCommandTestCase
        test_swappable_user_no_natural_key_duplicate_allowed
        migrations.test_operations.OperationTests test_alter_unique_together_deferred
        migrations.test_operations.OperationTests test_alter_unique_together_deferred_overlapping_columns
        migrations.test_operations.OperationTests test_alter_index_together_deferred_overlapping_columns
        """,
        since=(6, 1),
    ),
    "RisingWave has no CHECK.": _tests("""
        model_fields.test_integerfield.PositiveIntegerFieldTests test_negative_values
    """),
    "A numeric of RisingWave has 28 digits.": _tests("""
        model_fields.test_decimalfield.DecimalFieldTests test_fetch_from_db_without_float_rounding
        model_fields.test_decimalfield.DecimalFieldTests test_save_without_float_conversion
    """),
    "RisingWave has no FOREIGN KEY.": _tests("""
        fixtures_regress.tests.TestFixtures test_loaddata_raises_error_when_fixture_has_invalid_foreign_key
        inspectdb.tests.InspectDBTestCase test_same_relations
    """)
    | _tests(
        """
        migrations.test_operations.OperationTests test_rename_model_with_self_referential_fk_collect_sql
        """,
        since=(6, 1),
    ),
    "RisingWave has no sequences: SQL that is written by hand must name the key.": _tests("""
        backends.tests.BackendTestCase test_cursor_execute_with_pyformat test_cursor_executemany test_queries
        backends.tests.BackendTestCase test_cursor_executemany_with_iterator
        backends.tests.BackendTestCase test_cursor_executemany_with_pyformat
        backends.tests.BackendTestCase test_cursor_executemany_with_pyformat_iterator
        backends.tests.LastExecutedQueryTest test_last_executed_query_dict
        backends.tests.LastExecutedQueryTest test_last_executed_query_dict_overlap_keys
        introspection.tests.IntrospectionTests test_sequence_list
        migrations.test_multidb.MultiDBOperationTests test_run_sql_migrate_foo_router_with_hints
        schema.tests.SchemaTests test_add_auto_field
        timezones.tests.LegacyDatabaseTests test_cursor_execute_accepts_naive_datetime
        timezones.tests.NewDatabaseTests test_cursor_execute_accepts_aware_datetime
    """),
    "Automatic keys, and what refers to them, are bigint, which the test isn't made for.": _tests("""
        aggregation_regress.tests.AggregationTests test_aggregation_with_generic_reverse_relation
        filtered_relation.tests.FilteredRelationTests test_union
        fixtures.tests.ForwardReferenceTests test_forward_reference_m2m_natural_key
        generic_relations.tests.GenericRelationsTests test_queries_content_type_restriction
        model_fields.test_integerfield.IntegerFieldTests test_rel_db_type
        model_fields.test_integerfield.SmallIntegerFieldTests test_rel_db_type
        model_fields.test_generatedfield.StoredGeneratedFieldTests test_output_field_lookups
        model_inheritance.tests.ModelInheritanceTests test_custompk_m2m
        queries.tests.RelatedLookupTypeTests test_correct_lookup test_values_queryset_lookup
        queries.tests.RelatedLookupTypeTests test_wrong_backward_lookup test_wrong_type_lookup
        queries.tests.ValuesSubqueryTests test_values_in_subquery
        schema.tests.SchemaTests test_m2m test_m2m_create test_m2m_create_custom test_m2m_create_inherited
        schema.tests.SchemaTests test_m2m_create_through test_m2m_create_through_custom
        schema.tests.SchemaTests test_m2m_create_through_inherited test_m2m_custom test_m2m_inherited
    """),
    "The types of RisingWave have no arguments: a column tells no length and no number of digits.": _tests("""
        inspectdb.tests.InspectDBTestCase test_field_types test_number_field_types
        introspection.tests.IntrospectionTests test_get_table_description_col_lengths
    """),
    "RisingWave has no CUME_DIST(), NTH_VALUE(), NTILE(), PERCENT_RANK().": _tests("""
        expressions_window.tests.WindowFunctionTests test_cume_dist test_nth_returns_null test_nthvalue
        expressions_window.tests.WindowFunctionTests test_ntile test_percent_rank
    """),
    "RisingWave has no EXCLUDE GROUP, EXCLUDE TIES.": _tests("""
        expressions_window.tests.WindowFunctionTests test_row_range_rank_exclude_group
        expressions_window.tests.WindowFunctionTests test_row_range_rank_exclude_ties
    """),
    "RisingWave has no subquery in an aggregate or GROUP BY, nor a correlated one beside it.": _tests("""
        aggregation.test_filter_argument.FilteredAggregateTests test_filtered_aggregate_on_exists
        aggregation.tests.AggregateTestCase test_aggregation_exists_multivalued_outeref
        aggregation.tests.AggregateTestCase test_aggregation_nested_subquery_outerref
        aggregation.tests.AggregateTestCase test_aggregation_subquery_annotation
        aggregation.tests.AggregateTestCase test_aggregation_subquery_annotation_multivalued
        aggregation.tests.AggregateTestCase test_aggregation_subquery_annotation_related_field
        aggregation.tests.AggregateTestCase test_aggregation_subquery_annotation_values_collision
        aggregation.tests.AggregateTestCase test_group_by_exists_annotation test_group_by_subquery_annotation
        aggregation_regress.tests.AggregationTests test_annotate_with_extra
        annotations.tests.NonAggregateAnnotationTestCase test_annotation_exists_aggregate_values_chaining
        annotations.tests.NonAggregateAnnotationTestCase test_annotation_filter_with_subquery
        annotations.tests.NonAggregateAnnotationTestCase
        test_annotation_subquery_and_aggregate_values_chaining
        expressions_case.tests.CaseExpressionTests test_annotate_with_in_clause
    """),
    "RisingWave has no WHERE in CREATE INDEX.": _tests("""
        indexes.tests.CoveringIndexTests test_covering_partial_index
    """),
    "RisingWave has no transactions, nothing rolls back, and atomic() logs nothing.": _tests("""
        backends.base.test_base.DatabaseWrapperLoggingTests test_commit_debug_log test_rollback_debug_log
        basic.tests.SelectOnSaveTests test_select_on_save_lying_update
        get_or_create.tests.GetOrCreateTestsWithManualPKs test_savepoint_rollback
        get_or_create.tests.UpdateOrCreateTests test_integrity test_manual_primary_key_test
        get_or_create.tests.UpdateOrCreateTestsWithManualPKs test_create_with_duplicate_primary_key
        migrations.test_executor.ExecutorTests test_atomic_operation_in_non_atomic_migration
        migrations.test_operations.OperationTests test_run_python_atomic
    """),
    "RisingWave returns nothing of a table with generated columns: they take a query.": _tests(
        """
        model_fields.test_generatedfield.StoredGeneratedFieldTests test_create test_save test_full_clean
        model_fields.test_generatedfield.StoredGeneratedFieldTests test_create_field_with_db_converters
        model_fields.test_generatedfield.StoredGeneratedFieldTests
        test_full_clean_with_unique_constraint_expression test_model_with_params test_nullable
        model_fields.test_generatedfield.StoredGeneratedFieldTests test_save_field_with_db_converters
        model_fields.test_generatedfield.StoredGeneratedFieldTests test_save_model_with_foreign_key
        model_fields.test_generatedfield.StoredGeneratedFieldTests test_save_model_with_pk
        """,
        since=(6, 0),
    ),
    "RisingWave can't change the type of a key that other tables refer to: schema.py.": _tests("""
        migrations.test_executor.ExecutorTests test_alter_id_type_with_fk
        migrations.test_operations.OperationTests test_alter_field_pk_fk_char_to_int
    """),
    "A changed table is a copy, of which the given model must know every column and index.": _tests("""
        migrations.test_operations.OperationTests test_alter_id_pk_to_uuid_pk test_rename_field_index_together
        migrations.test_operations.OperationTests test_invalid_generated_field_changes_on_rename_stored
        schema.tests.SchemaTests test_alter_int_pk_to_int_unique test_alter_not_unique_field_to_primary_key
        schema.tests.SchemaTests test_autofield_to_o2o test_primary_key
        schema.tests.SchemaTests test_rename_column_renames_deferred_sql_references
    """),
    "The test asks for PostgreSQL by its name, or takes all others not to do as it does.": _tests("""
        db_functions.text.test_concat.ConcatTests test_concat_non_str
        model_fields.test_jsonfield.TestQuerying test_contains_contained_by_with_key_transform
        model_fields.test_jsonfield.TestQuerying test_key_transform_raw_expression
        model_fields.test_jsonfield.TestQuerying test_nested_key_transform_raw_expression
    """)
    | _tests(
        "annotations.tests.AliasTests test_alias_filtered_relation_sql_injection_dollar_sign", before=(6, 1)
    )
    | _tests(
        """
        composite_pk.test_filter.CompositePKFilterTupleLookupFallbackTests
        test_outer_ref_pk_filter_on_pk_comparison_unsupported
        """,
        since=(6, 0),
    ),
    "PostgreSQL, which is in RisingWave's place, has no SHA1().": _tests("""
        db_functions.text.test_sha1.SHA1Tests test_basic test_transform
    """),
}
