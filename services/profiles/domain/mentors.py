"""The rules of mentor profiles: what they hold, and how an operator's vetting moves them on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum

from services.profiles.domain.accounts import Person
from shared.clock import BusinessInstant
from shared.contracts.profiles import (
    MentorApproved,
    MentorChangesRequested,
    MentorProfileSubmitted,
    MentorState,
    MentorSuspended,
    PersonFact,
)
from shared.errors import Kind, Refusal
from shared.ids import PersonId

PRIOR_RATING = 4.0
PRIOR_REVIEWS = 5
"""A mentor is ranked as if this many reviews of `PRIOR_RATING` had come first (Bayesian mean)."""


class ExpertiseUnknown(Refusal):
    """A tag is not in the curated tree."""

    code = "expertise_unknown"
    kind = Kind.SHAPE
    detail = "Take expertise from /v1/expertise."


class ProfileIncomplete(Refusal):
    """An operator could not judge the profile yet."""

    code = "profile_incomplete"
    detail = "Fill in headline, story, expertise and languages first."


class VettingStateWrong(Refusal):
    """The step does not follow from the state the profile is in; `state` says which."""

    code = "vetting_state_wrong"
    detail = "Load the profile again: this cannot be done in its present state."


class Step(Enum):
    """What can be done with a mentor profile."""

    SUBMIT = "submit"
    APPROVE = "approve"
    REQUEST_CHANGES = "request_changes"
    SUSPEND = "suspend"
    REINSTATE = "reinstate"


@dataclass(frozen=True)
class _Move:
    from_states: frozenset[MentorState]
    to: MentorState
    fact: type[PersonFact]


_MOVES: dict[Step, _Move] = {
    Step.SUBMIT: _Move(
        frozenset({"draft", "changes_requested"}), "submitted", MentorProfileSubmitted
    ),
    Step.APPROVE: _Move(frozenset({"submitted"}), "approved", MentorApproved),
    Step.REQUEST_CHANGES: _Move(
        frozenset({"submitted"}), "changes_requested", MentorChangesRequested
    ),
    Step.SUSPEND: _Move(frozenset({"approved"}), "suspended", MentorSuspended),
    Step.REINSTATE: _Move(frozenset({"suspended"}), "approved", MentorApproved),
}


@dataclass(frozen=True)
class MentorWords:
    """What a mentor says about themselves; `expertise` are slugs, `languages` ISO 639 codes."""

    headline: str = ""
    story: str = ""
    expertise: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    industries: tuple[str, ...] = ()
    years: int = 0


@dataclass(frozen=True)
class MentorProfile:
    """A mentor's profile beside the state, which the person holds; version 0 is an empty one."""

    person_id: PersonId
    words: MentorWords = MentorWords()
    reason: str | None = None
    edited_since_approval: bool = False
    submitted_at: BusinessInstant | None = None
    version: int = 0


def rewrite(
    person: Person, profile: MentorProfile, words: MentorWords
) -> tuple[Person, MentorProfile]:
    """Return both after an edit: the first makes a draft, and an approved one is looked at again.

    An approved profile stays up while an operator looks at the edit.
    """
    state: MentorState = "draft" if person.mentor_state == "none" else person.mentor_state
    edited = profile.edited_since_approval or (state == "approved" and words != profile.words)
    after = replace(profile, words=words, edited_since_approval=edited, version=profile.version + 1)
    return replace(person, mentor_state=state), after


def move(
    person: Person, profile: MentorProfile, step: Step, reason: str | None, now: BusinessInstant
) -> tuple[Person, MentorProfile, PersonFact | None]:
    """Return both after a step of vetting, and what is told; raises `VettingStateWrong`.

    Approving an edit of an approved profile changes nothing that others need to know. The reason
    stays here: it is words about a person.
    """
    if step is Step.APPROVE and person.mentor_state == "approved":
        if not profile.edited_since_approval:
            raise VettingStateWrong(state=person.mentor_state)
        return person, _moved(profile, step, reason, now), None
    allowed = _MOVES[step]
    if person.mentor_state not in allowed.from_states:
        raise VettingStateWrong(state=person.mentor_state)
    if step is Step.SUBMIT:
        _check_complete(profile.words)
    told, fact = replace(person, mentor_state=allowed.to).tell(allowed.fact)
    return told, _moved(profile, step, reason, now), fact


def _moved(
    profile: MentorProfile, step: Step, reason: str | None, now: BusinessInstant
) -> MentorProfile:
    return replace(
        profile,
        reason=reason,
        edited_since_approval=False,
        submitted_at=now if step is Step.SUBMIT else profile.submitted_at,
        version=profile.version + 1,
    )


def _check_complete(words: MentorWords) -> None:
    needed = ("headline", "story", "expertise", "languages")
    lacking = [name for name in needed if not getattr(words, name)]
    if lacking:
        raise ProfileIncomplete(missing=", ".join(lacking))


def rating_mean(total: int, count: int) -> float:
    """Return the mean of `count` ratings that add up to `total`, held back while they are few."""
    return (PRIOR_RATING * PRIOR_REVIEWS + total) / (PRIOR_REVIEWS + count)


def plain_mean(held_back: float, count: int) -> float | None:
    """Return the mean of the `count` ratings themselves, which `rating_mean` has held back."""
    if not count:
        return None
    return (held_back * (PRIOR_REVIEWS + count) - PRIOR_RATING * PRIOR_REVIEWS) / count
