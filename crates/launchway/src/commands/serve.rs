//! `launchway serve`

use std::fs::File;
use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::thread::Scope as Threads;
use std::time::Duration;

use driver::Input;
use event::Timestamp;
use notifier::{Guard, Notifier};
use outbox::{Courier, Wake};
use scheduler::TrustedLabel;
use server::{Access, Holder, Hub, Options, Scope, Server, ServerError, Stop, Token};
use store::{Durability, Store};
use target_host::UnitRights;

use crate::cli::{LogFormat, ServeArgs, ServeCommand, SignInArgs};
use crate::deploying::person;
use crate::exit::{Exit, Failure, Outcome};
use crate::running::engine::processors;
use crate::running::given;
use crate::running::walls::{self, KeptIn, limits};
use crate::serving::Clock;
use crate::serving::Driving;
use crate::serving::Face;
use crate::serving::Handle;
use crate::serving::Intake;
use crate::serving::JobTokens;
use crate::serving::Machines;
use crate::serving::Means;
use crate::serving::SignsIn;
use crate::serving::Started;
use crate::serving::arriving::following::Following;
use crate::serving::arriving::hook::Reached;
use crate::serving::arriving::unheard;
use crate::serving::data::{self, DataFolder};
use crate::serving::data::{backup, database, standing_by};
use crate::serving::github::Links;
use crate::serving::github::looking::Looking;
use crate::serving::github::taking::Taking;
use crate::serving::github::telling::Telling;
use crate::serving::repositories::{default_branch, keeping};
use crate::serving::{repositories, unguarded, watch_runners};
use crate::telling::{Served, ServedTests};
use crate::terminal::style::{out, talk};
use crate::terminal::time::now;

/// How long the first token is good for: whoever uses the server makes others by then.
const FIRST_TOKEN_DAYS: u64 = 90;

pub(crate) fn run(args: &ServeArgs, state: Option<&Path>) -> Outcome {
    match &args.command {
        Some(ServeCommand::Backup { to, data }) => {
            backup::make(&DataFolder::of(data.data.as_deref(), state)?, to)
        }
        Some(ServeCommand::Restore { from, take_over, data, database }) => {
            let data = DataFolder::locate(data.data.as_deref(), state)?;
            backup::restore(&data, from, *take_over, database)
        }
        None => {
            if args.log_format == LogFormat::Json {
                server::log_as_json();
            }
            serve(args, DataFolder::of(args.data.data.as_deref(), state)?)
        }
    }
}

fn serve(args: &ServeArgs, data: DataFolder) -> Outcome {
    let url = args.url.as_deref().map(checked_url).transpose()?;
    refuse_open(args, url.as_deref())?;
    database::check(&args.database)?;
    refuse_no_way_back(args, url.as_deref())?;
    SignsIn::check(&args.sign_in)?;
    if let Some(user) = &args.unit {
        return print_unit(args, user, &data);
    }
    // What is wrong with the secret is said before anything is begun; the provider is asked nothing yet.
    SignsIn::of(&args.sign_in, "")?;
    data.state.make_private()?;
    let _claim = claimed(&data)?;
    default_branch::pin_all(&data)?;
    database::attach(&args.database, data.state.root())?;
    // The folder says now where its database's password lies; nothing is made yet that is shown only once.
    let kept_in = kept_in(args, &data)?;
    let store = Store::open_with(data.state.root(), Durability::PowerLoss);
    let store = Arc::new(store.map_err(|error| Failure::caused(Exit::Missing, error))?);
    database::claim(&store, &data)?;
    database::watch(&store);
    if let Err(failure) = keeping::take_over_old(&data) {
        talk(&format!("warning: what older versions kept is not taken over: {:#}", failure.error));
    }
    let ended = with_journal(args, data, (Arc::clone(&store), url, kept_in));
    database::release(&store);
    ended
}

