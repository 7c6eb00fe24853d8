//! A real PostgreSQL, as Debian packages it: on a socket in a folder of its own, gone with the process
//! that started it.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock};

use postgres::{Client, NoTls};

/// Does what it is told by lines, and ends with its input. `fsync` guards against the loss of power,
/// which no test plays.
const SCRIPT: &str = r#"
set -e
programs=$(dirname "$(ls /usr/lib/postgresql/*/bin/initdb | tail -n 1)")
folder=$(mktemp -d /tmp/launchway-postgres.XXXXXX)
trap 'rm -rf "$folder"' EXIT
"$programs/initdb" -D "$folder/data" -U launchway -A trust --no-sync --no-locale -E UTF8 >"$folder/log"
set -- -D "$folder/data" -k "$folder" -c fsync=off -c max_connections=300 -c shared_buffers=64MB
if [ -n "$TLS_PORT" ]; then
    umask 077
    echo "$TLS_CERTIFICATE" >"$folder/certificate"
    echo "$TLS_KEY" >"$folder/key"
    # Whoever comes from elsewhere is not let in without.
    printf '%s\n' 'local all all trust' 'hostssl all all 127.0.0.1/32 trust' >"$folder/data/pg_hba.conf"
    set -- "$@" -h 127.0.0.1 -p "$TLS_PORT" -c ssl=on \
        -c "ssl_cert_file=$folder/certificate" -c "ssl_key_file=$folder/key"
    export PGPORT="$TLS_PORT"
else
    set -- "$@" -h ''
fi
begin() {
    "$programs/postgres" "$@" </dev/null >>"$folder/log" 2>&1 &
    server=$!
    until "$programs/pg_isready" --quiet -h "$folder" -d postgres; do
        kill -0 $server || { cat "$folder/log" >&2; exit 1; }
        sleep 0.02
    done
}
end() { kill -QUIT $server; wait $server || true; }
begin "$@"
echo "$folder"
while read -r word; do "$word" "$@"; echo done; done
end
"#;

/// The server, and its databases' owner `launchway`.
pub(crate) struct Cluster {
    folder: String,
    #[expect(dead_code, reason = "it ends when its input does")]
    child: Child,
    line: Mutex<(ChildStdin, BufReader<ChildStdout>)>,
}

impl Cluster {
    /// The one that tests share.
    pub(crate) fn of_all() -> &'static Cluster {
        static CLUSTER: OnceLock<Cluster> = OnceLock::new();
        CLUSTER.get_or_init(Cluster::start)
    }

    pub(crate) fn start() -> Cluster {
        Cluster::begin(&[])
    }

    /// One that is reached over TLS, too.
    pub(crate) fn with_tls(port: u16, certificate: &str, key: &str) -> Cluster {
        let port = port.to_string();
        Cluster::begin(&[("TLS_PORT", &port), ("TLS_CERTIFICATE", certificate), ("TLS_KEY", key)])
    }

    fn begin(variables: &[(&str, &str)]) -> Cluster {
        let mut script = Command::new("sh");
        script.args(["-c", SCRIPT]).current_dir("/");
        script.envs(variables.iter().copied());
        script.stdin(Stdio::piped()).stdout(Stdio::piped());
        if rustix::process::geteuid().is_root() {
            // It refuses to run as root.
            let of = |what: &str| {
                let id = Command::new("id").args([what, "postgres"]).output().expect("there is id");
                let id = String::from_utf8(id.stdout).expect("a number");
                id.trim().parse().expect("Debian's package makes the user")
            };
            script.uid(of("-u")).gid(of("-g"));
        }
        let mut child = script.spawn().expect("there is sh");
        let input = child.stdin.take().expect("piped");
        let mut output = BufReader::new(child.stdout.take().expect("piped"));
        let mut folder = String::new();
        output.read_line(&mut folder).expect("it says where");
        assert!(!folder.is_empty(), "PostgreSQL does not start");
        let folder = folder.trim().to_owned();
        Cluster { folder, child, line: Mutex::new((input, output)) }
    }

    /// Stops it as a crash would: nothing is written that is not.
    pub(crate) fn crash(&self) {
        self.tell("end");
    }

    pub(crate) fn begin_again(&self) {
        self.tell("begin");
    }

    fn tell(&self, word: &str) {
        let mut line = self.line.lock().expect("nobody panics while telling");
        writeln!(line.0, "{word}").expect("it hears");
        let mut said = String::new();
        line.1.read_line(&mut said).expect("it answers");
        assert_eq!(said, "done\n", "{word}");
    }

    /// The address of a new schema.
    pub(crate) fn schema(&self) -> String {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let name = format!("test{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let url = self.url("postgres");
        client(&url).batch_execute(&format!("CREATE SCHEMA {name}")).expect("it is new");
        format!("{url}&options=-csearch_path%3D{name}")
    }

    pub(crate) fn url(&self, database: &str) -> String {
        format!("postgres://launchway@/{database}?host={}", self.folder.replace('/', "%2F"))
    }
}

pub(crate) fn client(url: &str) -> Client {
    Client::connect(url, NoTls).expect("the server answers")
}
