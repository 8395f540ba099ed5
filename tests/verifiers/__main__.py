"""`python -m tests.verifiers`: proofs of running services, by verifiers of other authors, and tampered ones.

A service on each database stores events. Their proofs go to sigstore-python, proofbundle, docs/verify.sh and
`audit-log verify`, and consistency proofs to rekor-verifier. Then a proof is tampered with in every way of
`tests.verifiers.tampering`, and every program must refuse it, but for the leniency that is known of it.
"""

import argparse
import json
import random
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from rich.console import Console

from tests.support import databases
from tests.support.service import AUDIT_LOG, Service
from tests.support.waiting import until
from tests.verifiers.tampering import Files, tamperings

CONSOLE: Final = Console(width=160, highlight=False, markup=False)
ROOT: Final = Path(__file__).parents[2]
OUTSIDE: Final = [str(ROOT / "build/verifiers/bin/python"), str(Path(__file__).with_name("outside.py"))]
DATABASES: Final = {"SQLite": None, "PostgreSQL": databases.POSTGRESQL, "MariaDB": databases.MARIADB}
NOT_PROVEN: Final = 3
LENIENT: Final = {
    "sigstore": {
        "index with a leading zero", "index with a sign", "a hash in base64 that is not canonical",
    },
    "verify.sh": {"a hash in base64 that is not canonical"},
}  # fmt: skip
"""Forms that a program takes for the value that they stand for."""

Case = dict[str, str]
Verdicts = dict[str, dict[str, str]]


class Proven:
    """A service with stored events, and the files of their proofs."""

    def __init__(self, service: Service, events: int) -> None:
        self.client = service.client()
        self.ids: list[str] = []
        self._store(max(1, events // 3))
        self._wait()
        self.old = self._get("/ledger/checkpoint")
        self._store(events)
        self._wait()
        vkeys = [
            line.split(" ")[1] for line in self._get("/ledger/policy").decode().split("\n") if line.startswith("log ")
        ]
        self.key = vkeys[0]

    def files(self, event_id: str) -> Files:
        """The files of an event."""
        return Files(self._get(f"/event/{event_id}/proof"), self._get(f"/event/{event_id}/proof/data"), self.key)

    def consistency(self) -> bytes:
        """The proof that the former checkpoint is the beginning of the newest one."""
        _, size, *_ = self.old.decode().split("\n")
        return self._get(f"/ledger/consistency?old={size}")

    def _store(self, count: int) -> None:
        bodies = [
            {"event_type": "user.login", "customer_id": 42, "event_data": {"number": number, "x": random.random()}}  # noqa: S311 - no secret
            for number in range(count)
        ]
        answer = self.client.post("/events", json={"events": bodies})
        self.ids += [one["event_id"] for one in answer.raise_for_status().json()["accepted"]]

    def _wait(self) -> None:
        until(lambda: self.client.get(f"/event/{self.ids[-1]}/proof").is_success)

    def _get(self, path: str) -> bytes:
        return self.client.get(path).raise_for_status().content


def write(folder: Path, files: Files, event_id: str) -> Case:
    """Write the files of a case."""
    folder.mkdir()
    (folder / "proof").write_bytes(files.proof)
    (folder / "data").write_bytes(files.data)
    return {"folder": str(folder), "key": files.key, "event_id": event_id}


def verdicts(cases: list[Case]) -> Verdicts:
    """By case and by program an empty text, or why it is refused."""
    ran = subprocess.run(OUTSIDE, input=json.dumps(cases).encode(), stdout=subprocess.PIPE, check=True)
    found: Verdicts = json.loads(ran.stdout)
    for case in cases:
        folder = Path(case["folder"])
        if not (folder / "consistency").exists():
            found[case["folder"]] |= {"verify.sh": _by_script(folder, case), "audit-log": _by_command(folder, case)}
    return found


def _by_script(folder: Path, case: Case) -> str:
    command = ["sh", str(ROOT / "docs/verify.sh"), case["key"], str(folder / "proof"), str(folder / "data")]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    return "" if ran.returncode == 0 and case["event_id"] in ran.stdout else ran.stderr or "another event"


def _by_command(folder: Path, case: Case) -> str:
    named = folder / f"{case['event_id']}.tlog-proof"
    named.write_bytes((folder / "proof").read_bytes())
    named.with_suffix(".data").write_bytes((folder / "data").read_bytes())
    command = [AUDIT_LOG, "verify", str(named), "--key", case["key"], "--json"]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    if ran.returncode == 0:
        return "" if json.loads(ran.stdout)["event"]["event_id"] == case["event_id"] else "another event"
    return ran.stdout + ran.stderr


def run(name: str, server: str | None, events: int) -> list[str]:
    """Verify on one database; return the disagreements."""
    wrong: list[str] = []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="audit-log-verifiers-")))
        settings = {"database_url": stack.enter_context(databases.throwaway(server))} if server else {}
        service = stack.enter_context(Service.start(folder / "data", ledger_seconds="1", **settings))
        proven = Proven(service, events)
        chosen = random.sample(proven.ids, min(events, len(proven.ids)))
        cases = [write(folder / f"event-{number}", proven.files(one), one) for number, one in enumerate(chosen)]
        (folder / "consistent").mkdir()
        (folder / "consistent" / "old").write_bytes(proven.old)
        (folder / "consistent" / "consistency").write_bytes(proven.consistency())
        cases.append({"folder": str(folder / "consistent"), "key": proven.key, "event_id": ""})
        accepted: dict[str, int] = {}
        for case, programs in verdicts(cases).items():
            for program, reason in programs.items():
                accepted[program] = accepted.get(program, 0) + (not reason)
                wrong += [f"{name}: {program} refuses {case}: {reason}"] if reason else []
        CONSOLE.print(f"{name}: accepted {accepted}")
        one, other = chosen[:2]
        attacks = dict(tamperings(proven.files(one), proven.files(other)))
        broken = {str(folder / f"attack-{number}"): title for number, title in enumerate(attacks)}
        attacked = [write(Path(path), attacks[title], one) for path, title in broken.items()]
        refused: dict[str, int] = {}
        for case, programs in verdicts(attacked).items():
            for program, reason in programs.items():
                refused[program] = refused.get(program, 0) + bool(reason)
                if not reason and broken[case] not in LENIENT.get(program, ()):
                    wrong.append(f"{name}: {program} accepts: {broken[case]}")
        CONSOLE.print(f"{name}: refused, of {len(attacks)} tamperings, {refused}")
        wrong += [f"{name}: rekor-verifier accepts: {title}" for title in inconsistent(folder, proven)]
    return wrong


