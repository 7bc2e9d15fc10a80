"""What an org learns about itself: alerts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from etlfabric_dagster.fabric.base import InOrg
from etlfabric_dagster.fabric.gateway import at, nothing, sent, whole
from etlfabric_dagster.schemas.alerts import ChannelKind, ChannelOut, IncidentOut, RuleOut
from etlfabric_dagster.schemas.base import Page
from etlfabric_dagster.schemas.streams import CheckResult
from etlfabric_dagster.services import alerts, deliveries, incidents
from etlfabric_dagster.services.scope import OrgScope


class Alerts(InOrg):
    """Who is told when a pipeline needs a look."""

    def add_channel(
        self,
        name: str,
        kind: ChannelKind | str,
        *,
        to: Sequence[str] = (),
        url: str | None = None,
        signing_secret: str | None = None,
    ) -> ChannelOut:
        """A channel: `email` with `to`, `slack` or `webhook` with `url`. Nothing is dialled.

        The signing secret of a `webhook` is shown this once. Raises InvalidInputError.

        >>> demo.alerts.add_channel("ops", "email", to=["ops@example.com"]).to
        ('ops@example.com',)
        """
        where: dict[str, Any] = {"to": list(to), "url": url, "signing_secret": signing_secret}
        body = {"name": name, "kind": ChannelKind(kind), **where}
        return self._scoped(
            lambda scope: alerts.create_channel(scope, name, ChannelKind(kind), **where),
            sent("POST", "alerts/channels", ChannelOut, body),
        )

    def channels(self) -> tuple[ChannelOut, ...]:
        """All channels, without secrets.

        >>> channel = demo.alerts.add_channel("team", "email", to=["team@example.com"])
        >>> "team" in [channel.name for channel in demo.alerts.channels()]
        True
        """

        async def here(scope: OrgScope) -> tuple[ChannelOut, ...]:
            return (await alerts.list_channels(scope)).items

        return self._scoped(here, whole("alerts/channels", ChannelOut))

    def remove_channel(self, name: str) -> None:
        """Remove it. Raises ConflictError while a rule uses it.

        >>> channel = demo.alerts.add_channel("gone", "email", to=["gone@example.com"])
        >>> demo.alerts.remove_channel("gone")
        """
        self._scoped(
            lambda scope: alerts.delete_channel(scope, name),
            nothing("DELETE", at("alerts/channels", name)),
        )

    def test(self, channel: str) -> CheckResult:
        """Send a test message now; without an SMTP server mail is kept in the home.

        >>> channel = demo.alerts.add_channel("tried", "email", to=["ana@example.com"])
        >>> demo.alerts.test("tried").ok
        True
        """
        return self._ask(
            lambda actor, slug: deliveries.test(actor, slug, channel),
            sent("POST", at("alerts/channels", channel, "test"), CheckResult),
        )

    def set_rule(self, name: str, **settings: Any) -> RuleOut:
        """Create or replace a rule: `channels`, `kinds`, `pipelines`, `stale_after_s`,
        `quiet_from`, `quiet_to`, `timezone`, `enabled`. Raises InvalidInputError.

        >>> channel = demo.alerts.add_channel("night", "email", to=["night@example.com"])
        >>> demo.alerts.set_rule("failures", channels=["night"]).kinds[0].value
        'failure'
        """
        return self._scoped(
            lambda scope: alerts.put_rule(scope, name, settings),
            sent("PUT", at("alerts/rules", name), RuleOut, settings),
        )

    def rules(self) -> tuple[RuleOut, ...]:
        """All rules.

        >>> all(rule.channels for rule in demo.alerts.rules())
        True
        """

        async def here(scope: OrgScope) -> tuple[RuleOut, ...]:
            return (await alerts.list_rules(scope)).items

        return self._scoped(here, whole("alerts/rules", RuleOut))

    def remove_rule(self, name: str) -> None:
        """Remove a rule and its incidents.

        >>> channel = demo.alerts.add_channel("brief", "email", to=["brief@example.com"])
        >>> rule = demo.alerts.set_rule("brief", channels=["brief"])
        >>> demo.alerts.remove_rule("brief")
        """
        self._scoped(
            lambda scope: alerts.delete_rule(scope, name),
            nothing("DELETE", at("alerts/rules", name)),
        )

    def history(
        self, *, open_only: bool = False, pipeline: str | None = None
    ) -> Iterator[IncidentOut]:
        """Incidents, newest first, with who was told; fetched page by page.

        >>> list(demo.alerts.history(pipeline="nosuch"))
        []
        """
        cursor: str | None = None
        while True:
            page = self._page(open_only, pipeline, cursor)
            yield from page.items
            cursor = page.next
            if cursor is None:
                return

    def _page(self, open_only: bool, pipeline: str | None, cursor: str | None) -> Page[IncidentOut]:
        params = {"open": open_only, "pipeline": pipeline, "cursor": cursor}
        return self._scoped(
            lambda scope: incidents.list_incidents(
                scope, open_only=open_only, pipeline=pipeline, cursor=cursor
            ),
            sent("GET", "alerts/incidents", Page[IncidentOut], **params),
        )
