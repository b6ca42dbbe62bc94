"""The cookie: it comes back as it went, and no other cookie is taken for one of ours."""

from __future__ import annotations

import secrets

import pytest

from tests.web.conftest import Browser, Services
from web.session import COOKIE_LONGEST, CookieSealer, Person, Session

KEY = secrets.token_bytes(32)


def full() -> Session:
    person = Person(
        person_id="0190a000-0000-7000-8000-000000000001",
        name="Ada Ångström",
        zone="America/Argentina/ComodRivadavia",
        roles=["mentee", "mentor", "operator"],
        access_token="a" * 620,
        refresh_token="r" * 60,
        expires_at=1_900_000_000,
    )
    return Session(person=person, notice="Saved.")


def test_round_trip() -> None:
    """What was sealed is opened unchanged."""
    sealer, session = CookieSealer(KEY), full()
    opened = sealer.open(sealer.seal(session))
    assert opened is not None
    assert opened.model_dump(exclude={"ends_at"}) == session.model_dump(exclude={"ends_at"})


def test_hides_and_fits() -> None:
    """No token can be read in the cookie, and browsers keep one of this length."""
    sealed = CookieSealer(KEY).seal(full())
    assert "aaaa" not in sealed
    assert len(sealed) < COOKIE_LONGEST


def test_every_altered_part_is_refused() -> None:
    """A change anywhere makes the whole worthless."""
    sealer = CookieSealer(KEY)
    sealed = sealer.seal(full())
    for place in range(0, len(sealed) - 1, 37):
        other = "A" if sealed[place] != "A" else "B"
        assert sealer.open(sealed[:place] + other + sealed[place + 1 :]) is None


@pytest.mark.parametrize("value", [None, "", "x", "a.b.c.d.e", "....", "ä", "A" * 5000])
def test_nonsense_is_refused(value: str | None) -> None:
    """Nothing a browser may send raises."""
    assert CookieSealer(KEY).open(value) is None


def test_other_key_is_refused() -> None:
    """A cookie sealed elsewhere is none of ours."""
    assert CookieSealer(secrets.token_bytes(32)).open(CookieSealer(KEY).seal(full())) is None


def test_ended_cookie_is_refused() -> None:
    """A cookie is good for its time, whatever the browser thinks of it."""
    sealer = CookieSealer(KEY, good_for_seconds=-1)
    assert sealer.open(sealer.seal(full())) is None


@pytest.mark.parametrize(
    "cookie", ["abc.def", CookieSealer(KEY).seal(full())], ids=["no seal", "another key"]
)
async def test_a_useless_cookie_is_replaced(
    browser: Browser, services: Services, cookie: str
) -> None:
    """A browser with a cookie that cannot be opened gets another, and its forms work."""
    browser.http.cookie_jar.update_cookies({"mentorium": cookie})
    await browser.sign_in(services)
    services.tell("GET", "/v1/orders", (200, {"items": []}))
    await browser.page("/sessions")


async def test_a_form_from_elsewhere_leaves_the_cookie(browser: Browser) -> None:
    """A browser sends no cookie along with it; that must not sign anybody out."""
    answer, _ = await browser.post("/sign-in", {"email": "a@example.com", "password": "x"})
    assert (answer.status, "Set-Cookie" in answer.headers) == (403, False)
