"""Tasks and visits, without any service around."""

from app.settings import Settings
from app.tasks import MemoryTasks, Task
from app.visits import MemoryVisits


def test_tasks_are_numbered_in_order() -> None:
    tasks = MemoryTasks()
    assert tasks.add("write") == Task(id=1, title="write")
    assert tasks.add("test") == Task(id=2, title="test")
    assert [task.title for task in tasks.all()] == ["write", "test"]


def test_visits_are_counted() -> None:
    visits = MemoryVisits()
    assert [visits.count(), visits.count()] == [1, 2]


def test_settings_come_from_the_environment(monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setenv("DATABASE_URL", "postgresql://localhost/planner")
    monkeypatch.delenv("REDIS_URL", raising=False)
    assert Settings.from_environment() == Settings("postgresql://localhost/planner", None)
