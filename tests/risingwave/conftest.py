from tests.django_risingwave.conftest import connection, double, scratch, standin  # noqa: F401 - fixtures
