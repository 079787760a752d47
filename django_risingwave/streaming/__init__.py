"""Materialized views, subscriptions to their changes, and how changes are received.

definitions.py describes these objects, migration_operations.py creates them, and changes.py reports which
views have changed. The stand-in (django_risingwave.standin) creates its objects from the same definitions.
"""
