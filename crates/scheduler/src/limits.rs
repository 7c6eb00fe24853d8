//! Every bound of this machine, with its reason.

/// Jobs of one run: the legs of matrices, not what they are legs of, and the jobs of called workflows (`design` 8.16).
pub(crate) const RUN_JOBS_MAX: usize = 10_000;
/// Outputs of all jobs of one run, in UTF-16 bytes; GitHub's limit (conformance 235).
pub(crate) const RUN_OUTPUTS_BYTES_MAX: usize = 50 << 20;
/// The run's own file and nine called ones below it; GitHub's limit (conformance 118, 226).
pub(crate) const CALL_DEPTH_MAX: usize = 10;
/// Characters of a concurrency group; GitHub's limit (conformance 40, 239).
pub(crate) const GROUP_CHARS_MAX: usize = 400;
/// Those who wait in one group with `queue: max`; GitHub's limit (conformance 42).
pub(crate) const GROUP_PENDING_MAX: usize = 100;
/// `timeout-minutes` of a job that does not say (conformance 102).
pub(crate) const TIMEOUT_MINUTES: f64 = 360.0;
/// `cancel-timeout-minutes` of a job that does not say (conformance 103).
pub(crate) const CANCEL_TIMEOUT_MINUTES: f64 = 5.0;
/// Days from a run's creation to its end, its waiting included; GitHub's limit (conformance 229).
pub(crate) const RUN_DAYS_MAX: u64 = 35;
/// The longest limit a job may set: that of the whole run.
pub(crate) const TIMEOUT_MINUTES_MAX: f64 = RUN_DAYS_MAX as f64 * 24.0 * 60.0;
/// How long a worker may overrun a job's time limit before it is told from outside. The worker keeps
/// the limit itself and cleans up by it; this is for one that hangs.
pub(crate) const TIMEOUT_SLACK_MS: u64 = 15_000;
/// How long a worker may overrun `cancel-timeout-minutes` before it is killed from outside. The
/// worker keeps the limit itself; this is for one that hangs.
pub(crate) const CLEAN_UP_SLACK_MS: u64 = 15_000;
/// How often a lost job is started again unasked: a job that kills its worker would do it for ever.
pub(crate) const LOSSES_MAX: u32 = 3;
/// Jobs planned in one decision, so that a wide graph does not become one huge append.
pub(crate) const PLANS_AT_ONCE: usize = 256;
/// Attempts of one run; GitHub's limit (conformance 38, 232).
pub(crate) const ATTEMPTS_MAX: u64 = 51;
