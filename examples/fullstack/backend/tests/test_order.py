"""Orders, and what has none."""

import pytest

from planner import Task, order


def test_needs_come_first() -> None:
    assert order([Task("ship", ("build",)), Task("build")]) == ["build", "ship"]


def test_a_circle_has_no_order() -> None:
    with pytest.raises(ValueError, match="no order for a, b"):
        order([Task("a", ("b",)), Task("b", ("a",))])
