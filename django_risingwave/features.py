"""Feature flags, in Django's groups, with the reason for each.

Reasons refer to RisingWave's source at v3.0.3 (paths are below src/) unless they link a page. The stand-in
supports more, but has the same flags, so that code which works on it works on RisingWave.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import django
from django.db.backends.base.features import BaseDatabaseFeatures
from django.db.backends.postgresql.features import DatabaseFeatures as PostgreSQLDatabaseFeatures
from django.utils.functional import cached_property

from django_risingwave.version import MINIMUM_RISINGWAVE

if TYPE_CHECKING:
    from django_risingwave.base import DatabaseWrapper


class DatabaseFeatures(PostgreSQLDatabaseFeatures):
    """The flags that differ from PostgreSQL's."""

    connection: DatabaseWrapper

    minimum_database_version = MINIMUM_RISINGWAVE

    # Nothing rolls back: https://docs.risingwave.com/sql/transactions. Django's own test (insert, roll back,
    # count) could succeed, because the inserted row isn't visible yet.
    supports_transactions = False
    # SAVEPOINT is a syntax error (sqlparser).
    uses_savepoints = False
    can_release_savepoints = False
    can_rollback_ddl = False

    # UNIQUE, CHECK and FOREIGN KEY are not implemented (frontend/src/handler/create_table.rs).
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
    # CREATE INDEX has no WHERE (frontend/src/handler/create_index.rs).
    supports_partial_indexes = False
    supports_functions_in_partial_indexes = False
    # An index is a streaming job that stores its columns again: tables/indexes.py creates those asked for.
    indexes_foreign_keys = False
    # TABLESPACE is a syntax error.
    supports_tablespaces = False
    # One action per ALTER TABLE; a comma is a syntax error.
    supports_combined_alters = False
    # The only collation is "C", the default.
    supports_collation_on_charfield = False
    supports_collation_on_textfield = False
    supports_non_deterministic_collations = False
    test_collations = BaseDatabaseFeatures.test_collations
    # pg_attrdef is empty.
    can_introspect_default = False
    # Generated columns of a table are stored. Only those of a source are computed on read:
    # https://docs.risingwave.com/sql/query-syntax/generated-columns
    supports_virtual_generated_columns = False

    # There is no uuid type, so there are no uuid functions (frontend/src/binder/expr/mod.rs). The flags of
    # the functions are new in Django 6.1.
    has_native_uuid_field = False
    supports_uuid4_function = False
    supports_uuid4_function_in_default = False
    supports_uuid7_function = False
    supports_uuid7_function_shift = False

    # STATEMENT_TIMESTAMP() doesn't exist.
    test_now_utc_template = "NOW() AT TIME ZONE 'UTC'"

    # FOR UPDATE is a syntax error. Django then ignores select_for_update(); compiler.py refuses its options.
    has_select_for_update = False
    has_select_for_update_nowait = False
    has_select_for_update_of = False
    has_select_for_update_skip_locked = False
    has_select_for_no_key_update = False

    # ON CONFLICT is an option of the table, not of an INSERT:
    # https://docs.risingwave.com/sql/commands/sql-create-table
    supports_ignore_conflicts = False
    supports_update_conflicts = False
    supports_update_conflicts_with_target = False
    # DEFAULT and DEFAULT VALUES in an INSERT are syntax errors.
    supports_default_keyword_in_insert = False
    supports_default_keyword_in_bulk_insert = False
    insert_test_table_with_defaults = None

    # GROUP BY must list every selected column, even with the primary key
    # (frontend/planner_test/tests/testdata/output/agg.yaml).
    allows_group_by_selected_pks = False

    # Not implemented (frontend/src/expr/window_function.rs).
    supports_default_in_lead_lag = False

    # There are no sequences.
    supports_sequence_reset = False
    # There is no PL/pgSQL.
    create_test_procedure_without_params_sql = None  # type: ignore[assignment]  # PostgreSQL's is a str
    create_test_procedure_with_int_param_sql = None  # type: ignore[assignment]  # PostgreSQL's is a str
    # CREATE DATABASE has no TEMPLATE.
    can_clone_databases = False

    @property
    def supported_explain_formats(self) -> set[str]:  # type: ignore[override]  # as MySQL's in Django
        """The server's formats: parse_explain in sqlparser/src/parser.rs. RisingWave 2.1 has none."""
        server = self.connection.server_version
        if not server.is_risingwave:
            return set(PostgreSQLDatabaseFeatures.supported_explain_formats)
        return {"DOT", "JSON", "TEXT", "XML", "YAML"} if server.numbers >= (2, 2) else set()

    @cached_property
    def introspected_field_types(self) -> dict[str, str]:  # type: ignore[override]  # as Django's own
        # An automatic key is introspected as a plain bigint, an IP address as text (base.py).
        return super().introspected_field_types | {
            "AutoField": "BigIntegerField",
            "BigAutoField": "BigIntegerField",
            "GenericIPAddressField": "CharField",
            "SmallAutoField": "BigIntegerField",
        }

    @cached_property
    def django_test_skips(self) -> dict[str, set[str]]:  # type: ignore[override]  # as Django's own
        """Django's own tests that need a missing feature without declaring it: docs/conformance.md."""
        return super().django_test_skips | _DJANGO_TEST_SKIPS


