"""Mentor profiles and how an operator's vetting moves them on."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.profiles.commands.accounts import SignUp
from services.profiles.domain.accounts import Person as Account
from services.profiles.domain.mentors import (
    PRIOR_RATING,
    MentorProfile,
    MentorWords,
    Step,
    VettingStateWrong,
    move,
    plain_mean,
    rating_mean,
    rewrite,
)
from shared.clock import BusinessInstant
from shared.contracts.profiles import MentorApproved, MentorState, MentorSuspended, PersonFact
from tests.profiles.conftest import Marketplace, Person

NOW = BusinessInstant(datetime(2030, 1, 1, tzinfo=UTC))
WORDS = MentorWords("Headline", "Story", ("python",), ("en",), (), 3)
STATES: tuple[MentorState, ...] = (
    "none", "draft", "submitted", "changes_requested", "approved", "suspended",
)  # fmt: skip
ALLOWED = {
    (Step.SUBMIT, "draft"): "submitted",
    (Step.SUBMIT, "changes_requested"): "submitted",
    (Step.APPROVE, "submitted"): "approved",
    (Step.REQUEST_CHANGES, "submitted"): "changes_requested",
    (Step.SUSPEND, "approved"): "suspended",
    (Step.REINSTATE, "suspended"): "approved",
}


def account(state: MentorState) -> Account:
    person = SignUp("a@mentorium.test", "Ada", "en", "UTC", "mentor", "hash").person()
    return replace(person, mentor_state=state)


@pytest.mark.parametrize(("step", "state"), [*itertools.product(Step, STATES)])
def test_only_the_drawn_steps_are_possible(step: Step, state: MentorState) -> None:
    """Each step from each state either leads where the drawing says or is refused."""
    person = account(state)
    profile = MentorProfile(person.person_id, WORDS, version=1)
    to = ALLOWED.get((step, state))
    if to is None:
        with pytest.raises(VettingStateWrong):
            move(person, profile, step, None, NOW)
        return
    moved, _, fact = move(person, profile, step, "because", NOW)
    assert moved.mentor_state == to
    assert fact
    assert (fact.version, fact.mentor_state) == (1, to)
    assert "because" not in fact.model_dump_json()


def test_an_edit_of_an_approved_profile_is_looked_at_without_taking_it_down() -> None:
    """It stays approved; approving the edit tells nobody anything."""
    person = account("approved")
    profile = MentorProfile(person.person_id, WORDS, version=1)
    person, profile = rewrite(person, profile, replace(WORDS, story="New"))
    assert (person.mentor_state, profile.edited_since_approval) == ("approved", True)
    person, profile, fact = move(person, profile, Step.APPROVE, None, NOW)
    assert (fact, profile.edited_since_approval) == (None, False)


@given(st.lists(st.integers(1, 5), max_size=200))
def test_few_ratings_move_a_mentor_little(ratings: list[int]) -> None:
    """The mean lies between the prior and the plain mean, and nears it with their number."""
    mean = rating_mean(sum(ratings), len(ratings))
    plain = sum(ratings) / len(ratings) if ratings else PRIOR_RATING
    low, high = sorted((PRIOR_RATING, plain))
    assert low - 1e-9 <= mean <= high + 1e-9
    shown = plain_mean(mean, len(ratings))
    assert (shown is None) is (not ratings)
    assert shown is None or abs(shown - plain) <= 1e-9
    more = rating_mean(sum(ratings) * 2, len(ratings) * 2)
    assert abs(more - plain) <= abs(mean - plain) + 1e-9


async def test_a_mentor_is_approved_suspended_and_reinstated(
    market: Marketplace, operator: Person
) -> None:
    """Every state is told in full, with the next version."""
    mentor = await market.mentor(operator, "Grace")
    base = f"/v1/operator/mentors/{mentor.person_id}"
    for step, state in (("suspend", "suspended"), ("reinstate", "approved")):
        status, answer = await market.call(
            "POST", f"{base}/{step}", as_=operator, json={"reason": "A look at it"}
        )
        assert (status, answer) == (200, {"state": state})
    facts = [f for f in await market.facts(PersonFact) if f.person_id == mentor.person_id]
    assert [f.version for f in facts] == [1, 2, 3, 4, 5, 6]
    assert [type(f) for f in facts[3:]] == [MentorApproved, MentorSuspended, MentorApproved]
    assert all(f.verified for f in facts[1:])
    assert "A look at it" not in str(await market.pool.fetch("SELECT value FROM outbox"))
    status, mine = await market.call("GET", "/v1/me/mentor-profile", as_=mentor)
    assert mine["reason"] == "A look at it"


async def test_vetting_is_logged_and_a_refused_step_is_not(
    market: Marketplace, operator: Person
) -> None:
    """Each step leaves one line with who, about whom and why; what is refused leaves none."""
    mentor = await market.mentor(operator, "Grace")
    base, reason = f"/v1/operator/mentors/{mentor.person_id}", {"reason": "A look at it"}
    assert (await market.call("POST", f"{base}/suspend", as_=operator, json=reason))[0] == 200
    assert (await market.call("POST", f"{base}/approve", as_=operator, json=reason))[0] == 409
    _, log = await market.call("GET", "/v1/operator/log", as_=operator)
    names = ("who", "action", "subject", "reason", "outcome", "details")
    who, whom = str(operator.person_id), str(mentor.person_id)
    assert [tuple(line[name] for name in names) for line in log["items"]] == [
        (who, "suspend", whom, "A look at it", "done", {"state": "suspended"}),
        (who, "approve", whom, "-", "done", {"state": "approved"}),
    ]


async def test_vetting_refuses_what_does_not_follow(market: Marketplace, operator: Person) -> None:
    """An incomplete profile is not submitted, a draft not approved, a stranger not found."""
    ada = await market.person("ada@mentorium.test")
    path = "/v1/me/mentor-profile"
    status, refused = await market.call("POST", f"{path}/submit", as_=ada)
    assert (status, refused["code"]) == (404, "not_found")
    status, _ = await market.call("PUT", path, as_=ada, version=0, json={"headline": "Hello"})
    assert status == 200
    status, refused = await market.call("POST", f"{path}/submit", as_=ada)
    assert (status, refused["code"]) == (409, "profile_incomplete")
    assert refused["facts"] == {"missing": "story, expertise, languages"}
    base = f"/v1/operator/mentors/{ada.person_id}"
    status, refused = await market.call("POST", f"{base}/approve", as_=operator, json={})
    assert (status, refused["code"]) == (409, "vetting_state_wrong")
    status, refused = await market.call("POST", f"{base}/approve", as_=ada, json={})
    assert (status, refused["code"]) == (403, "role_missing")
    nobody = f"/v1/operator/mentors/{operator.person_id}"
    assert (await market.call("GET", nobody, as_=operator))[0] == 404


async def test_operators_list_what_waits_for_them(market: Marketplace, operator: Person) -> None:
    """Submitted ones and edits of approved ones, page by page."""
    mentors = [await market.mentor(operator, f"Mentor {n}") for n in range(3)]
    for mentor in mentors:
        _, mine = await market.call("GET", "/v1/me/mentor-profile", as_=mentor)
        for left_out in ("state", "reason", "edited_since_approval"):
            del mine[left_out]
        status, answer = await market.call(
            "PUT", "/v1/me/mentor-profile", as_=mentor, version=3, json=mine | {"story": "Edited"}
        )
        assert (status, answer["state"], answer["edited_since_approval"]) == (200, "approved", True)
    path, found = "/v1/operator/mentors?state=submitted&limit=2", list[str]()
    _, page = await market.call("GET", path, as_=operator)
    found += [item["person_id"] for item in page["items"]]
    _, page = await market.call("GET", f"{path}&cursor={page['next_cursor']}", as_=operator)
    found += [item["person_id"] for item in page["items"]]
    assert found == sorted(str(mentor.person_id) for mentor in mentors)
    assert page["next_cursor"] is None
    approve = f"/v1/operator/mentors/{found[0]}/approve"
    assert (await market.call("POST", approve, as_=operator, json={}))[0] == 200
    status, _ = await market.call("GET", "/v1/operator/mentors?cursor=nonsense", as_=operator)
    assert status == 422


async def test_profiles_are_written_from_the_version_seen(
    market: Marketplace, operator: Person
) -> None:
    """Two windows do not overwrite one another; unknown expertise and bad shapes are refused."""
    for path, body in (
        ("/v1/me/mentor-profile", {"headline": "One", "expertise": ["python"]}),
        ("/v1/me/mentee-profile", {"goal": "Lead", "background": "Code", "ask": "Be specific"}),
    ):
        status, shown = await market.call("PUT", path, as_=operator, version=0, json=body)
        assert status == 200
        assert shown.items() >= body.items()
        status, refused = await market.call("PUT", path, as_=operator, version=0, json=body)
        assert (status, refused["code"]) == (412, "version_outdated")
        status, _ = await market.call("PUT", path, as_=operator, version=1, json=body)
        assert status == 200
    bad = (
        ({"expertise": ["alchemy"]}, "expertise_unknown"),
        ({"languages": ["English"]}, "shape_invalid"),
        ({"years": -1}, "shape_invalid"),
        ({"state": "approved"}, "shape_invalid"),
        ({"expertise": ["python"] * 11}, "shape_invalid"),
    )
    for body, code in bad:
        status, refused = await market.call(
            "PUT", "/v1/me/mentor-profile", as_=operator, version=2, json=body
        )
        assert (status, refused["code"]) == (422, code)


async def test_the_same_submission_twice_acts_once(market: Marketplace) -> None:
    """A request sent again with its key gets the first answer."""
    ada = await market.person("ada@mentorium.test")
    body = {"headline": "H", "story": "S", "expertise": ["python"], "languages": ["en"]}
    await market.call("PUT", "/v1/me/mentor-profile", as_=ada, version=0, json=body)
    path, key = "/v1/me/mentor-profile/submit", {"Idempotency-Key": "one"}
    first = await market.call("POST", path, as_=ada, headers=key)
    assert first == await market.call("POST", path, as_=ada, headers=key)
    assert len([f for f in await market.facts(PersonFact) if f.mentor_state == "submitted"]) == 1
