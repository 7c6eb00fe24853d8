"""A small task planner: enough of a service to have a pipeline."""

__version__ = "1.0.0"
