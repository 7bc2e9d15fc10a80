"""Ways in, in a browser: sign-up, a forgotten password, a one-time login, an invitation."""

from __future__ import annotations

from uuid import uuid4

from playwright.sync_api import Page, expect
from tenacity import retry, stop_after_delay, wait_fixed

from etlfabric_dagster import aio
from etlfabric_dagster.schemas.people import Role
from etlfabric_dagster.services import accounts, addresses, invitations, sessions, users
from etlfabric_dagster.services.scope import OPERATOR
from tests.browser.conftest import PASSWORD, Member, Witness, add_member, sign_in
from tests.browser.promises import kept
from tests.test_api.mailbox import letters, token_in

NEW_PASSWORD = "a longer horse with a battery"


@retry(stop=stop_after_delay(20), wait=wait_fixed(0.1), reraise=True)
def token_for(email: str) -> str:
    """The secret of the newest letter to `email`; it is sent behind the answer."""
    return token_in(letters(email)[-1])


def test_sign_up_makes_an_org_named_in_urls_after_it(page: Page) -> None:
    word = f"w{uuid4().hex[:8]}"
    page.goto("/signup")
    page.get_by_label("Name", exact=True).fill("Pat")
    page.get_by_label("Work email").fill(f"{word}@example.com")
    page.get_by_label("Password", exact=True).fill(NEW_PASSWORD)
    page.get_by_label("Organization", exact=True).fill(f"{word} & Söhne")
    expect(page.get_by_label("Organization's name in URLs")).to_have_value(f"{word}_sohne")
    page.get_by_label("Organization's name in URLs").fill(word)
    page.get_by_role("button", name="Create account").dblclick()  # makes one
    page.wait_for_url(f"**/o/{word}/overview")

    expect(page.get_by_text("Connect your first source")).to_be_visible()


def test_address_is_confirmed_by_the_letters_link(page: Page) -> None:
    word = f"w{uuid4().hex[:8]}"
    email = f"{word}@example.com"
    given = {"email": email, "password": NEW_PASSWORD, "org_name": word, "slug": word}
    aio.run(accounts.sign_up(name="", **given))
    person = aio.run(sessions.sign_in(email, NEW_PASSWORD, "api"))
    actor = aio.run(sessions.authenticate(person.cookie, "api"))
    aio.run(addresses.send_verification(actor.user_id))
    page.goto(f"/verify/{token_for(email)}")
    page.get_by_role("button", name="Confirm your address").click()
    expect(page.get_by_role("status")).to_contain_text("This is your address now.")

    assert aio.run(accounts.me(actor)).email_verified


def test_forgotten_password_is_replaced_by_the_letters_link_once(
    page: Page, member: Member, witness: Witness
) -> None:
    page.goto("/login")
    page.get_by_role("link", name="Forgot password?").click()
    expect(page.get_by_role("button", name="Send a link")).to_be_visible()  # not the page before
    page.get_by_label("Email").fill(member.email)
    page.get_by_role("button", name="Send a link").click()
    expect(page.get_by_role("status")).to_contain_text("a link is on its way")

    reset = f"/reset/{token_for(member.email)}"
    page.goto(reset)
    page.get_by_label("New password", exact=True).fill(NEW_PASSWORD)
    page.get_by_role("button", name="Change password").click()
    expect(page.get_by_role("status")).to_contain_text("Password changed.")

    page.goto(reset)
    page.get_by_label("New password", exact=True).fill(f"{NEW_PASSWORD} again")
    page.get_by_role("button", name="Change password").click()
    expect(page.get_by_role("alert")).not_to_be_empty()
    # Chromium itself reports the refused request
    witness.complaints[:] = [said for said in witness.complaints if "410" not in said]


def test_one_time_login_leads_to_an_own_password_and_on(page: Page, member: Member) -> None:
    one_time = aio.run(users.one_time_password(OPERATOR, member.email))
    page.goto("/login")
    page.get_by_label("Email").fill(member.email)
    page.get_by_label("Password", exact=True).fill(one_time)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/password")
    page.get_by_label("One-time password", exact=True).fill(one_time)
    page.get_by_label("New password", exact=True).fill(NEW_PASSWORD)
    page.get_by_role("button", name="Change password").click()
    page.wait_for_url("**/overview")


def test_invited_person_joins_with_a_password_of_their_own(page: Page, member: Member) -> None:
    email = f"{uuid4().hex[:8]}@example.com"
    aio.run(invitations.invite(OPERATOR, member.org, email, Role.VIEWER))
    page.goto(f"/invite/{token_for(email)}")
    expect(page.get_by_role("status")).to_contain_text(
        "invites you to Browser Inc. as viewer. Sees everything, changes nothing."
    )
    assert kept(page) == []
    page.get_by_label("Name", exact=True).fill("Sam")
    page.get_by_label("Password", exact=True).fill(NEW_PASSWORD)
    page.get_by_role("button", name="Join").click()
    page.wait_for_url(f"**/o/{member.org}/overview")


def test_known_person_joins_without_another_password(
    page: Page, member: Member, witness: Witness
) -> None:
    other = add_member("owner")
    aio.run(invitations.invite(OPERATOR, member.org, other.email, Role.VIEWER))
    sign_in(page, member)  # as somebody else
    invitation = f"/invite/{token_for(other.email)}"
    page.goto(invitation)
    expect(page.get_by_role("status")).to_contain_text("invites you to Browser Inc. as viewer")
    expect(page.get_by_label("Password", exact=True)).to_be_hidden()
    page.get_by_role("button", name="Join").click()
    expect(page.get_by_role("alert")).to_contain_text(f"the invitation is for {other.email}.")
    page.get_by_role("button", name="Switch account").click()
    page.get_by_label("Email").fill(other.email)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"**{invitation}")
    page.get_by_role("button", name="Join").click()
    page.wait_for_url("**/overview")
    page.goto(f"/o/{member.org}/overview")

    expect(page.get_by_role("heading", level=1)).to_be_visible()
    expect(page.get_by_text("Nothing here.")).to_have_count(0)
    # Chromium itself reports the refused request
    witness.complaints[:] = [said for said in witness.complaints if "403" not in said]
