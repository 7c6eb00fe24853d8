//! CloudWatch alarms.

use crate::client::Client;
use crate::fault::Fault;
use crate::service::Service;
use crate::xml::{child, children, element};

/// Names of one call.
const NAMES_MAX: usize = 100;

/// An alarm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alarm {
    /// Its name.
    pub name: String,
    /// `OK`, `ALARM`, `INSUFFICIENT_DATA`.
    pub state: String,
    /// Why, in AWS's words.
    pub reason: String,
}

impl Client {
    /// Alarms by their names; what is not there is not in it.
    ///
    /// # Errors
    /// When AWS does not say.
    pub fn alarms(&mut self, names: &[String]) -> Result<Vec<Alarm>, Fault> {
        let mut found = Vec::new();
        for page in names.chunks(NAMES_MAX) {
            let keys: Vec<String> =
                (1..=page.len()).map(|at| format!("AlarmNames.member.{at}")).collect();
            // Where none is said, alarms of several others would be left out.
            let kinds =
                [("AlarmTypes.member.1", "MetricAlarm"), ("AlarmTypes.member.2", "CompositeAlarm")];
            let names = keys.iter().map(String::as_str).zip(page.iter().map(String::as_str));
            let members: Vec<(&str, &str)> = names.chain(kinds).collect();
            let reply = self.ask(Service::CloudWatch, "DescribeAlarms", &members)?;
            for kind in ["MetricAlarms", "CompositeAlarms"] {
                let list = element(&reply.body, kind).unwrap_or_default();
                found.extend(children(list, "member").into_iter().filter_map(alarm));
            }
        }
        Ok(found)
    }
}

fn alarm(xml: &str) -> Option<Alarm> {
    Some(Alarm {
        name: child(xml, "AlarmName")?,
        state: child(xml, "StateValue")?,
        reason: child(xml, "StateReason").unwrap_or_default(),
    })
}
