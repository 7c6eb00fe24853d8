"""Where tasks are kept: in PostgreSQL, or in memory where no database is named."""

from dataclasses import dataclass
from typing import Protocol

import psycopg


@dataclass(frozen=True)
class Task:
    """One thing to do."""

    id: int
    title: str


class TaskStore(Protocol):
    """What the service asks of a store."""

    def add(self, title: str) -> Task:
        """Keeps a task."""

    def all(self) -> list[Task]:
        """All tasks, oldest first."""


class MemoryTasks:
    """Tasks that go away with the process."""

    def __init__(self) -> None:
        self._tasks: list[Task] = []

    def add(self, title: str) -> Task:
        task = Task(id=len(self._tasks) + 1, title=title)
        self._tasks.append(task)
        return task

    def all(self) -> list[Task]:
        return list(self._tasks)


class DatabaseTasks:
    """Tasks in PostgreSQL."""

    def __init__(self, url: str) -> None:
        self._connection = psycopg.connect(url, autocommit=True)
        self._connection.execute(
            "CREATE TABLE IF NOT EXISTS tasks (id SERIAL PRIMARY KEY, title TEXT NOT NULL)"
        )

    def add(self, title: str) -> Task:
        row = self._connection.execute(
            "INSERT INTO tasks (title) VALUES (%s) RETURNING id", (title,)
        ).fetchone()
        if row is None:
            raise RuntimeError("the database gave no id for a new task")
        return Task(id=row[0], title=title)

    def all(self) -> list[Task]:
        rows = self._connection.execute("SELECT id, title FROM tasks ORDER BY id")
        return [Task(id=row[0], title=row[1]) for row in rows]
