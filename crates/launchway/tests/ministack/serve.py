"""ministack 1.5.33, with two things mended.

    serve.py        GATEWAY_PORT and the rest of its settings come by the environment

It cuts the times of ECS to whole seconds, where AWS has milliseconds. How long it took until somebody
knew of a change could not be said from them. And it takes a task for a good one that it saw start and
did not see end within a second: on a busy machine it sees an end later than that, and calls a
deployment of what crashes at once completed.
"""

import datetime

import ministack.services.ecs
from ministack.app import main


def exact(value):
    if not isinstance(value, str):
        return value
    try:
        return datetime.datetime.fromisoformat(value.replace("Z", "+00:00")).timestamp()
    except ValueError:
        return value


ministack.services.ecs._ts_to_epoch = exact
ministack.services.ecs._ECS_DEPLOYMENT_STEADY_DELAY = 4.0
main()
