//! Real processes, tried at the walls. The kernel must have them: Linux 6.12 for all of these.

use std::fs::Permissions;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use sandbox::{Reach, Sandbox, Support, User, support};

/// A place with something to protect, and something given.
struct Place {
    _folder: tempfile::TempDir,
    root: PathBuf,
    own: PathBuf,
}

impl Place {
    fn new() -> Place {
        let folder = tempfile::tempdir().expect("a scratch folder");
        let root = folder.path().canonicalize().expect("it is there");
        let own = root.join("jobs/1/work");
        std::fs::create_dir_all(&own).expect("made");
        std::fs::write(root.join("key"), "hunter2").expect("written");
        Place { _folder: folder, root, own }
    }

    fn sandbox(&self) -> Sandbox {
        let reach = Reach::of_machine(std::slice::from_ref(&self.root), &[]).and_own(&self.own);
        let reach = reach.and_programs(&std::env::var("PATH").expect("there is one"));
        Sandbox::new(&reach).expect("a kernel that can")
    }

    /// What a script says, and whether it went well.
    fn says(&self, script: &str) -> (bool, String) {
        let start = || {
            Command::new("/bin/bash")
                .args(["-c", script])
                .env("HOME", &self.own)
                .env("ROOT", &self.root)
                .env("US", std::process::id().to_string())
                .current_dir(&self.own)
                .stdin(Stdio::null())
                .output()
        };
        let said = self.sandbox().inside(start).expect("walls").expect("a shell");
        let text = [said.stdout, said.stderr].concat();
        (said.status.success(), String::from_utf8_lossy(&text).trim().to_owned())
    }
}

#[test]
fn this_kernel_has_all_the_walls() {
    assert_eq!(support(), Support::DiskAndSignals, "the tests below try each of them");
}

#[test]
fn what_is_given_can_be_used_as_everywhere() {
    let place = Place::new();
    for script in [
        "mkdir -p a/b && echo hello > a/b/c && mv a/b/c a/c && cat a/c && rm -r a",
        "echo x > /dev/null; head -c 4 /dev/urandom | wc -c; test -r /proc/self/status; ls /usr/bin > list",
        "git init -q . && git -c user.name=m -c user.email=m@example.com commit -q --allow-empty -m m && rm -rf .git",
        "(sleep 60 & echo $! > pid); kill $(cat pid)",
        "truncate -s 10 f && ln f g && ln -s g h && chmod 600 f && python3 -c 'import tempfile, subprocess'",
    ] {
        let (went_well, said) = place.says(script);
        assert!(went_well, "{script}: {said}");
    }
}

#[test]
fn what_is_hidden_is_out_of_reach() {
    let place = Place::new();
    for script in [
        "cat $ROOT/key",
        "ls $ROOT",
        "ls ..",
        "echo x > $ROOT/new",
        "echo x >> $ROOT/key",
        "rm $ROOT/key",
        "mv $ROOT/key .",
        "ln $ROOT/key mine",
        "ln -s $ROOT/key mine; cat mine",
        "mkdir ../2",
        "mv ../work ../other",
        "exec 3<$ROOT/key",
        "echo x > /etc/launchway-was-here",
        "chroot / cat $ROOT/key",
        "mount --bind $ROOT .",
        "unshare --mount cat $ROOT/key",
        // A child of a child stays within.
        "setsid bash -c 'bash -c \"cat $ROOT/key\"'",
        // Whoever kept the walls is not behind them: it is not to be looked into.
        "cat /proc/$US/environ > /dev/null",
        "ls /proc/$US/root/",
        "kill -0 $US",
        "kill -9 $US",
    ] {
        let (went_well, said) = place.says(script);
        assert!(!went_well, "{script}: {said}");
        assert!(!said.contains("hunter2"), "{script}: {said}");
    }
    assert_eq!(std::fs::read_to_string(place.root.join("key")).expect("still there"), "hunter2");
}

