from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST, require_safe

from shop.models import Order, Product


@require_safe
def index(request: HttpRequest) -> HttpResponse:
    """Show the page with the ranking."""
    return render(request, "shop/index.html", {"products": Product.objects.order_by("name")})


@require_POST
def order(request: HttpRequest, pk: int) -> HttpResponse:
    """Order a product."""
    Order.objects.create(product=get_object_or_404(Product, pk=pk))
    return redirect("index")
