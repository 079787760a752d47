"""A Django database backend for RisingWave: ENGINE = "django_risingwave"."""

import django
from django.core.exceptions import ImproperlyConfigured

# The backend subclasses Django's private parts, which change between feature releases.
if not (5, 2) <= django.VERSION < (6, 2):
    raise ImproperlyConfigured(
        f"django_risingwave works with Django 5.2, 6.0 and 6.1; this is Django {django.get_version()}."
    )
