//! `launchway notify`: what others are owed, and whether they have it.

use std::path::Path;
use std::sync::Arc;

use serde_json::json;
use store::{Delivery, DeliveryState, Store, TroubledReceiver, WantedDeliveries};

use crate::cli::{Format, NotifyCommand, NotifyListArgs};
use crate::deploying::book::Book;
use crate::exit::{Exit, Failure, Outcome};
use crate::journal;
use crate::settings_file::load;
use crate::state::StateFolder;
use crate::telling;
use crate::terminal::style::{Style, out, talk};
use crate::terminal::time::{moment, now};

pub(crate) fn run(command: &NotifyCommand, state: &StateFolder) -> Outcome {
    match command {
        NotifyCommand::List(args) => list(&journal::open(state)?, args),
        NotifyCommand::Retry { number } => retry(state, *number),
        NotifyCommand::Test { rule, settings } => {
            let found = load(settings.as_deref())?;
            let store = Arc::new(journal::open(state)?);
            telling::test(&found, state, &store, rule)?;
            talk(&format!("{rule}: it arrived"));
            Ok(Exit::Done)
        }
        NotifyCommand::Send { settings } => send(settings.as_deref(), state),
    }
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

fn list(store: &Store, args: &NotifyListArgs) -> Outcome {
    let wanted = WantedDeliveries {
        before: None,
        consumer: None,
        is_undelivered: args.undelivered,
        limit: usize::from(args.limit),
    };
    let found = store.deliveries(&wanted).map_err(missing)?;
    let troubled = store.troubled_receivers().map_err(missing)?;
    let style = Style::stdout();
    for delivery in &found {
        match args.format {
            Format::Json => out(&machine(delivery)),
            Format::Human | Format::Github => lines(delivery, style),
        }
    }
    if args.format == Format::Json {
        return Ok(Exit::Done);
    }
    for receiver in &troubled {
        talk(&trouble(receiver));
    }
    if found.is_empty() {
        let which =
            if args.undelivered { "nothing is undelivered" } else { "nobody is owed anything" };
        talk(which);
    }
    Ok(Exit::Done)
}

fn lines(it: &Delivery, style: Style) {
    let state = match it.state {
        DeliveryState::Delivered => style.green("delivered "),
        DeliveryState::GivenUp => style.red("given up  "),
        DeliveryState::Superseded => style.dim("superseded"),
        DeliveryState::UnderWay => style.cyan("under way "),
        DeliveryState::Waiting => style.yellow("waiting   "),
    };
    let at = moment(it.settled_at.unwrap_or(it.owed_at));
    out(&format!("{:>5}  {state}  {}  to {}  {}", it.id, it.about, it.receiver, style.dim(&at)));
    if let Some(note) = &it.note {
        let again = match it.state {
            DeliveryState::Waiting => format!("; again not before {}", moment(it.next_at)),
            _ => String::new(),
        };
        let tries =
            if it.attempts == 1 { "1 try".to_owned() } else { format!("{} tries", it.attempts) };
        out(&format!("       {}", style.dim(&format!("{note} ({tries}{again})"))));
    }
}

fn trouble(it: &TroubledReceiver) -> String {
    let receiver = &it.receiver;
    let (failures, note) = (it.health.failures, &it.health.note);
    let shut = match it.health.shut_until > now() {
        true => format!("left alone until {}", moment(it.health.shut_until)),
        false => "tried again".to_owned(),
    };
    format!("{receiver} did not answer {failures} times in a row, {shut}: {note}")
}

fn machine(it: &Delivery) -> String {
    json!({
        "number": it.id, "key": it.key, "consumer": it.consumer, "receiver": it.receiver,
        "about": it.about, "state": it.state.as_str(), "attempts": it.attempts,
        "unsure": it.is_unsure && !it.state.is_settled(), "note": it.note, "remote": it.remote,
        "owed_at_ms": it.owed_at, "settled_at_ms": it.settled_at,
        "next_at_ms": (!it.state.is_settled()).then_some(it.next_at),
    })
    .to_string()
}

fn retry(state: &StateFolder, number: u64) -> Outcome {
    if journal::open(state)?.retry_delivery(number, now()).map_err(missing)? {
        journal::record(state, "message.retry", format!("message {number}"))?;
        talk(&format!("{number} is due now; whoever sends tries it within seconds"));
        return Ok(Exit::Done);
    }
    let message = format!("{number} neither waits nor was given up");
    Err(Failure::new(Exit::Usage, message).hint("launchway notify list shows what does"))
}
