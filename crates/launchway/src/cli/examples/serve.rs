//! Examples under `--help` of what makes a server, and looks after one.

/// `launchway serve`
pub(in crate::cli) const SERVE: &str = "\
Examples:
  launchway serve                                 on this machine alone: http://127.0.0.1:7878
  launchway serve --data /srv/launchway --jobs 4
  launchway serve --data /srv/launchway --listen 10.0.0.5:7878 --url https://ci.example.com
  launchway serve --data /srv/launchway --url https://ci.example.com --trusted-proxy 127.0.0.1
  launchway serve --data /srv/launchway --unit git > /etc/systemd/system/launchway.service
  launchway serve --data /srv/launchway --log-format json
  launchway serve --data /srv/launchway --label deploy --trusted-label deploy=octo/app:environment:production
  launchway serve --data /srv/launchway --sandbox-read /srv/toolchains
  launchway serve --data /srv/launchway --job-user launchway-jobs
  launchway serve --data /srv/launchway --job-memory 4GiB --job-cpus 2 --job-memory big=16GiB --label big
  launchway serve --sign-in-issuer https://login.example.com --sign-in-client launchway --sign-in-allow groups=team:operate
  launchway serve --data /srv/launchway --database postgres://launchway@db.example.com/launchway

The first start prints a token to sign in with. Everything lies in one folder; killed at any moment, the
server goes on from there. docs/server.md sets one up in ten minutes, and says what is defended.";

/// `launchway serve backup`
pub(in crate::cli) const SERVE_BACKUP: &str = "\
Examples:
  launchway serve backup /backups/2026-03-01 --data /srv/launchway

The server goes on meanwhile. What a killed backup leaves ends in .partial and is replaced by the next. The copy is as
secret as the folder is: it holds tokens' digests, sealed secrets and their key.";

/// `launchway serve restore`
pub(in crate::cli) const SERVE_RESTORE: &str = "\
Examples:
  launchway serve restore /backups/2026-03-01 --data /srv/launchway
  launchway serve restore /backups/2026-03-01 --data /srv/launchway --database postgres://launchway@db.example.com/new

  launchway serve restore /backups/2026-03-01 --data /srv/launchway --take-over    the original is gone

A folder in which something lies is refused. Every event is proven before the folder is there. Without --take-over
it stands by: served, it shows what is past, and does nothing until launchway serve --take-over.";

/// `launchway tokens create`
pub(in crate::cli) const TOKENS_CREATE: &str = "\
Examples:
  launchway tokens create mona --scope operate --person mona
  launchway tokens create nightly --scope operate --machine --repository octo/app
  launchway tokens create release --scope deploy --machine --repository octo/app --environment staging
  launchway tokens create gpu-1 --scope runner --repository octo/app
  launchway tokens create dashboard --days 30 --data /srv/launchway
  launchway tokens create laptop --scope operate --server https://ci.example.com

A server makes a token of whoever asks: theirs, of no more than the one in LAUNCHWAY_TOKEN may, and for no longer.";

/// `launchway tokens list`
pub(in crate::cli) const TOKENS_LIST: &str = "\
Examples:
  launchway tokens list
  launchway tokens list --format json --data /srv/launchway
  launchway tokens list --server https://ci.example.com";

/// `launchway people list`
pub(in crate::cli) const PEOPLE_LIST: &str = "\
Examples:
  launchway people list --data /srv/launchway
  launchway people list --format json --data /srv/launchway
  launchway people list --server https://ci.example.com";

/// `launchway people revoke`
pub(in crate::cli) const PEOPLE_REVOKE: &str = "\
Examples:
  launchway people revoke mona --data /srv/launchway
  launchway people revoke mona --server https://ci.example.com

Who is to stay out is taken out at the provider, or out of what --sign-in-allow is about, first.";

/// `launchway people forget`
pub(in crate::cli) const PEOPLE_FORGET: &str = "\
Examples:
  launchway people forget mona --data /srv/launchway
  launchway people forget mona --server https://ci.example.com

The first who signs in under a name has it. This is for a name that is another's from now on, for somebody
who is called otherwise now, and for another provider.";

