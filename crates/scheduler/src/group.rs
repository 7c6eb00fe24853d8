//! Concurrency groups over all runs of one process (conformance 40 to 44). A process may drive runs
//! of several repositories, whose groups have nothing to do with one another.
//!
//! A group has a holder and those who wait, oldest first. Who joined when is read from the events,
//! so that folding streams in any order gives the same queue.

use std::collections::{BTreeMap, BTreeSet};

use event::{StreamId, Timestamp};

use crate::state::NodeId;

/// Someone in a group: a run, or a job of it. Ordered by age.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Member {
    pub(crate) since: Timestamp,
    pub(crate) stream: StreamId,
    pub(crate) job: Option<NodeId>,
    /// Whether it ends the holder.
    pub(crate) cancels_holder: bool,
    /// Whether those who wait before it may go on waiting.
    pub(crate) lets_wait: bool,
}

/// A group by its repository and its name in lower case; names compare without case.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct GroupName(String);

impl GroupName {
    pub(crate) fn new(repository: &str, group: &str) -> GroupName {
        GroupName(format!("{repository}\n{}", group.to_lowercase()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Group {
    /// Never more than one at rest. While streams are folded one after the other, the holder that
    /// one stream ends with may come before those of another have left.
    pub(crate) holders: BTreeSet<Member>,
    /// Holders that were asked to end already.
    pub(crate) ending: BTreeSet<Member>,
    pub(crate) waiting: BTreeSet<Member>,
    /// Those who wait and were asked to end already.
    pub(crate) leaving: BTreeSet<Member>,
    /// Those who wait and do not say yet for whom.
    pub(crate) untold: BTreeSet<Member>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Groups {
    by_name: BTreeMap<GroupName, Group>,
    /// Groups in which something is to be decided.
    due: BTreeSet<GroupName>,
}

impl Groups {
    pub(crate) fn get(&self, name: &GroupName) -> Option<&Group> {
        self.by_name.get(name)
    }

    pub(crate) fn due(&self) -> impl Iterator<Item = (&GroupName, &Group)> {
        self.due.iter().map(|name| (name, &self.by_name[name]))
    }

    pub(crate) fn is_due(&self) -> bool {
        !self.due.is_empty()
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = (&GroupName, &Group)> {
        self.by_name.iter()
    }

    /// Joins the queue.
    pub(crate) fn join(&mut self, name: GroupName, member: Member) {
        let group = self.by_name.entry(name.clone()).or_default();
        group.waiting.insert(member);
        group.untold.insert(member);
        self.refresh(name);
    }

    /// Says for whom it waits.
    pub(crate) fn told(&mut self, name: GroupName, member: Member) {
        let Some(group) = self.by_name.get_mut(&name) else { return };
        group.untold.remove(&member);
        self.refresh(name);
    }

    /// Becomes the holder.
    pub(crate) fn hold(&mut self, name: GroupName, member: Member) {
        let group = self.by_name.entry(name.clone()).or_default();
        group.waiting.remove(&member);
        group.leaving.remove(&member);
        group.untold.remove(&member);
        group.holders.insert(member);
        self.refresh(name);
    }

    /// Is asked to end.
    pub(crate) fn told_to_end(&mut self, name: GroupName, member: Member) {
        let Some(group) = self.by_name.get_mut(&name) else { return };
        group.untold.remove(&member);
        if group.holders.contains(&member) {
            group.ending.insert(member);
        } else if group.waiting.contains(&member) {
            group.leaving.insert(member);
        }
        self.refresh(name);
    }

    /// Has ended, or is gone before its turn.
    pub(crate) fn leave(&mut self, name: GroupName, member: Member) {
        let Some(group) = self.by_name.get_mut(&name) else { return };
        group.waiting.remove(&member);
        group.leaving.remove(&member);
        group.untold.remove(&member);
        group.holders.remove(&member);
        group.ending.remove(&member);
        self.refresh(name);
    }

    fn refresh(&mut self, name: GroupName) {
        let Some(group) = self.by_name.get(&name) else { return };
        if group.holders.is_empty() && group.waiting.is_empty() {
            self.by_name.remove(&name);
            self.due.remove(&name);
        } else if group.is_due() {
            self.due.insert(name);
        } else {
            self.due.remove(&name);
        }
    }
}

impl Group {
    /// The next holder, where the group is free.
    pub(crate) fn next(&self) -> Option<Member> {
        if !self.holders.is_empty() {
            return None;
        }
        self.waiting.iter().find(|it| !self.leaving.contains(it)).copied()
    }

    /// Who has the group.
    pub(crate) fn holder(&self) -> Option<Member> {
        self.holders.first().copied()
    }

    /// The holder, where somebody who waits wants it gone and it has not been told.
    pub(crate) fn to_end(&self) -> Option<Member> {
        let wanted = |it: &Member| it.cancels_holder && !self.leaving.contains(it);
        let holder = self.holder().filter(|holder| !self.ending.contains(holder))?;
        self.waiting.iter().any(wanted).then_some(holder)
    }

    /// Those who wait and have to give way to a newer one (conformance 41, 42). A free group gives
    /// its oldest the turn; that one is not superseded.
    pub(crate) fn superseded(&self, pending_max: usize) -> Vec<Member> {
        self.superseded_but(usize::from(self.holders.is_empty()), pending_max)
    }

    /// The same where somebody has the group who is not known here.
    pub(crate) fn superseded_behind_others(&self, pending_max: usize) -> Vec<Member> {
        self.superseded_but(0, pending_max)
    }

    fn superseded_but(&self, first: usize, pending_max: usize) -> Vec<Member> {
        let mut give_way = Vec::new();
        let mut newer_takes_all = false;
        let staying: Vec<Member> =
            self.waiting.iter().filter(|it| !self.leaving.contains(it)).copied().collect();
        for member in staying.iter().skip(first).rev() {
            if newer_takes_all {
                give_way.push(*member);
            }
            newer_takes_all |= !member.lets_wait;
        }
        if give_way.is_empty() {
            give_way.extend(staying.iter().skip(first + pending_max));
        }
        give_way
    }

    /// Whether somebody who waits wants the holder gone, whoever that is.
    pub(crate) fn ends_holder(&self) -> bool {
        self.waiting.iter().any(|it| it.cancels_holder && !self.leaving.contains(it))
    }

    fn is_due(&self) -> bool {
        self.next().is_some()
            || self.to_end().is_some()
            || !self.untold.is_empty()
            || !self.superseded(crate::limits::GROUP_PENDING_MAX).is_empty()
    }
}
