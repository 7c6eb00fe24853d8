//! A real PostgreSQL that can be killed, whose connections it can end itself, and that is reached over a
//! network that can be cut.

use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Arc, Mutex};

use crate::harness::text;

/// Does what it is told by lines, and ends with its input. It listens at a socket in its folder alone.
const SCRIPT: &str = r#"
set -e
programs=$(dirname "$(ls /usr/lib/postgresql/*/bin/initdb | tail -n 1)")
folder=$(mktemp -d /tmp/launchway-postgres.XXXXXX)
trap 'rm -rf "$folder"' EXIT
"$programs/initdb" -D "$folder/data" -U launchway -A trust --no-locale -E UTF8 >"$folder/log"
begin() {
    "$programs/postgres" -D "$folder/data" -k "$folder" -h '' </dev/null >>"$folder/log" 2>&1 &
    server=$!
    until "$programs/pg_isready" --quiet -h "$folder" -d postgres; do
        kill -0 $server || { cat "$folder/log" >&2; exit 1; }
        sleep 0.02
    done
}
crash() { kill -QUIT $server; wait $server || true; }
begin
echo "$folder"
while read -r word; do "$word"; echo done; done
crash
"#;

/// The database, and the way to it.
pub(crate) struct Cluster {
    folder: String,
    port: u16,
    line: (ChildStdin, BufReader<ChildStdout>),
    script: Child,
    open: Arc<Mutex<Vec<(TcpStream, UnixStream)>>>,
}

impl Cluster {
    pub(crate) fn start() -> Cluster {
        let mut script = Command::new("sh");
        script.args(["-c", SCRIPT]).current_dir("/");
        script.stdin(Stdio::piped()).stdout(Stdio::piped());
        if rustix::process::geteuid().is_root() {
            // It refuses to run as root.
            let of = |what: &str| {
                let id = Command::new("id").args([what, "postgres"]).output().expect("there is id");
                text(&id.stdout).trim().parse().expect("Debian's package makes the user")
            };
            script.uid(of("-u")).gid(of("-g"));
        }
        let mut script = script.spawn().expect("there is sh");
        let input = script.stdin.take().expect("piped");
        let mut output = BufReader::new(script.stdout.take().expect("piped"));
        let mut folder = String::new();
        output.read_line(&mut folder).expect("it says where");
        assert!(!folder.is_empty(), "PostgreSQL does not start");
        let folder = folder.trim().to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("it is bound").port();
        let open: Arc<Mutex<Vec<(TcpStream, UnixStream)>>> = Arc::default();
        let (socket, held) = (format!("{folder}/.s.PGSQL.5432"), Arc::clone(&open));
        std::thread::spawn(move || lead(&listener, &socket, &held));
        Cluster { folder, port, line: (input, output), script, open }
    }

    /// As whoever sets up a server writes it.
    pub(crate) fn url(&self) -> String {
        format!("postgres://launchway@127.0.0.1:{}/postgres", self.port)
    }

    /// Killed in the middle of whatever it does, and there again.
    pub(crate) fn crash(&mut self) {
        for word in ["crash", "begin"] {
            writeln!(self.line.0, "{word}").expect("it hears");
            let mut said = String::new();
            self.line.1.read_line(&mut said).expect("it answers");
            assert_eq!(said, "done\n", "{word}");
        }
    }

    /// The database ends the connections of everybody; how many.
    pub(crate) fn terminate(&self) -> usize {
        let ask = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'launchway'";
        let mut psql = Command::new("psql");
        psql.args(["-XqAt", "-U", "launchway", "-h", &self.folder, "-d", "postgres", "-c", ask]);
        let said = psql.output().expect("it is installed");
        assert!(said.status.success(), "{}", text(&said.stderr));
        text(&said.stdout).lines().count()
    }

    /// Cuts the network between the two, once; how many connections went.
    pub(crate) fn cut(&self) -> usize {
        let open = std::mem::take(&mut *self.open.lock().expect("nobody panics with it"));
        let cut = |(caller, server): &(TcpStream, UnixStream)| {
            let is_cut = caller.shutdown(Shutdown::Both).is_ok();
            is_cut & server.shutdown(Shutdown::Both).is_ok()
        };
        open.iter().filter(|it| cut(it)).count()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // Killed by hand: what it would do at the end of its input is that.
        let _ = writeln!(self.line.0, "crash\nexit");
        let _ = self.script.wait();
    }
}

fn lead(listener: &TcpListener, socket: &str, open: &Mutex<Vec<(TcpStream, UnixStream)>>) {
    for caller in listener.incoming().flatten() {
        // Who finds nobody is told so by the end of the connection.
        let Ok(server) = UnixStream::connect(socket) else { continue };
        let both = || Ok::<_, std::io::Error>((caller.try_clone()?, server.try_clone()?));
        let (Ok(held), Ok(there), Ok(back)) = (both(), both(), both()) else { continue };
        open.lock().expect("nobody panics with it").push(held);
        std::thread::spawn(move || {
            forward(there.0, &there.1);
            let _ = there.1.shutdown(Shutdown::Both);
        });
        std::thread::spawn(move || {
            forward(back.1, &back.0);
            let _ = back.0.shutdown(Shutdown::Both);
        });
    }
}

fn forward(mut from: impl Read, mut to: impl Write) {
    let mut bytes = vec![0; 64 << 10];
    while let Ok(read @ 1..) = from.read(&mut bytes) {
        if to.write_all(&bytes[..read]).is_err() {
            return;
        }
    }
}