fn with_journal(
    args: &ServeArgs,
    data: DataFolder,
    (store, url, kept_in): (Arc<Store>, Option<String>, KeptIn),
) -> Outcome {
    let stands_by = standing_by::stands_by(&data, args.take_over)?;
    if !stands_by {
        unheard::find(&data);
    }
    let trusted_proxies = args.trusted_proxies.clone();
    let options = Options { listen: args.listen, url, stands_by, trusted_proxies };
    let server = with_sign_in(Server::bind(options).map_err(listening)?, &args.sign_in, &data)?;
    let reached = server.url();
    say_how_reached(args, &data, &reached)?;
    let access = Access::in_folder(data.state.root());
    // A log is no place for a token: `tokens create` prints one.
    let first =
        if args.log_format == LogFormat::Json { None } else { first_token(&access, &data)? };
    let issuer = args.issuer.as_deref().map(issuer_url).transpose()?;
    let (hub, local) = (Hub::default(), server.local_url());
    let reach = (&*reached, &*local);
    let links = Arc::new(Links::of(data.clone()));
    let means = (Arc::clone(&store), Arc::clone(&links));
    let tokens = Arc::new(JobTokens::open(&data, means, issuer.as_deref(), reach)?);
    let driving = driving(args, (&data, &store), (&hub, &tokens), kept_in)?;
    let handle = driving.handle();
    let intake = Arc::new(Intake::new(data.clone(), Arc::clone(&store), handle.clone()));
    let is_stopped = Arc::new(AtomicBool::new(false));
    let taking = Arc::new(Taking::new(Arc::clone(&intake), Arc::clone(&links))?);
    let clock = Clock { intake: Arc::clone(&intake) };
    let following = Following { intake: Arc::clone(&intake) };
    let telling =
        Telling { data: data.clone(), store: Arc::clone(&store), links, url: reached.clone() };
    let (takes, tests) = (Arc::clone(&taking), tests(args, &data, &store, &reached));
    let started = Started::of(args, &data, &reached)?;
    let gives = Arc::clone(&tokens);
    let face = Face::new(Arc::clone(&intake), takes, gives, tests, (&is_stopped, started));
    let stop = Stop::default();
    let signals = listen(handle.clone(), args.grace)?;
    let (told, stop_intake) = stop_pipe()?;
    let sends = (!stands_by).then(|| messages(args, &data, &store, &reached)).transpose()?;
    let couriers: Vec<Courier> = sends.into_iter().collect();
    let wakes: Vec<Wake> = couriers.iter().map(Courier::wake).collect();
    let woken = wakes.clone();
    hub.tell(move || woken.iter().for_each(Wake::now));
    say_ready(&reached, &data, first.as_deref());
    let journal = Arc::clone(&store);
    let crew =
        Crew { intake, couriers, clock, following, taking, telling, tokens, journal, handle };
    let ended = std::thread::scope(|scope| {
        let going = match stands_by {
            true => vec![crew.only_keep(scope)],
            false => crew.begin(scope, told, &is_stopped),
        };
        let ending = (stop.clone(), Arc::clone(&is_stopped));
        let driven = scope.spawn(move || drive(driving, stands_by, &wakes, &ending));
        let folder = data.state.root();
        let served = server.run(store, folder, Arc::new(face), access, hub, stop);
        drop((stop_intake, going));
        let driven = driven.join().unwrap_or_else(|fault| std::panic::resume_unwind(fault));
        driven.and(served.map_err(listening))
    });
    signals.close();
    ended.map(|()| Exit::Done)
}

/// The loop that drives runs, before it begins.
fn driving(
    args: &ServeArgs,
    (data, store): (&DataFolder, &Arc<Store>),
    (hub, tokens): (&Hub, &Arc<JobTokens>),
    kept_in: KeptIn,
) -> Result<Driving, Failure> {
    Ok(Driving::new(Means {
        data: data.clone(),
        store: Arc::clone(store),
        hub: hub.clone(),
        tokens: Arc::clone(tokens),
        places: machines(args, data)?,
        kept_in,
        grace: Duration::from_secs(args.grace),
        away: Duration::from_secs(args.runner_away),
    }))
}

