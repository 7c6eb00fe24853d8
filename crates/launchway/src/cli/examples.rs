//! Examples under `--help`, for the commands whose arguments say less than they mean. A test parses
//! each of them.

mod serve;

pub(super) use serve::*;

/// `launchway check`
pub(super) const CHECK: &str = "\
Examples:
  launchway check                                 this repository's workflows, settings and .env files
  launchway check .github/workflows/deploy.yml    one file
  launchway check launchway.yml                   the settings, with the .env files they name
  launchway check --notes --deny warnings         advice too; warnings end with exit code 3
  launchway check --format github                 as annotations, in a workflow on GitHub

One finding is switched off by a comment on its line: # launchway: ignore[rule] reason";

/// `launchway build`
pub(super) const BUILD: &str = "\
Examples:
  launchway build                                 an image of this commit, on this machine
  launchway build --plan --push staging           what it would be called, and where it would go
  launchway build -s api --push staging           build, push, and write down which digest it has
  launchway build --push staging --create-repository   make the repository in ECR where there is none

One commit is built once: where the registry has an image of it, that one gets the names that it does not have yet.";

/// `launchway promote`
pub(super) const PROMOTE: &str = "\
Examples:
  launchway promote production --plan             what runs in the environment below, and what it would change
  launchway promote production
  launchway promote production -s api --version v1.2.0 --reason \"the fix alone\"";

/// `launchway init`
pub(super) const INIT: &str = "\
Examples:
  launchway init --dry-run                        what would be written, and nothing else
  launchway init                                  new files are written; what is there is shown, and asked about
  launchway init --yes                            files that are there are overwritten, too
  launchway init --target ecs                     services run on ECS, though no workflow says so yet
  launchway init --workflows                      tests, delivery and rollback beside the workflows there are

It looks for Dockerfiles, programs that listen (FastAPI, Flask, Django, npm start), examples of .env files, and for what
workflows say of ECS. What it guessed stands in the files. Workflows keep their text but for what launchway check knows is
wrong.";

/// `launchway runs list`
pub(super) const RUNS_LIST: &str = "\
Examples:
  launchway runs list                             the newest 20 of this repository
  launchway runs list --all -n 100                of every repository
  launchway runs list --branch main --status failure --workflow ci.yml
  launchway runs list --server https://ci.example.com   those of a server; LAUNCHWAY_TOKEN holds a token of it
  launchway runs list --format json | jq -r 'select(.conclusion==\"failure\") | .run'";

/// `launchway runs show`
pub(super) const RUNS_SHOW: &str = "\
Examples:
  launchway runs show                             the newest run of this repository
  launchway runs show 12 --attempt 1              before it was run again
  launchway runs show 12 --format json | jq '.jobs[].outputs'
  launchway runs show 12 --format json | jq -r '.waterfall.critical[]'   which jobs made it as long as it was";

/// `launchway runs watch`
pub(super) const RUNS_WATCH: &str = "\
Examples:
  launchway runs watch                            the newest run, which another terminal started
  launchway runs watch 12";

/// `launchway runs logs`
pub(super) const RUNS_LOGS: &str = "\
Examples:
  launchway runs logs                             every job of the newest run
  launchway runs logs 12 -j test                  one job
  launchway runs logs --failed                    only the steps that failed
  launchway runs logs 12 --raw > run.log          with colours, as the programs printed them
  launchway runs logs 12 --search 'connection refused'
  launchway runs logs 12 --search '(?i)timed? ?out' --regex --server https://ci.example.com

Exit codes of --search: 0 a line has it, 1 none has.";

/// `launchway runs download`
pub(super) const RUNS_DOWNLOAD: &str = "\
Examples:
  launchway runs download                         every artifact of the newest run
  launchway runs download 12 -n report -D out     one, straight into the folder out
  launchway runs download 12 --server https://ci.example.com";

