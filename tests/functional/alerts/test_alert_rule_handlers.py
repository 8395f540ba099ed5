"""/alert-rule: definitions, versions, previews, and limits of tokens to customers."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from core.auth.tokens import MANAGE_STREAMS, READ, WRITE
from core.domain.alert_rules import MAX_LIMITED_RULES, MAX_RULES
from core.domain.queries import EventFilter
from core.ports.feed import FeedRequest
from core.settings import Settings
from core.stores.sql import SqlEventStore
from core.wiring import Services
from functions.alerts import manage
from functions.http.handler import Operation
from functions.http.limits import MAX_DEFINITION_BYTES
from tests.support.alert_rules import happened, make_rule
from tests.support.fakes import Answer, FakeGateway, FakeQueue
from tests.support.streams import StoreEvents, record

RULE = {"name": "logins", "kind": "threshold", "threshold": 3, "window_seconds": 60}
Call = Callable[..., Answer]


@pytest.fixture
def services(settings: Settings, sqlite_store: SqlEventStore, queue: FakeQueue) -> Services:
    return Services(settings, publisher=queue, reader=sqlite_store, checks={})


@pytest.fixture
def call(services: Services) -> Call:
    return caller(services)


def caller(services: Services, customers: list[int] | None = None) -> Call:
    """Call an operation with a token for alert rules; `customers` limits it."""
    gateway = FakeGateway(services, scopes=(MANAGE_STREAMS,), customers=customers)

    def ask(operation: Operation, method: str = "POST", rule_id: str | None = None, **parts: Any) -> Answer:
        parameters = {"rule_id": rule_id} if rule_id else None
        return gateway.call(operation, method, "/alert-rule", path_parameters=parameters, **parts)

    return ask


def created(call: Call, **fields: Any) -> dict[str, Any]:
    answer = call(manage.create_alert_rule, body={**RULE, **fields})
    assert answer.status == 201, answer.body
    found: dict[str, Any] = json.loads(answer.body)
    assert answer.headers["Location"].endswith(f"/alert-rule/{found['rule_id']}")
    return found


def problems(answer: Answer) -> dict[str, str]:
    assert answer.status == 422, answer.body
    return {".".join(map(str, each["loc"])): each["msg"] for each in json.loads(answer.body)["errors"]}


def test_a_rule_is_created_listed_and_looked_up(call: Call) -> None:
    rule = created(call, filter="event_type=user.login", group_by=["customer_id"])
    assert (rule["state"], rule["version"], rule["position"], rule["customers"]) == ("active", 1, 0, None)
    answer = call(manage.get_alert_rule, "GET", rule["rule_id"])
    assert (json.loads(answer.body), answer.headers["ETag"]) == (rule, '"1"')
    assert json.loads(call(manage.list_alert_rules, "GET").body) == {"alert_rules": [rule]}


def test_a_change_needs_the_version_that_was_read(call: Call) -> None:
    rule_id = created(call)["rule_id"]
    etag = call(manage.get_alert_rule, "GET", rule_id).headers["ETag"]
    body = {**RULE, "name": "renamed"}
    assert call(manage.replace_alert_rule, "PUT", rule_id, body=body).status == 428
    changed = call(manage.replace_alert_rule, "PUT", rule_id, body=body, headers={"If-Match": etag})
    assert (changed.status, json.loads(changed.body)["name"], changed.headers["ETag"]) == (200, "renamed", '"2"')
    assert call(manage.replace_alert_rule, "PUT", rule_id, body=body, headers={"If-Match": etag}).status == 412


@pytest.mark.parametrize("tag", ["*", "", "1", '"1", "2"', '"x"'])
def test_a_change_that_names_no_version_is_told_what_to_send(call: Call, tag: str) -> None:
    rule_id = created(call)["rule_id"]
    answer = call(manage.replace_alert_rule, "PUT", rule_id, body=RULE, headers={"If-Match": tag})
    assert (answer.status, b"Send If-Match with the ETag" in answer.body) == (428, True)


def test_a_tag_that_a_proxy_made_a_weak_one_is_that_version(call: Call) -> None:
    rule_id = created(call)["rule_id"]
    for tag, status in (('W/"2"', 412), (' W/"1" ', 200)):
        assert call(manage.replace_alert_rule, "PUT", rule_id, body=RULE, headers={"If-Match": tag}).status == status


def test_a_rule_is_paused_resumed_and_deleted_and_each_act_is_recorded(
    services: Services, call: Call, store_events: StoreEvents
) -> None:
    rule_id = created(call)["rule_id"]
    assert json.loads(call(manage.pause_alert_rule, rule_id=rule_id).body)["state"] == "paused"
    assert json.loads(call(manage.resume_alert_rule, rule_id=rule_id).body)["state"] == "active"
    assert json.loads(call(manage.delete_alert_rule, "DELETE", rule_id).body) == {"rule_id": rule_id}
    assert call(manage.get_alert_rule, "GET", rule_id).status == 404
    store_events()
    records = [each for _, each in services.feed.read(FeedRequest(EventFilter())).entries]
    kinds = ["created", "paused", "resumed", "deleted"]
    assert [each.event_type for each in records] == [f"audit-log.alert-rule.{kind}" for kind in kinds]
    assert {each.event_data["by"] for each in records} == {"tests"}


@pytest.mark.parametrize("operation", [manage.create_alert_rule, manage.preview_alert_rule], ids=["create", "preview"])
@pytest.mark.parametrize(
    ("fields", "field", "remedy"),
    [
        ({"name": ""}, "name", "must not be empty"),
        ({"kind": "rate"}, "kind", "'threshold', 'first_seen' or 'absence'"),
        ({"filter": "colour=red"}, "filter", "no field"),
        ({"group_by": ["colour"]}, "group_by.0", "must be customer_id, event_type"),
        ({"group_by": ["event_data.roles[*]"]}, "group_by.0", "name an index"),
        ({"group_by": ["customer_id", "customer_id"]}, "", "twice"),
        ({"group_by": ["customer_id", "event_type", "recorded_by", "event_data.a"]}, "group_by", "at most 3"),
        ({"threshold": None}, "", "needs threshold"),
        ({"threshold": 0}, "threshold", "must be at least 1"),
        ({"threshold": "3"}, "threshold", "integer"),
        ({"window_seconds": 31 * 24 * 3600 + 1}, "window_seconds", "must be at most 2678400"),
        ({"path": "event_data.ip"}, "", "must not have path"),
        ({"kind": "first_seen"}, "", "needs path"),
        ({"customers": []}, "customers", "must not be empty"),
        ({"colour": "s3cr3t"}, "colour", "is not a field"),
    ],
)
def test_bad_input_is_refused_with_the_remedy(
    call: Call, operation: Operation, fields: dict[str, Any], field: str, remedy: str
) -> None:
    answer = call(operation, body={**RULE, **fields})
    assert remedy in problems(answer)[field]
    assert b"s3cr3t" not in answer.body
    assert json.loads(answer.body)["detail"] == "The alert rule is invalid: see errors."


def test_a_replacement_is_checked_like_a_new_rule(call: Call) -> None:
    rule_id = created(call)["rule_id"]
    body = {**RULE, "kind": "absence"}
    answer = call(manage.replace_alert_rule, "PUT", rule_id, body=body, headers={"If-Match": '"1"'})
    assert problems(answer) == {"": "a rule of the kind absence must not have threshold"}


def test_a_body_that_is_no_json_or_too_large_is_refused(call: Call) -> None:
    assert call(manage.create_alert_rule, body="{").status == 400
    assert call(manage.create_alert_rule, body={**RULE, "filter": "x" * MAX_DEFINITION_BYTES}).status == 413
    assert call(manage.create_alert_rule, body="name=x", headers={"Content-Type": "text/plain"}).status == 415


def test_a_query_parameter_is_refused(call: Call) -> None:
    assert "state" in problems(call(manage.list_alert_rules, "GET", query=[("state", "paused")]))


def test_a_name_that_is_taken_is_a_conflict(call: Call) -> None:
    created(call)
    assert call(manage.create_alert_rule, body=RULE).status == 409
    other = created(call, name="other")["rule_id"]
    assert call(manage.replace_alert_rule, "PUT", other, body=RULE, headers={"If-Match": '"1"'}).status == 409


def test_one_rule_too_many_is_a_conflict(services: Services, call: Call) -> None:
    for number in range(MAX_RULES):
        services.database.alert_rules.add_rule(make_rule(number), record("alert-rule.created"))
    answer = call(manage.create_alert_rule, body=RULE)
    assert (answer.status, json.loads(answer.body)["detail"]) == (
        409,
        f"There are {MAX_RULES} alert rules already: delete one first.",
    )


@pytest.mark.parametrize("rule_id", ["rule-1", "rule-0000000000000001", "rule-000000000000000G", "stream-1", "%"])
def test_an_id_of_no_rule_is_not_found(call: Call, rule_id: str) -> None:
    assert call(manage.get_alert_rule, "GET", rule_id).status == 404
    assert call(manage.replace_alert_rule, "PUT", rule_id, body=RULE, headers={"If-Match": '"1"'}).status == 404
    for operation in (manage.pause_alert_rule, manage.resume_alert_rule, manage.delete_alert_rule):
        assert call(operation, rule_id=rule_id).status == 404


def test_a_limited_token_sees_and_makes_only_rules_of_its_customers(services: Services, call: Call) -> None:
    everyone = created(call, name="all")["rule_id"]
    foreign = created(call, name="foreign", customers=[7, 9])["rule_id"]
    seven = caller(services, [7, 8])
    own = created(seven, name="own")
    assert (own["customers"], own["position"], own["learns_until"]) == ([7, 8], None, None)
    for operation in (manage.create_alert_rule, manage.preview_alert_rule):
        assert problems(seven(operation, body={**RULE, "customers": [9]})).keys() == {"customers"}
    change = {"body": {**RULE, "customers": [7, 9]}, "headers": {"If-Match": '"1"'}}
    assert problems(seven(manage.replace_alert_rule, "PUT", own["rule_id"], **change)).keys() == {"customers"}
    assert [each["name"] for each in json.loads(seven(manage.list_alert_rules, "GET").body)["alert_rules"]] == ["own"]
    for rule_id in (everyone, foreign):
        assert seven(manage.get_alert_rule, "GET", rule_id).status == 404
        assert seven(manage.replace_alert_rule, "PUT", rule_id, **change).status == 404
        for operation in (manage.pause_alert_rule, manage.resume_alert_rule, manage.delete_alert_rule):
            assert seven(operation, rule_id=rule_id).status == 404
    assert len(json.loads(call(manage.list_alert_rules, "GET").body)["alert_rules"]) == 3


def test_a_limited_token_leaves_room_for_rules_of_others(services: Services, call: Call) -> None:
    created(call, name="of all")
    seven = caller(services, [7])
    for number in range(MAX_LIMITED_RULES):
        last = created(seven, name=f"rule {number}")["rule_id"]
    answer = seven(manage.create_alert_rule, body=RULE)
    assert (answer.status, json.loads(answer.body)["detail"]) == (
        409,
        f"These customers have {MAX_LIMITED_RULES} alert rules already: delete one first.",
    )
    created(caller(services, [8]), name="of another customer")
    assert seven(manage.delete_alert_rule, rule_id=last).status == 200
    created(seven)


def test_a_preview_shows_when_a_rule_would_have_fired_and_stores_nothing(
    services: Services, call: Call, store_events: StoreEvents
) -> None:
    store_events(*[happened(number, number, customer_id=7 + number % 2) for number in range(6)])
    body = {**RULE, "group_by": ["customer_id"]}
    shown = json.loads(call(manage.preview_alert_rule, body=body).body)
    assert (shown["entries"], shown["matched"], shown["alert_count"]) == (6, 6, 2)
    assert [(alert["key"], alert["count"]) for alert in shown["alerts"]] == [
        ({"customer_id": 7}, 3),
        ({"customer_id": 8}, 3),
    ]
    assert json.loads(call(manage.list_alert_rules, "GET").body) == {"alert_rules": []}
    store_events()
    assert services.feed.size() == 6


def test_a_preview_by_a_limited_token_has_nothing_of_other_customers(
    services: Services, store_events: StoreEvents
) -> None:
    store_events(*[happened(number, number, customer_id=7 + number % 2) for number in range(6)])
    shown = json.loads(caller(services, [7])(manage.preview_alert_rule, body=RULE).body)
    assert (shown["entries"], shown["matched"], shown["alert_count"]) == (None, 3, 1)


def test_a_token_without_the_scope_is_refused(services: Services) -> None:
    answer = FakeGateway(services, scopes=(READ, WRITE)).call(manage.list_alert_rules, path="/alert-rule")
    assert answer.status == 403
