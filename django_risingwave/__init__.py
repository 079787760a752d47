"""A Django database backend for RisingWave: ENGINE = "django_risingwave".

The modules are those of any Django backend (base, client, compiler, creation, features, introspection,
operations, schema), the connection's errors, options and version, the app and its system checks (apps,
checks), and what a project imports (connections, fields, models, queries, routers, visibility). The
subpackages hold the rest:

columns      what PostgreSQL's columns do and RisingWave's can't: keys, limits on values
drivers      what psycopg2 and psycopg 3 must do differently
expressions  the SQL of functions, lookups and subqueries
standin      how PostgreSQL plays RisingWave
streaming    views, connectors, mirrors, subscriptions and changes, as models and migrations
"""

import django
from django.core.exceptions import ImproperlyConfigured

# The backend overrides private methods of Django's, which change between feature releases.
if not (5, 2) <= django.VERSION < (6, 2):
    raise ImproperlyConfigured(
        f"django_risingwave supports Django 5.2, 6.0 and 6.1 (found {django.get_version()}). Install one of "
        "these versions."
    )
