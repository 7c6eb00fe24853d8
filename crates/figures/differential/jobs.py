"""DORA's five figures of jobs that name an environment, calculated a second time, from histories of runs.

    python3 jobs.py PROGRAM HISTORIES [FIRST_SEED]

As dora.py does for deployments: each history is made from its seed alone, PROGRAM reads it as events of runs
in the order of the journal, and here the same is calculated from what was made, by docs/metrics.md. There each
attempt of a run has jobs with their moments; nothing is followed event by event.

The traps: several environments in one run, several jobs in each, some planned when others are over already; runs
that go on by turns, wait for a person for days, or never end; jobs that fail, take too long, are stopped, are
rejected, never have a worker, or lose theirs and begin again, or never do; whole runs and only failed jobs run again;
names of environments in another case; branches that are cut from the default branch, merged into it and from
it, without a commit of their own; tags on old commits, commits that no push showed, or one shows afterwards; pushes
whose jobs failed, commits without a date, clocks that are wrong; two workflows; jobs that run `launchway
deploy`, for their own environment or another one, with what comes of it; journals that are read in parts. Incidents
that name what a job shipped, while it goes on, when it failed, when it was carried over or never had a worker, when
it was of another environment or workflow, or a command's; two of one shipment, ones that begin again, are over before
the shipment is, are linked anew or to nothing, are of one workflow or of all, of the repository or of a project;
what was made to end them: planned, going back, failed, of another workflow, several, taken away again.
"""

import datetime
import json
import subprocess
import sys

sys.dont_write_bytecode = True
import random

import dora
from dora import DAY, HOUR, MINUTE, WEEK, Fraction, middle, rank, rounded, share, split, told

MAIN = "refs/heads/main"
ENVIRONMENTS = ["production", "staging"]
WORKFLOWS = [".github/workflows/deploy.yml", ".github/workflows/nightly.yml"]


# What happened.

class Job:
    def __init__(self, attempt, key, environment, planned_at):
        self.attempt, self.key, self.environment, self.planned_at = attempt, key, environment, planned_at
        self.began_at = self.over_at = self.conclusion = None
        self.gated_at = self.ready_at = None
        self.leased = []                        # when each of its workers had it
        self.tracked = []                       # what the processes of each of its workers were known by


class Attempt:
    def __init__(self, run, number, at):
        self.run, self.number, self.at = run, number, at
        self.jobs, self.is_over, self.good = {}, False, set()

    def name(self):
        return f"{self.run['number']}.{self.number}"


