"""Booking by request, with questions, and for nothing: what is shown, sent and led to."""

from __future__ import annotations

import pytest

from tests.web.conftest import ME, MENTOR, ORDER, STARTS, Browser, Services, order, problem
from tests.web.filling import ANSWERS, ASKED, BY_REQUEST, FREE, OF_STATE, fill
from tests.web.pages import Page
from web.shapes import Question

ASKING = f"/hold?offering={BY_REQUEST}&starts_at={STARTS}"
REQUESTED = OF_STATE["requested"]
INBOX = "/mentor/requests"
MUST, MAY = (Question.model_validate(each).field for each in ASKED)


@pytest.fixture
async def person(browser: Browser, services: Services) -> Browser:
    """Give the browser of a mentee who also mentors."""
    fill(services)
    await browser.sign_in(services, "mentor")
    return browser


async def test_a_request_is_sent_with_its_answers(person: Browser, services: Services) -> None:
    """What must be answered is asked for at its field; the page of the request says the rest."""
    services.tell("POST", "/v1/orders", (201, order("requested", order_id=REQUESTED)))
    answer, text = await person.submit(ASKING, "/hold", accept="yes", **{MAY: "Much"})
    page = Page(text)
    assert answer.status == 422
    assert "You pay nothing yet" in page.text
    assert page.form("/hold").fields[MAY] == "Much"
    assert (
        next(found for _, found in page.tags if found.get("id") == MUST)["aria-invalid"] == "true"
    )
    assert services.of("POST", "/v1/orders") == []
    answer, _ = await person.submit(ASKING, "/hold", accept="yes", **{MUST: "All of it"})
    assert answer.headers["Location"] == f"/sessions/{REQUESTED}"
    sent = services.of("POST", "/v1/orders")[0].body
    assert isinstance(sent, dict)
    assert sent["answers"] == [{"question": ASKED[0]["text"], "answer": "All of it"}]
    shown = (await person.page(f"/sessions/{REQUESTED}")).text
    for words in ("What happens next", "You pay nothing before that", ANSWERS[0]["answer"]):
        assert words in shown
    answer, _ = await person.get(f"/orders/{REQUESTED}/pay")
    assert answer.headers["Location"] == f"/sessions/{REQUESTED}"


async def test_a_request_is_withdrawn(person: Browser, services: Services) -> None:
    """The mentee takes it back where it stands."""
    services.tell("POST", f"/v1/orders/{REQUESTED}/decline", (200, order("declined")))
    here = f"/sessions/{REQUESTED}"
    answer, _ = await person.submit(here, f"{here}/withdraw")
    assert answer.headers["Location"] == here
    assert services.of("POST", f"/v1/orders/{REQUESTED}/decline")[0].body == {}


async def test_what_is_free_is_confirmed_at_once(person: Browser, services: Services) -> None:
    """Nothing is said of paying, before or after."""
    free = {"price_minor": 0, "order_id": ORDER}
    services.tell("POST", "/v1/orders", (201, order(**free)))
    services.tell("GET", f"/v1/orders/{ORDER}", (200, order(**free)))
    path = f"/hold?offering={FREE}&starts_at={STARTS}"
    assert "There is nothing to pay" in (await person.page(path)).text
    answer, _ = await person.submit(path, "/hold", accept="yes")
    page = await person.page(answer.headers["Location"])
    assert "Your session is confirmed" in page.text
    assert "Stripe" not in page.text
    assert "payment" not in page.text.lower()
    assert "Nothing has moved yet" not in (await person.page(f"/sessions/{ORDER}")).text


async def test_a_mentor_answers_requests(person: Browser, services: Services) -> None:
    """Yes says what follows; no carries its reason, which is kept when it comes too late."""
    asking = order("requested", mentee_id=MENTOR, mentor_id=ME, answer_by=STARTS, answers=ANSWERS)
    services.tell("GET", "/v1/orders", (200, {"items": [asking]}))
    assert ANSWERS[0]["answer"] in (await person.page(INBOX)).text
    assert services.of("GET", "/v1/orders")[-1].query["state"] == "requested"
    one = f"{INBOX}/{ORDER}"
    services.tell("POST", f"/v1/orders/{ORDER}/accept", (200, order("held")))
    await person.submit(INBOX, f"{one}/accept")
    assert "confirmed once it is paid" in (await person.page(INBOX)).text
    services.tell("POST", f"/v1/orders/{ORDER}/accept", (200, order(price_minor=0)))
    await person.submit(INBOX, f"{one}/accept")
    assert "the session is confirmed" in (await person.page(INBOX)).text
    decline = f"/v1/orders/{ORDER}/decline"
    services.tell("POST", decline, (409, problem(409, "not_requested")), (200, order("declined")))
    answer, text = await person.submit(INBOX, f"{one}/decline", reason="Tuesday suits me")
    assert answer.status == 409
    assert Page(text).form(f"{one}/decline").fields["reason"] == "Tuesday suits me"
    await person.submit(INBOX, f"{one}/decline", reason="Tuesday suits me")
    assert services.of("POST", decline)[-1].body == {"reason": "Tuesday suits me"}


@pytest.mark.parametrize(
    ("state", "words"),
    [("requested", "Waiting for the mentor"), ("offered", "Offered from the waitlist"),
     ("declined", "Withdrawn by"), ("lapsed", "Not answered in time"),
     ("no_show", "Did not come"), ("expired", "Not paid")],
)  # fmt: skip
async def test_every_state_has_words(person: Browser, state: str, words: str) -> None:
    """The page of a purchase says where it stands, whatever became of it."""
    assert words in (await person.page(f"/sessions/{OF_STATE[state]}")).text
