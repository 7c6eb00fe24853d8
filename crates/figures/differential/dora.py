"""DORA's five figures, calculated a second time, from histories made with the traps in them.

    python3 dora.py PROGRAM HISTORIES [FIRST_SEED]

Each history is made from its seed alone. PROGRAM reads all of them as events, one history a line, and
writes what it says of each. Here the same is calculated from what was made, with nothing shared but
the definitions of docs/metrics.md. Where the two differ, the seed is printed, with both.

The traps: two incidents of one deployment, an incident without a deployment, one that was over before
the way back was, one that began again, one that was linked to another deployment first, one of a service
that the deployment did not ship, links to what never reached anybody, a hotfix that is linked to what another deployment brought; deployments that fail before and after users met them, ways
back that go by themselves and by hand, one that sticks, the same release again, a planned rollback,
commits that revert, squash merges, a hotfix picked from elsewhere, commits that come twice, clocks that
are wrong, first deployments, tasks, settings, what changes nothing, services of one deployment of which
only some are reached, other environments, ends on the window's edges.
"""

import json
import random
import subprocess
import sys
from fractions import Fraction

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
WEEK = 7 * DAY
SAMPLES_MIN = 5
SERVICES = ["api", "web"]
KNOWN = {"release": {"version": "0", "digest": "sha256:00"}, "handle": None, "adopted": False}


# What happened, as plain records.

def history(seed):
    rng = random.Random(seed)
    since = 1_700_000_000_000 + rng.randrange(0, 400 * DAY)
    until = since + rng.choice([7, 30, 90, 91, 180]) * DAY + rng.choice([0, 0, HOUR])
    clock = since - rng.randrange(0, 40) * DAY
    made, deployed_before, commits = [], set(), []
    for number in range(rng.randrange(0, 40)):
        clock += rng.choice([5 * MINUTE, HOUR, 7 * HOUR, DAY, 3 * DAY, 9 * DAY]) + rng.randrange(HOUR)
        if rng.random() < 0.04:
            clock = rng.choice([since, until, until - 1, since - 1]) if clock < until else clock
        deployment = one(rng, clock, number, made, deployed_before, commits)
        made.append(deployment)
        clock = max(clock, deployment["finished_at"])
    # The journal has them in the order in which they ended.
    made.sort(key=lambda it: it["finished_at"])
    incidents = [trouble(rng, made, since) for _ in range(rng.choice([0, 0, 1, 2, 5, 9]))]
    return {"since": since, "until": until, "deployments": made, "incidents": incidents}


def trouble(rng, made, since):
    """An incident: what brought it and what was made to end it, by their places in `made`."""
    cause = rng.randrange(len(made)) if made and rng.random() < 0.8 else None
    brought = made[cause] if cause is not None else None
    opened = (brought["finished_at"] if brought else since) + rng.choice([-MINUTE, 0, MINUTE, HOUR, DAY])
    resolved = None
    if rng.random() < 0.8:
        # Before the deployment was over, at the very moment of a later one's end, or whenever.
        ends = [opened + rng.choice([0, MINUTE, HOUR, 4 * DAY])]
        ends += [it["finished_at"] + rng.choice([-1, 0, 1]) for it in made[(cause or 0):][:3]]
        resolved = max(opened, rng.choice(ends))
    fixes = []
    if made and rng.random() < 0.7:
        first = 0 if cause is None else cause
        near = lambda: min(len(made) - 1, first + rng.choice([0, 1, 1, 2, 3, 9]))
        fixes = sorted({near() for _ in range(rng.choice([1, 1, 2]))})
    return {
        "environment": brought["environment"] if brought else "production",
        "service": rng.choice([None, None, "api", "web"]), "cause": cause, "fixes": fixes,
        "opened_at": opened, "resolved_at": resolved,
        # It was over once before, and began again; it was said to come from elsewhere; a fix was none.
        "again": resolved is not None and rng.random() < 0.2,
        "first_said": rng.randrange(len(made)) if made and rng.random() < 0.2 else None,
        "no_fix": rng.randrange(len(made)) if made and rng.random() < 0.1 else None,
        "late_link": rng.random() < 0.5,
    }


