"""The service: a task list and a health check."""

from fastapi import FastAPI
from pydantic import BaseModel, Field

from app import __version__
from app.settings import Settings
from app.tasks import DatabaseTasks, MemoryTasks, TaskStore
from app.visits import MemoryVisits, RedisVisits, Visits


class NewTask(BaseModel):
    """What a client sends to add a task."""

    title: str = Field(min_length=1, max_length=200)


def create_app(settings: Settings) -> FastAPI:
    """Builds the service for the place it runs in."""
    app = FastAPI(title="planner", version=__version__)
    url = settings.database_url
    tasks: TaskStore = DatabaseTasks(url) if url else MemoryTasks()
    visits: Visits = RedisVisits(settings.redis_url) if settings.redis_url else MemoryVisits()

    @app.get("/health")
    def health() -> dict[str, str]:
        return {"status": "ok", "version": __version__}

    @app.get("/api/tasks")
    def list_tasks() -> dict[str, object]:
        visits.count()
        return {"tasks": [{"id": task.id, "title": task.title} for task in tasks.all()]}

    @app.post("/api/tasks", status_code=201)
    def add_task(task: NewTask) -> dict[str, object]:
        added = tasks.add(task.title)
        return {"id": added.id, "title": added.title}

    return app


app = create_app(Settings.from_environment())
