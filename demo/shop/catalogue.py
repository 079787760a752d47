"""The products of the shop, and the states that its orders come from.

The leaders of each ranking come in pairs of equal popularity: the two of a pair keep overtaking each other,
while the pairs, and so the bars of the dashboard, differ in size.
"""

from __future__ import annotations

from typing import NamedTuple


class Product(NamedTuple):
    """A product of the catalogue."""

    name: str
    #: Usual unit price, in dollars.
    price: float
    #: Share of the order lines, relative to the other products.
    popularity: int
    #: Largest quantity in an order line; quantities are uniform from 1 to this.
    largest_qty: int


#: The products by `orders.itemid`.
PRODUCTS: dict[int, Product] = {
    # Leaders by quantity: cheap goods, several per order line.
    1: Product("Espresso Beans 250 g", 11.90, 44, 5),
    2: Product("Green Tea 20 Bags", 6.50, 44, 5),
    3: Product("Oat Milk 1 l", 2.60, 37, 5),
    4: Product("Dark Chocolate 85 %", 3.20, 37, 5),
    5: Product("Sparkling Water 6-Pack", 4.80, 30, 5),
    6: Product("Sourdough Crackers", 3.90, 30, 5),
    # Leaders by turnover: expensive goods, one or two per order line.
    7: Product("Noise-Cancelling Headphones", 249.99, 12, 2),
    8: Product("Espresso Machine", 499.99, 9, 1),
    9: Product("City Bike Helmet", 99.99, 25, 2),
    10: Product("Standing Desk", 374.99, 10, 1),
    11: Product("Robot Vacuum", 249.99, 12, 1),
    12: Product("Cast Iron Dutch Oven", 124.99, 16, 2),
    # Leaders by average quantity: more than ten per order line.
    13: Product("Tulip Bulbs", 0.90, 10, 17),
    14: Product("LED Candles", 1.40, 10, 17),
    15: Product("Jam Jars 300 ml", 1.10, 10, 15),
    16: Product("Postcards", 0.80, 10, 15),
    17: Product("AA Batteries", 1.20, 10, 13),
    18: Product("Party Balloons", 0.60, 10, 13),
    # The rest.
    19: Product("Bamboo Cutting Board", 24.90, 12, 2),
    20: Product("Ceramic Mug", 12.50, 18, 4),
    21: Product("Chef's Knife", 64.00, 8, 2),
    22: Product("Cotton T-Shirt", 19.00, 20, 4),
    23: Product("Desk Lamp", 39.90, 9, 2),
    24: Product("Enamel Teapot", 34.50, 7, 1),
    25: Product("Fountain Pen", 28.00, 6, 2),
    26: Product("French Press", 29.90, 10, 1),
    27: Product("Garden Gloves", 8.90, 9, 3),
    28: Product("Hiking Socks", 13.90, 14, 4),
    29: Product("Hot Sauce", 7.40, 16, 4),
    30: Product("Insulated Bottle", 27.00, 13, 2),
    31: Product("Linen Napkins", 4.50, 9, 8),
    32: Product("Merino Sweater", 89.00, 6, 1),
    33: Product("Notebook A5", 9.80, 17, 5),
    34: Product("Olive Oil 500 ml", 14.20, 15, 3),
    35: Product("Picnic Blanket", 42.00, 5, 1),
    36: Product("Rain Jacket", 118.00, 5, 1),
    37: Product("Running Shoes", 129.00, 6, 1),
    38: Product("Scented Soap", 5.20, 15, 5),
    39: Product("Sunscreen SPF 50", 16.40, 11, 3),
    40: Product("Travel Umbrella", 22.00, 8, 2),
    41: Product("Wool Blanket", 79.00, 5, 1),
    42: Product("Yoga Mat", 36.00, 8, 1),
}

#: Share of the orders from each state, relative to the others. The keys are values of `orders.state`.
STATES: dict[str | None, int] = {
    "California": 90,
    "Texas": 90,
    "Florida": 76,
    "New York": 76,
    "Pennsylvania": 62,
    "Illinois": 62,
    "Ohio": 48,
    "Georgia": 46,
    "North Carolina": 45,
    "Michigan": 42,
    "New Jersey": 39,
    "Virginia": 37,
    "Washington": 34,
    "Arizona": 32,
    "Tennessee": 30,
    "Massachusetts": 30,
    "Indiana": 29,
    "Maryland": 27,
    "Missouri": 26,
    "Wisconsin": 26,
    "Colorado": 25,
    "Minnesota": 25,
    "South Carolina": 23,
    "Alabama": 22,
    "Louisiana": 20,
    "Kentucky": 20,
    "Oregon": 19,
    "Oklahoma": 18,
    "Connecticut": 16,
    "Utah": 15,
    "Iowa": 14,
    "Nevada": 14,
    "Arkansas": 13,
    "Kansas": 13,
    "Mississippi": 13,
    "New Mexico": 10,
    "Nebraska": 9,
    "Idaho": 8,
    "West Virginia": 8,
    "Hawaii": 6,
    "New Hampshire": 6,
    "Maine": 6,
    "Montana": 5,
    "Rhode Island": 5,
    "Delaware": 4,
    "South Dakota": 4,
    "North Dakota": 3,
    "Alaska": 3,
    "Vermont": 3,
    "Wyoming": 2,
    None: 7,  # unknown: one order in two hundred
}


def product_name(itemid: int | None) -> str:
    """Return the name of a product, or a text for an item that is unknown or NULL."""
    if itemid is None:
        return "(no item)"
    product = PRODUCTS.get(itemid)
    return product.name if product else f"Item {itemid}"
