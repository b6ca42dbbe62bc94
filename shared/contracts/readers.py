"""Who listens to which fact, and what it makes them do.

What is written here stands in the AsyncAPI document and in docs/events.md; a test compares it with
what each service has ears for. What is in neither table is told to nobody, and fails that test.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from shared.contracts import booking, notifications, payments, prepaid, profiles
from shared.contracts.envelope import Fact

Service = Literal["profiles", "booking", "payments", "notifications"]
SERVICES: tuple[Service, ...] = ("profiles", "booking", "payments", "notifications")

_VETTED = "Knows who is approved, and whose offerings can be bought."
_SELLABLE = "Sells nothing ahead of a mentor who may take no new sessions; plans rest."
_KNOWS_MENTOR = "Follows the state of the mentor; tells nobody."
_FOR_SALE = "Shows in search what can be bought, and at which price."
_SOLD_AHEAD = "Knows of what packages and gifts can be bought; plans rest while nobody can book."
_FREE_NEXT = "Shows in search when the mentor is free next, and sorts by it."
_PAYABLE = "Lets a mentor publish paid offerings while the account can receive money."
_TELLS_PAYABLE = "Tells the mentor once the account can receive money."

READERS: Mapping[type[Fact], Mapping[Service, str]] = {
    profiles.PersonRegistered: {
        "booking": _VETTED,
        "payments": _SELLABLE,
        "notifications": _KNOWS_MENTOR,
    },
    profiles.PersonVerified: {
        "booking": _VETTED,
        "payments": _SELLABLE,
        "notifications": _KNOWS_MENTOR,
    },
    profiles.MentorProfileSubmitted: {
        "booking": _VETTED,
        "payments": _SELLABLE,
        "notifications": _KNOWS_MENTOR,
    },
    profiles.MentorChangesRequested: {
        "booking": _VETTED,
        "payments": _SELLABLE,
        "notifications": "Tells the mentor what to change.",
    },
    profiles.MentorApproved: {
        "booking": _VETTED,
        "payments": _SELLABLE,
        "notifications": "Tells the mentor that offerings may be published.",
    },
    profiles.MentorSuspended: {
        "booking": _VETTED,
        "payments": _SELLABLE,
        "notifications": "Tells the mentor, with the reason.",
    },
    profiles.PersonSnapshot: {
        "booking": _VETTED,
        "payments": _SELLABLE,
        "notifications": _KNOWS_MENTOR,
    },
    profiles.ReviewWritten: {"notifications": "Reminds this side of the review no more."},
    profiles.ReviewsPublished: {"notifications": "Tells both sides that the reviews are shown."},
    profiles.ContactSealed: {
        "notifications": "Unseals and keeps the address, the name, the locale and the zone."
    },
    profiles.ContactErased: {
        "booking": "Forgets what the person wrote to the other side of a session, and the goals.",
        "payments": "Sells nothing ahead of who is gone; plans rest, and who paid is paid back.",
        "notifications": "Forgets the contact for good: a late duplicate revives nobody.",
    },
    profiles.MessageSealed: {
        "notifications": "Plans the mail; the secret is unsealed when it is sent."
    },
    booking.OfferingPublished: {"profiles": _FOR_SALE, "payments": _SOLD_AHEAD},
    booking.OfferingWithdrawn: {"profiles": _FOR_SALE, "payments": _SOLD_AHEAD},
    booking.OfferingSnapshot: {"profiles": _FOR_SALE, "payments": _SOLD_AHEAD},
    booking.BookingHeld: {
        "payments": "Opens the order and prepares the payment page.",
        "notifications": "Learns of the sessions; tells the mentee when a request was accepted.",
    },
    booking.BookingConfirmed: {
        "profiles": "Expects the reviews of both sides.",
        "payments": "Notes that the session will take place.",
        "notifications": "Sends both sides one message with all invitations; plans the reminders.",
    },
    booking.BookingExpired: {
        "payments": "Closes the payment page.",
        "notifications": "Says nothing; of an accepted request tells both that it was not paid.",
    },
    booking.BookingLost: {
        "payments": "Refunds the whole price.",
        "notifications": "Tells the mentee why, and that the money comes back.",
    },
    booking.BookingCancelled: {
        "profiles": "Expects no reviews any more.",
        "payments": "Refunds the fraction that the fact says.",
        "notifications": "Takes the session out of both calendars; sends no reminder any more.",
    },
    booking.SessionCompleted: {
        "profiles": "Lets both sides write their reviews.",
        "payments": "Begins the release delay, after which the mentor's share is transferred.",
        "notifications": "Asks both sides for a review.",
    },
    booking.BookingRequested: {
        "notifications": "Tells the mentor who asks for what, and the mentee that we asked.",
    },
    booking.RequestDeclined: {
        "notifications": "Tells the other side, and where to read why.",
    },
    booking.RequestLapsed: {
        "notifications": "Tells both; the mentee also who else has time.",
    },
    booking.WaitlistOffered: {
        "notifications": "Tells the mentee that a slot is kept, and until when.",
    },
    booking.WaitlistOfferEnded: {
        "notifications": "Tells the mentee that it went on, unless they passed it on.",
    },
    booking.MoveProposed: {
        "notifications": "Tells the other side which time is asked for.",
    },
    booking.MoveDeclined: {
        "notifications": "Tells who asked that the session stays where it is.",
    },
    booking.SessionMoved: {
        "notifications": "Sends both the invitation to the new time; plans the reminders anew.",
    },
    booking.SessionMissed: {
        "payments": "Refunds the fraction that the fact says; releases the rest after the delay.",
        "notifications": "Tells both who was not there, and what becomes of the price.",
    },
    booking.ObjectionRaised: {
        "payments": "Stops the release of the session, unless it is released already.",
        "notifications": "Tells the other side, and where to read what is objected to.",
    },
    booking.ObjectionSettled: {
        "payments": "Refunds what was decided, and releases the rest at once.",
        "notifications": "Tells both what was decided, and where to read why.",
    },
    booking.NextFreeChanged: {"profiles": _FREE_NEXT},
    booking.NextFreeSnapshot: {"profiles": _FREE_NEXT},
    payments.CheckoutClosed: {"booking": "Gives back the time of the hold at once."},
    payments.PaymentSucceeded: {
        "booking": "Confirms the order, or gives it up as lost.",
        "notifications": "Sends the mentee the receipt.",
    },
    payments.RefundIssued: {"notifications": "Tells the mentee how much comes back."},
    payments.RefundFailed: {
        "notifications": "Tells the mentee that the bank sent it back, and what comes next."
    },
    payments.AmendsGranted: {
        "notifications": "Tells the mentee how much comes off what they buy next, and until when."
    },
    payments.PlanStarted: {"notifications": "Tells the mentee and the mentor."},
    payments.PlanRenewed: {"notifications": "Tells the mentee what was paid."},
    payments.PlanPaymentFailed: {
        "notifications": "Tells the mentee when it is tried again, and how to pay by hand."
    },
    payments.PlanPaused: {"notifications": "Tells both sides from when on nothing is paid."},
    payments.PlanResumed: {"notifications": "Tells both sides when the next month is paid."},
    payments.PlanRested: {"notifications": "Tells both sides why nothing is paid, and until when."},
    payments.PlanContinued: {"notifications": "Tells both sides that it goes on."},
    payments.PlanEndScheduled: {"notifications": "Tells both sides when it ends, or does not."},
    payments.PlanEnded: {"notifications": "Tells both sides, and why."},
    prepaid.CreditsBought: {
        "notifications": "Tells who bought them how many, until when, and what was paid."
    },
    prepaid.GiftRedeemed: {"notifications": "Tells who gave, and who has it now."},
    prepaid.CreditsGranted: {"notifications": "Tells the mentee that a session is paid."},
    prepaid.CreditsReturned: {"notifications": "Tells the mentee that the credit is back."},
    prepaid.CreditsReminded: {
        "notifications": "Reminds who may book with them, or who paid for them."
    },
    prepaid.AmendsReminded: {"notifications": "Reminds whose they are of what is left."},
    prepaid.CreditsExpired: {"notifications": "Tells whose credits they were."},
    prepaid.CreditsRefunded: {"notifications": "Tells who bought them how much comes back."},
    prepaid.CreditsRefundFailed: {
        "notifications": "Tells who bought them that the bank sent it back, and what comes next."
    },
    prepaid.SponsoredSessionCompleted: {
        "notifications": "Thanks the sponsor, without saying who came."
    },
    payments.DisputeOpened: {
        "notifications": "Tells the mentor that the bank took the money back, and what comes next."
    },
    payments.DisputeClosed: {"notifications": "Tells the mentor whether it was won or lost."},
    payments.EarningsReleased: {"booking": "Takes no more objections to the session."},
    payments.TransferSent: {"notifications": "Tells the mentor what was transferred."},
    payments.DebtIncurred: {
        "notifications": "Tells the mentor that a share goes back, and how it will."
    },
    payments.DebtWrittenOff: {"notifications": "Tells the mentor what is owed no more."},
    payments.AccountConnected: {"booking": _PAYABLE, "notifications": _TELLS_PAYABLE},
    payments.AccountChanged: {"booking": _PAYABLE, "notifications": _TELLS_PAYABLE},
    payments.AccountSnapshot: {
        "booking": _PAYABLE,
        "notifications": "Follows the state of the account; tells nobody.",
    },
    payments.PayoutPaid: {"notifications": "Tells the mentor that the money arrived."},
    payments.PayoutFailed: {"notifications": "Tells the mentor to correct the bank details."},
    payments.StatementIssued: {"notifications": "Tells the mentor where to open it."},
}

UNREAD: Mapping[type[Fact], str] = {
    payments.CheckoutOpened: "The payer asks the API of payments for the page's address.",
    payments.TransferReversed: "The mentor was told of the debt, which it brings down.",
    payments.PayoutCreated: "The mentor is told when the money has arrived.",
    notifications.MessageSent: "For whoever counts messages; none of our services does.",
}
"""What nobody here listens to, and why it is told all the same."""
