"""Settings, from the environment and from nowhere else."""

import os
from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """What the service needs to know about where it runs."""

    database_url: str | None
    redis_url: str | None

    @staticmethod
    def from_environment() -> "Settings":
        """Reads them once, at start."""
        return Settings(
            database_url=os.environ.get("DATABASE_URL"),
            redis_url=os.environ.get("REDIS_URL"),
        )