def one(rng, clock, number, made, deployed_before, commits):
    environment = "production" if rng.random() < 0.85 else "staging"
    kind = rng.choices(
        ["release", "hotfix", "rollback", "redeploy", "config", "task"], [60, 10, 10, 6, 6, 3])[0]
    planned = kind not in ("hotfix", "rollback")
    if rng.random() < 0.05:
        planned = not planned
    services = rng.choice([["api"], ["web"], SERVICES, SERVICES[::-1]])
    verdict = rng.choices(
        ["succeeded", "failed", "rolled_back", "rollback_stuck", "superseded", "cancelled", "refused"],
        [72, 6, 12, 2, 2, 3, 3])[0]
    requested = clock
    began = requested + rng.choice([0, MINUTE, 5 * MINUTE, 3 * HOUR])
    # Which of the services came so far that users met it.
    if verdict in ("cancelled", "refused"):
        reached = []
    elif verdict == "succeeded":
        reached = [it for it in services if rng.random() < 0.95]
    else:
        reached = services[:rng.randrange(0, len(services) + 1)]
    at, reached_at = began, {}
    for service in reached:
        at += rng.randrange(1, 4 * MINUTE)
        reached_at[service] = at
    finished = at + rng.randrange(1, 20 * MINUTE)
    unchanged = verdict == "succeeded" and rng.random() < 0.05
    shipped = []
    if kind in ("release", "hotfix"):
        for _ in range(rng.choice([0, 1, 1, 2, 5])):
            age = rng.choice([MINUTE, HOUR, DAY, 5 * DAY, 30 * DAY])
            committed = requested - rng.randrange(age)
            if rng.random() < 0.06:
                committed = finished + rng.randrange(1, DAY)      # a clock that is wrong
            elif rng.random() < 0.04:
                committed = rng.choice([requested, began, finished])
            elif rng.random() < 0.04:
                committed = (requested + finished) // 2
            commits.append({"commit": "%040x" % rng.getrandbits(160), "committed_at": committed})
            shipped.append(commits[-1])
        if commits and rng.random() < 0.3:                      # what a way back took away comes again
            again = rng.choice(commits)
            if again not in shipped:
                shipped.append(again)
        if shipped and rng.random() < 0.03:
            shipped.append(shipped[0])
    first = [it for it in services if (environment, it) not in deployed_before]
    if verdict == "succeeded":
        deployed_before.update((environment, it) for it in services)
    return {
        "environment": environment, "kind": kind, "planned": planned, "services": services,
        "verdict": verdict, "unchanged": unchanged, "requested_at": requested,
        "began_at": began if reached or rng.random() < 0.5 else None, "reached_at": reached_at,
        "finished_at": finished, "commits": shipped, "first": first, "version": str(number),
    }


# The same as events of the journal.

def events(project, it, job=None):
    """`job` ran the command, by what its processes are known by."""
    service = lambda name: {
        "service": name, "release": {"version": it["version"], "digest": "sha256:" + it["version"]},
        "last_good": None if name in it["first"] else KNOWN, "target": "host", "config": None, "around": [],
    }
    ran_by = {} if job is None else {"job": job}
    yield ran_by | {
        "type": "DeploymentRequested", "project": project, "environment": it["environment"],
        "kind": it["kind"], "by": {"name": "mona", "proof": "local"}, "reason": None,
        "services": [service(name) for name in it["services"]], "gates": [], "force": False,
        "commits": it["commits"], "planned": it["planned"], "on_cancel": "back", "at": it["requested_at"],
    }
    step = lambda name, kind: {
        "key": f"{name}/{kind}", "kind": kind, "what": "does it", "calls": [],
        "undo": {"kind": "nothing"}, "within_ms": 1, "body": None,
    }
    kinds = ["prepare", "switch", "verify"]
    plan = [{"service": name, "seen": None, "running": None, "changes": [],
             "steps": [step(name, kind) for kind in kinds], "going_back": {"kind": "first_deployment"}}
            for name in it["services"]]
    order = [f"{name}/{kind}" for name in it["services"] for kind in kinds]
    if it["verdict"] != "refused":
        yield {"type": "DeploymentPlanned", "plan": {"services": plan, "order": order},
               "hash": "ab" * 32, "at": it["requested_at"]}
    if it["began_at"] is not None:
        yield {"type": "StepIntended", "step": f"{it['services'][0]}/prepare", "way": "forward", "at": it["began_at"]}
    for name, at in it["reached_at"].items():
        yield {"type": "StepIntended", "step": f"{name}/switch", "way": "forward", "at": at}
        if it["verdict"] == "rolled_back":
            yield {"type": "StepIntended", "step": f"{name}/switch", "way": "back", "at": it["finished_at"]}
    yield {"type": "DeploymentCompleted", "verdict": it["verdict"], "cause": None, "by": "launchway",
           "unchanged": it["unchanged"], "at": it["finished_at"]}


