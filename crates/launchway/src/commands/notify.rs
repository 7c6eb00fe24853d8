//! `launchway notify`: what others are owed, and whether they have it.

use serde_json::json;
use store::{Delivery, DeliveryState, Store, TroubledReceiver, WantedDeliveries};

use crate::cli::{Format, NotifyCommand, NotifyListArgs};
use crate::exit::{Exit, Failure, Outcome};
use crate::journal;
use crate::state::StateFolder;
use crate::terminal::style::{Style, out, talk};
use crate::terminal::time::{moment, now};

pub(crate) fn run(command: &NotifyCommand, state: &StateFolder) -> Outcome {
    let store = journal::open(state)?;
    match command {
        NotifyCommand::List(args) => list(&store, args),
        NotifyCommand::Retry { number } => retry(&store, *number),
    }
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

fn retry(store: &Store, number: u64) -> Outcome {
    if store.retry_delivery(number, now()).map_err(missing)? {
        talk(&format!("{number} is due now; whoever sends tries it within seconds"));
        return Ok(Exit::Done);
    }
    let message = format!("{number} neither waits nor was given up");
    Err(Failure::new(Exit::Usage, message).hint("launchway notify list shows what does"))
}