def inconsistent(folder: Path, proven: Proven) -> list[str]:
    """Titles of the tampered consistency proofs that are accepted."""
    proof, _, note = proven.consistency().partition(b"\n\n")
    size, *hashes = proof.split(b"\n")
    changed = {
        "no hash": [size],
        "a hash is missing": [size, *hashes[:-1]],
        "a hash too many": [size, *hashes, hashes[-1]],
        "hashes reversed": [size, *hashes[::-1]],
        "another size": [b"old 1", *hashes],
    }
    cases = {}
    for number, (title, lines) in enumerate(changed.items()):
        made = folder / f"inconsistent-{number}"
        made.mkdir()
        (made / "old").write_bytes(proven.old)
        (made / "consistency").write_bytes(b"\n".join(lines) + b"\n\n" + note)
        cases[str(made)] = title
    found = verdicts([{"folder": path, "key": proven.key, "event_id": ""} for path in cases])
    return [cases[path] for path, programs in found.items() if not programs["rekor-verifier"]]


def main() -> int:
    """Run on the databases that the command line names; the exit status says whether all agreed."""
    parser = argparse.ArgumentParser(prog="python -m tests.verifiers", description=__doc__)
    parser.add_argument("databases", nargs="*", help=f"of {', '.join(DATABASES)}; default: all")
    parser.add_argument("--events", type=int, default=200, help="events to verify on each database")
    options = parser.parse_args()
    wrong: list[str] = []
    for name in options.databases or DATABASES:
        wrong += run(name, DATABASES[name], options.events)
    CONSOLE.print("\n".join(wrong) or "all verifiers agree")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