class World:
    def __init__(self, seed, numbers):
        self.rng = random.Random(f"jobs {seed}")
        self.numbers, self.repository = numbers, f"octo/seed-{seed}"
        self.since = 1_700_000_000_000 + self.rng.randrange(0, 400 * DAY)
        self.until = self.since + self.rng.choice([7, 30, 90]) * DAY
        self.clock = self.since - self.rng.randrange(0, 10 * DAY)
        self.journal, self.runs, self.going = [], [], []
        self.heads, self.inside, self.dates, self.order = {}, {}, {}, []
        self.shown = []                         # (when, branch, commit, its date), of pushes
        self.commanded, self.asked, self.before = [], [], set()
        self.troubles = []
        first = self.commit([])
        self.push(MAIN, first, [first])
        for _ in range(self.rng.randrange(5, 60)):
            self.wait()
            self.happen()
            if self.rng.random() < 0.04:
                self.journal.append({"of": "catch_up"})

    def wait(self):
        self.clock += self.rng.choice([MINUTE, 10 * MINUTE, HOUR, 5 * HOUR, DAY, 2 * DAY]) + self.rng.randrange(HOUR)

    def happen(self):
        if self.going and self.rng.random() < 0.65:
            for _ in range(self.rng.choice([1, 2, 4, 20])):
                script = self.rng.choice(self.going)
                if next(script, "end") == "end":
                    self.going.remove(script)
                if not self.going:
                    return
            return
        what = self.rng.choices(
            ["push", "cut", "merge", "tag", "dispatch", "pull", "unseen", "again", "trouble"],
            [40, 6, 6, 10, 8, 3, 5, 16, 24])[0]
        getattr(self, what)()

    # What people do.

    def commit(self, parents):
        it = "%040x" % self.rng.getrandbits(160)
        age = self.rng.randrange(self.rng.choice([MINUTE, HOUR, DAY, 20 * DAY]))
        if self.rng.random() < 0.05:
            age = -self.rng.randrange(20 * DAY)             # a clock that is wrong
        self.dates[it] = (self.clock - age) // 1000 * 1000
        self.inside[it] = {it}.union(*(self.inside[parent] for parent in parents))
        self.order.append(it)
        return it

    def branch(self):
        return self.rng.choice([MAIN, MAIN, *self.heads])

    def push(self, ref=None, head=None, new=None):
        if head is None:
            ref, new = self.branch(), []
            head = self.heads[ref]
            for _ in range(self.rng.choice([1, 1, 2, 3])):
                head = self.commit([head])
                new.append(head)
        self.heads[ref] = head
        if self.rng.random() < 0.06:
            return                                          # it made no run: nobody knows of it
        dated = {it: None if self.rng.random() < 0.04 else self.dates[it] for it in new}
        dated[head] = self.dates[head]
        at = self.clock + 1
        for it in sorted(dated, key=lambda it: it == head):
            self.shown.append((at, ref, it, dated[it]))
        for workflow in WORKFLOWS if self.rng.random() < 0.15 else WORKFLOWS[:1]:
            self.start("push", ref, head, workflow, dated)

    def cut(self):
        ref = f"refs/heads/release/{len(self.heads)}"
        head = self.rng.choice([it for it in self.order if it in self.inside[self.heads[MAIN]]][-4:])
        new = []
        for _ in range(self.rng.choice([0, 1, 2])):
            head = self.commit([head])
            new.append(head)
        self.push(ref, head, new)

    def merge(self):
        into, other = self.branch(), self.branch()
        base = self.inside[self.heads[into]]
        new = [it for it in self.order if it in self.inside[self.heads[other]] and it not in base]
        if not new:
            return
        head = self.heads[other]
        if self.rng.random() < 0.7 or self.heads[into] not in self.inside[head]:
            head = self.commit([self.heads[into], head])
            new.append(head)
        self.push(into, head, new)

    def tag(self):
        self.start("push", f"refs/tags/v{len(self.runs)}", self.rng.choice(self.order[-6:]), WORKFLOWS[0])

    def dispatch(self):
        ref = self.branch()
        event = self.rng.choice(["workflow_dispatch", "schedule"])
        self.start(event, ref, self.heads[ref], self.rng.choice(WORKFLOWS))

    def pull(self):
        self.start("pull_request", "refs/pull/7/merge", self.commit([self.heads[MAIN]]), WORKFLOWS[0])

    def unseen(self):
        """What a branch has that no push showed, until one does."""
        ref = self.branch()
        head = self.commit([self.heads[ref]])
        self.start("workflow_dispatch", ref, head, WORKFLOWS[0])
        if self.rng.random() < 0.5:
            for _ in range(self.rng.randrange(4)):
                if self.going:
                    next(self.rng.choice(self.going), None)
            self.push(ref, head, [head])

    def again(self):
        over = [it for it in self.runs if it["attempts"][-1].is_over]
        if over:
            # Old ones, too.
            self.attempt(self.rng.choice(over[-3:] + [self.rng.choice(over)]))

    def trouble(self):
        """An incident begins, or something is said of one."""
        if not self.runs:
            return
        if self.troubles and self.rng.random() < 0.6:
            return self.say(self.rng.choice(self.troubles[-4:]))
        self.numbers["incident"] += 1
        cause = self.shipped() if self.rng.random() < 0.85 else None
        if self.troubles and self.rng.random() < 0.25:
            cause = self.troubles[-1]["cause"]              # one more of the same
        went = [job.environment.lower() for job in cause.jobs.values() if job.environment] if cause else []
        # Mostly where it went.
        named = self.rng.choice(went * 4 + ["production", "staging"])
        it = {"number": self.numbers["incident"], "fixes": set(), "resolved_at": None, "cause": cause,
              "environment": named.title() if self.rng.random() < 0.1 else named,
              "service": self.rng.choice([None, None, None, *WORKFLOWS]),
              "project": self.rng.choice([self.repository, self.repository, "planner"]),
              "since": self.clock - self.rng.choice([0, MINUTE, HOUR, DAY])}
        self.troubles.append(it)
        self.note(it, {"type": "IncidentOpened", "project": it["project"], "environment": it["environment"],
                       "title": "it is broken", "severity": "major", "source": "person", "opened_at": it["since"]}
                  | ({"service": it["service"]} if it["service"] else {})
                  | ({"caused_by": cause.name()} if cause else {}))
        if self.rng.random() < 0.5:
            self.say(it)

    def shipped(self):
        attempts = [attempt for run in self.runs for attempt in run["attempts"]]
        worked = [it for it in attempts if any(job.environment and job.tracked for job in it.jobs.values())]
        return self.rng.choice((worked[-4:] or attempts) + attempts[-2:] + [self.rng.choice(attempts)])

    def note(self, it, event):
        self.clock += 1
        event |= {"by": {"name": "mona", "proof": "token"}, "at": self.clock}
        self.journal.append({"of": "incident", "incident": it["number"], "project": it["project"], "events": [event]})

    def say(self, it):
        link = lambda kind, by, role: self.note(it, {"type": kind, "deployment": by, "role": role})
        what = self.rng.choices(["cause", "no cause", "fix", "no fix", "other", "over"], [4, 1, 6, 1, 1, 7])[0]
        if what == "cause":
            if it["cause"]:
                link("IncidentUnlinked", it["cause"].name(), "cause")
            it["cause"] = self.shipped()
            link("IncidentLinked", it["cause"].name(), "cause")
        elif what == "no cause" and it["cause"]:
            link("IncidentUnlinked", it["cause"].name(), "cause")
            it["cause"] = None
        elif what == "fix":
            fix = self.shipped()
            it["fixes"].add(fix)
            link("IncidentLinked", fix.name(), "fix")
        elif what == "no fix" and it["fixes"]:
            fix = min(it["fixes"], key=lambda it: (it.run["number"], it.number))
            it["fixes"].remove(fix)
            link("IncidentUnlinked", fix.name(), "fix")
        elif what == "other" and self.commanded:
            # A deployment was said to have to do with it, and has not.
            number = self.commanded[-1][0]
            link("IncidentLinked", number, "fix")
            link("IncidentUnlinked", number, "fix")
        elif what == "over" and it["resolved_at"] is None:
            ends = [job.over_at + self.rng.choice([-1, 0, 1]) for run in self.runs[-3:] for attempt in run["attempts"]
                    for job in attempt.jobs.values() if job.over_at is not None]
            at = self.rng.choice([self.clock, self.clock - HOUR, *ends[-4:]])
            it["resolved_at"] = max(at, it["since"])
            self.note(it, {"type": "IncidentResolved", "resolved_at": it["resolved_at"]})
        elif what == "over":
            it["since"], it["resolved_at"] = self.clock, None
            self.note(it, {"type": "IncidentReopened", "reopened_at": it["since"]})

    # What comes of it.

    def base_of(self, ref, head):
        if ref == MAIN or ref.startswith("refs/pull/") or self.rng.random() < 0.05:
            return None
        both = [it for it in self.order if it in self.inside[head] and it in self.inside[self.heads[MAIN]]]
        return both[-1]

    def start(self, event, ref, head, workflow, listed=None):
        self.numbers["run"] += 1
        date = lambda ms: datetime.datetime.fromtimestamp(ms / 1000, datetime.UTC).isoformat()
        listed = [{"id": it} | ({} if at is None else {"timestamp": date(at)}) for it, at in (listed or {}).items()]
        base = self.base_of(ref, head)
        run = {"number": self.numbers["run"], "ref": ref, "head": head, "base": base, "workflow": workflow,
               "event": event, "listed": listed, "attempts": [], "plan": self.plan()}
        self.runs.append(run)
        self.attempt(run)

    def plan(self):
        """Stages, one behind the other, each with jobs: a name, and the environment that it names."""
        names = self.rng.choice([["production"]] * 4 + [["staging", "production"]] * 4
                                + [["production", "production"], ["staging"], [None, "production"], [None]])
        stages, number = [], 0
        for name in names:
            stage = []
            for _ in range(self.rng.choice([1, 1, 1, 2, 3])):
                number += 1
                named = name if self.rng.random() < 0.93 else None
                if named and self.rng.random() < 0.1:
                    named = named.title()
                stage.append((f"job-{number}", named))
            stages.append(stage)
        return stages

    def attempt(self, run):
        failed_only = run["attempts"] and self.rng.random() < 0.5
        carried = run["attempts"][-1].good if failed_only else set()
        it = Attempt(run, len(run["attempts"]) + 1, 0)
        run["attempts"].append(it)
        it.at = self.tell(it, {
            "type": "RunCreated", "run": run["number"], "attempt": it.number, "run_number": 1, "carried": [],
            "repository": self.repository, "repository_path": "/app", "called": {}, "title": "a change",
            "workflow": {"path": run["workflow"], "text": ""},
            "event": {"name": run["event"], "git_ref": run["ref"], "payload": {"commits": run["listed"]}},
            "change": {"commit": run["head"], "authored_at": 1, "committed_at": self.dates[run["head"]],
                       "uncommitted": 0, "branched_at": run["base"]},
            "inputs": {}, "vars": {}, "secret_names": [], "actor": "mona", "triggering_actor": "mona"})
        self.going.append(self.course(it, carried))

    def tell(self, attempt, *events):
        for event in events:
            self.clock += self.rng.randrange(1, 90_000) if event["type"] != "RunCreated" else 1
            event["at"] = self.clock
        last = self.journal[-1] if self.journal else {}
        if (last.get("run"), last.get("attempt")) == (attempt.run["number"], attempt.number):
            last["events"].extend(events)
        else:
            self.journal.append({"of": "run", "run": attempt.run["number"], "attempt": attempt.number,
                                 "workflow": attempt.run["workflow"], "events": list(events)})
        return self.clock

    def planned(self, attempt, key, environment):
        self.clock += 1
        self.tell(attempt, {
            "type": "JobPlanned", "key": key, "id": key, "name": key, "parent": None, "file": None, "needs": [],
            "matrix": None, "index": 0, "total": 1, "fail_fast": True, "max_parallel": None,
            "queued_at": self.clock, "environment": environment})
        return Job(attempt, key, environment, self.clock)

    def course(self, attempt, carried):
        """An attempt, by turns."""
        stages = attempt.run["plan"]
        # What needs one that runs again does so, too.
        open_ = next((at for at, stage in enumerate(stages) if any(key not in carried for key, _ in stage)), 0)
        carried = {key for stage in stages[:open_ + 1] for key, _ in stage if key in carried}
        for key, environment in (job for stage in stages for job in stage):
            if key in carried:
                self.planned(attempt, key, environment)
                self.tell(attempt, {"type": "JobCarried", "job": key, "conclusion": "success", "outputs": {}, "from": 1})
                attempt.good.add(key)
        at_once = self.rng.random() < 0.3
        stages = [[job for job in stage if job[0] not in carried] for stage in stages]
        for stage in stages if at_once else []:
            for key, environment in stage:
                attempt.jobs[key] = self.planned(attempt, key, environment)
        is_good = True
        for stage in stages:
            if not is_good and self.rng.random() < 0.7:
                for key, _ in stage:
                    if key in attempt.jobs:
                        self.over(attempt.jobs[key], None, "cancelled")
                    else:
                        self.tell(attempt, {"type": "JobSkipped", "job": key, "reason": {"kind": "forced"}})
                continue
            for key, environment in stage:
                if key not in attempt.jobs:
                    attempt.jobs[key] = self.planned(attempt, key, environment)
            turns = [self.work(attempt.jobs[key]) for key, _ in stage]
            while turns:
                turn = self.rng.choice(turns)
                if next(turn, "end") == "end":
                    turns.remove(turn)
                else:
                    yield
            jobs = [attempt.jobs[key] for key, _ in stage]
            if any(job.over_at is None for job in jobs):
                return
            is_good = is_good and all(job.conclusion == "success" for job in jobs)
        if self.rng.random() < 0.95:
            self.tell(attempt, {"type": "RunCompleted", "conclusion": "success" if is_good else "failure"})
            attempt.is_over = True

    def over(self, job, fence, conclusion):
        ends = {"success": "none", "cancelled": "cancelled", "timed_out": "timeout"}
        job.conclusion = conclusion
        job.over_at = self.tell(job.attempt, {
            "type": "JobCompleted", "job": job.key, "fence": fence, "conclusion": conclusion,
            "exit": ends.get(conclusion, "user_failure"), "outputs": {}, "log": None, "environment_url": None})
        if conclusion == "success":
            job.attempt.good.add(job.key)

    def work(self, job):
        """A job, by turns."""
        rng, attempt = self.rng, job.attempt
        if job.environment and rng.random() < 0.2:
            job.environment = job.environment.lower()       # as its rules call it
            job.gated_at = self.tell(attempt, {"type": "JobGated", "job": job.key, "gate": {
                "environment": job.environment, "demands": [], "asked_by": [], "what": "ab" * 32,
                "rules": {"source": "here", "branch": "main", "commit": "c", "digest": "ab" * 32}}})
            yield
            if rng.random() < 0.2:
                return self.over(job, None, "failure")
        if rng.random() < 0.03:
            return self.over(job, None, "cancelled")
        job.ready_at = self.tell(attempt, {"type": "JobReady", "job": job.key})
        fence = 0
        while True:
            fence += 1
            job.tracked.append(f"track-{attempt.name()}-{job.key}-{fence}")
            job.began_at = self.tell(attempt, {
                "type": "JobLeased", "job": job.key, "fence": fence, "tracking_id": job.tracked[-1]})
            job.leased.append(job.began_at)
            if rng.random() < 0.95:
                job.began_at = self.tell(attempt, {
                    "type": "JobStarted", "job": job.key, "fence": fence, "pid": 1, "runner": "here"})
            yield
            if rng.random() < 0.07:
                self.command(job)
            if rng.random() > 0.08:
                break
            self.tell(attempt, {"type": "JobLost", "job": job.key, "fence": fence, "reason": "it is gone"})
            yield
            what = rng.random()
            if what < 0.3:
                return None                                 # nobody ever looks after it
            if what < 0.5:
                return self.over(job, None, "cancelled")
            self.tell(attempt, {"type": "JobRequeued", "job": job.key, "by": "mona"})
        self.over(job, fence, rng.choices(["success", "failure", "cancelled", "timed_out"], [82, 10, 4, 4])[0])

    def command(self, job):
        """`launchway deploy`, inside a job."""
        self.numbers["deployment"] += 1
        number, kept = self.numbers["deployment"], set(self.before)
        it = dora.one(self.rng, self.clock + 1, number, self.commanded, self.before, [])
        if job.environment and self.rng.random() < 0.8:
            it["environment"] = job.environment.lower()
        it["first"] = [name for name in it["services"] if (it["environment"], name) not in kept]
        told_ = list(dora.events(self.repository, it, job.tracked[-1]))
        if self.rng.random() < 0.1:
            told_ = told_[:-1]                              # it never ends
            self.before = kept
        else:
            self.before = kept | ({(it["environment"], name) for name in it["services"]}
                                  if it["verdict"] == "succeeded" else set())
            self.commanded.append((number, it))
        it["ran_by"] = job
        if it["kind"] != "task":
            self.asked.append((it["environment"], job.tracked[-1]))
        self.clock = it["finished_at"] + 1
        self.journal.append({"of": "deployment", "deployment": number, "environment": it["environment"],
                             "events": told_})


