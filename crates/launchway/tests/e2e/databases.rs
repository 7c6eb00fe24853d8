//! Real databases: migrations that run in PostgreSQL, dumps of it in a bucket (moto, and the model
//! cloud where something has to go wrong), kill -9 in between.

mod served;

use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use expect_test::{Expect, expect};
use model_cloud::{Clock, Cloud, Fault, FaultKind, Front};
use serde_json::{Value as Json, json};

use crate::deploy::Project;
use crate::ecs;
use crate::harness::{Place, Said, text, wait_until};
use crate::postgres::{Database, PASSWORD};

const APP: &str = r#"
import http.server, os
class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_): pass
    def do_GET(self):
        self.send_response(200)
        self.send_header('content-length', '2')
        self.end_headers()
        self.wfile.write(b'ok')
http.server.ThreadingHTTPServer(('127.0.0.1', int(os.environ['PORT'])), Handler).serve_forever()
"#;

const SETTINGS: &str = "
version: 1
project: planner
services:
  api:
    run: [python3, app.py]
    bundle: { path: app }
    secrets: { DATABASE_URL: 'local:DATABASE_URL' }
    migrate: { run: [sh, migrate.sh], timeout: 20s }
    health: { paths: [/], settle: 0s, within: 20s, every: 100ms }
environments:
  staging:
    region: eu-central-1
    backup: { dump: { url: 'local:DATABASE_URL', to: 's3://backups/planner', SCRATCH within: 2m } }
    targets: { host: 127.0.0.1:PORT }
";

/// A server of S3.
struct Moto {
    child: Child,
    url: String,
}