/// A secret in a folder that is given: its neighbour is read, it is not, by no name and in no later version.
#[test]
fn what_is_secret_stays_so_when_it_is_replaced() {
    let place = Place::new();
    let given = place.root.join("given");
    std::fs::create_dir_all(given.join("sub")).expect("made");
    for name in ["key", "neighbour", "sub/neighbour"] {
        std::fs::write(given.join(name), "hunter2").expect("written");
    }
    std::os::unix::fs::symlink("key", given.join("link")).expect("linked");
    let path = std::env::var("PATH").expect("there is one");
    let hidden = [place.root.clone()];
    let secret = [given.join("link"), given.join("later")];
    let reach = Reach::of_machine(&hidden, &secret).and_own(&place.own).and_programs(&path);
    let sandbox = Sandbox::new(&reach.and_given(&given)).expect("a kernel that can");
    let reads = |name: &str| {
        let file = given.join(name);
        let cat = || Command::new("/bin/cat").arg(file).stderr(Stdio::null()).output();
        sandbox.inside(cat).expect("walls").expect("a program").stdout == b"hunter2"
    };
    assert!(reads("neighbour") && reads("sub/neighbour"), "what lies beside it is given");
    assert!(!reads("key") && !reads("link"));
    // A new version takes the name, as those do who change a secret; another takes the link's.
    for name in ["key", "link", "later"] {
        std::fs::write(given.join("new"), "hunter2").expect("written");
        std::fs::rename(given.join("new"), given.join(name)).expect("renamed");
        assert!(!reads(name), "{name}");
    }
    // What cannot be: it goes to where everything is given.
    std::fs::rename(given.join("key"), given.join("sub/key")).expect("renamed");
    assert!(reads("sub/key"));
}

#[test]
fn what_others_were_given_in_confidence_is_out_of_reach() {
    let place = Place::new();
    for script in ["ls /run/user", "ls /run/secrets", "cat /etc/shadow", "ls /etc/ssl/private"] {
        let (went_well, said) = place.says(script);
        assert!(!went_well, "{script}: {said}");
    }
    let (went_well, said) = place.says("cat /etc/passwd && ls /etc/ssl/certs > list");
    assert!(went_well, "{said}");
}

#[test]
fn whoever_keeps_the_walls_is_free() {
    let place = Place::new();
    assert!(!place.says("cat $ROOT/key").0);
    assert!(std::fs::read(place.root.join("key")).is_ok());
    let entered = place.sandbox().inside(|| std::fs::read(place.root.join("key")).is_ok());
    assert!(!entered.expect("walls"));
}

#[test]
fn nobody_raises_rights() {
    let status = Place::new().says("grep -E '^(CapPrm|CapEff|NoNewPrivs)' /proc/self/status");
    let expect = "CapPrm:\t0000000000000000\nCapEff:\t0000000000000000\nNoNewPrivs:\t1";
    assert_eq!(status, (true, expect.to_owned()));
}

/// Those of whoever keeps the walls: `docker`, `adm`.
#[test]
fn nobody_within_is_in_a_group_besides_his_own() {
    let groups = || {
        let status = std::fs::read_to_string("/proc/thread-self/status").expect("it is there");
        status.lines().find_map(|it| it.strip_prefix("Groups:")).expect("a line").trim().to_owned()
    };
    // Of this thread, which is the test's own.
    let gid = rustix::process::Gid::from_raw(12345);
    rustix::thread::set_thread_groups(&[gid]).expect("these tests run as root");
    let within = Place::new().sandbox().inside(groups).expect("walls");
    assert_eq!((groups(), within), ("12345".to_owned(), String::new()));
}

#[test]
fn a_folder_that_is_not_there_is_passed_over() {
    let reach =
        Reach::default().and_read(Path::new("/nowhere")).and_own(Path::new("/nowhere/else"));
    assert_eq!(reach, Reach::default());
}

