//! The machine's limits.

/// How deep composite actions may nest (conformance 148, 227).
pub const COMPOSITE_DEPTH_MAX: usize = 10;

/// How many steps may run in the background at a time; the others stand in line (conformance 141,
/// 246).
pub const BACKGROUND_MAX: usize = 10;

/// Outputs of one job, in UTF-16 bytes (conformance 104, 235).
pub(crate) const JOB_OUTPUTS_BYTES_MAX: usize = 1 << 20;
