//! Every bound of this machine, with its reason.

/// Services of one deployment: a release is agreed to by people, who have to read its plan.
pub(crate) const SERVICES_MAX: usize = 100;
/// Steps of one plan: each is an event or two, and a line of what people agree to.
pub(crate) const STEPS_MAX: usize = 2_000;
/// How long a target that cannot be looked at is asked again, before that is a failure. Longer than
/// a platform's hiccup, shorter than a person's patience.
pub(crate) const LOOK_WITHIN_MS: u64 = 60_000;

/// How many refused approvals of one deployment are written down: enough to see who tries, too few to
/// fill a disk.
pub(crate) const REFUSED_MAX: u32 = 200;