/// `shared` is everybody's; within, it is a folder of one's own, and what lies in it for all to read still does.
#[test]
fn a_place_is_ones_own() {
    let place = Place::new();
    let shared = place.root.join("shared");
    std::fs::create_dir_all(shared.join("tools")).expect("made");
    std::fs::write(shared.join("tools/program"), "of everybody").expect("written");
    std::fs::write(shared.join("secret"), "hunter2").expect("written");
    let own = place.root.join("own/shared");
    let places = [
        sandbox::Place { at: shared.clone(), folder: Some(own.clone()) },
        sandbox::Place { at: "/dev/shm".into(), folder: None },
    ];
    let kept = [shared.join("tools/program"), shared.join("gone")];
    let namespace = sandbox::Namespace::new(&places, &kept).expect("a kernel that can");
    let namespace = std::sync::Arc::new(namespace.expect("these tests run as root"));
    let reach = Reach::of_machine(std::slice::from_ref(&place.root), &[]).and_own(&place.own);
    let reach = reach.and_given(&kept[0]).and_laid(&shared);
    let reach = reach.and_programs(&std::env::var("PATH").expect("there is one"));
    let sandbox = Sandbox::in_namespace(&reach, &namespace).expect("a kernel that can");
    let says = |script: &str| {
        let start = || {
            let mut shell = Command::new("/bin/bash");
            shell.args(["-c", script]).current_dir(&place.own).env("SHARED", &shared).output()
        };
        let said = sandbox.inside(start).expect("walls").expect("a shell");
        String::from_utf8_lossy(&[said.stdout, said.stderr].concat()).trim().to_owned()
    };
    assert_eq!(says("ls $SHARED"), "tools");
    assert_eq!(says("cat $SHARED/tools/program"), "of everybody");
    for change in ["echo x > $SHARED/tools/program", "rm $SHARED/tools/program"] {
        let said = says(change);
        assert!(said.contains("Read-only") || said.contains("busy"), "{change}: {said}");
    }
    let (name, in_memory) = (format!("of-{}", std::process::id()), Path::new("/dev/shm"));
    assert_eq!(says(&format!("echo mine > $SHARED/mine; echo mine > /dev/shm/{name}")), "");
    // What is written once is there for all who come in, hands included, and for nobody else.
    assert_eq!(says(&format!("cat $SHARED/mine /dev/shm/{name}")), "mine\nmine");
    let mine = shared.join("mine");
    let by_hand = sandbox.hands().expect("hands").have(move || std::fs::read_to_string(mine));
    assert_eq!(by_hand.expect("it is there"), "mine\n");
    assert!(!shared.join("mine").exists() && !in_memory.join(name).exists());
    assert_eq!(std::fs::read_to_string(own.join("mine")).expect("it lies here"), "mine\n");
    // Nobody within takes what is laid away again.
    for attack in [
        "umount $SHARED",
        "umount -l $SHARED",
        "nsenter -t 1 -m cat $SHARED/secret",
        "unshare -m true",
    ] {
        let said = says(&format!("{attack} && echo through"));
        assert!(!said.contains("through") && !said.contains("hunter2"), "{attack}: {said}");
    }
}

/// Who may make a namespace and fails is not told that he may not: nobody shares a place unsaid.
#[test]
fn a_place_that_cannot_be_laid_over_is_an_error() {
    let place = Place::new();
    assert!(sandbox::Namespace::is_possible(), "these tests run as root");
    // Its permissions are nobody's to change.
    let refused = sandbox::Place { at: place.own.clone(), folder: Some("/proc/self".into()) };
    let gone = sandbox::Place { at: place.root.join("gone"), folder: None };
    for wrong in [refused, gone] {
        let error =
            sandbox::Namespace::new(std::slice::from_ref(&wrong), &[]).expect_err("refused");
        let source = std::error::Error::source(&error).expect("what the kernel said").to_string();
        let expect = format!("cannot lay over '{}': ", wrong.at.display());
        assert!(source.starts_with(&expect), "{source}");
    }
}

/// No user of any machine, so nobody has to be made.
fn somebody() -> User {
    User::new(20_001, 20_002).expect("no root")
}

