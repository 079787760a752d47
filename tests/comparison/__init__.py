"""The same ORM queries on this backend and on Django's PostgreSQL backend, with the same rows.

On the stand-in the two differ in the SQL that the backends write. With a RisingWave at RISINGWAVE_URL they
differ in the server too: `pytest tests/comparison -m risingwave`, which `make live` runs.
"""
