//! What a container may take at most, whatever its options say.

use serde_json::{Value as Json, json};

use crate::flags::at;

/// What a share of the processors is of, as the kernel's scheduler has it.
const PERIOD_US: u64 = 100_000;

/// How much; what is none has no limit but that of the options.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Memory. Nothing is swapped out in its place.
    pub memory_bytes: Option<u64>,
    /// Thousandths of a processor.
    pub cpu_thousandths: Option<u64>,
    /// Processes and threads at a time.
    pub processes: Option<u64>,
}

impl Limits {
    /// Puts them into what the engine is told. Options may say less, never more.
    pub fn hold(&self, body: &mut Json) {
        if let Some(bytes) = self.memory_bytes {
            let memory = lowered(at(body, "/HostConfig/Memory"), bytes);
            // Of memory and swap together; the engine would give as much swap again.
            lowered(at(body, "/HostConfig/MemorySwap"), memory);
            // It may not be more than what is given.
            if !at(body, "/HostConfig/MemoryReservation").is_null() {
                lowered(at(body, "/HostConfig/MemoryReservation"), memory);
            }
        }
        if let Some(thousandths) = self.cpu_thousandths {
            hold_cpus(body, thousandths);
        }
        if let Some(processes) = self.processes {
            lowered(at(body, "/HostConfig/PidsLimit"), processes);
        }
    }
}

/// A limit of more processors than the engine has is one that is kept: it refuses such `NanoCpus`, and takes such a
/// share. It takes no two of both.
fn hold_cpus(body: &mut Json, thousandths: u64) {
    let option = at(body, "/HostConfig/NanoCpus");
    let said = option.as_u64().filter(|it| *it > 0);
    if said.is_some_and(|it| it <= thousandths.saturating_mul(1_000_000)) {
        return;
    }
    *option = Json::Null;
    *at(body, "/HostConfig/CpuPeriod") = json!(PERIOD_US);
    let share = thousandths.saturating_mul(PERIOD_US / 1000);
    *at(body, "/HostConfig/CpuQuota") = json!(share);
}

/// The smaller of what an option says and what may be. Nothing, 0 and less mean "no limit" to the engine.
fn lowered(option: &mut Json, most: u64) -> u64 {
    let said = option.as_u64().filter(|it| *it > 0);
    let lower = said.map_or(most, |said| said.min(most));
    *option = json!(lower);
    lower
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_may_say_less_and_never_more() {
        let all = Limits {
            memory_bytes: Some(4 << 30),
            cpu_thousandths: Some(1500),
            processes: Some(100),
        };
        let (most, less) = (4_u64 << 30, 1_u64 << 30);
        for (limits, options, expect) in [
            (Limits::default(), json!({ "Memory": 7 }), json!({ "Memory": 7 })),
            (
                all,
                json!({}),
                json!({
                    "Memory": most, "MemorySwap": most, "MemoryReservation": null,
                    "NanoCpus": null, "CpuPeriod": 100_000, "CpuQuota": 150_000, "PidsLimit": 100,
                }),
            ),
            (
                all,
                json!({ "Memory": less, "MemorySwap": -1, "MemoryReservation": most, "NanoCpus": 2_000_000_000_u64, "PidsLimit": 0 }),
                json!({
                    "Memory": less, "MemorySwap": less, "MemoryReservation": less,
                    "NanoCpus": null, "CpuPeriod": 100_000, "CpuQuota": 150_000, "PidsLimit": 100,
                }),
            ),
            (
                Limits { memory_bytes: None, ..all },
                json!({ "Memory": less, "NanoCpus": 5, "PidsLimit": 7 }),
                json!({ "Memory": less, "NanoCpus": 5, "PidsLimit": 7 }),
            ),
        ] {
            let mut body = json!({ "HostConfig": options });
            limits.hold(&mut body);
            assert_eq!(body["HostConfig"], expect);
        }
    }
}
