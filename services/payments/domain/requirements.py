"""What Stripe wants of a mentor, and why it holds something back, in plain words. Pure.

Stripe names fields (https://docs.stripe.com/connect/required-verification-information) and reasons
(https://docs.stripe.com/api/accounts/object#account_object-requirements-disabled_reason).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

_OF_PERSON = re.compile(r"^(individual|person_[A-Za-z0-9]+|representative|owners|directors)\.")

_FIELDS: Mapping[str, str] = {
    "external_account": "A bank account for your payouts",
    "tos_acceptance": "Your agreement to Stripe's terms",
    "business_type": "Whether you are a person or a company",
    "business_profile.url": "A web address where your work can be seen",
    "business_profile.product_description": "What you offer, in a sentence",
    "business_profile.mcc": "The kind of work you do",
    "business_profile.support_phone": "A telephone number for questions",
    "company.name": "The name of your company",
    "company.tax_id": "The tax number of your company",
    "company.address": "The address of your company",
    "company.phone": "The telephone number of your company",
    "company.verification": "A document about your company",
    "company.owners_provided": "Who owns the company",
    "company.directors_provided": "Who directs the company",
    "settings.payments.statement_descriptor": "The name that statements of cards show",
}
_OF_A_PERSON: Mapping[str, str] = {
    "first_name": "Your name",
    "last_name": "Your name",
    "dob": "Your date of birth",
    "address": "Your address",
    "email": "Your mail address",
    "phone": "Your telephone number",
    "ssn_last_4": "The last four digits of your social security number",
    "id_number": "Your identity or tax number",
    "nationality": "Your nationality",
    "relationship": "Your role in the company",
    "verification.document": "A photo of your passport or identity card",
    "verification.additional_document": "A document that shows your address",
    "verification.proof_of_liveness": "A photo of yourself, taken at Stripe",
}
_REASONS: Mapping[str, str] = {
    "requirements.past_due": "Details are missing whose date has passed.",
    "requirements.fields_needed": "Details are missing.",
    "requirements.pending_verification": "Stripe is checking what you gave.",
    "action_required.requested_capabilities": "Stripe needs details before it switches this on.",
    "under_review": "Stripe is reviewing your account.",
    "listed": "Stripe compares your name with lists it must check; it writes to you.",
    "platform_paused": "We paused your account; please write to us.",
    "rejected.fraud": "Stripe closed the account and suspects fraud.",
    "rejected.terms_of_service": "Stripe closed the account over its terms.",
    "rejected.listed": "Stripe closed the account after comparing it with lists it must check.",
    "rejected.incomplete_verification": "Stripe closed the account: details were never given.",
    "rejected.other": "Stripe closed the account.",
    "other": "Stripe is reviewing your account.",
    "closed": "The account was closed, or its connection to us was ended.",
}
_FAILURES: Mapping[str, str] = {
    "account_closed": "The bank account is closed.",
    "account_frozen": "The bank account is frozen.",
    "bank_account_restricted": "The bank account does not take such payments.",
    "could_not_process": "The bank could not process it.",
    "debit_not_authorized": "The bank does not allow it.",
    "declined": "The bank declined it; ask it why.",
    "incorrect_account_holder_name": "The name of the account's holder is wrong.",
    "incorrect_account_holder_tax_id": "The tax number of the account's holder is wrong.",
    "invalid_account_number": "The account number is wrong.",
    "invalid_currency": "The bank account cannot take this currency.",
    "no_account": "There is no such bank account.",
    "unsupported_card": "The card cannot take payouts.",
}


def wanted(fields: Iterable[str]) -> list[str]:
    """Return what Stripe's fields ask for, each once, in order."""
    return list(dict.fromkeys(_field(name) for name in fields))


def reason(code: str | None) -> str | None:
    """Return why Stripe disabled something, if it did."""
    return _REASONS.get(code, f"Stripe says: {_plain(code)}.") if code else None


def failure(code: str | None) -> str:
    """Return why a bank sent a payout back."""
    return _FAILURES.get(code or "", "The bank gave no reason that we know.")


def _field(name: str) -> str:
    own = _OF_PERSON.sub("", name)
    table = _FIELDS if own == name else _OF_A_PERSON
    # Stripe names parts of a field one by one: the day, month and year of a date.
    found = (table.get(part) for part in _shorter(own))
    return next((words for words in found if words), f"One more detail: {_plain(own)}")


def _shorter(name: str) -> Iterable[str]:
    while name:
        yield name
        name = name.rpartition(".")[0]


def _plain(code: str) -> str:
    return code.replace("_", " ").replace(".", ": ")
