from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from library.models import Loan

BOOKS = ["Middlemarch", "Moby-Dick", "The Castle"]


@require_safe
def index(request: HttpRequest) -> HttpResponse:
    """Show the page with the ranking."""
    return render(request, "library/index.html", {"books": BOOKS})


@require_POST
def borrow(request: HttpRequest) -> HttpResponse:
    """Borrow a book."""
    if (book := request.POST.get("book")) in BOOKS:
        Loan.objects.create(book=book)
    return redirect("index")