/// The loop, until it ends, and the server with it.
fn drive(
    driving: Driving,
    stands_by: bool,
    wakes: &[Wake],
    (stop, is_stopped): &(Stop, Arc<AtomicBool>),
) -> Result<(), Failure> {
    let ended = match stands_by {
        true => driving.stand_by(),
        false => driving.run(),
    };
    is_stopped.store(true, Ordering::Relaxed);
    wakes.iter().for_each(Wake::now);
    // Pages without anybody behind them would not say the truth for long.
    stop.now();
    ended
}

/// Lets people sign in by a provider, where one is named. Repositories that its rules name before they are
/// connected are said.
fn with_sign_in(server: Server, args: &SignInArgs, data: &DataFolder) -> Result<Server, Failure> {
    let Some(sign_in) = SignsIn::of(args, &server.url())? else { return Ok(server) };
    let known: Vec<String> = repositories::all(data)?.into_iter().map(|it| it.name).collect();
    sign_in.unconnected(&known).iter().for_each(|note| talk(note));
    Ok(server.with_sign_in(Arc::new(sign_in)))
}

/// Those who work beside the loop, each on a thread of its own.
struct Crew {
    intake: Arc<Intake>,
    couriers: Vec<Courier>,
    clock: Clock,
    following: Following,
    taking: Arc<Taking>,
    telling: Telling,
    tokens: Arc<JobTokens>,
    journal: Arc<Store>,
    handle: Handle,
}

impl Crew {
    /// They end when what is given back goes, the other end of `told`, and when `is_stopped` says so.
    fn begin<'scope>(
        self,
        scope: &'scope Threads<'scope, '_>,
        told: OwnedFd,
        is_stopped: &Arc<AtomicBool>,
    ) -> Vec<Sender<()>> {
        let Crew { intake, couriers, clock, following, taking, telling, tokens, journal, handle } =
            self;
        scope.spawn(move || intake.run(&told));
        for courier in couriers {
            let is_stopped = Arc::clone(is_stopped);
            scope.spawn(move || courier.run(&|| is_stopped.load(Ordering::Relaxed)));
        }
        let (stop_clock, told) = channel();
        scope.spawn(move || clock.run(&told));
        let (stop_following, told) = channel();
        scope.spawn(move || following.run(&told));
        let (stop_looking, told) = channel();
        let looking = Looking { taking: Arc::clone(&taking) };
        scope.spawn(move || looking.run(&told));
        let (stop_taking, told) = channel();
        scope.spawn(move || taking.run(&told));
        let (stop_telling, told) = channel();
        scope.spawn(move || telling.run(&told));
        let (stop_ending, told) = channel();
        scope.spawn(move || tokens.end_those_over(&told));
        let (stop_watch, told) = channel();
        let runners = handle.clone();
        scope.spawn(move || watch_runners(&runners, &told));
        let (stop_keeping, told) = channel();
        scope.spawn(move || database::keep(&journal, &handle, &told));
        let stops = [stop_clock, stop_following, stop_looking, stop_taking, stop_telling];
        stops.into_iter().chain([stop_ending, stop_keeping, stop_watch]).collect()
    }

    /// The right to the journal is kept, and nothing else is done.
    fn only_keep<'scope>(self, scope: &'scope Threads<'scope, '_>) -> Sender<()> {
        let (stop_keeping, told) = channel();
        scope.spawn(move || database::keep(&self.journal, &self.handle, &told));
        stop_keeping
    }
}

/// For hooks and commands at the folder.
fn say_how_reached(args: &ServeArgs, data: &DataFolder, url: &str) -> Result<(), Failure> {
    let (url, private_receivers) = (url.to_owned(), args.private_receivers.clone());
    data::write(&data.path("server.json"), &Reached { url, private_receivers })
}

/// Whoever sends test messages.
fn tests(args: &ServeArgs, data: &DataFolder, store: &Arc<Store>, url: &str) -> ServedTests {
    ServedTests {
        store: Arc::clone(store),
        state: data.state.clone(),
        url: url.to_owned(),
        private_receivers: args.private_receivers.clone(),
    }
}

