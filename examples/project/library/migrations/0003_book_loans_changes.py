from django.db import migrations

from django_risingwave.streaming.migration_operations import CreateSubscription


class Migration(migrations.Migration):
    dependencies = [("library", "0002_book_loans")]

    operations = [CreateSubscription("book_loans_changes", source="book_loans")]
