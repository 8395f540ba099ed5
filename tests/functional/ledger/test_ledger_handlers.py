"""The routes of the ledger: who gets which proof, and what each malformed request gets."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, cast

import pytest

from audit_log_client.ledger import parse_policy, verify_consistency, verify_event
from core.auth.tokens import WRITE
from core.errors import StoreUnavailableError
from core.ledger.keys import LedgerKeys
from core.ledger.tiles import parse_path
from core.settings import Settings
from core.stores.database import Database
from core.stores.ledger.file_guard import FileGuard
from core.stores.ledger.identity import fix_origin, publish_keys
from core.stores.ledger.signing import CheckpointSigner
from core.wiring import Services
from functions.proofs.event_proof import event_proof, event_proof_data
from functions.proofs.ledger import (
    TILE_PARAMETERS,
    ledger_checkpoint,
    ledger_consistency,
    ledger_policy,
    tile_operation,
)
from functions.routes import ROUTES
from local_runner.http.application import Application
from tests.support import databases
from tests.support.builders import event
from tests.support.fakes import Answer, FakeGateway
from tests.unit.ledger.sample_log import ORIGIN, private_key

if TYPE_CHECKING:
    from core.ports.ledger import LedgerProofs

COUNT = 300


class World:
    """A signed ledger of `COUNT` events, of customers 0 to 9, and one event that is not signed yet."""

    def __init__(self, settings: Settings) -> None:
        self.database = Database(settings.store_url)
        databases.copy_migrated(self.database.engine.url)
        self.services = Services(settings, database=self.database)
        keys = LedgerKeys(fix_origin(self.database.engine, ORIGIN, ORIGIN), [private_key(1)])
        signer = CheckpointSigner(self.database.engine, keys, FileGuard(settings.data_dir / "ledger"))
        self.database.events.add([event(number, customer_id=number % 10) for number in range(5)])
        self.database.ledger.integrate()
        assert signer.sign() == 5
        publish_keys(self.database.engine, keys)
        self.database.events.add([event(number, customer_id=number % 10) for number in range(5, COUNT)])
        self.database.ledger.integrate()
        assert signer.sign() == COUNT
        self.database.events.add([event(COUNT)])
        self.policy = parse_policy(f"log {keys.verifier_keys[0]}\nquorum none\n".encode())


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    secret = "a-secret-of-the-tests-that-is-long-enough"
    world = World(Settings.model_validate({"data_dir": tmp_path_factory.mktemp("ledger"), "jwt_secret": secret}))
    yield world
    world.services.close()


@pytest.fixture
def gateway(world: World) -> FakeGateway:
    return FakeGateway(world.services)


def proof(gateway: FakeGateway, number: int, **parts: Any) -> Answer:
    return gateway.call(event_proof, path_parameters={"event_id": event(number).event_id}, **parts)


def data(gateway: FakeGateway, number: int, **parts: Any) -> Answer:
    return gateway.call(event_proof_data, path_parameters={"event_id": event(number).event_id}, **parts)


def tile(gateway: FakeGateway, path: str, **parts: Any) -> Answer:
    level, *rest = path.split("/")
    names = TILE_PARAMETERS[len(rest) - 1]
    parameters = {"level": level, **dict(zip(names, rest, strict=True))}
    return gateway.call(tile_operation(names), path_parameters=parameters, **parts)


def test_the_files_of_a_proof_are_verified_without_the_service(gateway: FakeGateway, world: World) -> None:
    for number in (0, 5, COUNT - 1):
        files = proof(gateway, number), data(gateway, number)
        assert {(answer.status, answer.headers["Content-Type"]) for answer in files} == {
            (200, "text/plain; charset=utf-8")
        }
        proven = verify_event(files[0].body, world.policy, data=files[1].body, event_id=event(number).event_id)
        assert (proven.event_data, proven.checkpoint.size) == ({"number": number}, COUNT)


def test_an_event_is_proven_under_an_older_checkpoint(gateway: FakeGateway, world: World) -> None:
    answer = proof(gateway, 0, query=[("tree_size", "5")])
    assert verify_event(answer.body, world.policy).checkpoint.size == 5
    assert proof(gateway, 9, query=[("tree_size", "5")]).status == 404
    assert proof(gateway, 0, query=[("tree_size", "6")]).status == 404


def test_a_proof_that_waits_for_its_checkpoint_says_when_to_ask_again(gateway: FakeGateway) -> None:
    answer = proof(gateway, COUNT)
    assert (answer.status, answer.headers["Retry-After"]) == (404, "5")
    assert "no signed checkpoint covers it yet" in answer.json["detail"]
    assert data(gateway, COUNT).status == 200


def test_a_proof_is_as_visible_as_its_event(world: World, gateway: FakeGateway) -> None:
    narrow = FakeGateway(world.services, customers=[2])
    assert proof(narrow, 12).status == data(narrow, 12).status == 200
    for ask in (proof, data):
        foreign, missing = ask(narrow, 13, request_id="same"), ask(narrow, 10_000, request_id="same")
        assert foreign == missing
        assert foreign.status == 404
        assert "Retry-After" not in foreign.headers
        assert ask(narrow, COUNT, request_id="same") == missing  # not integrated, and foreign
        assert ask(gateway, 13, token=None).status == 401
        assert ask(FakeGateway(world.services, scopes=[WRITE]), 13).status == 403


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ([("tree_size", "0")], ["tree_size"]),
        ([("tree_size", "-1")], ["tree_size"]),
        ([("tree_size", "1.0")], ["tree_size"]),
        ([("tree_size", "9" * 30)], ["tree_size"]),
        ([("tree_size", "5"), ("tree_size", "6")], ["tree_size"]),
        ([("size", "5")], ["size"]),
    ],
)
def test_a_malformed_size_of_a_tree_is_refused(
    gateway: FakeGateway, query: list[tuple[str, str]], names: list[str]
) -> None:
    answer = proof(gateway, 0, query=query)
    assert (answer.status, list(answer.errors)) == (422, names)


@pytest.mark.parametrize("event_id", ["x", "", "é", "\x00", "' OR 1=1 --", "0" * 36])
def test_an_id_of_no_event_has_no_proof(gateway: FakeGateway, event_id: str) -> None:
    for operation in (event_proof, event_proof_data):
        assert gateway.call(operation, path_parameters={"event_id": event_id}).status == 404


def test_the_newest_checkpoint_continues_every_older_one(gateway: FakeGateway, world: World) -> None:
    newest = gateway.call(ledger_checkpoint)
    assert newest.headers["Cache-Control"] == "private, max-age=5"
    older = proof(gateway, 0, query=[("tree_size", "5")]).body.partition(b"\n\n")[2]
    answer = gateway.call(ledger_consistency, query=[("old", "5")])
    assert answer.body.endswith(b"\n\n" + newest.body)
    assert verify_consistency(older, answer.body, world.policy)[1].size == COUNT
    limited = FakeGateway(world.services, customers=[2])
    assert limited.call(ledger_checkpoint).status == 200
    assert limited.call(ledger_consistency, query=[("old", "5")]).status == 200


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ([], 422), ([("old", "0")], 422), ([("old", "x")], 422), ([("old", str(COUNT + 1))], 404),
        ([("old", str(COUNT))], 200), ([("new", "5")], 422),
    ],
)  # fmt: skip
def test_consistency_needs_a_size_that_the_ledger_has(
    gateway: FakeGateway, query: list[tuple[str, str]], status: int
) -> None:
    assert gateway.call(ledger_consistency, query=query).status == status


def test_the_policy_names_the_key_to_anyone(gateway: FakeGateway, world: World) -> None:
    answer = gateway.call(ledger_policy, token=None)
    assert answer.status == 200
    assert parse_policy(answer.body) == world.policy


@pytest.mark.parametrize(
    ("path", "size"),
    [("0/000", 8192), ("0/001.p/44", 44 * 32), ("1/000.p/1", 32), ("entries/000", 256 * 93), ("entries/001.p/1", 93)],
)
def test_a_tile_has_its_hashes_and_never_changes(gateway: FakeGateway, path: str, size: int) -> None:
    answer = tile(gateway, path)
    assert (answer.status, len(answer.body)) == (200, size)
    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert "immutable" in answer.headers["Cache-Control"]


@pytest.mark.parametrize(
    "path",
    [
        "0/001", "0/001.p/45", "0/002", "1/000", "1/000.p/2", "2/000.p/1", "63/000", "entries/001", "entries/001.p/45",
        "0/0", "64/000", "x/000", "0/x001/000", "0/x001/x002/003", "0/000.p/0", "0/000.p/256", "0/..", "0/%00",
    ],
)  # fmt: skip
def test_a_tile_beyond_the_signed_ledger_or_of_another_form_is_not_found(gateway: FakeGateway, path: str) -> None:
    assert tile(gateway, path).status == 404


def test_tiles_are_not_for_tokens_that_are_limited_to_customers(world: World) -> None:
    assert tile(FakeGateway(world.services, customers=[2]), "0/000").status == 403


def test_every_path_of_a_tile_has_a_route() -> None:
    application = Application(Services(Settings()))
    paths = ["0/000", "0/000.p/1", "entries/x001/x234/067.p/17", "1/x001/234", "1/x001/x234/067"]
    for path in paths:
        assert parse_path(path) is not None
        endpoint, _ = application._urls.match(f"/ledger/tile/{path}", "GET")  # noqa: SLF001 - a request needs a ledger
        place = next(route.place for route in ROUTES if route.path == endpoint[1])
        assert application.place("GET", f"/ledger/tile/{path}") is place


def test_without_a_ledger_there_are_no_proofs(world: World) -> None:
    settings = world.services.settings.model_copy(update={"ledger": "off"})
    gateway = FakeGateway(Services(settings, database=world.database))
    for answer in (proof(gateway, 0), data(gateway, 0), gateway.call(ledger_checkpoint), tile(gateway, "0/000")):
        assert answer.status == 404
        assert "no ledger" in answer.json["detail"]


class Down:
    """Proofs of a database that is away."""

    def find(self, event_id: str) -> None:
        raise StoreUnavailableError(event_id)


def test_a_store_that_is_down_is_no_proof_that_an_event_has_none(world: World) -> None:
    services = Services(world.services.settings, database=world.database, proofs=cast("LedgerProofs", Down()))
    assert proof(FakeGateway(services), 0).status == 503