/// `launchway runs cancel`
pub(super) const RUNS_CANCEL: &str = "\
Examples:
  launchway runs cancel                           as Ctrl-C would in its terminal
  launchway runs cancel 12                        also ends a run whose command was killed
  launchway runs cancel 12 --reason \"the wrong branch\" --server https://ci.example.com";

/// `launchway runs resume`
pub(super) const RUNS_RESUME: &str = "\
Examples:
  launchway runs resume                           go on with the newest run
  launchway runs resume 12 --secret TOKEN         secrets are needed again: they are stored nowhere
  launchway runs resume 12 --yes                  what lost jobs did so far may be done twice
  launchway runs resume 12 --yes --server https://ci.example.com      those of a run of a server";

/// `launchway runs rerun`
pub(super) const RUNS_RERUN: &str = "\
Examples:
  launchway runs rerun                            the newest run, all of it
  launchway runs rerun 12 --failed                only what failed, and what needs it
  launchway runs rerun 12 --failed --reason \"the disk was full\"";

/// `launchway settings schema`
pub(super) const SETTINGS_SCHEMA: &str = "\
Examples:
  launchway settings schema > .launchway/schema.json

In launchway.yml, for editors that know the YAML language server:
  # yaml-language-server: $schema=.launchway/schema.json";

/// `launchway settings show`
pub(super) const SETTINGS_SHOW: &str = "\
Examples:
  launchway settings show                         every service in every environment
  launchway settings show production              one environment
  launchway settings show --format json | jq -r 'select(.file == null) | .key'";

/// `launchway versions list`
pub(super) const VERSIONS_LIST: &str = "\
Examples:
  launchway versions list                         tags of this repository that are valid semver
  launchway versions list --repository octo/app --data /srv/launchway
  launchway versions list --repository octo/app --server https://ci.example.com
  launchway versions list --format json | jq -r 'select(.standing==\"failed\") | .tag'";

/// `launchway versions show`
pub(super) const VERSIONS_SHOW: &str = "\
Examples:
  launchway versions show v1.2.3                  what came with it, and what came of it
  launchway versions show v1.2.3 --repository octo/app --server https://ci.example.com
  launchway versions show v1.2.3 --format json | jq -r '.deployments[].environment'";

/// `launchway secrets list`
pub(super) const SECRETS_LIST: &str = "\
Examples:
  launchway secrets list                          each with where it is named, and whether it is set
  launchway secrets list --format json | jq -r 'select(.state==\"missing\") | .name'
  launchway secrets list --repository octo/app --data /srv/launchway
  launchway secrets list --repository octo/app --server https://ci.example.com";

/// `launchway secrets set`
pub(super) const SECRETS_SET: &str = "\
Examples:
  launchway secrets set REGISTRY_TOKEN            asks for the value, and does not show it
  launchway secrets set DB_URL --environment production --rotate-by 2027-03-31
  launchway secrets set DB_URL --repository octo/app --data /srv/launchway
  launchway secrets set DB_URL --repository octo/app --server https://ci.example.com

A value comes from standard input where that is no terminal: echo \"$TOKEN\" | launchway secrets set TOKEN
It is kept sealed in the state folder, and given to this repository's jobs and deployments alone. A server takes
it, and gives it to nobody again.";

/// `launchway secrets remove`
pub(super) const SECRETS_REMOVE: &str = "\
Examples:
  launchway secrets remove REGISTRY_TOKEN
  launchway secrets remove DB_URL --environment production
  launchway secrets remove DB_URL --repository octo/app --data /srv/launchway
  launchway secrets remove DB_URL --repository octo/app --server https://ci.example.com";

/// `launchway secrets setup`
pub(super) const SECRETS_SETUP: &str = "\
Examples:
  launchway secrets setup                         asks for each that workflows name and nobody set
  launchway secrets setup --environment staging   and for those that the settings want there
  launchway secrets setup --aws --environment production
  launchway secrets setup --all                   every group, and every one that is named
  launchway secrets setup --repository octo/app --server https://ci.example.com";

