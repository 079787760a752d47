"""Django's own test suite through this backend, beside Django's PostgreSQL backend: `make conformance`."""