#[test]
fn root_is_nobody_whom_others_are() {
    for (id, group) in [(0, 1), (1, 0), (0, 0), (u32::MAX, 1), (1, u32::MAX)] {
        assert_eq!(User::new(id, group), None, "{id}:{group}");
    }
    assert_eq!(User::lacking().expect("the kernel says"), [""; 0], "these tests run as root");
}

/// Without walls, as where the kernel's keep in less: what is ours is another user's to him.
#[test]
fn another_user_reaches_nothing_of_ours_by_the_oldest_means() {
    let place = Place::new();
    std::fs::set_permissions(&place.root, Permissions::from_mode(0o711)).expect("ours");
    std::fs::set_permissions(place.root.join("key"), Permissions::from_mode(0o600)).expect("ours");
    let _listening = UnixListener::bind(place.root.join("socket")).expect("a place for it");
    let says = |script: &str| {
        let mut shell = Command::new("/bin/bash");
        shell.args(["-c", script]).env("ROOT", &place.root);
        shell.env("US", std::process::id().to_string()).current_dir("/");
        let said = somebody().does(|| shell.output()).expect("we are root").expect("a shell");
        let text = [said.stdout, said.stderr].concat();
        (said.status.success(), String::from_utf8_lossy(&text).trim().to_owned())
    };
    assert_eq!(says("id -u; id -g; id -G"), (true, "20001\n20002\n20002".to_owned()));
    for attack in [
        "cat $ROOT/key",
        "ls $ROOT",
        "echo x > $ROOT/new",
        "kill -0 $US",
        "cat /proc/$US/environ",
        "ls /proc/$US/fd",
        "python3 -c 'import socket; socket.socket(socket.AF_UNIX).connect(\"'$ROOT'/socket\")'",
        "python3 -c 'import os; os.setuid(0)'",
        "python3 -c 'import os; os.setgroups([0])'",
        "chown 0 /proc/self/fd/0",
        "cat /etc/shadow",
        "grep -q 'CapEff:.*[1-9a-f]' /proc/self/status",
        "grep -q 'CapPrm:.*[1-9a-f]' /proc/self/status",
    ] {
        let (went_well, said) = says(attack);
        assert!(!went_well, "{attack}: {said}");
    }
    assert!(!says("grep -h hunter2 -r $ROOT").1.contains("hunter2"));
}

#[test]
fn whoever_is_within_may_be_another_user() {
    let place = Place::new();
    std::fs::set_permissions(&place.root, Permissions::from_mode(0o711)).expect("ours");
    std::os::unix::fs::chown(&place.own, Some(20_001), Some(20_002)).expect("we are root");
    let sandbox = place.sandbox().of(somebody());
    let start = || {
        let mut shell = Command::new("/bin/bash");
        shell.args([
            "-c",
            "id -u; echo 1 > own; cp /bin/bash sh; chmod 4755 sh; ./sh -p -c 'id -u'",
        ]);
        shell.current_dir(&place.own).output()
    };
    let said = sandbox.inside(start).expect("walls").expect("a shell");
    assert_eq!(String::from_utf8_lossy(&said.stdout), "20001\n20001\n");
    let made = place.own.join("own").metadata().expect("it was made");
    assert_eq!((made.uid(), made.gid()), (20_001, 20_002));
}

/// A thread that touches files as he does stays ours: he may not end our process by it.
#[test]
fn hands_of_another_user_are_not_his_to_signal() {
    let place = Place::new();
    std::fs::set_permissions(&place.root, Permissions::from_mode(0o711)).expect("ours");
    std::os::unix::fs::chown(&place.own, Some(20_001), Some(20_002)).expect("we are root");
    let hands = place.sandbox().of(somebody()).hands().expect("walls");
    let file = place.own.join("file");
    let made = hands.have({
        let file = file.clone();
        move || std::fs::write(file, "").map(|()| rustix::thread::gettid())
    });
    let thread = made.expect("it is his folder");
    assert_eq!(file.metadata().expect("it was made").uid(), 20_001);
    let key = place.root.join("key");
    std::fs::set_permissions(&key, Permissions::from_mode(0o600)).expect("ours");
    assert!(hands.have(move || std::fs::read(key)).is_err());
    let mut signal = Command::new("/bin/bash");
    signal.args(["-c", &format!("kill -0 {}", thread.as_raw_nonzero())]);
    assert!(signal.output().expect("a shell").status.success());
    let signalled = somebody().does(|| signal.output()).expect("we are root").expect("a shell");
    assert!(!signalled.status.success());
}