/// `launchway secrets sync github`
pub(super) const SECRETS_SYNC: &str = "\
Examples:
  launchway secrets sync github --dry-run         what would be put there, by name and time
  launchway secrets sync github                   shows it, asks, and does it
  launchway secrets sync github --environment production --make-environments
  launchway secrets sync github DB_URL --yes      one name, unasked
  launchway secrets sync github --to octo/app --url https://github.example.com
  launchway secrets sync github --repository octo/app --data /srv/launchway
  launchway secrets sync github --repository octo/app --server https://ci.example.com

Who you are there: GH_TOKEN or GITHUB_TOKEN of the environment, else gh auth token; for a GitHub of
your own GH_ENTERPRISE_TOKEN or GITHUB_ENTERPRISE_TOKEN. Values go to GitHub alone, sealed by the
key that it gives; what is only there stays. Killed, or run again, it goes on with what is not there.";

/// `launchway secrets rekey`
pub(super) const SECRETS_REKEY: &str = "\
Examples:
  launchway secrets rekey                         what you keep on this machine
  launchway secrets rekey --data /srv/launchway   what a server keeps, of all its repositories, while it serves

Killed at any moment it loses nothing; run again it goes on. The values stay as they are: whoever had both the key and
the file knows them, so those have to be set anew where they were made.";

/// `launchway vars list`
pub(super) const VARS_LIST: &str = "\
Examples:
  launchway vars list
  launchway vars list --repository octo/app --server https://ci.example.com";

/// `launchway vars set`
pub(super) const VARS_SET: &str = "\
Examples:
  launchway vars set REGION eu-central-1
  launchway vars set REGION eu-central-1 --repository octo/app --data /srv/launchway
  launchway vars set REGION eu-central-1 --repository octo/app --server https://ci.example.com";

/// `launchway vars remove`
pub(super) const VARS_REMOVE: &str = "\
Examples:
  launchway vars remove REGION
  launchway vars remove REGION --repository octo/app --server https://ci.example.com";

/// `launchway workflows list`
pub(super) const WORKFLOWS_LIST: &str = "\
Examples:
  launchway workflows list
  launchway workflows list --format json
  launchway workflows list --repository octo/app --server https://ci.example.com";

/// `launchway workflows enable`
pub(super) const WORKFLOWS_ENABLE: &str = "\
Examples:
  launchway workflows enable nightly.yml
  launchway workflows enable nightly.yml --repository octo/app --server https://ci.example.com";

/// `launchway workflows disable`
pub(super) const WORKFLOWS_DISABLE: &str = "\
Examples:
  launchway workflows disable nightly.yml         here only; GitHub hears nothing of it
  launchway workflows disable nightly.yml --repository octo/app --server https://ci.example.com
  launchway workflows disable nightly.yml --reason \"it fails since the move\"

A server runs it on no push, schedule or dispatch, and tells whoever pushes so; what runs goes on.";

/// `launchway completions`
pub(super) const COMPLETIONS: &str = "\
Examples:
  launchway completions bash > ~/.local/share/bash-completion/completions/launchway
  launchway completions zsh > ~/.zfunc/_launchway
  launchway completions fish > ~/.config/fish/completions/launchway.fish

The folder has to be there. For zsh ~/.zshrc needs: fpath+=~/.zfunc; autoload -Uz compinit; compinit
They are read by the next shell that is started.";

/// `launchway man`
pub(super) const MAN: &str = "\
Examples:
  launchway man --dir ~/.local/share/man/man1     then: man launchway-run";

/// `launchway deploy`
pub(super) const DEPLOY: &str = "\
Examples:
  launchway deploy staging --plan                 what would be done, and how each step is undone
  launchway deploy staging                        ask, then do it; on failure it goes back by itself
  launchway deploy staging --service api --yes
  launchway deploy production --version v1.4.0 --reason \"release 1.4\"
  launchway deploy staging --image api=registry.example.com/planner@sha256:0f1e...   a service of ECS
  launchway deploy staging --format json | jq -r 'select(.type==\"deployment_completed\") | .verdict'

