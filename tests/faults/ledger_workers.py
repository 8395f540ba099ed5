"""Faults of the ledger: two workers that store and integrate into one database at once."""

import time
from pathlib import Path

from core.stores.database import Database
from core.stores.ledger.file_guard import FileGuard
from core.stores.ledger.signing import CheckpointSigner
from tests.faults.brokers import RATE, cluster
from tests.faults.ledger_steps import KEYS, judge_proofs
from tests.faults.load import Load, Verdict, judge
from tests.support.ledger import indices, places
from tests.support.waiting import until


def two_integrators(seconds: int) -> Verdict:
    """Store events by two workers, each with an integrator, and sign meanwhile; prove every event at the end."""
    with cluster() as made:
        token, _ = made.services().issuer.issue("faults")
        database = Database(made.database.url)
        try:
            signer = CheckpointSigner(database.engine, KEYS, FileGuard(made.directory / "ledger"))
            with Load([api.url for api in made.apis], token, rate=RATE) as load:
                for _ in range(seconds):
                    signer.sign()
                    time.sleep(1)
            stored = judge(load.recorder, made.database.url)
            until(lambda: indices(database.engine).keys() == places(database.engine).keys(), "every index")
            signer.sign()
            return judge_proofs(database, Path(made.directory), load.recorder, stored.unexpected + stored.lost)
        finally:
            database.close()