def _tests(names: str, *, since: tuple[int, int] = (5, 2), before: tuple[int, int] | None = None) -> set[str]:
    """Return "a.B.c" and "a.B.d" for "a.B c d": a word with a dot is the class of the tests that follow.

    Return an empty set for other versions of Django than the installed one, whose runner refuses unknown
    tests.
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


# Tests that need a missing feature without declaring it, by reason.
_DJANGO_TEST_SKIPS = {
    "RisingWave has no UNIQUE constraint.": _tests("""
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
    "RisingWave has no CHECK constraint.": _tests("""
        model_fields.test_integerfield.PositiveIntegerFieldTests test_negative_values
    """),
    "RisingWave's numeric has 28 digits at most.": _tests("""
        model_fields.test_decimalfield.DecimalFieldTests test_fetch_from_db_without_float_rounding
        model_fields.test_decimalfield.DecimalFieldTests test_save_without_float_conversion
    """),
    "RisingWave has no FOREIGN KEY constraint.": _tests("""
        fixtures_regress.tests.TestFixtures test_loaddata_raises_error_when_fixture_has_invalid_foreign_key
        inspectdb.tests.InspectDBTestCase test_same_relations
    """)
    | _tests(
        """
        migrations.test_operations.OperationTests test_rename_model_with_self_referential_fk_collect_sql
        """,
        since=(6, 1),
    ),
    "RisingWave has no sequences: the test's own INSERT must set the key.": _tests("""
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
    "The test expects automatic keys, or columns that refer to them, to be integer, not bigint.": _tests("""
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
    "RisingWave's types have no arguments: a column has no length and no number of digits.": _tests("""
        inspectdb.tests.InspectDBTestCase test_field_types test_number_field_types
        introspection.tests.IntrospectionTests test_get_table_description_col_lengths
    """),
    "RisingWave has no CUME_DIST(), NTH_VALUE(), NTILE() or PERCENT_RANK().": _tests("""
        expressions_window.tests.WindowFunctionTests test_cume_dist test_nth_returns_null test_nthvalue
        expressions_window.tests.WindowFunctionTests test_ntile test_percent_rank
    """),
    "RisingWave only tells which rows are equal in the order of one number, date or timestamp.": _tests("""
        expressions_window.tests.WindowFunctionTests test_key_transform test_min_department
        expressions_window.tests.WindowFunctionTests test_multiple_ordering
    """),
    "RisingWave has no time zones with a fixed offset.": _tests("""
        db_functions.datetime.test_extract_trunc.DateFunctionWithTimeZoneTests test_extract_func_with_timezone
        db_functions.datetime.test_extract_trunc.DateFunctionWithTimeZoneTests test_trunc_func_with_timezone
    """),
    "RisingWave doesn't compare JSON with JSON.": _tests(
        "model_fields.test_jsonfield.TestQuerying test_numeric_lookups_with_expression", since=(6, 1)
    ),
    "RisingWave orders JSON as text.": _tests("""
        db_functions.json.test_json_array.JSONArrayObjectTests test_order_by_nested_key
        db_functions.json.test_json_array.JSONArrayTests test_order_by_key test_order_by_nested_key
        db_functions.json.test_json_object.JSONObjectTests test_order_by_key test_order_by_nested_key
        model_fields.test_jsonfield.TestQuerying test_order_grouping_custom_decoder
        model_fields.test_jsonfield.TestQuerying test_ordering_by_transform
        model_fields.test_jsonfield.TestQuerying test_ordering_grouping_by_key_transform
    """),
    "RisingWave has no ROW_NUMBER() or RANK() without an order.": _tests("""
        expressions_window.tests.WindowFunctionTests test_invalid_filter test_row_number_no_ordering
        prefetch_related.tests.PrefetchLimitTests test_empty_order
    """),
    "RisingWave has no EXCLUDE GROUP or EXCLUDE TIES.": _tests("""
        expressions_window.tests.WindowFunctionTests test_row_range_rank_exclude_group
        expressions_window.tests.WindowFunctionTests test_row_range_rank_exclude_ties
    """),
    "RisingWave doesn't support subqueries in or next to an aggregate, or in GROUP BY.": _tests("""
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
        aggregation.tests.AggregateTestCase test_filter_in_subquery_or_aggregation
        aggregation_regress.tests.AggregationTests test_having_subquery_select
        expressions_case.tests.CaseExpressionTests test_annotate_with_in_clause
    """),
    "RisingWave refuses a correlated subquery that might return more than one row.": _tests("""
        expressions.tests.BasicExpressionsTests test_annotation_with_nested_outerref
        expressions.tests.BasicExpressionsTests test_nested_outerref_with_function
        expressions.tests.BasicExpressionsTests test_nested_subquery_join_outer_ref
        expressions.tests.BasicExpressionsTests test_nested_subquery_outer_ref_with_autofield
        expressions.tests.BasicExpressionsTests test_subquery_filter_by_lazy test_subquery_in_filter
        queries.test_qs_combinators.QuerySetSetOperationTests test_union_in_subquery
        queryset_pickle.tests.PickleabilityTestCase test_pickle_subquery_queryset_not_evaluated
    """),
    "RisingWave has no subqueries in VALUES.": _tests("""
        expressions.tests.BasicExpressionsTests test_object_create_with_f_expression_in_subquery
    """),
    "A foreign key has no index unless Meta.indexes has one.": _tests("""
        migrations.test_commands.MigrateTests test_migrate_syncdb_app_label
        migrations.test_commands.MigrateTests test_migrate_syncdb_deferred_sql_executed_with_schemaeditor
    """),
    "RisingWave has no partial indexes.": _tests("""
        indexes.tests.CoveringIndexTests test_covering_partial_index
    """),
    "RisingWave has no transactions: nothing rolls back, and atomic() logs no query.": _tests("""
        backends.base.test_base.DatabaseWrapperLoggingTests test_commit_debug_log test_rollback_debug_log
        basic.tests.SelectOnSaveTests test_select_on_save_lying_update
        get_or_create.tests.GetOrCreateTestsWithManualPKs test_savepoint_rollback
        get_or_create.tests.UpdateOrCreateTests test_integrity test_manual_primary_key_test
        get_or_create.tests.UpdateOrCreateTestsWithManualPKs test_create_with_duplicate_primary_key
        migrations.test_executor.ExecutorTests test_atomic_operation_in_non_atomic_migration
        migrations.test_operations.OperationTests test_run_python_atomic
    """),
    "RisingWave has no RETURNING for tables with generated columns: loading them takes a query.": _tests(
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
    "create_test_db() is overridden, so a warning of Django about its arguments names that file.": _tests(
        "backends.base.test_creation.TestDbCreationTests test_serialize_deprecation", since=(6, 0)
    ),
    "schema.py can't change the type of a primary key that other tables refer to.": _tests("""
        migrations.test_executor.ExecutorTests test_alter_id_type_with_fk
        migrations.test_operations.OperationTests test_alter_field_pk_fk_char_to_int
    """),
    "schema.py copies the table, so the given model must declare every column and index.": _tests("""
        migrations.test_operations.OperationTests test_alter_id_pk_to_uuid_pk test_rename_field_index_together
        migrations.test_operations.OperationTests test_invalid_generated_field_changes_on_rename_stored
        schema.tests.SchemaTests test_alter_int_pk_to_int_unique test_alter_not_unique_field_to_primary_key
        schema.tests.SchemaTests test_autofield_to_o2o test_primary_key
        schema.tests.SchemaTests test_rename_column_renames_deferred_sql_references
    """),
    "The test looks for PostgreSQL by name, and expects another result elsewhere.": _tests("""
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
    "The PostgreSQL stand-in has no SHA1().": _tests("""
        db_functions.text.test_sha1.SHA1Tests test_basic test_transform
    """),
}