Ctrl-C once: it stops, and goes back if anything was changed. Twice: it is left, to be resumed.
Exit codes: 0 it runs, 1 it failed or was superseded, 3 the settings have mistakes, 4 a rule said no,
5 something is missing or unreachable, 6 it failed and was rolled back, 7 the way back stuck: a
person is needed, 130 cancelled.";

/// `launchway rollback`
pub(super) const ROLLBACK: &str = "\
Examples:
  launchway rollback production                   lists releases, marked good or bad
  launchway rollback production --to previous --reason \"errors at checkout\"
  launchway rollback production --to 1.3.2 --service api --reason \"errors at checkout\"

Only a release that ran well there can be gone back to. Migrations are not run, in no direction.";

/// `launchway scale`
pub(super) const SCALE: &str = "\
Examples:
  launchway scale staging --service api --to 3
  launchway scale staging --to 0 --yes            takes every service of it off this machine
  launchway scale staging --to 1 --yes            and brings back what ran well last

A deployment of what runs: planned, verified, gone back on. The next deploy takes the number of the
settings again.";

/// `launchway migrate`
pub(super) const MIGRATE: &str = "\
Examples:
  launchway migrate staging                       the migration of what runs there, once more
  launchway migrate production --service api --reason \"the first run was skipped\"
  launchway migrate production --status           which ran, when, and how they ended

A deployment runs them by itself. This one leaves what runs as it is, and is guarded as any other.";

/// `launchway task run`
pub(super) const TASK_RUN: &str = "\
Examples:
  launchway task run staging --service api -- alembic current
  launchway task run production --service api --reason \"ticket 41\" -- ./manage.py reindex

It runs in the release that runs, with its variables: here as a process, on ECS as a task of its own.
What it prints is shown when it is over, and kept out of the journal; its words are kept in it.";

/// `launchway verify`
pub(super) const VERIFY: &str = "\
Examples:
  launchway verify production                     health and smoke tests of what runs now
  launchway verify production --service api --format json

Exit codes: 0 all is as it should be, 1 something is not.";

/// `launchway diff`
pub(super) const DIFF: &str = "\
Examples:
  launchway diff staging                          what lies here against what runs there
  launchway diff production --running             the settings as they are now against what runs
  launchway diff production --running --exit-code
  launchway diff staging --image api=registry.example.com/planner@sha256:0f1e...";

/// `launchway status`
pub(super) const STATUS: &str = "\
Examples:
  launchway status                                what runs in every environment
  launchway status production --format json
  launchway status --server https://ci.example.com --project planner";

/// `launchway logs`
pub(super) const LOGS: &str = "\
Examples:
  launchway logs staging                          the last 100 lines of each instance
  launchway logs staging --service api --follow   and whatever comes, until Ctrl-C
  launchway logs staging --instance 0 -n 20       one instance, whichever release it is of
  launchway logs staging --instance 7.0           one that may not run any more: its log is kept
  launchway logs staging --format json | jq -r .text

Private values of the settings are shown as ***, and nothing that is printed steers the terminal.";

/// `launchway history`
pub(super) const HISTORY: &str = "\
Examples:
  launchway history                               the newest deployments, to all environments
  launchway history production -n 100 --format json
  launchway history --server https://ci.example.com";

/// `launchway metrics`
pub(super) const METRICS: &str = "\
Examples:
  launchway metrics                               DORA's five of production, and this repository's pipelines
  launchway metrics --since 30d --environment staging --service api
  launchway metrics --since 2026-01-01 --until 2026-03-31
  launchway metrics --of recovery                 what failed, and what mended it
  launchway metrics --of flaky --since 14d        tests that do not always say the same
  launchway metrics --of tests                    tests, coverage and time of the default branch, run by run
  launchway metrics --of images                   how large images are, and how long they take to build
  launchway metrics --of scans                    what scanners find, how bad, and since when
  launchway metrics --server https://ci.example.com --format json