/// Whoever tells people of runs. Everything that an earlier server had under way was interrupted.
fn messages(
    args: &ServeArgs,
    data: &DataFolder,
    store: &Arc<Store>,
    url: &str,
) -> Result<Courier, Failure> {
    let missing = |error| Failure::caused(Exit::Missing, error);
    let guard = Guard::allowing(args.private_receivers.clone());
    let book = Served::new(data.state.clone(), url.to_owned(), Arc::clone(store));
    let notifier = Arc::new(Notifier::new(Arc::clone(store), book, guard));
    let courier = Courier::new(Arc::clone(store), notifier, Arc::new(now), talk);
    courier.is_alone().map_err(missing)?;
    courier.begin().map_err(missing)?;
    Ok(courier)
}

/// A public address without encryption would give tokens away to whoever listens in.
fn refuse_open(args: &ServeArgs, url: Option<&str>) -> Result<(), Failure> {
    let is_encrypted = url.is_some_and(|url| url.starts_with("https://"));
    let ip: IpAddr = args.listen.ip();
    if ip.is_loopback() || is_encrypted || args.unencrypted {
        return Ok(());
    }
    let message = format!(
        "{} can be reached from outside, and nothing encrypts what goes over it",
        args.listen
    );
    Err(Failure::new(Exit::Forbidden, message)
        .hint("put something in front that speaks TLS, and say how it is reached: --url https://ci.example.com")
        .hint("in a network that you trust wholly: --unencrypted"))
}

/// A provider sends browsers back to an address: the one that the server listens on may be none.
fn refuse_no_way_back(args: &ServeArgs, url: Option<&str>) -> Result<(), Failure> {
    if args.sign_in.issuer.is_none() || url.is_some() || args.listen.ip().is_loopback() {
        return Ok(());
    }
    let message = format!(
        "--sign-in-issuer needs --url: the provider sends browsers back, and where to is not said by --listen {}",
        args.listen
    );
    Err(Failure::new(Exit::Usage, message)
        .hint("say how people reach this server: --url https://ci.example.com"))
}

/// `https://ci.example.com`, without a slash at its end.
fn checked_url(url: &str) -> Result<String, Failure> {
    let url = url.trim_end_matches('/');
    let host = ["https://", "http://"].iter().find_map(|it| url.strip_prefix(it));
    let is_host = |host: &str| {
        !host.is_empty()
            && host.bytes().all(|it| it.is_ascii_alphanumeric() || b".-:[]".contains(&it))
    };
    match host {
        Some(host) if is_host(host) => Ok(url.to_lowercase()),
        _ => Err(Failure::new(
            Exit::Usage,
            format!("--url takes an address without a path, not `{url}`"),
        )
        .hint("such as https://ci.example.com")),
    }
}

/// Where the keys are published, where that is not the server.
fn issuer_url(url: &str) -> Result<String, Failure> {
    let url = url.trim_end_matches('/');
    let host = url.strip_prefix("https://").filter(|it| !it.is_empty());
    let is_plain = |it: &str| !it.contains(['?', '#', '@']) && !it.contains(char::is_whitespace);
    if host.is_some_and(is_plain) {
        return Ok(url.to_owned());
    }
    let message = format!("--issuer takes an address of https without a query, not `{url}`");
    Err(Failure::new(Exit::Usage, message).hint("such as https://tokens.example.com"))
}

/// The right to be the server of the folder.
fn claimed(data: &DataFolder) -> Result<File, Failure> {
    if let Some(claim) = data.claim()? {
        return Ok(claim);
    }
    let message = format!("a server runs on {} already", data.state.root().display());
    Err(Failure::new(Exit::Forbidden, message)
        .hint("end that one, or give this one a folder of its own: --data DIR"))
}

/// What tells the intake to end, and what it hears of it. A worker that goes on must not hold one open.
fn stop_pipe() -> Result<(OwnedFd, OwnedFd), Failure> {
    rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)
        .map_err(|error| Failure::caused(Exit::Missing, error))
}

