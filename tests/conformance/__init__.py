"""Run Django's own test suite on this backend and on Django's PostgreSQL backend: `make conformance`."""