Of fewer than five measurements no median and no rate is told. docs/metrics.md says how each is counted.";

/// `launchway incidents list`
pub(super) const INCIDENTS_LIST: &str = "\
Examples:
  launchway incidents list                        the newest of this project, with those that deployments opened
  launchway incidents list production --open
  launchway incidents list --server https://ci.example.com --format json";

/// `launchway incidents show`
pub(super) const INCIDENTS_SHOW: &str = "\
Examples:
  launchway incidents show 3
  launchway incidents show 3 --server https://ci.example.com --format json";

/// `launchway incidents reopen`
pub(super) const INCIDENTS_REOPEN: &str = "\
Examples:
  launchway incidents reopen 3 --reason 'it is back' --at 20m";

/// `launchway incidents open`
pub(super) const INCIDENTS_OPEN: &str = "\
Examples:
  launchway incidents open 'checkout answers 500' --caused-by 41 --severity critical
  launchway incidents open 'checkout answers 500' --caused-by 12.1        what jobs of run 12 shipped, in its attempt 1
  launchway incidents open 'the site is slow' --environment production --at 20m
  launchway incidents open 'mails are late' -e production -s mailer --server https://ci.example.com --project planner

What brought it then counts as failed, once however many incidents it brings; without that it is listed, and
no failure is counted. docs/incidents.md says more.";

/// `launchway incidents resolve`
pub(super) const INCIDENTS_RESOLVE: &str = "\
Examples:
  launchway incidents resolve 3 --fixed-by 42 --reason 'the query has its index again'
  launchway incidents resolve 3 --at 2026-03-01T12:00:00Z";

/// `launchway incidents link`
pub(super) const INCIDENTS_LINK: &str = "\
Examples:
  launchway incidents link 3 --caused-by 41
  launchway incidents link 3 --fixed-by 42
  launchway incidents link 3 --fixed-by 14.1                              what jobs of run 14 shipped
  launchway incidents link 3 --fixed-by 42 --remove";

/// `launchway releases`
pub(super) const RELEASES: &str = "\
Examples:
  launchway releases staging                      what came there, and what ran well
  launchway releases --format json | jq -r 'select(.good) | .version'
  launchway releases staging --server https://ci.example.com";

/// `launchway backups list`
pub(super) const BACKUPS_LIST: &str = "\
Examples:
  launchway backups list production               what deployments put aside, newest first, and whether it is there
  launchway backups list --format json | jq -r 'select(.state == \"available\") | .backup'";

/// `launchway backups restore`
pub(super) const BACKUPS_RESTORE: &str = "\
Examples:
  launchway backups restore launchway-planner-db-12-1763722800000 --reason 'the migration of 2.4 lost rows'
  launchway backups restore launchway-planner-db-12-1763722800000 --as planner-db-check --reason 'a drill'
  launchway backups restore launchway-planner-production-12-1763722800000.dump --as planner_check --reason 'a drill'

A new database is made beside the one that runs, which is never touched; the steps to let it take its place are
printed.";

/// `launchway environments`
pub(super) const ENVIRONMENTS: &str = "\
Examples:
  launchway environments                          their levels, what guards them, and what runs there
  launchway environments --format json
  launchway environments --server https://ci.example.com";

/// `launchway doctor`
pub(super) const DOCTOR: &str = "\
Examples:
  launchway doctor                                this machine: git, docker, room on the disk
  launchway doctor production                     and all that a deployment there needs; nothing is changed
  launchway doctor production --format json | jq -r 'select(.state == \"error\") | .hint'";

