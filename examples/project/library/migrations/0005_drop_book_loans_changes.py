from django.db import migrations

from django_risingwave.streaming.migration_operations import DropSubscription


class Migration(migrations.Migration):
    dependencies = [("library", "0004_top_books_leading")]

    operations = [DropSubscription("book_loans_changes", source="book_loans")]