# What jobs of an attempt did in one environment.

class Group:
    def __init__(self, attempt, environment, jobs):
        self.attempt, self.environment, self.jobs = attempt, environment, jobs
        self.run, self.name = attempt.run, attempt.name()
        ends = sorted(job.over_at for job in jobs if job.over_at is not None)
        # Moments at which nothing was open that the run had come to, and something had had a worker.
        self.moments = [at for at in ends
                        if all(job.over_at is not None and job.over_at <= at for job in self.known(at))
                        and any(job.tracked for job in self.known(at))]

    def known(self, at):
        return [job for job in self.jobs if job.planned_at <= at]

    def at(self, moment, asked):
        """How it had ended and when, as far as it was known then; none where it was no deployment."""
        moments = [at for at in self.moments if at <= moment]
        if not moments:
            return None
        jobs = self.known(moments[-1])
        tracked = {it for job in jobs for it in job.tracked}
        if any(env == self.environment and by in tracked for env, by in asked):
            return None
        worked = [job for job in jobs if job.tracked]
        ends = {job.conclusion for job in worked}
        verdict = ("failed" if ends & {"failure", "timed_out"} else
                   "succeeded" if ends == {"success"} and len(worked) == len(jobs) else "cancelled")
        return verdict, max(job.over_at for job in worked)