/// `launchway environments iam`
pub(super) const ENVIRONMENTS_IAM: &str = "\
Examples:
  launchway environments iam production                          both policies
  launchway environments iam production --exact --as terraform   with the roles and log groups of what runs
  launchway environments iam production --as commands > role.sh
  aws iam get-role --role-name planner > role.json
  launchway environments iam production --check-trust role.json  who else may take it?";

/// `launchway issuer keys`
pub(super) const ISSUER_KEYS: &str = "\
Examples:
  launchway issuer keys                           made on first use; private halves stay in the state folder";

/// `launchway issuer rotate`
pub(super) const ISSUER_ROTATE: &str = "\
Examples:
  launchway issuer rotate                         then publish again, within the day
  launchway issuer rotate --at-once               a key was seen: all go now; then publish again, now
  launchway issuer rotate --at-once --state /srv/launchway";

/// `launchway issuer publish`
pub(super) const ISSUER_PUBLISH: &str = "\
Examples:
  launchway issuer publish --url https://tokens.example.com --to public";

/// `launchway environments unit`
pub(super) const ENVIRONMENTS_UNIT: &str = "\
Examples:
  launchway environments unit production
  launchway environments unit production --user planner > launchway-planner-production.service

Put into /etc/systemd/system and enabled, it starts what is wanted when the machine starts. Ending or
restarting the unit ends no service: they live on, and the next supervisor looks after them.";

/// `launchway deployments list`
pub(super) const DEPLOYMENTS_LIST: &str = "\
Examples:
  launchway deployments list
  launchway deployments list staging -n 5
  launchway deployments list --server https://ci.example.com";

/// `launchway deployments show`
pub(super) const DEPLOYMENTS_SHOW: &str = "\
Examples:
  launchway deployments show                      the newest
  launchway deployments show 12 --format json
  launchway deployments show 12 --server https://ci.example.com";

/// `launchway deployments watch`
pub(super) const DEPLOYMENTS_WATCH: &str = "\
Examples:
  launchway deployments watch
  launchway deployments watch 12 --format json
  launchway deployments watch 12 --server https://ci.example.com";

/// `launchway deployments cancel`
pub(super) const DEPLOYMENTS_CANCEL: &str = "\
Examples:
  launchway deployments cancel 12 --reason \"wrong version\"
  launchway deployments cancel 12 --reason \"wrong version\" --server https://ci.example.com

A server tells the command that drives it, which has to run on its machine, and ends what nobody drives and
changed nothing yet.";

/// `launchway deployments resume`
pub(super) const DEPLOYMENTS_RESUME: &str = "\
Examples:
  launchway deployments resume                    the newest that is open
  launchway deployments resume 12

The next deployment to the same environment finishes it first, too. A server goes on with none: it has neither
the settings of a project nor what signs in to its targets.";

/// `launchway approvals list`
pub(super) const APPROVALS_LIST: &str = "\
Examples:
  launchway approvals list
  launchway approvals list production --format json
  launchway approvals list --server https://ci.example.com   jobs at a gate, and deployments";

/// `launchway approvals show`
pub(super) const APPROVALS_SHOW: &str = "\
Examples:
  launchway approvals show                        the newest that waits
  launchway approvals show 12 --output ask.json   for whoever signs on another machine
  launchway approvals show 7 --job ship --server https://ci.example.com
  launchway approvals show 12 --deployment --server https://ci.example.com";

/// `launchway approvals sign`
pub(super) const APPROVALS_SIGN: &str = "\
Examples:
  launchway approvals sign 12 --group devops --output 12.approval
  launchway approvals sign --request ask.json --output 12.approval
  launchway approvals sign 12 --reject \"not before the sale\" --output 12.approval

It shows the plan, and signs its hash; ssh-keygen does it, with an agent or a passphrase where there is one.";

