"""Letters as people get them: files of the home's mailbox."""

from __future__ import annotations

import email
import re
from email.message import EmailMessage, Message
from email.policy import default

from etlfabric_dagster.services import mail


def letters(to: str) -> list[EmailMessage]:
    """All letters to an address, oldest first."""
    files = sorted(mail.mailbox().glob("*.eml"), key=lambda path: path.stat().st_mtime_ns)
    found = [email.message_from_bytes(path.read_bytes(), policy=default) for path in files]
    return [letter for letter in found if letter["To"] == to]


def token_in(letter: Message) -> str:
    """The secret of the letter's link."""
    text = (letter.get_payload(decode=True) or b"").decode()
    match = re.search(r"/(?:invite|reset|verify)/(\S+)", text)
    assert match
    return match[1]
