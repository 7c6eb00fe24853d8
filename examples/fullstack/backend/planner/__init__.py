"""The planner's rules: what a sensible order of tasks is."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Task:
    """One thing to do, and what must be done before it."""

    name: str
    needs: tuple[str, ...] = ()


def order(tasks: Iterable[Task]) -> list[str]:
    """Names in an order that respects every need; ValueError where there is none."""
    waiting = {task.name: set(task.needs) for task in tasks}
    done: list[str] = []
    while waiting:
        ready = sorted(name for name, needs in waiting.items() if needs <= set(done))
        if not ready:
            raise ValueError(f"no order for {', '.join(sorted(waiting))}")
        for name in ready:
            done.append(name)
            del waiting[name]
    return done