/// `launchway tokens revoke`
pub(in crate::cli) const TOKENS_REVOKE: &str = "\
Examples:
  launchway tokens revoke 0123456789abcdef --data /srv/launchway
  launchway tokens revoke 0123456789abcdef --reason \"it leaked\" --server https://ci.example.com";

/// `launchway repositories add`
pub(in crate::cli) const REPOSITORIES_ADD: &str = "\
Examples:
  launchway repositories add /srv/git/app.git
  launchway repositories add /srv/git/app.git --name octo/app --environment staging --data /srv/launchway
  launchway repositories add /srv/git/app.git --default-branch trunk --data /srv/launchway
  launchway repositories add /srv/git/app.git --environment production --no-environment staging --data /srv/launchway
  launchway repositories add github:octo/app --forks first --data /srv/launchway
  launchway repositories add github:octo/app --incidents incident=production --data /srv/launchway
  launchway repositories add github:octo/app --no-incidents --data /srv/launchway
  launchway repositories add https://git.example.com/octo/app.git --every 30s --sign-in launchway
  launchway repositories add git@git.example.com:octo/app.git --data /srv/launchway

It writes the hooks pre-receive (workflow files with mistakes are refused, with their places) and
post-receive (whoever pushes is told the runs). Called again it adds to what is kept;
what goes is named, and its name stays.
One on GitHub is mirrored in the data folder; `launchway github connect` comes first.
One elsewhere is mirrored, too, and looked at every minute: it cannot refuse a push.";

/// `launchway repositories held`
pub(in crate::cli) const REPOSITORIES_HELD: &str = "\
Examples:
  launchway repositories held --data /srv/launchway
  launchway repositories held --server https://ci.example.com";

/// `launchway repositories let-in`
pub(in crate::cli) const REPOSITORIES_LET_IN: &str = "\
Examples:
  launchway repositories let-in 001795262400000-72d3162e --data /srv/launchway
  launchway repositories let-in 001795262400000-72d3162e --server https://ci.example.com

It lets in the runs of one push. The next push to that pull request waits again.";

/// `launchway github connect`
pub(in crate::cli) const GITHUB_CONNECT: &str = "\
Examples:
  launchway github connect --app 123456 --key app.private-key.pem --data /srv/launchway
  launchway github connect --data /srv/launchway
  launchway github connect --url https://github.example.com --data /srv/launchway

Without --app it takes a token, from standard input or asked for. An app is better: it makes checks
with annotations, and what lets it in ends after an hour. The secret for webhooks is shown once.";

/// `launchway github status`
pub(in crate::cli) const GITHUB_STATUS: &str = "\
Examples:
  launchway github status --data /srv/launchway";

/// `launchway pagerduty connect`
pub(in crate::cli) const PAGERDUTY_CONNECT: &str = "\
Examples:
  launchway pagerduty connect --service PF9KMXH=planner/production --data /srv/launchway
  launchway pagerduty connect --service PF9KMXH=planner/production/web --service PIJ90N7=planner/staging --keep-secret

The secret is the one that PagerDuty shows once when a generic webhook (V3) is made there; it is taken
from standard input, or asked for. An id is the end of the service's address there.";

/// `launchway pagerduty status`
pub(in crate::cli) const PAGERDUTY_STATUS: &str = "\
Examples:
  launchway pagerduty status --data /srv/launchway";

/// `launchway pagerduty disconnect`
pub(in crate::cli) const PAGERDUTY_DISCONNECT: &str = "\
Examples:
  launchway pagerduty disconnect --data /srv/launchway";

/// `launchway repositories list`
pub(in crate::cli) const REPOSITORIES_LIST: &str = "\
Examples:
  launchway repositories list --data /srv/launchway
  launchway repositories list --server https://ci.example.com";

/// `launchway repositories protect`
pub(in crate::cli) const REPOSITORIES_PROTECT: &str = "\
Examples:
  launchway repositories protect octo/app --rules production.yml --data /srv/launchway
  launchway repositories protect octo/app --no-rules --data /srv/launchway

The file takes the place of what was kept before. Of what it and launchway.yml ask for, the stricter
holds, part by part; who is of its groups, it says alone.";

/// `launchway repositories remove`
pub(in crate::cli) const REPOSITORIES_REMOVE: &str = "\
Examples:
  launchway repositories remove octo/app
  launchway repositories remove /srv/git/app.git --data /srv/launchway";
