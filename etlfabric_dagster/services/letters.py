"""What letters say."""

from __future__ import annotations

from etlfabric_dagster.schemas.people import Role

ROLE_MEANS = {
    Role.VIEWER: "Viewers see pipelines, runs and data.",
    Role.EDITOR: "Editors create connections and write dbt models.",
    Role.ADMIN: "Admins also manage members, tokens and BI access.",
    Role.OWNER: "Owners may do everything, including erasing the org.",
}


def invitation(inviter: str, org: str, role: Role, link: str) -> tuple[str, str]:
    """Subject and text."""
    text = (
        f"{inviter} invites you to {org} as {role}. {ROLE_MEANS[role]}\n\n"
        f"Join: {link}\n\nThe link works once, for 7 days."
        " If you did not expect it, do nothing.\n"
    )
    return f"{inviter} invites you to {org}", text


def password_reset(link: str) -> tuple[str, str]:
    """Subject and text."""
    text = (
        f"Set a new password: {link}\n\nThe link works once, for 30 minutes."
        " If you did not ask for it, do nothing: your password stays.\n"
    )
    return "Set a new password", text


def password_changed() -> tuple[str, str]:
    """Subject and text."""
    text = (
        "Your password was changed, and all other sessions were signed out.\n\n"
        "If that was not you, reset it at once from the sign-in page.\n"
    )
    return "Your password was changed", text


def verification(link: str) -> tuple[str, str]:
    """Subject and text."""
    text = (
        f"Confirm that this is your address: {link}\n\nThe link works once, for 2 days."
        " If you did not sign up, do nothing.\n"
    )
    return "Confirm your address", text


def new_address(link: str) -> tuple[str, str]:
    """Subject and text."""
    text = (
        f"Sign in with this address from now on: {link}\n\nThe link works once, for 2 days."
        " If you did not ask for it, do nothing: nothing changes.\n"
    )
    return "Confirm your new address", text


def email_changed(email: str) -> tuple[str, str]:
    """Subject and text, for the address that was given up."""
    text = (
        f"From now on you sign in as {email}, and letters go there.\n\n"
        "If that was not you, tell the operator of your install at once.\n"
    )
    return "Your address was changed", text
