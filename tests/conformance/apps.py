"""Django's test applications that use a database, in the order in which they run.

Those about HTTP, templates, forms, mail, static files and GIS are left out, as is postgres_tests, which
requires Django's own PostgreSQL backend.
"""

_NAMES = """
basic lookup aggregation ordering expressions bulk_create delete get_or_create update many_to_one
many_to_many annotations db_functions model_fields select_related distinct_on_fields introspection
inspectdb datetimes dates constraints indexes expressions_case expressions_window backends schema
migrate_signals custom_pk force_insert_update defer raw_query null_queries or_lookups xor_lookups
reverse_lookup string_lookup update_only_fields get_earliest_or_latest one_to_one from_db_value
filtered_relation transactions transaction_hooks select_for_update foreign_object model_inheritance
proxy_models m2m_through prefetch_related aggregation_regress queries composite_pk migrations

base custom_columns custom_lookups custom_managers custom_methods custom_migration_operations datatypes
db_typecasts db_utils dbshell defer_regress delete_regress empty empty_models extra_regress
field_deconstruction field_defaults field_subclassing generic_relations generic_relations_regress
get_object_or_404 invalid_models_tests known_related_objects m2m_and_m2o m2m_intermediary m2m_multiple
m2m_recursive m2m_regress m2m_signals m2m_through_regress m2o_recursive managers_regress many_to_one_null
max_lengths migrations2 migration_test_data_persistence model_enums model_indexes
model_inheritance_regress model_meta model_options model_package model_regress model_utils
multiple_database mutually_referential nested_foreign_keys null_fk null_fk_ordering order_with_respect_to
properties proxy_model_inheritance queryset_pickle reserved_names save_delete_hooks
select_related_onetoone select_related_regress serializers signals str swappable_models timezones
unmanaged_models validation validators fixtures fixtures_model_package fixtures_regress
contenttypes_tests sites_tests sessions_tests redirects_tests flatpages_tests auth_tests
"""
APPS = tuple(_NAMES.split())

# It compares times without a database, and fails with both backends on a busy machine.
UNCOUNTED = {"serializers.test_deserialization.TestDeserializer.test_crafted_xml_performance"}

_PART_NAMES = """
migrations schema queries model_fields db_functions backends composite_pk expressions aggregation
prefetch_related lookup annotations bulk_create get_or_create delete introspection inspectdb
expressions_window expressions_case basic update many_to_many force_insert_update transactions
"""
# The applications that cover most of the backend within a few minutes, to run for every change.
PART = tuple(_PART_NAMES.split())
