"""Products and prices: what is sold, and for how much every so often.

https://docs.stripe.com/products-prices/how-products-and-prices-work. A price is never changed: a
new one takes its place, and the old one is put aside with `active`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field

from simulators.stripe import money
from simulators.stripe.act import Act
from simulators.stripe.errors import InvalidParameters, Json
from simulators.stripe.ids import new_id
from simulators.stripe.lists import page
from simulators.stripe.params import (
    NO_METADATA,
    Amount,
    Currency,
    ListParams,
    Metadata,
    Params,
    Shape,
    Text,
    merged_metadata,
)
from simulators.stripe.routes import Route

TaxBehavior = Literal["exclusive", "inclusive", "unspecified"]


class ProductData(Shape):
    """What is sold, in words."""

    name: Annotated[str, Field(min_length=1, max_length=250)]
    description: Text | None = None
    images: tuple[str, ...] = ()
    metadata: Metadata = NO_METADATA
    tax_code: str | None = None


class Recurring(Shape):
    """How often it is paid; the marketplace bills by whole months."""

    interval: Literal["month"]
    interval_count: Annotated[int, Field(ge=1, le=36)] = 1


class PriceData(Shape):
    """A price made for one use; a product made with it, or one that exists."""

    currency: Currency
    unit_amount: Amount
    product_data: ProductData | None = None
    product: str | None = None
    recurring: Recurring | None = None
    tax_behavior: TaxBehavior | None = None


class CreateProduct(Params):
    """The parameters of a new product."""

    name: Annotated[str, Field(min_length=1, max_length=250)]
    description: Text | None = None
    metadata: Metadata = NO_METADATA


class UpdateProduct(Params):
    """What can be changed on a product."""

    name: Annotated[str, Field(min_length=1, max_length=250)] | None = None
    description: Text | None = None
    active: bool | None = None
    metadata: Metadata | None = None


class ListProducts(ListParams):
    """Filters of the list of products."""

    active: bool | None = None


class CreatePrice(Params):
    """The parameters of a new price."""

    currency: Currency
    unit_amount: Amount
    product: str
    recurring: Recurring | None = None
    nickname: Text | None = None
    metadata: Metadata = NO_METADATA


class UpdatePrice(Params):
    """What can be changed on a price: not what it is."""

    active: bool | None = None
    nickname: Text | None = None
    metadata: Metadata | None = None


class ListPrices(ListParams):
    """Filters of the list of prices."""

    active: bool | None = None
    product: str | None = None
    type: Literal["one_time", "recurring"] | None = None


def create_product(act: Act, params: CreateProduct, _ids: Mapping[str, str]) -> Json:
    """Make a product."""
    data = ProductData(name=params.name, description=params.description, metadata=params.metadata)
    return _made_product(act, data, active=True)


def create_price(act: Act, params: CreatePrice, _ids: Mapping[str, str]) -> Json:
    """Make a price of a product."""
    act.find("product", params.product, param="product")
    money.check_fraction(params.unit_amount, params.currency, "unit_amount")
    data = PriceData(
        currency=params.currency, unit_amount=params.unit_amount, recurring=params.recurring
    )
    price = new_price(act, data, params.product, active=True)
    price |= {"nickname": params.nickname, "metadata": params.metadata}
    return _filed(act, "price", price)


def recurring_price(act: Act, data: PriceData) -> Json:
    """File a price that was described within another request, and its product if that is new."""
    if data.recurring is None:
        message = "You must provide at least one recurring price in `subscription` mode."
        raise InvalidParameters(message, param="line_items[0][price_data][recurring]")
    return _filed(act, "price", new_price(act, data, _product_of(act, data), active=False))


def _product_of(act: Act, data: PriceData) -> str:
    if data.product_data is not None:
        return str(_made_product(act, data.product_data, active=False)["id"])
    return str(act.find("product", data.product or "", param="product")["id"])


def new_price(act: Act, data: PriceData, product: str, *, active: bool) -> Json:
    """Return a price object; only those that recur or were asked for are kept."""
    empty = "custom_unit_amount lookup_key nickname tiers_mode transform_quantity"
    recurring = data.recurring
    return {
        **dict.fromkeys(empty.split()),
        "id": new_id("price"),
        "object": "price",
        "active": active,
        "billing_scheme": "per_unit",
        "created": act.moment,
        "currency": data.currency,
        "livemode": False,
        "metadata": {},
        "product": product,
        "recurring": {**recurring.model_dump(), "meter": None, "usage_type": "licensed"}
        if recurring
        else None,
        "tax_behavior": data.tax_behavior or "unspecified",
        "type": "recurring" if recurring else "one_time",
        "unit_amount": data.unit_amount,
        "unit_amount_decimal": str(data.unit_amount),
    }


def _made_product(act: Act, data: ProductData, *, active: bool) -> Json:
    empty = "default_price package_dimensions shippable statement_descriptor unit_label url"
    product: Json = {
        **dict.fromkeys(empty.split()),
        "id": new_id("prod"),
        "object": "product",
        "active": active,
        "created": act.moment,
        "description": data.description,
        "images": list(data.images),
        "livemode": False,
        "marketing_features": [],
        "metadata": data.metadata,
        "name": data.name,
        "tax_code": data.tax_code,
        "updated": act.moment,
    }
    return _filed(act, "product", product)


def _filed(act: Act, kind: str, body: Json) -> Json:
    act.add(kind, body)
    act.announce(f"{kind}.created", body)
    return body


def retrieve_product(act: Act, _params: Params, ids: Mapping[str, str]) -> Json:
    """Return a product."""
    return act.find("product", ids["id"])


def retrieve_price(act: Act, _params: Params, ids: Mapping[str, str]) -> Json:
    """Return a price."""
    return act.find("price", ids["id"])


def update_product(act: Act, params: UpdateProduct, ids: Mapping[str, str]) -> Json:
    """Change what describes a product."""
    return _changed(act, "product", act.find("product", ids["id"]), params, updated=act.moment)


def update_price(act: Act, params: UpdatePrice, ids: Mapping[str, str]) -> Json:
    """Put a price aside or back, or change what describes it."""
    return _changed(act, "price", act.find("price", ids["id"]), params)


def _changed(
    act: Act, kind: str, old: Json, params: UpdateProduct | UpdatePrice, **more: object
) -> Json:
    given = params.model_dump(exclude={"expand", "metadata"}, exclude_none=True)
    metadata = merged_metadata(old["metadata"], params.metadata)
    new = act.save(old, **given, metadata=metadata, **more)
    act.changed(f"{kind}.updated", old, new)
    return new


def list_products(act: Act, params: ListProducts, _ids: Mapping[str, str]) -> Json:
    """Return a page of products."""
    return page(act, "product", params, "/v1/products", {"active": params.active})


def list_prices(act: Act, params: ListPrices, _ids: Mapping[str, str]) -> Json:
    """Return a page of prices."""
    filters = {name: getattr(params, name) for name in ("active", "product", "type")}
    return page(act, "price", params, "/v1/prices", filters)


ROUTES = (
    Route("POST", "/v1/products", CreateProduct, create_product),
    Route("GET", "/v1/products", ListProducts, list_products),
    Route("GET", "/v1/products/{id}", Params, retrieve_product),
    Route("POST", "/v1/products/{id}", UpdateProduct, update_product),
    Route("POST", "/v1/prices", CreatePrice, create_price),
    Route("GET", "/v1/prices", ListPrices, list_prices),
    Route("GET", "/v1/prices/{id}", Params, retrieve_price),
    Route("POST", "/v1/prices/{id}", UpdatePrice, update_price),
)