def groups(world, environment, workflow):
    found = []
    for run in world.runs:
        for attempt in run["attempts"] if run["workflow"] == workflow else []:
            jobs = [it for it in attempt.jobs.values() if (it.environment or "").lower() == environment]
            group = Group(attempt, environment, jobs)
            if group.moments:
                found.append(group)
    return sorted(found, key=lambda it: it.moments[0])


def line(world, ref, commit, moment):
    """What a branch had up to a commit, by the pushes that were shown until then; none where it had it not."""
    found = {}
    for at, branch, it, date in world.shown:
        if branch == ref and at <= moment:
            found.setdefault(it, (date, at))
            if it == commit:
                return found
    return None


def judge(world, all_):
    """Of which kind each was and what came with it, by what was known when it was over."""
    counted = []
    for it in all_:
        moment = it.moments[0]
        # A job of its own that comes to the command later makes it none, but not before.
        state = it.at(moment, world.asked)
        it.final = it.at(float("inf"), world.asked)
        # What goes on there is in no figure until that is over.
        it.is_told = it.final is not None and all(job.over_at is not None for job in it.jobs)
        it.commits, it.lines, it.kind, it.mends, it.first = {}, {}, "release", None, False
        if state is None:
            it.kind = None
            # Its first moment was one of a job that ran the command: nothing was there to change.
            continue
        verdict, finished = state
        head = it.run["head"]
        past = [(other, other.at(moment, world.asked)) for other in counted]
        past = [(other, state) for other, state in past if state is not None]
        good = [(other, state[1]) for other, state in past if state[0] == "succeeded"]
        # Where its commit stands.
        refs = list(dict.fromkeys(ref for at, ref, commit, _ in world.shown if commit == head and at <= finished))
        own_refs = {ref for other, _ in good for ref in ([other.own] if other.own else [])}
        own = (it.run["ref"] if it.run["ref"] in refs else
               next((ref for ref in refs if ref in own_refs), refs[0] if refs else None))
        it.own = own
        if own:
            it.lines[own] = line(world, own, head, finished)
        if it.run["base"] and own != MAIN:
            base = line(world, MAIN, it.run["base"], finished)
            if base is not None:
                it.lines[MAIN] = base
        before = [(done, other) for other, done in good if done <= finished]
        runs = max(before, key=lambda pair: pair[0])[1] if before else None
        it.first = runs is None
        if runs is not None:
            runs_end = dict(before and [(other, done) for done, other in before])[runs]
            if runs.run["head"] == head:
                tried = [(state[1], other) for other, state in past if state[0] != "succeeded"
                         and runs_end <= state[1] <= finished and other.run["head"] != head]
                if tried:
                    it.kind, it.mends = "rollback", max(tried, key=lambda pair: pair[0])[1]
                else:
                    it.kind = "redeploy"
            elif is_behind(world, it, runs, [other for other, _ in good]):
                it.kind, it.mends = "rollback", runs
        if verdict == "succeeded" and it.kind == "release" and runs is not None:
            for ref, commits in it.lines.items():
                came = [other.lines[ref] for other, _ in good if ref in other.lines]
                for commit, (date, at) in commits.items():
                    if not any(commit in line for line in came) and (came or at > runs.attempt.at):
                        it.commits[commit] = it.commits.get(commit) or date
            it.commits.pop(head, None)
            it.commits[head] = world.dates[head]
        counted.append(it)
    inherit(world, counted)
    return counted


