"""A counter of visits: in Redis, or in memory where no Redis is named."""

from typing import Protocol

import redis


class Visits(Protocol):
    """What the service asks of a counter."""

    def count(self) -> int:
        """One more; gives how many there were."""


class MemoryVisits:
    """Visits of this process."""

    def __init__(self) -> None:
        self._visits = 0

    def count(self) -> int:
        self._visits += 1
        return self._visits


class RedisVisits:
    """Visits of all processes."""

    def __init__(self, url: str) -> None:
        self._client = redis.Redis.from_url(url)

    def count(self) -> int:
        return int(str(self._client.incr("visits")))