/// A unit that starts the server with the same words.
fn print_unit(args: &ServeArgs, user: &str, data: &DataFolder) -> Outcome {
    let missing = |error| Failure::caused(Exit::Missing, anyhow::Error::new(error));
    let program = std::env::current_exe().map_err(missing)?;
    // systemd takes whole paths only.
    let folder = std::path::absolute(data.state.root()).map_err(missing)?;
    let mut words = vec!["--data".to_owned(), folder.display().to_string()];
    words.extend(args.database.url.iter().flat_map(|it| ["--database".to_owned(), it.clone()]));
    let file = args.database.file.as_deref().map(std::path::absolute).transpose();
    let file = file.map_err(missing)?;
    words.extend(
        file.iter().flat_map(|it| ["--database-file".to_owned(), it.display().to_string()]),
    );
    words.extend(["--listen".to_owned(), args.listen.to_string()]);
    words.extend(args.url.iter().flat_map(|url| ["--url".to_owned(), url.clone()]));
    let proxies = args.trusted_proxies.iter();
    words.extend(proxies.flat_map(|it| ["--trusted-proxy".to_owned(), it.to_string()]));
    words.extend(args.labels.iter().flat_map(|it| ["--label".to_owned(), it.clone()]));
    words.extend(["--grace".to_owned(), args.grace.to_string()]);
    words.extend(["--runner-away".to_owned(), args.runner_away.to_string()]);
    words.extend(args.jobs.iter().flat_map(|jobs| ["--jobs".to_owned(), jobs.to_string()]));
    words.extend(args.issuer.iter().flat_map(|url| ["--issuer".to_owned(), url.clone()]));
    words.extend(sign_in_words(&args.sign_in).map_err(missing)?);
    let private = args.private_receivers.iter();
    words.extend(private.flat_map(|host| ["--private-receiver".to_owned(), host.clone()]));
    let trusted = args.trusted_labels.iter();
    words.extend(trusted.flat_map(|label| ["--trusted-label".to_owned(), label.to_string()]));
    words.extend(args.job_user.iter().flat_map(|it| ["--job-user".to_owned(), it.clone()]));
    words.extend(args.limits.words());
    for (flag, paths) in opened(args) {
        for path in paths {
            let path = std::path::absolute(path).map_err(missing)?;
            words.extend([flag.to_owned(), path.display().to_string()]);
        }
    }
    words.extend(args.unencrypted.then(|| "--unencrypted".to_owned()));
    let is_json = args.log_format == LogFormat::Json;
    words.extend(
        is_json.then(|| ["--log-format".to_owned(), "json".to_owned()]).into_iter().flatten(),
    );
    let user = if user.is_empty() { person().name.to_string() } else { user.to_owned() };
    refuse_nobody(&user)?;
    let rights: &[&str] = match args.job_user {
        Some(_) if user != "root" => &walls::job_user::RIGHTS,
        _ => &[],
    };
    let given = UnitRights { capabilities: rights, divides_cgroup: !args.limits.is_empty() };
    out(target_host::server_unit(&program, &words, Some(&user), &given).trim_end());
    talk(
        "to be put into /etc/systemd/system/launchway.service; then: systemctl enable --now launchway.service",
    );
    Ok(Exit::Done)
}

/// A unit of a user that the machine does not know would not start.
fn refuse_nobody(user: &str) -> Result<(), Failure> {
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let is_listed = users.lines().any(|row| row.split(':').next() == Some(user));
    // Those of a directory stand in no file.
    let is_known = || {
        let asked = std::process::Command::new("getent").args(["passwd", user]).output();
        asked.is_ok_and(|it| it.status.success())
    };
    let is_word = !user.is_empty() && !user.starts_with('-');
    if is_word && (is_listed || is_known()) {
        return Ok(());
    }
    let message = format!("--unit {user}: this machine has no such user");
    Err(Failure::new(Exit::Usage, message)
        .hint(format!("make one first: useradd --system --create-home {user}"))
        .hint("or name another: --unit root"))
}