def is_behind(world, it, runs, good):
    """Whether its commit came here, and before the one that runs did."""
    head, other = it.run["head"], runs.run["head"]
    def arrival(commit):
        for at, done in enumerate(good):
            for ref, commits in done.lines.items():
                if commit in commits and (ref == it.own or commit == done.run["head"] or commit in done.commits):
                    return at, ref == done.own, list(commits).index(commit)
            if done.run["head"] == commit:
                return at, True, len(world.shown)
        return None
    if arrival(head) is None:
        return False
    if it.own and it.own in runs.lines and head in runs.lines[it.own]:
        return True                                         # on the way to the one that runs
    if it.own and other in it.lines[it.own]:
        return False                                        # behind it
    return arrival(head) < arrival(other)


def inherit(world, counted):
    """What one had brought that turned bad afterwards came with the next one that had it, too."""
    turned = []
    for it in counted:
        states = [(at, it.at(at, world.asked)) for at in it.moments]
        good = [state is not None and state[0] == "succeeded" for _, state in states]
        if good[0] and not good[-1]:
            turned.append((states[good.index(False)][0], it))
    for at, it in sorted(turned, key=lambda pair: pair[0]):
        good = lambda other: (other.at(at, world.asked) or ["none"])[0] == "succeeded"
        place = counted.index(it)
        earlier = {commit for other in counted[:place] if good(other)
                   for commit in [*other.commits, other.run["head"]]}
        for commit in dict.fromkeys([*it.commits, it.run["head"]]):
            heirs = [] if commit in earlier else [
                heir for heir in counted[place + 1:] if heir.moments[0] < at and good(heir)
                and any(commit in commits for commits in heir.lines.values())]
            for heir in heirs[:1]:
                if commit in it.commits:
                    heir.commits.setdefault(commit, it.commits[commit])
                if heir.kind == "redeploy":
                    heir.kind = "release"               # the same of what is not there now
        it.commits = {}


