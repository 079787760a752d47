from django.db import models

from django_risingwave.fields import RowIdField
from django_risingwave.models import MaterializedView, RisingWaveModel


class Loan(RisingWaveModel):
    """One loan of a book."""

    row_id = RowIdField()
    book = models.CharField(max_length=200)

    class Meta(RisingWaveModel.Meta):
        db_table = "loans"

    def __str__(self) -> str:
        return self.book


class BookLoans(MaterializedView):
    """How often each book has been borrowed."""

    book = models.CharField(max_length=200, primary_key=True)
    loans = models.BigIntegerField()

    class Meta(MaterializedView.Meta):
        db_table = "book_loans"
