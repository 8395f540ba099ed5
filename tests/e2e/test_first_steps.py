from tests.support.builders import new_event
from tests.support.service import Service
from tests.support.waiting import until


def test_an_event_posted_comes_back(service: Service) -> None:
    with service.client() as client:
        posted = client.post("/event", json=new_event(event_type="first.steps"))
        assert posted.status_code == 202
        found = until(lambda: client.get("/event", params={"event_type": "first.steps"}).json()["events"])
    assert found[0]["event_id"] == posted.json()["event_id"]
    assert found[0]["event_data"] == {"admin_data": {"username": "admin"}}
