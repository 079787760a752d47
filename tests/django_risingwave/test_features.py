"""Every feature flag of Django is decided for RisingWave."""

from __future__ import annotations

from types import FunctionType

from django.db.backends.base.features import BaseDatabaseFeatures
from django.db.backends.postgresql.features import DatabaseFeatures as PostgreSQLDatabaseFeatures

from django_risingwave.features import DatabaseFeatures

# Flags whose value for PostgreSQL is right for RisingWave, in Django 5.2, 6.0 and 6.1.
AS_POSTGRESQL = {
    "allow_sliced_subqueries_with_in",
    "allows_auto_pk_0",
    "allows_group_by_lob",
    "allows_group_by_select_index",
    "allows_multiple_constraints_on_same_fields",
    "atomic_transactions",
    "bare_select_suffix",
    "can_distinct_on_fields",
    "can_introspect_json_field",
    "can_introspect_materialized_views",
    "can_rename_index",
    "can_return_columns_from_insert",
    "can_return_rows_from_bulk_insert",
    "can_return_rows_from_update",
    "can_use_chunked_reads",
    "closed_cursor_error_class",
    "collate_as_index_expression",
    "connection_persists_old_columns",
    "delete_can_self_reference_subquery",
    "disallowed_simple_test_case_connection_methods",
    "django_test_expected_failures",
    "empty_fetchmany_value",
    "for_update_after_from",
    "gis_enabled",
    "greatest_least_ignores_nulls",
    "has_bulk_insert",
    "has_case_insensitive_like",
    "has_json_object_function",
    "has_json_operators",
    "has_native_boolean_field",
    "has_native_duration_field",
    "has_native_json_field",
    "has_real_datatype",
    "has_zoneinfo_database",
    "ignores_table_name_case",
    "ignores_unnecessary_order_by_in_subqueries",
    "implied_column_null",
    "interprets_empty_strings_as_nulls",
    "is_postgresql_15",
    "is_postgresql_16",
    "is_postgresql_17",
    "is_postgresql_18",
    "json_key_contains_list_matching_requires_list",
    "max_query_params",
    "nulls_order_largest",
    "only_supports_unbounded_with_preceding_and_following",
    "order_by_nulls_first",
    "pattern_lookup_needs_param_pattern",
    "prohibits_null_characters_in_text_exception",
    "related_fields_match_type",
    "requires_casted_case_in_updates",
    "requires_compound_order_by_subquery",
    "requires_explicit_null_ordering_when_grouping",
    "requires_literal_defaults",
    "rounds_to_even",
    "schema_editor_uses_clientside_param_binding",
    "select_for_update_of_column",
    "supports_aggregate_distinct_multiple_argument",
    "supports_aggregate_filter_clause",
    "supports_aggregate_order_by_clause",
    "supports_alter_generated_column_data_type",
    "supports_any_value",
    "supports_bit_aggregations",
    "supports_boolean_expr_in_select_clause",
    "supports_callproc_kwargs",
    "supports_cast_with_precision",
    "supports_comments",
    "supports_comments_inline",
    "supports_comparing_boolean_expr",
    "supports_covering_indexes",
    "supports_date_lookup_using_string",
    "supports_default_in_bit_aggregations",
    "supports_explaining_query_execution",
    "supports_expression_defaults",
    "supports_expression_indexes",
    "supports_forward_references",
    "supports_frame_exclusion",
    "supports_frame_range_fixed_distance",
    "supports_index_column_ordering",
    "supports_index_on_text_field",
    "supports_inspectdb",
    "supports_json_field",
    "supports_json_field_contains",
    "supports_json_negative_indexing",
    "supports_logical_xor",
    "supports_no_precision_decimalfield",
    "supports_nullable_unique_constraints",
    "supports_order_by_nulls_modifier",
    "supports_over_clause",
    "supports_paramstyle_pyformat",
    "supports_parentheses_in_compound",
    "supports_partially_nullable_unique_constraints",
    "supports_primitives_in_json_field",
    "supports_regex_backreferencing",
    "supports_select_difference",
    "supports_select_for_update_with_limit",
    "supports_select_intersection",
    "supports_select_union",
    "supports_slicing_ordering_in_compound",
    "supports_stored_generated_columns",
    "supports_subqueries_in_group_by",
    "supports_temporal_subtraction",
    "supports_timezones",
    "supports_tuple_comparison_against_subquery",
    "supports_tuple_lookups",
    "supports_unlimited_charfield",
    "supports_unspecified_pk",
    "test_db_allows_multiple_connections",
    "time_cast_precision",
    "truncates_names",
    "update_can_self_select",
    "uses_server_side_binding",
}


def asked() -> set[str]:
    return {
        name
        for features in (BaseDatabaseFeatures, PostgreSQLDatabaseFeatures)
        for name, value in vars(features).items()
        if not name.startswith("__") and not isinstance(value, FunctionType)
    }


def test_every_feature_of_this_django_is_decided() -> None:
    assert asked() - vars(DatabaseFeatures).keys() - AS_POSTGRESQL == set()


def test_no_feature_is_decided_twice() -> None:
    assert vars(DatabaseFeatures).keys() & AS_POSTGRESQL == set()
