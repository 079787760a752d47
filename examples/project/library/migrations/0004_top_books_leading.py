from django.db import migrations

from live.migration_operations import CreateLeadingRows


class Migration(migrations.Migration):
    dependencies = [("library", "0003_book_loans_changes")]

    operations = [CreateLeadingRows("top-books", view="book_loans", key="book", measure="loans")]
