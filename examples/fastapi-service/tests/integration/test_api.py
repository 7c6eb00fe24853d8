"""The service as a client sees it. With DATABASE_URL and REDIS_URL it runs on the real ones."""

import uuid

import pytest
from fastapi.testclient import TestClient

from app.main import create_app
from app.settings import Settings


@pytest.fixture(name="client")
def fixture_client() -> TestClient:
    """A client of a service in the place the tests run in."""
    return TestClient(create_app(Settings.from_environment()))


def test_it_says_that_it_is_healthy(client: TestClient) -> None:
    answer = client.get("/health")
    assert answer.status_code == 200
    assert answer.json()["status"] == "ok"


def test_a_task_that_was_added_is_listed(client: TestClient) -> None:
    title = f"ship {uuid.uuid4()}"
    added = client.post("/api/tasks", json={"title": title})
    assert added.status_code == 201
    titles = [task["title"] for task in client.get("/api/tasks").json()["tasks"]]
    assert title in titles


def test_a_task_without_a_title_is_refused(client: TestClient) -> None:
    assert client.post("/api/tasks", json={"title": ""}).status_code == 422
