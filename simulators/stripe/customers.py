"""Customers: people who pay (https://docs.stripe.com/api/customers)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

from simulators.stripe.act import Act
from simulators.stripe.errors import Json
from simulators.stripe.ids import new_id
from simulators.stripe.lists import page
from simulators.stripe.params import ListParams, Metadata, Params, Text, merged_metadata
from simulators.stripe.routes import Route


class WriteCustomer(Params):
    """What can be said about a customer."""

    email: Annotated[str, Field(max_length=512)] | None = None
    name: Annotated[str, Field(max_length=256)] | None = None
    description: Text | None = None
    phone: Annotated[str, Field(max_length=20)] | None = None
    metadata: Metadata | None = None
    preferred_locales: list[str] | None = None


class ListCustomers(ListParams):
    """Filters of the list of customers."""

    email: str | None = None


def create_customer(act: Act, params: WriteCustomer, _ids: Mapping[str, str]) -> Json:
    """Make a customer."""
    given = params.model_dump(exclude={"expand", "metadata"}, exclude_none=True)
    return _create(act, {**given, "metadata": merged_metadata({}, params.metadata)})


def guest_customer(act: Act, email: str, name: str) -> Json:
    """Make the customer that a session with `customer_creation=always` ends with."""
    return _create(act, {"email": email, "name": name})


def _create(act: Act, given: Json) -> Json:
    empty = ("default_source", "description", "discount", "email", "name", "phone", "shipping",
             "test_clock", "currency")  # fmt: skip
    settings = ("custom_fields", "default_payment_method", "footer", "rendering_options")
    customer: Json = {
        "id": new_id("cus"),
        "object": "customer",
        **dict.fromkeys(empty),
        "address": None,
        "balance": 0,
        "created": act.moment,
        "delinquent": False,
        "invoice_prefix": new_id("cus")[4:12].upper(),
        "invoice_settings": dict.fromkeys(settings),
        "livemode": False,
        "metadata": {},
        "next_invoice_sequence": 1,
        "preferred_locales": [],
        "tax_exempt": "none",
        **given,
    }
    act.add("customer", customer)
    act.announce("customer.created", customer)
    return customer


def retrieve_customer(act: Act, _params: Params, ids: Mapping[str, str]) -> Json:
    """Return a customer."""
    return act.find("customer", ids["id"])


def update_customer(act: Act, params: WriteCustomer, ids: Mapping[str, str]) -> Json:
    """Change a customer; an empty text unsets a field."""
    old = act.find("customer", ids["id"])
    given = params.model_dump(exclude={"expand", "metadata"}, exclude_none=True)
    given = {name: None if value == "" else value for name, value in given.items()}
    new = act.save(old, **given, metadata=merged_metadata(old["metadata"], params.metadata))
    act.changed("customer.updated", old, new)
    return new


def list_customers(act: Act, params: ListCustomers, _ids: Mapping[str, str]) -> Json:
    """Return a page of customers."""
    return page(act, "customer", params, "/v1/customers", {"email": params.email})


ROUTES = (
    Route("POST", "/v1/customers", WriteCustomer, create_customer),
    Route("GET", "/v1/customers", ListCustomers, list_customers),
    Route("GET", "/v1/customers/{id}", Params, retrieve_customer),
    Route("POST", "/v1/customers/{id}", WriteCustomer, update_customer),
)
