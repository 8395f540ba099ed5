"""Attestation of the ledger by others: the threads that ask witnesses, and that copy checkpoints to anchors.

They run in the process that signs, in separate threads: no event and no checkpoint waits for them.
"""

from typing import Final

from core.ports.telemetry import Check, Meter
from core.settings import Settings
from core.stores.database import Database
from local_runner.background.anchors import Anchors, open_anchors
from local_runner.background.rounds import Rounds
from local_runner.background.signer import GUARD_NAME, signs_here

TIME_STAMPS: Final = "timestamps"
"""Directory of the time stamps, in that of the guard."""


class Attestation:
    """The rounds that the settings ask for, if any, and the checks of their results."""

    def __init__(self, settings: Settings, database: Database, meter: Meter) -> None:
        """Read the policy of the witnesses.

        Raises:
            InvalidSettingsError: the policy file or an anchor cannot be used.
        """
        self.rounds: list[Rounds] = []
        self.checks: dict[str, Check] = {}
        if not signs_here(settings):
            return
        if settings.ledger_witnesses:
            # The verifier of cosignatures brings the client's library, a sixth of the imports at a start.
            from local_runner.background.witnesses import Witnesses, read_witnesses  # noqa: PLC0415 - few have any

            witnesses = Witnesses(read_witnesses(settings.ledger_witnesses), database, meter)
            self.rounds.append(Rounds("witnesses", settings.ledger_witness_seconds, witnesses.ask))
            self.checks = {"witnesses": witnesses.check}
        if settings.ledger_anchors:
            places = open_anchors(settings.ledger_anchors, settings.data_dir / GUARD_NAME / TIME_STAMPS)
            anchors = Anchors(places, database, meter)
            self.rounds.append(Rounds("anchors", settings.ledger_anchor_seconds, anchors.keep))
