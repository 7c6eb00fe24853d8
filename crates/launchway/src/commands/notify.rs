//! `launchway notify`: what others are owed, and whether they have it, by this machine or a server.

use std::path::Path;
use std::sync::Arc;

use serde_json::json;
use server::{MessageLine, MessageList, Reason, TroubledLine};
use store::{Store, WantedDeliveries};

use super::whose::Whose;
use crate::cli::{Format, NotifyCommand, NotifyListArgs};
use crate::deploying::book::Book;
use crate::distant::Client;
use crate::exit::{Exit, Failure, Outcome};
use crate::journal;
use crate::serving::arriving::hook::Reached;
use crate::serving::data::DataFolder;
use crate::serving::repositories::keeping;
use crate::settings_file::load;
use crate::state::StateFolder;
use crate::telling::{self, ServedTests};
use crate::terminal::style::{Style, out, talk};
use crate::terminal::time::{moment, now};

pub(crate) fn run(command: &NotifyCommand, flag: Option<&Path>) -> Outcome {
    let state = || super::state_folder(flag);
    match command {
        NotifyCommand::List(args) => {
            let found = match &args.server {
                Some(url) => Client::of(url)?.messages(args.undelivered, args.limit.into())?,
                None => here(&journal::open_there(&state()?)?, args)?,
            };
            list(&found, args);
            Ok(Exit::Done)
        }
        NotifyCommand::Retry { number, server: Some(url), reason } => {
            Client::of(url)?.retry_message(*number, reason.said())?;
            is_due(*number)
        }
        NotifyCommand::Retry { number, reason, .. } => retry(&state()?, *number, reason.said()),
        NotifyCommand::Test { rule, settings, at } => {
            match Whose::of(at, flag)? {
                Whose::Here(state) => test(settings.as_deref(), &state, rule)?,
                Whose::Folder(data, name) => test_of_folder(&data, &name, rule)?,
                Whose::Server(client, name) => client.test_rule(&name, rule)?,
            }
            talk(&format!("{rule}: it arrived"));
            Ok(Exit::Done)
        }
        NotifyCommand::Send { settings } => send(settings.as_deref(), &state()?),
    }
}

/// By the settings of whoever stands here.
fn test(settings: Option<&Path>, state: &StateFolder, rule: &str) -> Result<(), Failure> {
    let found = load(settings)?;
    let store = Arc::new(journal::open(state)?);
    telling::test(&found, state, &store, rule)
}

/// As the server of this folder sends it, whether it runs or not.
fn test_of_folder(data: &DataFolder, repository: &str, rule: &str) -> Result<(), Failure> {
    let connected = keeping::connected(data, repository)?;
    let Reached { url, private_receivers } = data.reached()?.ok_or_else(|| {
        let (shown, root) = (data.state.root().display(), data.state.pasted());
        Failure::new(Exit::Usage, format!("no server was started with {shown} yet"))
            .hint(format!("launchway serve --data {root}"))
    })?;
    let store = Arc::new(journal::open_there(&data.state)?);
    let state = data.state.clone();
    data.record("message.test", format!("{repository} {rule}"))?;
    ServedTests { store, state, url, private_receivers }.send(&connected, rule)
}

fn send(settings: Option<&Path>, state: &StateFolder) -> Outcome {
    let found = load(settings)?;
    let (book, state) = Book::of(&found, state)?;
    let is_shared = book.shared().is_some();
    let (tried, arrived) = telling::send_due(&found, &state, book.copy(), is_shared)?;
    match tried {
        0 => talk("nothing is due"),
        tried => talk(&format!("{arrived} of {tried} arrived")),
    }
    if arrived == tried {
        return Ok(Exit::Done);
    }
    Err(Failure::new(Exit::Missing, "not everything arrived")
        .hint("launchway notify list --undelivered says why, and when it is tried again"))
}

fn missing(error: store::StoreError) -> Failure {
    Failure::caused(Exit::Missing, error)
}

/// Of this machine's journal.
fn here(store: &Store, args: &NotifyListArgs) -> Result<MessageList, Failure> {
    let wanted = WantedDeliveries {
        before: None,
        consumer: None,
        is_undelivered: args.undelivered,
        limit: usize::from(args.limit),
    };
    let found = store.deliveries(&wanted).map_err(missing)?;
    let troubled = store.troubled_receivers().map_err(missing)?;
    Ok(MessageList {
        messages: found.iter().map(MessageLine::from).collect(),
        troubled: troubled.iter().map(TroubledLine::from).collect(),
        older: None,
    })
}

fn list(found: &MessageList, args: &NotifyListArgs) {
    let style = Style::stdout();
    for message in &found.messages {
        match args.format {
            Format::Json => out(&json!(message).to_string()),
            Format::Human | Format::Github => lines(message, style),
        }
    }
    if args.format == Format::Json {
        return;
    }
    for receiver in &found.troubled {
        talk(&trouble(receiver));
    }
    if found.messages.is_empty() {
        let which =
            if args.undelivered { "nothing is undelivered" } else { "nobody is owed anything" };
        talk(which);
    }
}

fn lines(it: &MessageLine, style: Style) {
    let state = match it.state.as_str() {
        "delivered" => style.green("delivered "),
        "given_up" => style.red("given up  "),
        "superseded" => style.dim("superseded"),
        "under_way" => style.cyan("under way "),
        _ => style.yellow("waiting   "),
    };
    let at = moment(it.settled_at_ms.unwrap_or(it.owed_at_ms));
    let (number, about, receiver) = (it.number, &it.about, &it.receiver);
    out(&format!("{number:>5}  {state}  {about}  to {receiver}  {}", style.dim(&at)));
    if let Some(note) = &it.note {
        let again = match it.next_at_ms {
            Some(next) if it.state == "waiting" => format!("; again not before {}", moment(next)),
            _ => String::new(),
        };
        let tries =
            if it.attempts == 1 { "1 try".to_owned() } else { format!("{} tries", it.attempts) };
        out(&format!("       {}", style.dim(&format!("{note} ({tries}{again})"))));
    }
}

fn trouble(it: &TroubledLine) -> String {
    let TroubledLine { receiver, failures, note, shut_until_ms } = it;
    let shut = match *shut_until_ms > now() {
        true => format!("left alone until {}", moment(*shut_until_ms)),
        false => "tried again".to_owned(),
    };
    format!("{receiver} did not answer {failures} times in a row, {shut}: {note}")
}

fn retry(state: &StateFolder, number: u64, reason: &Reason) -> Outcome {
    let store = journal::open_there(state)?;
    if store.may_retry_delivery(number).map_err(missing)? {
        // Written down first: nothing is sent again that nobody hears of, whatever happens in between.
        journal::record_because(state, ("message.retry", format!("message {number}")), reason)?;
        if store.retry_delivery(number, now()).map_err(missing)? {
            return is_due(number);
        }
    }
    let message = format!("{number} neither waits nor was given up");
    Err(Failure::new(Exit::Usage, message).hint("launchway notify list shows what does"))
}

fn is_due(number: u64) -> Outcome {
    talk(&format!("{number} is due now; whoever sends tries it within seconds"));
    Ok(Exit::Done)
}