/// How people sign in by a provider, in the words of the command line.
fn sign_in_words(args: &SignInArgs) -> std::io::Result<Vec<String>> {
    let secret = args.sign_in_secret_file.as_deref().map(std::path::absolute).transpose()?;
    let secret = secret.map(|it| it.display().to_string());
    let one = |flag: &'static str, value: &Option<String>| value.clone().map(|it| (flag, it));
    let many = |flag: &'static str, values: &[String]| -> Vec<(&'static str, String)> {
        values.iter().map(|it| (flag, it.clone())).collect()
    };
    let pairs = [
        one("--sign-in-issuer", &args.issuer),
        one("--sign-in-client", &args.client),
        one("--sign-in-secret-file", &secret),
        one("--sign-in-person", &args.sign_in_person),
    ];
    let pairs = pairs.into_iter().flatten();
    let pairs = pairs.chain(many("--sign-in-ask", &args.sign_in_ask));
    let pairs = pairs.chain(many("--sign-in-allow", &args.sign_in_allow));
    Ok(pairs.flat_map(|(flag, value)| [flag.to_owned(), value]).collect())
}

/// This machine, and those that are known elsewhere.
fn machines(args: &ServeArgs, data: &DataFolder) -> Result<Machines, Failure> {
    let width = args.jobs.map_or_else(processors, NonZeroUsize::get);
    let (labels, images) = given::labels_of_machine(&args.labels)?;
    let user = args.job_user.as_deref();
    let kept_in = walls::said(sandbox::support(), user, &args.trusted_labels, &images);
    Ok(Machines::new(data.clone(), labels, width, kept_in))
}

/// Which jobs are kept in; what this kernel cannot is said.
fn kept_in(args: &ServeArgs, data: &DataFolder) -> Result<KeptIn, Failure> {
    walls::check_opened(&opened(args), data.state.root())?;
    let secret = store::secret_files(data.state.root()).into_iter().chain(args.secret_files());
    let support = sandbox::support();
    for note in [walls::note(support), walls::note_of_shared(support)].into_iter().flatten() {
        talk(note);
    }
    notes_of_trusted(&args.trusted_labels, data)?.iter().for_each(|note| talk(note));
    let (_, images) = given::labels_of_machine(&args.labels)?;
    let given = args.sandbox_read.iter().chain(&args.sandbox_write).cloned();
    let given: Vec<PathBuf> = given.chain([data.state.root().to_owned()]).collect();
    let user = walls::user_of_jobs(args.job_user.as_deref(), data.state.root(), &opened(args))?;
    let limits = limits::claimed(&args.limits, !images.is_empty())?;
    limits::said(&args.limits).iter().for_each(|it| talk(&format!("each job has at most {it}")));
    let engine = docker::Engine::of(None);
    if let Some(note) = walls::note_of_docker(&engine, &images, &given, user.as_ref()) {
        talk(&note);
    }
    Ok(KeptIn {
        all: true,
        trusted: args.trusted_labels.clone(),
        images,
        readable: args.sandbox_read.clone(),
        changeable: args.sandbox_write.clone(),
        secret: secret.collect(),
        user,
        limits,
    })
}

/// What is to be said of trusted labels, by what is connected and what guards it.
fn notes_of_trusted(labels: &[TrustedLabel], data: &DataFolder) -> Result<Vec<String>, Failure> {
    let connected = repositories::all(data)?;
    let names: Vec<String> = connected.iter().map(|it| it.name.clone()).collect();
    let mut notes = walls::notes_of_trusted(labels, &names);
    notes.extend(unguarded(labels, &connected));
    Ok(notes)
}

