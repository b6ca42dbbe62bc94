"""The steps of a paid session as people take them in a browser, page after page."""

from __future__ import annotations

import re
from dataclasses import dataclass
from uuid import uuid4

from playwright.async_api import expect

from dev.client import until
from dev.journey import GOOD_CARD, PASSWORD
from tests.journeys.browser import DESKTOP, Visitor, Windows

DECLINED = "4000 0000 0000 0002"
BERLIN = "Europe/Berlin"
NEW_YORK = "America/New_York"
HEADLINE = "I help choir singers conduct their first ensemble"


@dataclass
class Newcomer:
    """Somebody who signs up by hand."""

    name: str
    email: str


def newcomer(name: str) -> Newcomer:
    """Return somebody whose address nobody has used."""
    return Newcomer(name, f"{name.split()[0].lower()}.{uuid4().hex[:8]}@example.com")


async def sign_up(visitor: Visitor, who: Newcomer, wants: str) -> None:
    """Create an account, open the link in the mail, and sign in."""
    await visitor.go("/sign-up")
    await visitor.fill({"Your name": who.name, "E-mail address": who.email, "Password": PASSWORD})
    await visitor.tick(wants)
    await visitor.approve_of_page("sign-up")
    await visitor.press("Create account")
    await visitor.see("Check your mail")
    await open_mail(visitor, who.email, re.compile("confirm|verify", re.IGNORECASE))
    await visitor.page.get_by_role("link", name="/verify").first.click()
    await visitor.fill({"Password": PASSWORD})
    await visitor.press("Confirm my address")
    await visitor.read("Your e-mail address is confirmed")
    await visitor.fill({"E-mail address": who.email, "Password": PASSWORD})
    await visitor.press("Sign in")
    await visitor.see("Find somebody")


async def open_mail(visitor: Visitor, email: str, subject: re.Pattern[str]) -> None:
    """Open the newest mail about something on the mailbox's page, once it has come."""
    page = visitor.page
    await page.goto(f"{visitor.market.url('mail')}/?to={email}")
    await visitor.look_again_until(
        page.get_by_role("link", name=subject), f"a mail to {email}: {subject.pattern}"
    )
    await page.get_by_role("link", name=subject).first.click()


async def write_profile(mentor: Visitor) -> None:
    """Say who one is, and hand it in."""
    await mentor.follow("Become a mentor")
    await mentor.approve_of_page("become-a-mentor")
    await mentor.follow("Write your profile")
    await mentor.fill(
        {
            "Headline": HEADLINE,
            "Your story": "Fifteen years before choirs large and small. We work on your hands,"
            " your ears and your first rehearsal plan.",
            "Years of experience": "15",
            "Industries (optional)": "music, education",
        }
    )
    await mentor.tick("Engineering leadership", "English")
    await mentor.approve_of_page("mentor-profile")
    await mentor.press("Save profile")
    await mentor.press("Send for approval")
    await mentor.read("Waiting for approval")


async def approve(overseer: Visitor, name: str) -> None:
    """Read a profile and approve it."""
    await overseer.go("/operator")
    await overseer.look_again_until(
        overseer.page.get_by_role("link", name=name), f"{name} in the console"
    )
    await overseer.approve_of_page("operator-console")
    await overseer.follow(name)
    await overseer.approve_of_page("operator-mentor")
    await overseer.press("Approve")
    await overseer.read("Approved")


async def connect_stripe(mentor: Visitor) -> None:
    """Open the account at Stripe, on Stripe's page."""
    await mentor.go("/mentor")
    await mentor.follow("Connect an account")
    await mentor.press("Connect with Stripe")
    page = mentor.page
    await page.get_by_role("link", name="Give Stripe what it wants").click()
    await mentor.see("Set up your payouts")
    await mentor.press("Complete")
    await mentor.look_again_until(
        page.get_by_role("heading", name="Your account is ready"), "an account for money"
    )
    await mentor.approve_of_page("stripe-account")


async def set_hours(mentor: Visitor) -> None:
    """Set weekly hours in one's own zone, and the room."""
    await mentor.go("/mentor/hours")
    await expect(mentor.page.get_by_label("Your time zone")).to_have_value(NEW_YORK)
    days = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
    for day in days:
        await mentor.fill({f"{day} from": "09:00", f"{day} to": "17:00"})
    await mentor.fill({"Address of your video room": "https://meet.example.com/choir"})
    await mentor.approve_of_page("weekly-hours")
    await mentor.press("Save weekly hours")
    await mentor.read("Your weekly hours are saved")


