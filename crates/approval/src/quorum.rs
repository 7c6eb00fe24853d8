//! Whether what somebody says counts at a gate: one rule for deployments and for jobs.

use event::{Actor, GateDemand};

/// Whether an agreement makes a group's number full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counts {
    /// It counts, and more are wanted.
    More,
    /// It is the last that is wanted.
    Full,
}

/// Why it does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Uncounted {
    /// Nobody is asked at this gate.
    NotAsked,
    /// They asked for it themselves.
    Requester,
    /// They are not of the group, or left out for this one.
    NotMember,
    /// They agreed there.
    Already,
    /// They agreed for another group: nobody counts twice.
    Elsewhere,
}

impl Uncounted {
    /// In words; `thing` is what was asked for: `deployment`, and `demand` what is asked at the gate.
    pub fn words(self, thing: &str, demand: &GateDemand) -> String {
        match self {
            Uncounted::NotAsked => "nobody is asked there".to_owned(),
            Uncounted::Requester => format!("they requested the {thing}"),
            Uncounted::NotMember => {
                format!("they are not of {}, or not for this {thing}", group_of(demand))
            }
            Uncounted::Already => "they agreed already".to_owned(),
            Uncounted::Elsewhere => {
                "they agreed for another group, and nobody counts twice".to_owned()
            }
        }
    }
}

/// The group that is asked, in words.
pub fn group_of(demand: &GateDemand) -> &str {
    match demand {
        GateDemand::Approval { group, .. } => group,
        GateDemand::Wait { .. } | GateDemand::Confirm { .. } | GateDemand::Start => "the group",
    }
}

/// Who says something, and what they said before.
#[derive(Clone, Copy, Debug)]
pub struct Voice<'v> {
    /// The name that they are known by.
    pub name: &'v str,
    /// They asked for what is to be agreed to.
    pub is_requester: bool,
    /// They agreed at another gate of it.
    pub has_agreed_elsewhere: bool,
}

/// Whether an agreement counts at a gate at which these agreed already.
///
/// # Errors
/// Why it does not.
pub fn counts(
    demand: &GateDemand,
    agreed: &[Actor],
    voice: Voice<'_>,
) -> Result<Counts, Uncounted> {
    let GateDemand::Approval { count, members, .. } = demand else {
        return Err(Uncounted::NotAsked);
    };
    if voice.is_requester {
        return Err(Uncounted::Requester);
    }
    if !members.iter().any(|member| is_one(member, voice.name)) {
        return Err(Uncounted::NotMember);
    }
    if agreed.iter().any(|it| is_one(it.name.as_str(), voice.name)) {
        return Err(Uncounted::Already);
    }
    if voice.has_agreed_elsewhere {
        return Err(Uncounted::Elsewhere);
    }
    let is_full = agreed.len() as u64 + 1 >= u64::from(*count);
    Ok(if is_full { Counts::Full } else { Counts::More })
}

/// Whether two names are one person's: groups write them as they like, `Mona` here and `mona` there.
pub fn is_one(name: &str, other: &str) -> bool {
    name.eq_ignore_ascii_case(other)
}

/// Whether somebody may say no at a gate.
pub fn may_reject(demand: &GateDemand, name: &str) -> bool {
    match demand {
        GateDemand::Approval { members, .. } => members.iter().any(|it| is_one(it, name)),
        GateDemand::Wait { .. } | GateDemand::Confirm { .. } | GateDemand::Start => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mask::MaskedText;

    fn actor(name: &str) -> Actor {
        Actor {
            name: MaskedText::without_secrets(name),
            proof: "token".into(),
            source: None,
            address: None,
        }
    }

    #[test]
    fn who_counts_and_when_a_gate_is_full() {
        let members = ["hubot", "lena", "mona"].map(Into::into).to_vec();
        let demand = GateDemand::Approval { group: "devops".into(), count: 2, members };
        let check = |name: &str, asked: bool, elsewhere: bool, agreed: &[&str]| {
            let agreed: Vec<Actor> = agreed.iter().map(|it| actor(it)).collect();
            let voice = Voice { name, is_requester: asked, has_agreed_elsewhere: elsewhere };
            counts(&demand, &agreed, voice)
        };
        assert_eq!(check("mona", false, false, &[]), Ok(Counts::More));
        assert_eq!(check("mona", false, false, &["hubot"]), Ok(Counts::Full));
        assert_eq!(check("mona", true, false, &[]), Err(Uncounted::Requester));
        assert_eq!(check("mona", false, false, &["mona"]), Err(Uncounted::Already));
        assert_eq!(check("Mona", false, false, &["mona"]), Err(Uncounted::Already));
        assert_eq!(check("Mona", false, false, &["hubot"]), Ok(Counts::Full));
        assert_eq!(check("mona", false, true, &[]), Err(Uncounted::Elsewhere));
        assert_eq!(check("somebody", false, false, &[]), Err(Uncounted::NotMember));
        assert!(may_reject(&demand, "mona") && !may_reject(&demand, "x"));
        let voice = Voice { name: "x", is_requester: false, has_agreed_elsewhere: false };
        let wait = GateDemand::Wait { milliseconds: 1 };
        assert_eq!(counts(&wait, &[], voice), Err(Uncounted::NotAsked));
    }
}