def first_lease(attempt):
    return min(at for job in attempt.jobs.values() for at in job.leased)


def of_command(it):
    """When the run was made whose job ran the command, and when its first job was leased: known once it is over."""
    attempt = it["ran_by"].attempt
    return (attempt.at, first_lease(attempt)) if attempt.is_over else None


def figures(world, counted, environment, workflow):
    """The five, of one workflow in one environment."""
    about = [t for t in world.troubles if t["environment"].lower() == environment and t["service"] in (None, workflow)]
    brought = lambda it: [t for t in about if t["cause"] is it.attempt]
    since, until = world.since, world.until
    told_ = sorted((it for it in counted if it.is_told), key=lambda it: it.final[1])
    ended, verdict = {it: it.final[1] for it in told_}, {it: it.final[0] for it in told_}
    taken_back = {it.mends for it in told_ if verdict[it] == "succeeded" and it.mends}
    met = [it for it in told_ if verdict[it] == "succeeded" or it in taken_back or brought(it)]
    is_in = lambda it: since <= ended[it] < until
    inside = [it for it in met if is_in(it)]
    shipped = [it for it in inside if verdict[it] == "succeeded" and it.kind == "release"]
    others = {}
    for it in inside:
        if verdict[it] == "succeeded" and it.kind != "release":
            others[it.kind] = others.get(it.kind, 0) + 1
    gaps = [ended[later] - ended[earlier] for earlier, later in zip(shipped, shipped[1:])]

    first = {}
    for it in counted:
        if it.final and it.final[0] == "succeeded":
            for commit in [*it.commits, it.run["head"]]:
                first.setdefault(commit, it)
    led, left = [], []
    for it in inside:
        for commit, committed in it.commits.items() if verdict[it] == "succeeded" else []:
            end = ended[it]
            if first[commit] is not it:
                left.append((commit, it.name, "came_before"))
            elif committed is None:
                left.append((commit, it.name, "no_date"))
            elif committed > end:
                left.append((commit, it.name, "clock_skew"))
            else:
                job = min((job for job in it.known(it.moments[-1]) if job.tracked), key=lambda job: job.began_at)
                shown = [line[commit][1] for line in it.lines.values() if commit in line]
                asked = job.ready_at if job.gated_at is None else job.gated_at
                parts = split(committed, end, min(shown, default=None), it.attempt.at, job.began_at,
                              (first_lease(it.attempt), asked, job.ready_at))
                led.append((commit, it.name, end - committed, *parts))

    back = {}
    for it in met:
        if it.mends:
            back.setdefault(it.mends, it)
    failed = [it for it in inside if it in back or brought(it)]
    recovered, open_ = [], []
    for it in failed:
        troubles = brought(it)
        good = [later for later in met[met.index(it) + 1:] if verdict[later] == "succeeded"]
        if it not in back:                                  # nothing says it but incidents: what was made to end one
            good = [later for later in good if any(later.attempt in t["fixes"] for t in troubles)]
        ends = [(ended[later], 0, later.name, None) for later in good[:1]]
        if troubles and all(t["resolved_at"] is not None for t in troubles):
            last = max(troubles, key=lambda t: (t["resolved_at"], t["number"]))
            ends.append((last["resolved_at"], 1, None, last["number"]))
        if ends:
            at, _, by, incident = min(ends, key=lambda end: end[:2])
            recovered.append((it.name, by, incident, max(0, at - ended[it])))
        else:
            open_.append(it.name)
    mending = [it.name for it in inside if it.kind == "rollback" or any(it.attempt in t["fixes"] for t in about)]
    weeks = [0] * -(-(until - since) // WEEK)
    for it in shipped:
        weeks[(ended[it] - since) // WEEK] += 1
    many = len(shipped) >= dora.SAMPLES_MIN
    return rounded({
        "frequency": len(shipped),
        "per_day": float(Fraction(len(shipped)) / Fraction(until - since, DAY)) if many else None,
        "frequency_of": [it.name for it in shipped], "between": middle(gaps), "others": others,
        "lead": [len(led)] + [middle([it[2] for it in led])] + [rank([it[2] for it in led], p) for p in (75, 90)],
        "parts": [middle([it[part] for it in led if it[part] is not None]) for part in range(3, 9)],
        "led": sorted(led, key=lambda it: it[:3]), "left": sorted(left),
        "failures": share(len(failed), len(inside)), "failed": [it.name for it in failed],
        "recovery": middle([it[3] for it in recovered]), "recovered": recovered, "open": open_,
        "rework": share(len(mending), len(inside)), "reworked": mending,
        "weeks": weeks, "deployments": [it.name for it in inside], "brought": [sorted(t["number"] for t in brought(it)) for it in inside],
        "kinds": [it.kind for it in inside],
        "in_doubt": [(it.name, verdict[it]) for it in told_ if it not in met and is_in(it)],
    })


def said(it):
    return told(it) | {"kinds": [d["kind"] for d in it["deployments"]],
                       "in_doubt": [(d["deployment"], d["verdict"]) for d in it["in_doubt"]]}


def compare(seed, what, told_, expected):
    if told_ == expected:
        return
    for key in expected:
        if (told_ or {}).get(key) != expected[key]:
            print(f"  {key}: told {(told_ or {}).get(key)}, expected {expected[key]}")
    sys.exit(f"seed {seed}, {what}: the figures differ")


def main():
    program, count = sys.argv[1], int(sys.argv[2])
    first_seed = int(sys.argv[3]) if len(sys.argv) > 3 else 1
    seeds = range(first_seed, first_seed + count)
    numbers = {"run": 0, "deployment": 0, "incident": 0}
    worlds = [World(seed, numbers) for seed in seeds]
    lines = [json.dumps({"project": it.repository, "since": it.since, "until": it.until,
                         "environments": ENVIRONMENTS, "journal": it.journal}) for it in worlds]
    ran = subprocess.run([program], input="\n".join(lines), capture_output=True, text=True)
    if ran.returncode != 0:
        sys.exit(f"{program} ended with {ran.returncode}: {ran.stderr}")
    answers = [json.loads(line) for line in ran.stdout.splitlines()]
    if len(answers) != count:
        sys.exit(f"{len(answers)} answers to {count} histories")
    sets = failures = doubts = commits = caused = fixes = 0
    for seed, world, answer in zip(seeds, worlds, answers):
        known = {(it["by_jobs"], it["environment"].lower(), it["service"]): it for it in answer}
        for environment in ENVIRONMENTS:
            for workflow in WORKFLOWS:
                counted = judge(world, groups(world, environment, workflow))
                answered = known.pop((True, environment, workflow), None)
                if not any(it.is_told for it in counted):
                    if answered is not None:
                        sys.exit(f"seed {seed}: {workflow} in {environment} was told and is none")
                    continue
                expected = figures(world, counted, environment, workflow)
                compare(seed, f"{workflow} in {environment}", answered and said(answered), expected)
                sets += 1
                failures += len(expected["failed"])
                doubts += len(expected["in_doubt"])
                commits += len(expected["led"])
                caused += sum(len(it) for it in expected["brought"])
                fixes += len(expected["reworked"])
        # What `launchway deploy` did inside of jobs counts as any other deployment.
        ids = {id(it): number for number, it in world.commanded}
        made = {"since": world.since, "until": world.until, "incidents": [],
                "deployments": [it for _, it in world.commanded]}
        for service in dora.SERVICES:
            expected = dora.figures(made, service, ids, {}, of_command)
            answered = known.pop((False, "production", service), None)
            if expected is not None:
                compare(seed, f"{service} by the command", answered and told(answered), rounded(expected))
                sets += 1
            elif answered is not None:
                sys.exit(f"seed {seed}: {service} was told and is none")
    attempts = sum(len(run["attempts"]) for world in worlds for run in world.runs)
    print(f"{count} histories, {attempts} attempts of runs, {numbers['deployment']} deployments by the command, {sets} "
          f"sets of figures are equal; {failures} failures, {doubts} in doubt, {commits} commits, {fixes} that mend, and "
          f"{caused} that {numbers['incident']} incidents name among them")


if __name__ == "__main__":
    main()