async def publish_offering(mentor: Visitor) -> None:
    """Make an offering, and publish it once everything it needs is known."""
    await mentor.go("/mentor/offerings")
    await mentor.follow("New offering")
    await mentor.fill(
        {
            "Title": "Your first rehearsal",
            "Description": "You conduct, I watch, and we find the one thing to change.",
            "Price": "120.00",
            "Notice you need, in hours": "2",
        }
    )
    await mentor.approve_of_page("new-offering")
    await mentor.press("Save draft")
    await mentor.read("The draft is saved")
    published = mentor.page.get_by_text("The offering is published")

    async def pressed() -> bool | None:
        await mentor.press("Publish Your first rehearsal")
        await mentor.page.wait_for_load_state()
        return True if await published.count() else None

    await until(pressed, "publishing the offering")
    mentor.forgive("409")  # While the facts about approval and account were on their way.


async def become_bookable(windows: Windows, who: Newcomer, overseer: Visitor) -> Visitor:
    """Take a mentor from sign-up to a published offering."""
    mentor = await windows.open(DESKTOP, zone=NEW_YORK)
    await sign_up(mentor, who, "I want to mentor others")
    await write_profile(mentor)
    await approve(overseer, who.name)
    await connect_stripe(mentor)
    await set_hours(mentor)
    await publish_offering(mentor)
    return mentor


async def state_goal(mentee: Visitor) -> None:
    """Say what one wants to reach."""
    await mentee.follow("Goals")
    await mentee.fill({"What do you want to reach?": "Conduct my choir at the summer concert"})
    await mentee.approve_of_page("goals")
    await mentee.press("Add goal")
    await mentee.see("Conduct my choir")


async def find(mentee: Visitor, name: str) -> None:
    """Search with one's own words, a typing error included, and open the mentor's page."""
    page = mentee.page
    await mentee.go("/")
    await mentee.fill({"What do you want help with?": "conduct a chior"})
    await mentee.press("Search")
    await page.wait_for_url("**/?q=conduct*")
    await mentee.look_again_until(page.get_by_role("link", name=name), f"finding {name}")
    await mentee.approve_of_page("search")
    await mentee.follow(name)
    await mentee.see(name)


async def pick_slot(mentee: Visitor) -> None:
    """Pick a time of the second free day and accept the policy."""
    await mentee.look_again_until(mentee.page.locator(".slots a"), "free times")
    await expect(mentee.page.get_by_label("All times in")).to_have_value(BERLIN)
    await mentee.approve_of_page("mentor")
    await mentee.page.locator(".week > li:nth-child(2) .slots a").first.click()
    await mentee.see("Book this session")
    await mentee.tick("I accept these terms of cancellation")
    await mentee.approve_of_page("book")
    await mentee.press("Keep this time and pay $120.00")


async def pay_by_hand(mentee: Visitor, name: str, card: str) -> None:
    """Fill in Stripe's page and pay."""
    await mentee.see("Pay Mentorium")
    await mentee.fill(
        {"Email": "payer@example.com", "Card number": card, "Expiry (MM / YY)": "12 / 34",
         "CVC": "123", "Name on card": name}
    )  # fmt: skip
    await mentee.press("Pay 120.00 USD")


async def buy_by_hand(mentee: Visitor, name: str, mentor: str) -> None:
    """Search, pick, be declined, pay, and see the confirmation."""
    await state_goal(mentee)
    await find(mentee, mentor)
    await pick_slot(mentee)
    await pay_by_hand(mentee, name, DECLINED)
    await expect(mentee.page.get_by_role("alert")).to_contain_text("declined")
    await mentee.approve_of_page("checkout")
    await pay_by_hand(mentee, name, GOOD_CARD)
    await mentee.see("Your session is confirmed")
    await mentee.approve_of_page("paid")
    await mentee.follow("Show the session")
    await mentee.see("Your first rehearsal")
    await mentee.approve_of_page("session-confirmed")


async def join_by_hand(visitor: Visitor, session: str) -> None:
    """Open the room."""
    await visitor.go(session)
    await visitor.press("Join the session")
    await visitor.see("Your room is open")
    room = visitor.page.get_by_role("link", name="Open the video room")
    await expect(room).to_have_attribute("href", "https://meet.example.com/choir")
    await visitor.approve_of_page("room")


async def review_by_hand(visitor: Visitor, session: str, rating: str, text: str) -> None:
    """Write a review."""
    await visitor.go(session)
    await visitor.tick(rating)
    await visitor.fill({"Your review": text})
    await visitor.approve_of_page("review")

    async def sent() -> bool | None:
        await visitor.press("Send review")
        await visitor.page.wait_for_load_state()
        return True if await visitor.page.get_by_text("Thank you. Both").count() else None

    await until(sent, "the review")
    visitor.forgive("404", "409")  # While profiles had not heard of the completion.
