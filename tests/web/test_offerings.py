"""A mentor's offerings: every setting is said, sent, and kept when something is wrong."""

from __future__ import annotations

import pytest

from services.booking.domain.cancellation import PRESETS as RULES
from services.booking.domain.offerings import QUESTIONS_AT_MOST
from tests.web.conftest import MENTOR, OFFERING, Browser, Services, offering
from tests.web.filling import ASKED, fill
from tests.web.pages import Page
from web.display import steps_in_words
from web.pages.offerings import PRESETS, QUESTIONS_MOST

NEW = "/mentor/offerings/new"
WRITTEN = {
    "title": "Intro call",
    "description": "We see whether we fit.",
    "minutes": "20",
    "price": "0",
    "currency": "USD",
    "by_request": "yes",
    "daily_cap": "2",
    "question_0": "Why now?",
    "required_0": "yes",
    "question_2": "What have you tried?",
    "cancellation_preset": "flexible",
}


@pytest.fixture
async def mentor(browser: Browser, services: Services) -> Browser:
    """Give the browser of a mentor who offers something."""
    fill(services)
    await browser.sign_in(services, "mentor")
    return browser


def test_presets_are_those_of_booking() -> None:
    """What the form promises of a preset is what a purchase freezes, sentence by sentence."""
    shown = {
        name: [(step.hours_before, step.refund_basis_points) for step in steps]
        for name, steps in PRESETS.items()
    }
    assert shown == {
        name: [(step.hours_before, step.refund_basis_points) for step in policy.steps]
        for name, policy in RULES.items()
    }
    words = "Everything until 24 hours before, half until 2 hours before, nothing after that."
    assert steps_in_words(PRESETS["standard"]) == words
    assert QUESTIONS_MOST == QUESTIONS_AT_MOST


async def test_every_setting_is_sent(mentor: Browser, services: Services) -> None:
    """A free call by request with questions and a cap arrives as it was written."""
    services.tell("POST", "/v1/me/offerings", (201, offering()))
    answer, text = await mentor.submit(NEW, NEW, **WRITTEN)
    assert answer.status == 303, text
    assert services.of("POST", "/v1/me/offerings")[0].body == {
        "title": "Intro call",
        "description": "We see whether we fit.",
        "minutes": 20,
        "price_minor": 0,
        "currency": "USD",
        "buffer_before_minutes": 0,
        "buffer_after_minutes": 15,
        "minimum_notice_minutes": 720,
        "horizon_days": 60,
        "cancellation_preset": "flexible",
        "by_request": True,
        "daily_cap": 2,
        "weekly_cap": None,
        "questions": [
            {"text": "Why now?", "required": True},
            {"text": "What have you tried?", "required": False},
        ],
    }


async def test_nothing_typed_is_lost(mentor: Browser, services: Services) -> None:
    """When one number is wrong, choices, ticks and questions stand as they were."""
    answer, text = await mentor.submit(NEW, NEW, **{**WRITTEN, "weekly_cap": "0"})
    assert answer.status == 422
    assert "Write a whole number from 1 to 100." in text
    kept = Page(text).form(NEW).fields
    typed = {name: text for name, text in WRITTEN.items() if name != "currency"}
    assert {name: kept.get(name) for name in typed} == typed
    assert "required_2" not in kept


async def test_an_offering_is_shown_as_it_was_saved(mentor: Browser, services: Services) -> None:
    """The form of what is there already sends the same again."""
    here = f"/mentor/offerings/{OFFERING}"
    services.tell("PUT", f"/v1/me/offerings/{OFFERING}", (200, offering()))
    await mentor.submit(here, here, currency="USD")
    sent = services.of("PUT", f"/v1/me/offerings/{OFFERING}")[0].body
    assert isinstance(sent, dict)
    assert sent["questions"] == ASKED
    wanted = {"by_request": True, "daily_cap": 2, "cancellation_preset": "strict"}
    assert {name: sent[name] for name in wanted} == wanted


async def test_a_mentors_page_says_how_one_books(browser: Browser, services: Services) -> None:
    """By request, asked questions and free of charge are said before a time is picked."""
    fill(services)
    told = offering(price_minor=0, by_request=True, questions=[{"text": "Why?", "required": True}])
    services.tell("GET", f"/v1/mentors/{MENTOR}/offerings", (200, {"items": [told]}))
    text = (await browser.page(f"/mentors/{MENTOR}")).text
    for words in ("by request", "answers your request within 48 hours", "asks 1 question", "Free"):
        assert words in text
    assert "Stripe" not in text
