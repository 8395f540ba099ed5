"""Composition of alert rules: the parts that register, preview and evaluate them."""

from functools import cached_property

from core.alerts.evaluator import Evaluator
from core.alerts.preview import Preview, preview
from core.alerts.registry import AlertRuleRegistry
from core.alerts.status import AlertRuleStatus
from core.domain.actors import Actor
from core.domain.alert_rules import AlertRuleDefinition
from core.domain.clock import Clock
from core.ports.feed import FeedReader
from core.stores.database import Database


class AlertRuleServices:
    """The parts of alert rules, each built at its first use."""

    def __init__(self, database: Database, feed: FeedReader, clock: Clock) -> None:
        self._database = database
        self._feed = feed
        self._clock = clock

    @cached_property
    def registry(self) -> AlertRuleRegistry:
        """Registers and changes rules."""
        return AlertRuleRegistry(self._database.alert_rules, self._feed, self._clock)

    @cached_property
    def status(self) -> AlertRuleStatus:
        """Shows how far rules have come."""
        return AlertRuleStatus(self._database.alert_rules, self._feed, self._clock)

    def evaluator(self) -> Evaluator:
        """Build the evaluator of a process that evaluates rules."""
        return Evaluator(self._feed, self._database.alert_memory, self._clock)

    def preview(self, definition: AlertRuleDefinition, actor: Actor) -> Preview:
        """Say when a rule would have fired over the newest entries, see `core.alerts.preview`.

        Raises:
            InvalidFieldsError: the customers are not among those of the actor.
            StoreUnavailableError: trying again later helps.
        """
        return preview(self.registry.limited(definition, actor), self._feed, self._clock)