/// `launchway approvals approve`
pub(super) const APPROVALS_APPROVE: &str = "\
Examples:
  launchway approvals approve 12
  launchway approvals approve 12 --group leads --key ~/.ssh/id_ed25519 --reason \"looked at the plan\"
  launchway approvals approve 12 --signature 12.approval
  launchway approvals approve 7 --group devops --server https://ci.example.com   a job of run 7
  launchway approvals approve 12 --deployment --server https://ci.example.com       signed here, judged there";

/// `launchway approvals reject`
pub(super) const APPROVALS_REJECT: &str = "\
Examples:
  launchway approvals reject 12 --reason \"not before the sale\"
  launchway approvals reject 7 --reason \"not before the sale\" --server https://ci.example.com";

/// `launchway notify list`
pub(super) const NOTIFY_LIST: &str = "\
Examples:
  launchway notify list                                       of this machine's state folder
  launchway notify list --undelivered --state /srv/launchway  what a server still owes, or gave up
  launchway notify list --format json
  launchway notify list --undelivered --server https://ci.example.com";

/// `launchway notify test`
pub(super) const NOTIFY_TEST: &str = "\
Examples:
  launchway notify test team
  launchway notify test slack-1 --repository octo/app --data /srv/launchway       as that folder's server sends it
  launchway notify test slack-1 --repository octo/app --server https://ci.example.com

A server goes by launchway.yml at the tip of the default branch.";

/// `launchway notify send`
pub(super) const NOTIFY_SEND: &str = "\
Examples:
  launchway notify send                   what a deployment that was killed left";

/// `launchway notify retry`
pub(super) const NOTIFY_RETRY: &str = "\
Examples:
  launchway notify retry 12
  launchway notify retry 12 --state /srv/launchway
  launchway notify retry 12 --server https://ci.example.com --reason 'Slack is back'";

/// `launchway audit verify`
pub(super) const AUDIT_VERIFY: &str = "\
Examples:
  launchway audit verify                          this machine's own journal
  launchway audit verify --data /srv/launchway    a server's
  launchway audit verify --data /srv/launchway --expect \"$(tail -n 1 kept-heads)\"

The last line is `head POSITION:DIGEST`. Keep it on another machine: what was cut off or written anew since then
is found by --expect alone. Exit codes: 0 nothing was altered, 1 something was, and what is named, 5 there is no
journal.";

/// `launchway audit export`
pub(super) const AUDIT_EXPORT: &str = "\
Examples:
  launchway audit export --data /srv/launchway | jq -c 'select(.refused)'
  launchway audit export --format csv > decisions.csv
  launchway audit export --server https://ci.example.com | jq -c 'select(.actor==\"mona\")'

A server tells what was decided, and no head: only who reads the journal itself proves it (launchway audit verify).";

/// `launchway runner`
pub(super) const RUNNER: &str = "\
Examples:
  launchway tokens create gpu-1 --scope runner                            on the server: it is called gpu-1
  LAUNCHWAY_TOKEN=launchway_... launchway runner --server https://ci.example.com --label gpu
  launchway runner --server https://ci.example.com --jobs 8 --data /srv/runner
  launchway runner --server https://ci.example.com --job-memory 4GiB --job-cpus 2 --job-processes 2048

It opens one connection to the server, and nobody has to reach it. Jobs go on while the connection is cut, and
while either side is started again. What it sees: docs/runners.md";

/// `launchway runners list`
pub(super) const RUNNERS_LIST: &str = "\
Examples:
  launchway runners list --server https://ci.example.com
  launchway runners list --server https://ci.example.com --format json

Each job that is ready and has no runner stands below, in the order of its turn, with the reason. docs/runners.md";

/// `launchway runners drain`
pub(super) const RUNNERS_DRAIN: &str = "\
Examples:
  launchway runners drain launchway --server https://ci.example.com      before its machine is worked on
  launchway runners drain launchway --reason \"a new kernel\" --server https://ci.example.com";