/// A process of ours confines itself further: its code is his, its own deeds stay ours, and nobody keeps a right.
#[test]
fn whoever_may_change_becomes_him_once() {
    let place = Place::new();
    let outer = place.sandbox().of_who_may_change();
    let inner = || {
        let inner = place.sandbox().of(somebody());
        let ids = inner.inside_with(|hands| {
            let ours = hands.have(|| rustix::process::geteuid().as_raw());
            (rustix::process::geteuid().as_raw(), ours)
        });
        let rights = std::fs::read_to_string("/proc/thread-self/status").expect("the kernel says");
        let has_none = rights.contains("CapPrm:\t0000000000000000");
        (ids.expect("walls in walls"), has_none, somebody().does(|| ()).is_err())
    };
    assert_eq!(outer.inside(inner).expect("walls"), ((20_001, 0), true, true));
}

/// As of a service whose manager gave it rights, which go on to what it starts: on a thread, whose rights are its own.
#[test]
fn rights_are_kept_from_whatever_is_not_handed_them() {
    use rustix::thread::{
        CapabilitySet, CapabilitySets, capabilities, configure_capability_in_ambient_set,
        set_capabilities, set_keep_capabilities, set_thread_res_uid,
    };
    let given = [CapabilitySet::DAC_OVERRIDE, CapabilitySet::SYS_ADMIN, CapabilitySet::NET_RAW];
    let become_service = move || {
        let all = given.into_iter().collect();
        set_keep_capabilities(true).expect("a thread's own");
        let user = rustix::process::Uid::from_raw(30_001);
        set_thread_res_uid(user, user, user).expect("these tests run as root");
        let sets = CapabilitySets { effective: all, permitted: all, inheritable: all };
        set_capabilities(None, sets).expect("it had all");
        for right in given {
            configure_capability_in_ambient_set(right, true).expect("it may go on");
        }
    };
    let starts = || {
        let mut grep = Command::new("grep");
        grep.args(["-hE", "^Cap(Inh|Prm|Eff|Amb)", "/proc/self/status"]).current_dir("/");
        let said = String::from_utf8(grep.output().expect("it starts").stdout).expect("text");
        let all: std::collections::BTreeSet<&str> =
            said.lines().filter_map(|it| it.split_whitespace().nth(1)).collect();
        all.into_iter().map(|it| it.trim_start_matches('0')).collect::<Vec<_>>().join(" ")
    };
    let (three, one) = ("202002", "2000");
    let service = std::thread::spawn(move || {
        become_service();
        assert_eq!(starts(), three, "as Linux has it");
        sandbox::keep_rights().expect("the kernel takes it");
        assert_eq!(starts(), one, "what nobody asks for goes on");
        let later = std::thread::spawn(starts).join().expect("it ends");
        assert_eq!(later, one, "of threads that begin afterwards, too");
        assert_eq!(sandbox::with_rights(starts).expect("the kernel takes it"), three);
        assert_eq!(starts(), one, "for that alone");
        let own = capabilities(None).expect("the kernel says");
        assert_eq!(own.effective, given.into_iter().collect(), "its own deeds are as before");
        // Who has none has none to hand on.
        set_capabilities(
            None,
            CapabilitySets {
                effective: CapabilitySet::empty(),
                permitted: CapabilitySet::empty(),
                inheritable: CapabilitySet::empty(),
            },
        )
        .expect("it may give up");
        assert_eq!(sandbox::with_rights(starts).expect("the kernel takes it"), "");
    });
    service.join().expect("its tests hold");
}
