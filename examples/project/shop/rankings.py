from live.rankings import Ranking, register
from shop.models import ProductSales

register(
    Ranking(
        slug="top-products",
        title="products by sales",
        model=ProductSales,
        key="product",
        measure="sold",
        size=3,
    )
)