def incident_events(project, it, number):
    mona = {"name": "mona", "proof": "local"}
    link = lambda kind, place, role: {
        "type": kind, "deployment": number(place), "role": role, "by": mona, "at": it["opened_at"]}
    opened = {"type": "IncidentOpened", "project": project, "environment": it["environment"],
              "title": "it is broken", "severity": "major", "source": "person", "by": mona,
              "opened_at": it["opened_at"], "at": it["opened_at"]}
    if it["service"]:
        opened["service"] = it["service"]
    if it["cause"] is not None and not it["late_link"]:
        opened["caused_by"] = number(it["cause"])
    yield opened
    if it["late_link"] and it["first_said"] is not None:
        yield link("IncidentLinked", it["first_said"], "cause")
        yield link("IncidentUnlinked", it["first_said"], "cause")
    if it["cause"] is not None and it["late_link"]:
        yield link("IncidentLinked", it["cause"], "cause")
    if it["no_fix"] is not None and it["no_fix"] not in it["fixes"]:
        yield link("IncidentLinked", it["no_fix"], "fix")
        yield link("IncidentUnlinked", it["no_fix"], "fix")
    for fix in it["fixes"]:
        yield link("IncidentLinked", fix, "fix")
    over = lambda at: {"type": "IncidentResolved", "by": mona, "resolved_at": at, "at": at}
    if it["again"]:
        yield over(it["opened_at"])
        yield {"type": "IncidentReopened", "by": mona, "reopened_at": it["opened_at"], "at": it["opened_at"]}
    if it["resolved_at"] is not None:
        yield over(it["resolved_at"])


# The figures, from the records.

