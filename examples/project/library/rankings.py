from library.models import BookLoans
from live.rankings import Ranking, register

register(
    Ranking(slug="top-books", title="books by loans", model=BookLoans, key="book", measure="loans", size=3)
)
