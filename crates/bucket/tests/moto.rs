//! The shared journal against another server of S3, which we did not write: moto's.
//!
//! Two that write in the same instant are not tried here: this server looks and writes in two steps.

use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use aws::{Client, Endpoints, Https, PutIf, SignIn, Stored, Surroundings, Upload};
use bucket::{Identity, Located, Objects, Shared, Taking};
use event::{Attempt, JobKey, RunEvent, RunId, Seq, StreamId, Timestamp};
use ports::{JOURNAL_CONTRACT, Journal};
use sha2::{Digest as _, Sha256};
use store::Store;

/// A server that starts takes a second or two.
const PATIENCE: Duration = Duration::from_secs(60);
const NOW: Timestamp = Timestamp(1_767_225_600_000);

struct Keys;

impl Surroundings for Keys {
    fn variable(&self, name: &str) -> Option<String> {
        match name {
            "AWS_ACCESS_KEY_ID" => Some("AKIA111122223333".to_owned()),
            "AWS_SECRET_ACCESS_KEY" => Some("s".to_owned()),
            _ => None,
        }
    }

    fn file(&self, _: &Path) -> Option<String> {
        None
    }
}

/// The server, for as long as the value lives.
struct Moto {
    child: Child,
    url: String,
}

impl Drop for Moto {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Moto {
    fn start() -> Moto {
        let free = TcpListener::bind("127.0.0.1:0").and_then(|it| it.local_addr());
        let port = free.expect("a free port").port();
        let mut child = Command::new(program())
            .args(["-H", "127.0.0.1", "-p", &port.to_string()])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("`cargo xtask test --only moto` makes it ready");
        let until = Instant::now() + PATIENCE;
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(child.try_wait().expect("it is ours").is_none(), "it ended");
            assert!(Instant::now() < until, "it does not listen");
            std::thread::yield_now();
        }
        let moto = Moto { child, url: format!("http://127.0.0.1:{port}") };
        // A bucket is made by a PUT of nothing below it: a key that is empty.
        let made = moto.client().put_object("planner", "", b"", PutIf::Always);
        assert!(matches!(made, Ok(Stored::Done(_))), "{made:?}");
        moto
    }

    fn client(&self) -> Client {
        client(&self.url, "us-east-1")
    }

    /// A machine, with a journal of its own prefix.
    fn machine(&self, name: &str, prefix: &str, folder: &Path) -> Arc<Shared> {
        let url = self.url.clone();
        let located = Located::of(&format!("s3://planner/{prefix}"));
        let objects = Objects::new(located, "us-east-1", move |region| client(&url, region));
        let copy = Arc::new(Store::open(folder).expect("a store"));
        let who = Identity { owner: format!("{name}, process 1"), machine: name.to_owned() };
        Arc::new(Shared::new(objects, copy, who, folder.join("heeds"), || NOW))
    }
}

/// It asks the clock: this server does.
fn client(url: &str, region: &str) -> Client {
    let now = || {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        u64::try_from(now.expect("after 1970").as_millis()).expect("before the year 500 million")
    };
    let sign_in = SignIn::new(Arc::new(Keys));
    Client::new(region, Endpoints::at(url), sign_in, Box::<Https>::default(), Box::new(now))
}

/// Where `cargo xtask test` put it.
fn program() -> PathBuf {
    let own = std::env::current_exe().expect("a test has a file");
    let target = own.ancestors().nth(3).expect("it lies in target/debug/deps");
    target.join("moto/bin/moto_server")
}

fn run(number: u64) -> StreamId {
    StreamId::Run(RunId(number), Attempt(1))
}

#[test]
fn another_server_keeps_a_journal() {
    let moto = Moto::start();
    for (at, (_, case)) in JOURNAL_CONTRACT.iter().enumerate() {
        let folder = tempfile::tempdir().expect("a folder");
        case(&*moto.machine("a", &format!("contract/{at}"), folder.path()));
    }
    let folders = [(); 2].map(|()| tempfile::tempdir().expect("a folder"));
    let a = moto.machine("a", "two", folders[0].path());
    let b = moto.machine("b", "two", folders[1].path());
    let ready = |job: &str| [RunEvent::JobReady { job: JobKey::new(job), at: NOW }];
    assert_eq!(a.append(run(1), Seq(0), NOW, &ready("one")).expect("taken"), Seq(1));
    assert!(b.append(run(1), Seq(0), NOW, &ready("two")).is_err());
    assert_eq!(b.append(run(1), Seq(1), NOW, &ready("two")).expect("taken"), Seq(2));
    a.refresh().expect("it answers");
    let head = |it: &Shared| it.copy().head(run(1)).expect("a head");
    assert_eq!(head(&a), head(&b));
    assert_eq!(b.heeds().expect("it answers"), Some(true));

    let take = |it: &Arc<Shared>| {
        it.take(&"planner".into(), &"staging".into(), Duration::from_secs(600)).expect("an answer")
    };
    let Taking::Ours(hold) = take(&a) else { panic!("it is free") };
    hold.renew();
    let Taking::By(holder) = take(&b) else { panic!("it is taken") };
    assert_eq!(holder.owner, "a, process 1");
    assert!(holder.asked_at < holder.until, "{holder:?}");
    drop(hold);
    let Taking::Ours(hold) = take(&b) else { panic!("it was let go") };
    assert_eq!(hold.fence(), 2);
}

#[test]
fn objects_are_what_they_are_on_another_server() {
    let moto = Moto::start();
    let mut client = moto.client();
    let key = "a b/ä+1 %";
    let Ok(Stored::Done(first)) = client.put_object("planner", key, b"one", PutIf::Absent) else {
        panic!("it is not there")
    };
    assert_eq!(client.put_object("planner", key, b"two", PutIf::Absent), Ok(Stored::NotSo));
    let read = client.get_object("planner", key).expect("read").expect("there");
    assert_eq!((read.bytes.as_slice(), &read.head.etag), (b"one".as_slice(), &first.etag));
    assert!(read.head.written_at.is_some() && read.head.asked_at.is_some());
    let bytes = vec![7; 3_000_000];
    let mut reader = bytes.as_slice();
    let upload =
        Upload { reader: &mut reader, length: 3_000_000, sha256: Sha256::digest(&bytes).into() };
    let stored = client.put_file("planner", "dump", upload, PutIf::Absent);
    assert!(matches!(stored, Ok(Stored::Done(_))), "{stored:?}");
    let head = client.head_object("planner", "dump").expect("known").expect("there");
    assert_eq!(head.length, Some(3_000_000));
    for number in 0..3 {
        let name = format!("log/{number:020}.json");
        client.put_object("planner", &name, b"x", PutIf::Absent).expect("written");
    }
    let page = client.list_objects("planner", "log/", "log/00000000000000000000.json");
    let page = page.expect("a list");
    let names: Vec<_> = page.objects.iter().map(|it| &*it.key).collect();
    assert_eq!(names, ["log/00000000000000000001.json", "log/00000000000000000002.json"]);
    let all = client.list_objects("planner", "a b/", "").expect("a list");
    assert_eq!(all.objects[0].key, key);
    client.delete_object("planner", key).expect("removed");
    assert_eq!(client.get_object("planner", key), Ok(None));
    let none = client.get_object("nowhere", key).expect_err("there is no such bucket");
    assert!(none.is("NoSuchBucket"), "{none}");
    let state = client.bucket_state("planner").expect("it says");
    assert_eq!(state.versioned, Some(false));
}
