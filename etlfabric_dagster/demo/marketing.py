"""The demo's uploaded file: what the shop spent on each channel, day by day."""

from __future__ import annotations

import csv
import io
import math
import random
from datetime import date, timedelta

FILE = "marketing_spend.csv"
MONTHS = 36
SEED = 20260901
CHANNELS = {"search": 46.0, "social": 31.0, "newsletter": 6.0, "marketplace": 14.0}
"""Channel → Euro a day at the start."""
CLICK_EUR = {"search": 0.62, "social": 0.41, "newsletter": 0.05, "marketplace": 0.55}


def spend_file(today: date) -> bytes:
    """The CSV up to yesterday. The same bytes on the same day."""
    chance = random.Random(SEED)
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(["day", "channel", "campaign", "spend_eur", "impressions", "clicks"])
    for number, day in enumerate(_days(today)):
        for channel, base in CHANNELS.items():
            growth = math.exp(0.021 * number / 30.4)
            spend = base * growth * _season(day) * chance.uniform(0.75, 1.25)
            clicks = round(spend / CLICK_EUR[channel] * chance.uniform(0.85, 1.15))
            seen = round(clicks * chance.uniform(28, 44))
            rows.writerow([day, channel, _campaign(day, channel), f"{spend:.2f}", seen, clicks])
    return text.getvalue().encode()


def _days(today: date) -> list[date]:
    months = today.year * 12 + today.month - 1 - MONTHS
    first = date(months // 12, months % 12 + 1, 1)
    return [first + timedelta(days=n) for n in range((today - first).days)]


def _season(day: date) -> float:
    if (day.month, day.day) > (11, 22) or day.month == 12 and day.day < 21:
        return 1.8
    return 0.8 if day.month in (7, 8) else 1.0


def _campaign(day: date, channel: str) -> str:
    occasion = "Festive" if _season(day) > 1.5 else f"Q{(day.month - 1) // 3 + 1}"
    return f"{occasion} {day.year}, {channel}"
