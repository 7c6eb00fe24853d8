//! Jobs claimed a second, in SQLite and in PostgreSQL, beside a bare loop of the same commits on the same disk.

use std::io::{BufRead as _, BufReader};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result, bail};
use serde_json::Value as Json;

use crate::bench::Bench;
use crate::bench::measure::Row;
use crate::shell;

/// A PostgreSQL as Debian packages it, at a socket in a folder of its own; it ends with its input. Its settings
/// are those that it comes with: each commit waits for the disk.
const SERVER: &str = r#"
set -e
programs=$(dirname "$(ls /usr/lib/postgresql/*/bin/initdb | tail -n 1)")
folder=$(mktemp -d "$1/postgres.XXXXXX")
trap 'rm -rf "$folder"' EXIT
"$programs/initdb" -D "$folder/data" -U launchway -A trust --no-locale -E UTF8 >"$folder/log"
"$programs/postgres" -D "$folder/data" -k "$folder" -h '' </dev/null >>"$folder/log" 2>&1 &
server=$!
until "$programs/pg_isready" --quiet -h "$folder" -d postgres; do
    kill -0 $server || { cat "$folder/log" >&2; exit 1; }
    sleep 0.02
done
echo "$folder"
read -r word || true
kill -INT $server
wait $server || true
"#;

/// The chapter.
pub(crate) fn claims(bench: &Bench) -> Result<Vec<Row>> {
    let folder = bench.scratch.path("claims");
    std::fs::create_dir_all(&folder)?;
    let mut rows = Vec::new();
    let database = Database::begin(&folder);
    let mut args = vec![folder.to_str().context("a path that is text")?.to_owned()];
    match &database {
        Ok(database) => args.push(database.url.clone()),
        Err(why) => rows.push(Row::missing("jobs claimed, PostgreSQL", format!("{why:#}"))),
    }
    let example = ["run", "--release", "--quiet", "-p", "store", "--example", "claim_bench", "--"];
    let args: Vec<&str> = example.into_iter().chain(args.iter().map(String::as_str)).collect();
    let said = shell::command("cargo", &args).stderr(Stdio::inherit()).output()?;
    if !said.status.success() {
        bail!("claim_bench ended with {}", said.status);
    }
    let lines = String::from_utf8(said.stdout)?;
    for line in lines.lines() {
        rows.push(row(&serde_json::from_str(line)?));
    }
    Ok(rows)
}

fn row(told: &Json) -> Row {
    let text = |name: &str| told[name].as_str().unwrap_or_default().to_owned();
    let rate = |name: &str| told[name].as_f64().unwrap_or_default();
    let (claims, bare) = (rate("claims_a_second"), rate("bare_a_second"));
    let (engine, durability) = (text("engine"), text("durability"));
    let what = format!("jobs claimed, {engine} ({durability}), {} a commit", told["batch"]);
    let rates = (format!("{bare:.0} a second"), format!("{claims:.0} a second"));
    Row::rates(what, rates).told(format!("{:.2} of bare", claims / bare))
}

/// Somebody's PostgreSQL, gone with the value.
struct Database {
    script: Child,
    url: String,
}

impl Database {
    fn begin(folder: &std::path::Path) -> Result<Database> {
        if !shell::answers("sh", &["-c", "ls /usr/lib/postgresql/*/bin/initdb"]) {
            bail!("there is no PostgreSQL: apt-get install postgresql");
        }
        let mut script = Command::new("sh");
        script.args(["-c", SERVER, "sh"]).current_dir("/");
        script.stdin(Stdio::piped()).stdout(Stdio::piped());
        // It refuses to run as root.
        let number = |what: &str| -> Result<u32> {
            let id = Command::new("id").args([what, "postgres"]).output()?;
            Ok(String::from_utf8(id.stdout)?.trim().parse()?)
        };
        if String::from_utf8(Command::new("id").arg("-u").output()?.stdout)?.trim() == "0" {
            let place = folder.join("postgresql");
            std::fs::create_dir_all(&place)?;
            let (user, group) = (number("-u")?, number("-g")?);
            std::os::unix::fs::chown(&place, Some(user), Some(group))?;
            script.uid(user).gid(group).arg(place);
        } else {
            script.arg(folder);
        }
        let mut script = script.spawn()?;
        let mut place = String::new();
        let output = script.stdout.take().context("it is piped")?;
        BufReader::new(output).read_line(&mut place)?;
        let place = place.trim();
        if place.is_empty() {
            bail!("PostgreSQL does not start");
        }
        let url = format!("postgres://launchway@/postgres?host={}", place.replace('/', "%2F"));
        Ok(Database { script, url })
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        drop(self.script.stdin.take());
        // Its folder goes with the others.
        let _ = self.script.wait();
    }
}