/// What is opened to jobs behind walls, with its flag.
fn opened(args: &ServeArgs) -> [(&'static str, &[PathBuf]); 2] {
    [("--sandbox-read", &args.sandbox_read), ("--sandbox-write", &args.sandbox_write)]
}

fn listening(error: ServerError) -> Failure {
    let is_taken = matches!(&error, ServerError::Listen { source, .. } if source.kind() == std::io::ErrorKind::AddrInUse);
    let failure = Failure::caused(Exit::Missing, error);
    if is_taken { failure.hint("name another one: --listen 127.0.0.1:7879") } else { failure }
}

/// Where nobody can sign in yet, somebody is let in.
fn first_token(access: &Access, data: &DataFolder) -> Result<Option<String>, Failure> {
    let missing = |error| Failure::caused(Exit::Missing, error);
    if access.has_tokens().map_err(missing)? {
        return Ok(None);
    }
    let at = now();
    let until = Timestamp(at.0 + FIRST_TOKEN_DAYS * 24 * 60 * 60 * 1000);
    // Whose it is cannot be known yet; those who come make one of their own.
    let holder = Holder::program(Scope::Admin);
    let made = access.create_for("first start", holder, (at, until));
    let (token, text) = made.map_err(missing)?;
    let made = format!("{} \"first start\" may {}", token.id, token.may());
    data.record("token.create", made).inspect_err(|_| take_back(access, &token))?;
    Ok(Some(text))
}

/// One that nobody was shown is nobody's: the next start makes another.
fn take_back(access: &Access, token: &Token) {
    if let Err(error) = access.revoke(&token.id) {
        talk(&format!("warning: token {} opens nothing to anybody: {error}", token.id));
    }
}

fn say_ready(url: &str, data: &DataFolder, first: Option<&str>) {
    out(&format!("serving {url}"));
    talk(&format!("data: {}", data.state.root().display()));
    if let Ok(Some(database)) = store::belongs_to(data.state.root()) {
        talk(&format!("journal: {database}"));
    }
    let shown = data.state.pasted();
    match first {
        Some(token) => {
            talk(&format!("sign in at {url}/sign-in with this token, which is shown only now:"));
            talk("");
            talk(&format!("  {token}"));
            talk("");
            talk("it is nobody's, and what it starts is nobody's: people make one of their own by");
            talk(&format!(
                "launchway tokens create NAME --scope admin --person LOGIN --data {shown}"
            ));
            let is_empty = repositories::all(data).is_ok_and(|it| it.is_empty());
            if !is_empty {
                return;
            }
            talk(&format!(
                "then connect a repository: launchway repositories add PATH --data {shown}"
            ));
        }
        None => talk(&format!(
            "sign in at {url}/sign-in; another token: launchway tokens create NAME --data {shown}"
        )),
    }
}

/// Neither ends a job. SIGINT is a person's: it waits a while for those that run, once. SIGTERM is a
/// service manager's, which is about to start the next server.
fn listen(handle: Handle, grace: u64) -> Result<signal_hook::iterator::Handle, Failure> {
    use signal_hook::consts::{SIGINT, SIGTERM};
    let mut signals = signal_hook::iterator::Signals::new([SIGINT, SIGTERM])
        .map_err(|error| Failure::caused(Exit::Missing, error))?;
    let closing = signals.handle();
    std::thread::spawn(move || {
        for (count, signal) in signals.forever().enumerate() {
            let busy = handle.load().0;
            let jobs = if busy == 1 { "1 job goes".to_owned() } else { format!("{busy} jobs go") };
            if count == 0 && signal == SIGINT && busy > 0 && grace > 0 {
                talk(&format!(
                    "ending; no job begins, and those that run have {grace} s; once more to end at once"
                ));
                handle.send(Input::Detach);
                continue;
            }
            if busy > 0 {
                talk(&format!("{jobs} on without a server; the next launchway serve takes up"));
            }
            handle.send(Input::Leave);
        }
    });
    Ok(closing)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_no_path() {
        assert_eq!(checked_url("https://CI.example.com/").unwrap(), "https://ci.example.com");
        assert_eq!(checked_url("http://10.0.0.1:8080").unwrap(), "http://10.0.0.1:8080");
        for wrong in ["ci.example.com", "https://", "https://a/b", "https://a b", "ftp://a"] {
            assert!(checked_url(wrong).is_err(), "{wrong}");
        }
    }
}
