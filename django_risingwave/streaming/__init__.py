"""What streams: materialized views, the subscriptions to their changes, and how changes are received.

definitions.py says what these objects are, migration_operations.py creates them, changes.py tells which views
have changed. PostgreSQL in RisingWave's place is handed the same definitions: django_risingwave.standin.
"""