def middle(values):
    values = sorted(values)
    if len(values) < SAMPLES_MIN:
        return None
    low, high = values[(len(values) - 1) // 2], values[len(values) // 2]
    return low + (high - low) // 2


def rank(values, percent):
    values = sorted(values)
    if len(values) < SAMPLES_MIN:
        return None
    return next(it for it in values if 100 * sum(1 for other in values if other <= it) >= percent * len(values))


def share(part, whole):
    rate = None if whole < SAMPLES_MIN else float(Fraction(part, whole))
    return {"part": part, "whole": whole, "rate": rate}


PARTS = ["pushing", "waiting", "queue", "build", "gates", "deploying"]


def split(committed, end, pushed, wanted, began, run=None):
    """Where the time of a commit went, in the order of PARTS; `run` is, of a deployment that a run came to, when its
    first job was leased, when the gate was asked, when nothing stood before the job any more."""
    within = lambda at, low, high: min(max(at, low), high)
    wanted = within(wanted, committed, end)
    began = within(wanted if began is None else began, wanted, end)
    came = committed if pushed is None else within(pushed, committed, wanted)
    pushing = None if pushed is None else came - committed
    if run is None:
        parts = [pushing, wanted - came, None, None, began - wanted, end - began]
    else:
        leased, asked, ready = run
        ready = within(ready, wanted, began)
        asked = within(asked, wanted, ready)
        leased = within(leased, wanted, asked)
        parts = [pushing, wanted - came, leased - wanted + began - ready, asked - leased, ready - asked, end - began]
    if sum(it or 0 for it in parts) != end - committed:
        sys.exit(f"{parts} are not {end - committed}")
    return parts


def figures(made, service, ids, numbers, course=lambda it: None):
    """`course` says of a deployment that a job ran when its run was made, and when its first job was leased."""
    since, until = made["since"], made["until"]
    mine = [it for it in made["deployments"]
            if it["environment"] == "production" and service in it["services"]
            and it["kind"] != "task" and not it["unchanged"]]
    met = [it for it in mine if service in it["reached_at"]]
    if not mine:
        return None
    inside = [it for it in met if since <= it["finished_at"] < until]
    name = lambda it: ids[id(it)]
    came = [it for it in inside if it["verdict"] in ("succeeded", "rolled_back")]
    shipped = [it for it in came if it["kind"] in ("release", "hotfix")]
    others = {}
    for it in came:
        if it not in shipped:
            others[it["kind"]] = others.get(it["kind"], 0) + 1
    gaps = [later["finished_at"] - earlier["finished_at"] for earlier, later in zip(shipped, shipped[1:])]

    # Who brought a commit first, in all that ever succeeded.
    first = {}
    for it in met:
        if it["verdict"] == "succeeded" and service not in it["first"]:
            for commit in it["commits"]:
                first.setdefault(commit["commit"], name(it))
    led, left = [], []
    for it in inside:
        if it["verdict"] != "succeeded" or service in it["first"]:
            continue
        seen = {}
        for commit in it["commits"]:
            seen.setdefault(commit["commit"], commit["committed_at"])
        for commit, committed in seen.items():
            if first[commit] != name(it):
                left.append((commit, name(it), "came_before"))
            elif committed > it["finished_at"]:
                left.append((commit, name(it), "clock_skew"))
            else:
                run, asked, began = course(it), it["requested_at"], it["began_at"]
                if run is None:
                    parts = split(committed, it["finished_at"], None, asked, began)
                else:
                    # Before its first step it is at its gates; where it never had one, until then.
                    began = asked if began is None else began
                    parts = split(committed, it["finished_at"], None, run[0], began, (run[1], asked, began))
                led.append((commit, name(it), it["finished_at"] - committed, *parts))

    # What is wrong, by the deployment that brought it; and what was made to end it.
    about = [it for it in made["incidents"] if it["environment"] == "production" and it["service"] in (None, service)]
    brought = lambda it: [t for t in about if t["cause"] is not None and made["deployments"][t["cause"]] is it]
    ended_by = lambda trouble, it: any(made["deployments"][place] is it for place in trouble["fixes"])

    def aimed_at(later, it):
        """A hotfix or rollback that ended incidents is for what brought those; any other one for anything."""
        if later["kind"] not in ("hotfix", "rollback"):
            return False
        origins = [made["deployments"][t["cause"]] for t in about if t["cause"] is not None and ended_by(t, later)]
        origins = [origin for origin in origins if origin is not later]
        return not origins or any(origin is it for origin in origins)

    bad, recovered, open_ = [], [], []
    for position, it in enumerate(met):
        if it not in inside:
            continue
        after = met[position + 1:]
        mended = after and aimed_at(after[0], it)
        broke = it["verdict"] in ("failed", "rolled_back", "rollback_stuck") or mended
        troubles = brought(it)
        if not broke and not troubles:
            continue
        bad.append(name(it))
        # Everything that could end it, each with its moment; what comes first does, a deployment before
        # an incident of the same moment.
        ends = []
        began = it["finished_at"]
        if it["verdict"] == "rolled_back":
            began = it["reached_at"][service]
            ends.append((it["finished_at"], 0, name(it), None))
        else:
            good = [later for later in after if later["verdict"] == "succeeded"]
            if not broke:
                good = [later for later in good if aimed_at(later, it)
                        or any(ended_by(t, later) for t in troubles)]
            ends += [(later["finished_at"], 0, name(later), None) for later in good[:1]]
        if troubles and all(t["resolved_at"] is not None for t in troubles):
            last = max(troubles, key=lambda t: (t["resolved_at"], numbers[id(t)]))
            ends.append((last["resolved_at"], 1, None, numbers[id(last)]))
        if ends:
            at, _, by, incident = min(ends, key=lambda end: end[:2])
            recovered.append((name(it), by, incident, max(0, at - began)))
        else:
            open_.append(name(it))
    mending = [name(it) for it in inside if not it["planned"] and (
        it["kind"] in ("hotfix", "rollback") or any(ended_by(t, it) for t in about))]
    weeks = [0] * -(-(until - since) // WEEK)
    for it in shipped:
        weeks[(it["finished_at"] - since) // WEEK] += 1
    days = Fraction(until - since, DAY)
    return {
        "frequency": len(shipped), "per_day": float(Fraction(len(shipped)) / days) if len(shipped) >= SAMPLES_MIN else None,
        "frequency_of": [name(it) for it in shipped], "between": middle(gaps), "others": others,
        "lead": [len(led)] + [middle([it[2] for it in led])] + [rank([it[2] for it in led], p) for p in (75, 90)],
        "parts": [middle([it[part] for it in led if it[part] is not None]) for part in range(3, 9)],
        "led": sorted(led, key=lambda it: it[:3]), "left": sorted(left),
        "failures": share(len(bad), len(inside)), "failed": bad,
        "recovery": middle([it[3] for it in recovered]), "recovered": recovered, "open": open_,
        "rework": share(len(mending), len(inside)), "reworked": mending,
        "weeks": weeks, "deployments": [name(it) for it in inside],
        "brought": [sorted(numbers[id(t)] for t in brought(it)) for it in inside],
    }


def told(it):
    close = lambda value: None if value is None else round(value, 9)
    lead = it["lead_time"]
    return {
        "frequency": it["frequency"]["count"], "per_day": close(it["frequency"]["per_day"]),
        "frequency_of": it["frequency"]["deployments"], "between": it["frequency"]["between_median_ms"],
        "others": dict(it["frequency"]["others"]),
        "lead": [lead["total"][key] for key in ("count", "median_ms", "p75_ms", "p90_ms")],
        "parts": [part["time"]["median_ms"] for part in lead["parts"]],
        "led": sorted(((c["commit"], c["deployment"], c["total_ms"], *(c["parts"][f"{part}_ms"] for part in PARTS))
                       for c in lead["commits"]), key=lambda it: it[:3]),
        "left": sorted((c["commit"], c["deployment"], c["why"]) for c in lead["left_out"]),
        "failures": {key: close(it["change_failures"][key]) for key in ("part", "whole", "rate")},
        "failed": it["change_failures"]["deployments"],
        "recovery": it["recovery"]["time"]["median_ms"],
        "recovered": [(r["deployment"], r["by"], r["incident"], r["time_ms"]) for r in it["recovery"]["recovered"]],
        "open": it["recovery"]["open"],
        "rework": {key: close(it["rework"][key]) for key in ("part", "whole", "rate")},
        "reworked": it["rework"]["deployments"],
        "weeks": [week["deployments"] for week in it["weeks"]],
        "deployments": [d["deployment"] for d in it["deployments"]],
        "brought": [d["incidents"] for d in it["deployments"]],
    }


def rounded(it):
    close = lambda value: None if value is None else round(value, 9)
    it["per_day"] = close(it["per_day"])
    for key in ("failures", "rework"):
        it[key] = {name: close(value) for name, value in it[key].items()}
    return it


def main():
    program, count = sys.argv[1], int(sys.argv[2])
    first_seed = int(sys.argv[3]) if len(sys.argv) > 3 else 1
    seeds = range(first_seed, first_seed + count)
    lines, made, ids, number, numbers = [], {}, {}, 0, {}
    for seed in seeds:
        made[seed] = history(seed)
        for it in made[seed]["deployments"]:
            number += 1
            ids[id(it)] = number
        project = f"seed-{seed}"
        streams = [{"environment": it["environment"], "events": list(events(project, it))}
                   for it in made[seed]["deployments"]]
        place = lambda at, of=made[seed]["deployments"]: ids[id(of[at])]
        for it in made[seed]["incidents"]:
            numbers[id(it)] = len(numbers) + 1
        incidents = [list(incident_events(project, it, place)) for it in made[seed]["incidents"]]
        lines.append(json.dumps({"project": project, "since": made[seed]["since"],
                                 "until": made[seed]["until"], "deployments": streams,
                                 "incidents": incidents}))
    ran = subprocess.run([program], input="\n".join(lines), capture_output=True, text=True)
    if ran.returncode != 0:
        sys.exit(f"{program} ended with {ran.returncode}: {ran.stderr}")
    answers = [json.loads(line) for line in ran.stdout.splitlines()]
    if len(answers) != count:
        sys.exit(f"{len(answers)} answers to {count} histories")
    counted = traps = 0
    for seed, answer in zip(seeds, answers):
        said = {it["service"]: told(it) for it in answer if it["environment"] == "production"}
        for service in SERVICES:
            expected = figures(made[seed], service, ids, numbers)
            if expected is None:
                # Nothing is told of what never was, or of another environment.
                if service in said:
                    sys.exit(f"seed {seed}: {service} was told and is none")
                continue
            expected = rounded(expected)
            if said.get(service) != expected:
                for key in expected:
                    if said.get(service, {}).get(key) != expected[key]:
                        print(f"  {key}: told {said.get(service, {}).get(key)}, expected {expected[key]}")
                sys.exit(f"seed {seed}, {service}: the figures differ")
            counted += 1
            traps += len(expected["failed"]) + len(expected["left"])
    print(f"{count} histories, {number} deployments, {len(numbers)} incidents, {counted} sets of figures are equal; "
          f"{traps} failures and commits left out among them")


if __name__ == "__main__":
    main()
