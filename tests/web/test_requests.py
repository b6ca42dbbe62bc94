"""Booking by request, with questions, and for nothing: what is shown, sent and led to."""

from __future__ import annotations

import pytest

from tests.web.conftest import (
    ME,
    MENTOR,
    ORDER,
    SESSION,
    STARTS,
    Browser,
    Services,
    order,
    problem,
)
from tests.web.filling import (
    ANSWERS,
    ASKED,
    BY_REQUEST,
    FREE,
    OBJECTION,
    OF_STATE,
    PROPOSAL,
    fill,
)
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


def series() -> dict[str, object]:
    """Return a series of two: one was long ago, the other one is ahead."""
    first = order(starts_at="2020-03-04T14:00:00Z", ends_at="2020-03-04T15:00:00Z")
    return {**first, "title": "Weekly", "sessions": [first, order()]}


async def test_a_series_is_ahead_while_one_of_its_sessions_is(person: Browser, services: Services):
    """It stands at its next session, and its payment names how many are bought."""
    found = series()
    services.tell("GET", "/v1/orders", (200, {"items": [found]}))
    ahead, past = (await person.page("/sessions")).text.split("Past", 1)
    assert "Weekly" in ahead
    assert "2030" in ahead
    assert "Weekly" not in past
    services.tell("GET", f"/v1/orders/{ORDER}", (200, found))
    assert "2 sessions" in (await person.page(f"/orders/{ORDER}")).text


async def test_a_week_that_was_taken_meanwhile_is_left_out(person: Browser, services: Services):
    """Nobody gets another time than the one that was chosen by pressing the button again."""
    services.tell("POST", "/v1/series", (409, problem(409, "series_taken", "Taken.")))
    path = f"/series?offering={BY_REQUEST}&starts_at={STARTS}"
    gone = {"week_0": STARTS, "week_1": "2030-03-12T10:00:00Z", MUST: "All of it"}
    shown = [each for each in (await person.page(path)).forms if each.action == "/series"]
    form = next(each for each in shown if each.method == "post")
    answer, text = await person.post("/series", {**form.fields, "accept": "yes", **gone})
    assert answer.status == 409
    chosen = [found["value"] for _, found in Page(text).tags if "selected" in found]
    assert chosen[:2] == [STARTS, ""]


async def test_who_waits_answers_the_questions(person: Browser, services: Services):
    """They are asked for where one joins the list, and what is offered leads to its order."""
    services.tell("POST", "/v1/waitlist", (201, {}))
    path = f"/waitlist/join?offering={BY_REQUEST}"
    answer, _ = await person.submit(path, "/waitlist/join")
    assert (answer.status, services.of("POST", "/v1/waitlist")) == (422, [])
    answer, _ = await person.submit(path, "/waitlist/join", **{MUST: "All of it"})
    assert answer.status == 303
    sent = services.of("POST", "/v1/waitlist")[0].body
    assert isinstance(sent, dict)
    assert sent["answers"] == [{"question": ASKED[0]["text"], "answer": "All of it"}]
    entry = {"entry_id": SESSION, "offering_id": BY_REQUEST, "mentor_id": MENTOR, "from": STARTS,
             "until": STARTS, "state": "offered", "order_id": ORDER}  # fmt: skip
    services.tell("GET", "/v1/waitlist", (200, {"items": [entry]}))
    links = [found.get("href") for _, found in (await person.page("/waitlist")).tags]
    assert f"/sessions/{ORDER}" in links


async def test_a_hold_is_called_off_without_a_share(person: Browser, services: Services):
    """Nothing was paid, so nothing is asked about what goes back, and none is sent."""
    held = OF_STATE["held"]
    services.tell("POST", f"/v1/orders/{held}/cancel", (200, order("cancelled")))
    here = f"/sessions/{held}/cancel"
    assert "Nothing was paid, the time is given back." in (await person.page(here)).text
    answer, _ = await person.submit(here, here)
    assert answer.status == 303
    assert services.of("POST", f"/v1/orders/{held}/cancel")[0].body == {"session_id": SESSION}


async def test_who_missed_a_session_is_told_of_its_price(person: Browser, services: Services):
    """That of the one session; where it is free, money is not spoken of."""
    part = f"/sessions/{ORDER}/absence"
    assert "The price of this session, $120.00, goes back" in (await person.page(part)).text
    services.tell("GET", f"/v1/orders/{ORDER}", (200, order(price_minor=0)))
    text = (await person.page(part)).text
    assert "goes back" not in text
    assert "$" not in text


ILL = "I am <b>ill</b>, see you in May."


@pytest.mark.parametrize(("state", "said"), [
    ("cancelled", {"cancelled_by": "mentor", "cancel_reason": ILL}),
    ("declined", {"cancelled_by": "mentor", "cancel_reason": ILL}),
    ("confirmed", {"proposal": PROPOSAL | {"reason": ILL}}),
    ("completed", {"objection": OBJECTION | {"reason": ILL}}),
    ("completed", {"objection": OBJECTION | {"settled_at": STARTS, "decision": ILL}}),
])  # fmt: skip
async def test_the_page_of_a_session_says_why(
    person: Browser, services: Services, state: str, said: dict[str, object]
):
    """Letters lead here for the reason of whatever somebody did or decided."""
    services.tell("GET", f"/v1/orders/{ORDER}", (200, order(state, **said)))
    page = await person.page(f"/sessions/{ORDER}")
    assert ILL in page.text


@pytest.mark.parametrize("state", ["held", "offered"])
async def test_an_answered_request_and_an_offered_time_carry_the_price_that_was_shown(
    person: Browser, services: Services, state: str
) -> None:
    """Both lead to the payment with the price of the session's page, like every other road."""
    one = OF_STATE[state]
    here, pay = f"/sessions/{one}", f"/orders/{one}/pay?shown=USD12000"
    if state == "held":
        assert f'href="{pay}"' in (await person.page(here)).html
        return
    services.tell("POST", f"/v1/orders/{one}/accept", (200, order("held", order_id=one)))
    answer, text = await person.submit(here, f"{here}/take")
    assert answer.headers.get("Location") == pay, text
