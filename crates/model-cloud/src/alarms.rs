//! CloudWatch alarms: made by whoever sets them, in the state that they are set to.

use std::fmt::Write as _;

use crate::answer::Refused;
use crate::cloud::Cloud;
use crate::identity::{Form, iso, member};

/// An alarm.
#[derive(Clone, Debug)]
pub(crate) struct Alarm {
    name: String,
    state: String,
    since: u64,
}

impl Cloud {
    /// An alarm is there, in this state: `OK`, `ALARM`, `INSUFFICIENT_DATA`.
    pub fn set_alarm(&mut self, name: &str, state: &str) {
        self.alarms.retain(|it| it.name != name);
        let (name, state, since) = (name.to_owned(), state.to_owned(), self.now);
        self.alarms.push(Alarm { name, state, since });
    }
}

/// Answers in XML.
pub(crate) fn answer(cloud: &mut Cloud, operation: &str, form: &Form) -> Result<String, Refused> {
    match operation {
        "DescribeAlarms" => Ok(list(cloud, form)),
        "SetAlarmState" => {
            let name = member(form, "AlarmName")?;
            if !cloud.alarms.iter().any(|it| it.name == name) {
                return Err(Refused::new("ResourceNotFound", "").with_status(404));
            }
            let state = member(form, "StateValue")?.to_owned();
            cloud.set_alarm(name, &state);
            Ok("<SetAlarmStateResponse xmlns=\"http://monitoring.amazonaws.com/doc/2010-08-01/\"/>"
                .to_owned())
        }
        _ => Err(Refused::new("InvalidAction", format!("Could not find operation {operation}"))),
    }
}

fn list(cloud: &Cloud, form: &Form) -> String {
    let is_name = |key: &str| key.starts_with("AlarmNames.member.");
    let wanted: Vec<&str> =
        form.iter().filter(|(key, _)| is_name(key)).map(|(_, name)| name.as_str()).collect();
    let mut alarms = String::new();
    let found = cloud.alarms.iter();
    for it in found.filter(|it| wanted.is_empty() || wanted.contains(&it.name.as_str())) {
        let Alarm { name, state, since } = it;
        let at = iso(since / 1000);
        let _ = write!(
            alarms,
            "<member><AlarmName>{name}</AlarmName><StateValue>{state}</StateValue>\
             <StateReason>Threshold Crossed: 1 datapoint was greater than the threshold (5.0).\
             </StateReason><StateUpdatedTimestamp>{at}</StateUpdatedTimestamp></member>"
        );
    }
    format!(
        "<DescribeAlarmsResponse xmlns=\"http://monitoring.amazonaws.com/doc/2010-08-01/\">\
         <DescribeAlarmsResult><MetricAlarms>{alarms}</MetricAlarms><CompositeAlarms/>\
         </DescribeAlarmsResult></DescribeAlarmsResponse>"
    )
}
