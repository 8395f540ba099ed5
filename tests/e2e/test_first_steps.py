import time

from tests.support.builders import new_event
from tests.support.service import Service


def test_an_event_posted_comes_back_within_a_second(service: Service) -> None:
    with service.client() as client:
        posted = client.post("/event", json=new_event(event_type="first.steps"))
        assert posted.status_code == 202
        deadline = time.monotonic() + 1
        while not (found := client.get("/event", params={"event_type": "first.steps"}).json()["events"]):
            assert time.monotonic() < deadline
            time.sleep(0.01)
    assert found[0]["event_id"] == posted.json()["event_id"]
    assert found[0]["event_data"] == {"admin_data": {"username": "admin"}}