/// `launchway runners resume`
pub(super) const RUNNERS_RESUME: &str = "\
Examples:
  launchway runners resume launchway --server https://ci.example.com";

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use crate::cli::{Cli, command};

    /// A line of an example as its words: up to the remark, the pipe or the file.
    fn words(line: &str) -> Vec<String> {
        let line = line.split("  ").next().expect("a first part");
        let line = line.split(['|', '>']).next().expect("a first part").trim();
        let mut words = vec![String::new()];
        let mut quoted = false;
        for letter in line.chars() {
            match letter {
                '"' => quoted = !quoted,
                ' ' if !quoted => words.push(String::new()),
                _ => words.last_mut().expect("one at least").push(letter),
            }
        }
        words
    }

    fn check(path: &str, command: &clap::Command) {
        if command.is_hide_set() || command.get_name() == "help" {
            return;
        }
        if command.has_subcommands() && !path.is_empty() {
            return command
                .get_subcommands()
                .for_each(|it| check(&format!("{path} {}", it.get_name()), it));
        }
        let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        let examples = help.lines().filter(|line| line.starts_with("  launchway "));
        let mut count = 0;
        for line in examples {
            let words = words(&line.trim().replace('\'', "\""));
            if let Err(error) = Cli::try_parse_from(&words) {
                panic!("{path}: {words:?}: {error}");
            }
            count += 1;
        }
        assert!(count > 0, "`launchway {path} --help` has no example");
        if path.is_empty() {
            command.get_subcommands().for_each(|it| check(it.get_name(), it));
        }
    }

    /// The pages say what can be typed; lines with a place for something of the reader's own too.
    #[test]
    fn what_the_pages_say_is_understood() {
        let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
        let docs = std::fs::read_dir(format!("{root}/docs")).expect("the pages");
        let pages = docs.map(|page| page.expect("a page").path());
        let pages = pages.filter(|page| page.extension().is_some_and(|it| it == "md"));
        let mut count = 0;
        for page in pages.chain([format!("{root}/README.md").into()]) {
            let text = std::fs::read_to_string(&page).expect("a page");
            for line in text.lines().filter_map(|line| line.strip_prefix("    launchway ")) {
                let words = words(&format!("launchway {line}").replace('\'', "\""));
                if let Err(error) = Cli::try_parse_from(&words) {
                    panic!("{}: {words:?}: {error}", page.display());
                }
                count += 1;
            }
        }
        assert!(count > 30, "{count}");
    }

    /// The table of native versions stands in `docs/actions.md` as it is.
    #[test]
    fn the_page_has_the_native_versions() {
        let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/actions.md");
        let page = std::fs::read_to_string(page).expect("the page");
        let told: Vec<&str> = page.lines().filter(|line| line.contains("` | v")).collect();
        let table = actions::native::table().map(|(_, of, majors)| {
            let majors: Vec<String> = majors.iter().map(|major| format!("v{major}")).collect();
            format!("| `{of}` | {} |", majors.join(", "))
        });
        assert_eq!(told, table.collect::<Vec<_>>());
    }

    #[test]
    fn every_command_has_examples_that_are_understood() {
        check("", &command());
    }

    /// Whoever wants something of a server reads where its token stands.
    #[test]
    fn every_verb_against_a_server_says_where_its_token_is() {
        fn count(command: &clap::Command) -> usize {
            let own =
                command.get_arguments().filter(|it| it.get_id() == "server" && !it.is_hide_set());
            let mut said = 0;
            for arg in own {
                let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
                assert_eq!(
                    help.matches("LAUNCHWAY_TOKEN").count(),
                    1,
                    "{}: {help}",
                    command.get_name()
                );
                assert!(
                    arg.get_long_help().is_none_or(|it| it.to_string().contains("LAUNCHWAY_TOKEN"))
                );
                said += 1;
            }
            assert!(!command.get_arguments().any(|it| it.get_long() == Some("token")));
            said + command.get_subcommands().map(count).sum::<usize>()
        }
        assert!(count(&command()) > 40);
    }
}