impl Moto {
    fn start() -> Moto {
        let own = Path::new(env!("CARGO_BIN_EXE_launchway"));
        let program = own.parent().and_then(Path::parent).expect("cargo's folder");
        let program = program.join("moto/bin/moto_server");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        drop(listener);
        let mut moto = Command::new("setpriv");
        moto.args(["--pdeathsig", "KILL"]).arg(program);
        moto.args(["-H", "127.0.0.1", "-p", &port.to_string()]);
        let child = moto.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let child = child.expect("cargo xtask test sets it up");
        wait_until("moto to listen", || TcpStream::connect(("127.0.0.1", port)).is_ok());
        Moto { child, url: format!("http://127.0.0.1:{port}") }
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The project with its database and its cloud.
struct Bench {
    project: Project,
    database: Database,
    cloud: String,
}

impl Bench {
    fn new(cloud: String, scratch: &str) -> Bench {
        let database = Database::start();
        let place = Place::with(&[("app/app.py", APP), ("app/migrate.sh", "true\n")]);
        let settings = SETTINGS.replace("SCRATCH", scratch);
        let project = Project::in_place(place, &settings);
        let bench = Bench { project, database, cloud };
        bench.keep("DATABASE_URL", &bench.database.url);
        bench
    }

    /// A secret, kept on this machine.
    fn keep(&self, name: &str, value: &str) {
        let mut set = self.launchway(&["secrets", "set", name, "--environment", "staging"]);
        let mut child = set.stdin(Stdio::piped()).stderr(Stdio::null()).spawn().expect("it starts");
        let mut input = child.stdin.take().expect("piped");
        std::io::Write::write_all(&mut input, value.as_bytes()).expect("it reads");
        drop(input);
        assert!(child.wait().expect("it ends").success());
    }

    fn launchway(&self, args: &[&str]) -> Command {
        let mut command = self.project.place.launchway(args);
        command
            .env("AWS_ENDPOINT_URL", &self.cloud)
            .env("AWS_ACCESS_KEY_ID", "AKIA111122223333")
            .env("AWS_SECRET_ACCESS_KEY", "secret-of-the-key");
        command
    }

    fn run(&self, args: &[&str]) -> Said {
        let said = Said::from(self.launchway(args).output().expect("it starts"));
        for text in [&said.stdout, &said.stderr] {
            assert!(!text.contains(PASSWORD), "{text}");
        }
        said
    }

    /// Another version, with this migration.
    fn version(&self, version: &str, migration: &str) {
        let psql = "psql -X -q -v ON_ERROR_STOP=1 \"$(echo \"$DATABASE_URL\" | sed s/+asyncpg//)\"";
        let statement = migration.replace('\'', "'\\''");
        self.project.place.write("app/migrate.sh", &format!("{psql} -c '{statement}'\n"));
        self.project.version(version);
    }

    /// How a command ends, in its machine-readable words.
    fn check(&self, args: &[&str], expect: &Expect) {
        let said = self.run(&[args, &["--format", "json"]].concat());
        let ends = said.of("deployment_completed");
        let words = ends.iter().map(|end| {
            format!("{} {} {}\n", end["service"], end["verdict"], end["cause"]).replace('"', "")
        });
        let is_told = |line: &&str| line.starts_with("error") || line.starts_with("hint");
        let errors = said.stderr.lines().filter(is_told).map(|it| format!("{it}\n"));
        expect.assert_eq(&format!(
            "{}{}exit {}\n",
            words.collect::<String>(),
            errors.collect::<String>(),
            said.exit
        ));
    }

    fn deploy(&self, expect: &Expect) {
        self.check(&["deploy", "staging", "--yes"], expect);
    }

    /// Dumps as the list has them, newest first.
    fn dumps(&self) -> Vec<Json> {
        self.run(&["backups", "list", "staging", "--format", "json"]).lines()
    }

    /// Deploys, and is killed when that is so.
    fn killed_when(&self, what: &str, is_so: impl FnMut() -> bool) {
        let mut command = self.launchway(&["deploy", "staging", "--yes"]);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it");
        wait_until(what, is_so);
        child.kill().expect("it lives");
        child.wait().expect("it is gone");
    }
}

impl Drop for Bench {
    /// The address is in no file of the state folder, and in no log.
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        let mut grep = Command::new("grep");
        let output = grep.args(["-rl", PASSWORD]).arg(self.project.place.state()).output();
        let found = text(&output.expect("grep starts").stdout);
        // What a service on this machine gets lies there for it alone.
        let found = found.lines().filter(|it| !it.contains("/private"));
        assert_eq!(found.collect::<Vec<_>>(), Vec::<&str>::new());
    }
}

/// A migration runs in a real database: it works, fails, is left out; before each release its data is
/// put aside in moto, proven, and one of them becomes a new database again.
#[test]
fn data_is_put_aside_before_a_migration_and_had_again() {
    let moto = Moto::start();
    let bench = Bench::new(moto.url.clone(), "scratch: 'local:DATABASE_URL',");
    bench.deploy(&expect![[r#"
        error: the bucket backups cannot be used: s3:GetObject: NoSuchBucket: The specified bucket does not exist
        hint: correct `backup.dump.to` and `region`, or what these credentials may
        exit 5
    "#]]);
    let made = Command::new("python3")
        .args([
            "-c",
            "import sys, urllib.request as r; r.urlopen(r.Request(sys.argv[1], method='PUT'))",
        ])
        .arg(format!("{}/backups", moto.url))
        .status();
    assert!(made.expect("it starts").success());
    bench.version("1.1", "create table tasks as select n as id from generate_series(1, 500) n");
    bench.deploy(&expect![[r#"
        api succeeded null
        exit 0
    "#]]);
    assert_eq!(bench.database.ask("select count(*) from tasks"), "500");
    bench.version("1.2", "delete from tasks where id > 200");
    bench.deploy(&expect![[r#"
        api succeeded null
        exit 0
    "#]]);
    bench.version("1.3", "delete from nothing");
    bench.deploy(&expect![[r#"
        api rolled_back the command ended with exit code 1
        exit 6
    "#]]);
    bench.version("1.4", "drop table tasks");
    bench.check(
        &["deploy", "staging", "--yes", "--skip-migrations"],
        &expect![[r#"
        api succeeded null
        exit 0
    "#]],
    );
    assert_eq!(bench.database.ask("select count(*) from tasks"), "200");
    let dumps = bench.dumps();
    let shown = dumps.iter().map(|it| {
        let restored = it["restored_ms"].as_u64().is_some();
        format!("{} {} {} {} {restored}\n", it["deployment"], it["state"], it["tables"], it["rows"])
    });
    expect![[r#"
        "4" "available" 1 200 true
        "3" "available" 1 200 true
        "2" "available" 1 500 true
        "1" "available" 0 0 true
    "#]]
    .assert_eq(&shown.collect::<String>());
    // Going back brings the release, and touches no data.
    bench.check(
        &["rollback", "staging", "--to", "1.1", "--reason", "drill", "--yes"],
        &expect![[r#"
            api succeeded null
            exit 0
        "#]],
    );
    assert_eq!(
        (bench.database.ask("select count(*) from tasks").as_str(), bench.dumps().len()),
        ("200", 4)
    );
    let second = dumps.iter().find(|it| it["rows"] == 500).expect("before the rows went");
    let id = second["backup"].as_str().expect("a name");
    let restore = ["backups", "restore", id, "--reason", "rows went", "--yes"];
    let said = bench.run(&restore);
    assert_eq!(said.exit, 0, "{}{}", said.stdout, said.stderr);
    let told = said.stdout.lines().take_while(|it| !it.starts_with('✓'));
    expect![[r#"
        restored_of_2 is there. To let it take the place of the one of local:DATABASE_URL:
          1. look at what is in it: it is on the server of local:DATABASE_URL, beside the old one
          2. stop what writes to the old one: launchway scale staging --to 0 (what comes after this is lost)
          3. put the old one aside, connected to the database postgres: alter database OLD rename to OLD_before (OLD is the name in the address)
          4. let the new one take its name: alter database "restored_of_2" rename to OLD
          5. start what writes to it: launchway scale staging --to N
          6. when everything is well, and not before: drop database OLD_before
    "#]].assert_eq(&told.map(|it| format!("{it}\n")).collect::<String>());
    let new = format!("restored_of_{}", second["deployment"].as_str().expect("a number"));
    assert_eq!(bench.database.ask_in(&new, "select count(*) from tasks"), "500");
    assert_eq!(bench.database.ask("select count(*) from tasks"), "200");
    bench.check(
        &[&restore[..], &["--as", "planner"]].concat(),
        &expect![[r#"
        error: planner is the one that runs
        hint: a backup becomes a new database: --as NAME
        exit 4
    "#]],
    );
    bench.check(
        &restore,
        &expect![[r#"
        api failed the restore failed: the database that runs was not touched
        exit 1
    "#]],
    );
    let databases = "select string_agg(datname, ' ' order by datname) from pg_database";
    let databases = bench.database.ask(&format!("{databases} where not datistemplate"));
    assert_eq!(databases, format!("planner postgres {new}"));
}

/// Incompressible, so that its dump has more than one part.
const LARGE: &str = "create table photos as select n as id, (select string_agg(decode(md5(\
random()::text || n::text || m::text), 'hex'), ''::bytea) from generate_series(1, 64) m) as photo \
from generate_series(1, 12000) n";

/// kill -9 of the real binary while the dump is taken, when it is there, and while the migration runs:
/// one dump, one migration, no half upload; and nobody reads the password meanwhile.
#[test]
fn killed_while_it_dumps_and_gone_on_with() {
    let front = model();
    let bench = Bench::new(front.url(), "");
    bench.database.ask(LARGE);
    let objects = || front.with(|cloud| cloud.object_names("backups"));
    let uploads = || front.with(|cloud| cloud.open_uploads("backups"));
    let dumps = || objects().iter().filter(|it| it.ends_with(".dump")).count();
    bench.version("2.0", "create table migrations as select 1 as done");
    bench.killed_when("an upload", || {
        assert!(!is_seen(&bench.database), "the password is in a list of processes");
        !uploads().is_empty()
    });
    bench.check(
        &["deployments", "resume"],
        &expect![[r#"
        api succeeded null
        exit 0
    "#]],
    );
    assert_eq!((dumps(), uploads().len()), (1, 0));
    bench.version("2.1", "insert into migrations values (2)");
    bench.killed_when("a dump", || dumps() == 2);
    let written = front.with(|cloud| cloud.done("s3:PutObject"));
    bench.check(
        &["deployments", "resume"],
        &expect![[r#"
        api succeeded null
        exit 0
    "#]],
    );
    assert_eq!((dumps(), uploads().len()), (2, 0));
    // No more than the note that it is proven.
    assert!(front.with(|cloud| cloud.done("s3:PutObject")) <= written + 1);
    bench.version("2.2", "insert into migrations select 3 from pg_sleep(1)");
    let active = "select count(*) from pg_stat_activity where query like '%pg_sleep(1)%' \
                  and state = 'active' and pid <> pg_backend_pid()";
    bench.killed_when("the migration", || bench.database.ask(active) == "1");
    bench.check(
        &["deployments", "resume"],
        &expect![[r#"
        api succeeded null
        exit 0
    "#]],
    );
    let done = "select string_agg(done::text, ' ' order by done) from migrations";
    assert_eq!(bench.database.ask(done), "1 2 3");
    let listed = bench.dumps();
    let states: Vec<&Json> = listed.iter().map(|it| &it["state"]).collect();
    assert_eq!(states, ["available", "available", "available"]);
    assert!(listed.iter().all(|it| it["bytes"].as_u64() > Some(10 << 20)), "{listed:?}");
}

/// Ctrl-C while it dumps: nothing was changed, and no half upload stays.
#[test]
fn ctrl_c_throws_half_a_dump_away() {
    let front = model();
    let bench = Bench::new(front.url(), "");
    bench.database.ask(LARGE);
    let uploads = || front.with(|cloud| cloud.open_uploads("backups"));
    let mut command = bench.launchway(&["deploy", "staging", "--yes", "--format", "json"]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    wait_until("an upload", || !uploads().is_empty());
    let interrupted = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(interrupted.expect("it starts").success());
    let said = Said::from(child.wait_with_output().expect("it ends"));
    let end = &said.of("deployment_completed")[0];
    expect![[r#""cancelled" 130"#]].assert_eq(&format!("{} {}", end["verdict"], said.exit));
    assert_eq!(uploads(), Vec::<String>::new());
}

/// Whether the password is in an argument of any process, or in a variable of one of PostgreSQL's.
fn is_seen(database: &Database) -> bool {
    let (_, password) = database.url.split_once("postgres:").expect("it has one");
    let (password, _) = password.split_once('@').expect("it has a host");
    let entries = std::fs::read_dir("/proc").expect("this is Linux").flatten();
    entries.into_iter().any(|entry| {
        let read = |name| std::fs::read(entry.path().join(name)).unwrap_or_default();
        let line = read("cmdline");
        let is_postgres = line.windows(3).any(|it| it == b"pg_");
        let seen = if is_postgres { [line, read("environ")].concat() } else { line };
        String::from_utf8_lossy(&seen).contains(password)
    })
}

/// What the bucket has is not what was sent, or is not there: nothing is changed, and why is said.
#[test]
fn a_dump_that_cannot_be_proven_blocks() {
    let front = model();
    let bench = Bench::new(front.url(), "");
    bench.database.ask(LARGE);
    bench.version("3.0", "create table migrations as select 1 as done");
    front.with(|cloud| cloud.spoil_bucket("backups", ".dump"));
    let said = bench.run(&["deploy", "staging", "--yes"]);
    let told = said.stdout.lines().filter(|it| !it.contains("Every step"));
    let told: String = told.map(|it| format!("{it}\n")).collect();
    let told = regex::Regex::new("[0-9a-f]{64}").expect("one").replace_all(&told, "DIGEST");
    let told = regex::Regex::new("[0-9]{5,}|[0-9.]+ m?s\\)").expect("one").replace_all(&told, "N");
    expect![[r#"
        ✗ failed: api 3.0 to staging (deployment 1, N
          the backup failed: nothing that runs was changed
            s3://backups/planner/launchway-planner-staging-1-N.dump does not hold what was dumped: it has N bytes with the digest DIGEST, and N with DIGEST were sent
    "#]].assert_eq(&told);
    assert_eq!(said.exit, 1);
    assert_eq!(bench.database.ask("select to_regclass('migrations') is null"), "t");
    // The bucket is gone, the database lets nobody in: said before anything begins.
    bench.project.place.write(
        "launchway.yml",
        &std::fs::read_to_string(bench.project.place.repository().join("launchway.yml"))
            .expect("it is there")
            .replace("s3://backups/", "s3://elsewhere/"),
    );
    bench.project.version("3.1");
    bench.deploy(&expect![[r#"
        error: the bucket elsewhere cannot be used: s3:GetObject: NoSuchBucket: The specified bucket does not exist
        hint: correct `backup.dump.to` and `region`, or what these credentials may
        exit 5
    "#]]);
    bench.database.ask("alter role postgres password 'another'");
    bench.deploy(&expect![[r#"
        error: local:DATABASE_URL: the database does not answer: psql ended with 2: psql: error: the connection failed: FATAL:  password authentication failed for user "***"
        hint: correct what the secret says, or let this machine reach the database; where only AWS reaches it, take a snapshot: `backup: { rds: NAME }`
        exit 5
    "#]]);
}

/// All that a dump needs is looked at, and named where it is not there.
#[test]
fn doctor_looks_at_what_a_dump_needs() {
    let front = model();
    let bench = Bench::new(front.url(), "scratch: 'local:SCRATCH_URL',");
    let check = |expect: &Expect| {
        let said = bench.run(&["doctor", "staging", "--format", "json"]);
        let own = ["pg_dump", "database", "scratch", "bucket"];
        let lines = said.lines();
        let lines = lines.iter().filter(|it| own.iter().any(|own| it["check"] == *own));
        let told = lines.map(|it| {
            let hint = it["hint"].as_str().map_or(String::new(), |hint| format!("  {hint}\n"));
            let word = |key: &str| it[key].as_str().unwrap_or_default();
            format!("{} {}: {}\n{hint}", word("state"), word("check"), word("message"))
        });
        let told: String = told.collect();
        let told = regex::Regex::new("[0-9.]+ MB").expect("one").replace_all(&told, "N MB");
        let told = regex::Regex::new("1[0-9][.][0-9]+").expect("one").replace_all(&told, "VERSION");
        expect.assert_eq(&format!("{told}exit {}\n", said.exit));
    };
    check(&expect![[r#"
        ok pg_dump: pg_dump VERSION
        ok database: local:DATABASE_URL: PostgreSQL VERSION, 0 tables, N MB on its disk
        error scratch: the secret SCRATCH_URL is not kept here
          launchway secrets set SCRATCH_URL --environment staging keeps it
        ok bucket: s3://backups/planner/ can be looked at
        exit 5
    "#]]);
    bench.keep("SCRATCH_URL", "mysql://planner:planner@127.0.0.1/planner");
    front.with(|cloud| cloud.inject(Fault::first("s3:GetObject", 1, FaultKind::Denied)));
    bench.database.ask("alter role postgres password 'another'");
    check(&expect![[r#"
        ok pg_dump: pg_dump VERSION
        error database: local:DATABASE_URL: the database does not answer: psql ended with 2: psql: error: the connection failed: FATAL:  password authentication failed for user "***"
          correct what the secret says, or let this machine reach the database; where only AWS reaches it, take a snapshot: `backup: { rds: NAME }`
        error scratch: local:SCRATCH_URL: it is no address of PostgreSQL: postgresql://USER:PASSWORD@HOST/DATABASE
        error bucket: the bucket backups cannot be used: s3:GetObject: AccessDenied: Access Denied
          correct `backup.dump.to` and `region`, or what these credentials may
        exit 5
    "#]]);
}

/// A service of ECS whose database this machine reaches; the address lies in Secrets Manager.
#[test]
fn a_service_of_ecs_has_its_database_put_aside() {
    let database = Database::start();
    database.ask("create table tasks as select n as id from generate_series(1, 7) n");
    let project = ecs::Project::new(
        "    backup: { dump: { url: 'secretsmanager:planner/db#url', to: 's3://backups' } }",
    );
    project.front.with(|cloud| {
        cloud.add_bucket("backups");
        let value = json!({"url": database.url}).to_string();
        let body = json!({"Name": "planner/db", "SecretString": value});
        ecs::ask(cloud, "secretsmanager.CreateSecret", &body);
    });
    let image = ecs::image('b');
    let args = ["deploy", "staging", "--yes", "--image", &image, "--version", "2.0"];
    project.check(&args, &expect![[r#"
        api succeeded null
        exit 0, api:2 2, RegisterTaskDefinition 1, RunTask 1, UpdateService 1, StopServiceDeployment 0
    "#]]);
    let said = project.run(&["backups", "list", "--format", "json"]);
    let [only] = &said.lines()[..] else { panic!("{}", said.stdout) };
    assert_eq!((&only["rows"], &only["state"]), (&json!(7), &json!("available")));
    let order = project.front.with(|cloud| {
        let is_change =
            |it: &&model_cloud::Call| it.action.starts_with("s3:Put") || it.action == "ecs:RunTask";
        cloud.calls().iter().filter(is_change).map(|it| it.action.clone()).collect::<Vec<_>>()
    });
    assert_eq!(order.last().map(String::as_str), Some("ecs:RunTask"), "before the migration");
}

fn model() -> Front {
    let mut cloud = Cloud::new("111122223333", "eu-central-1", 1_790_000_000_000);
    cloud.add_bucket("backups");
    Front::serve(cloud, Clock::Wall { times: 1 }, 0).expect("a port")
}
