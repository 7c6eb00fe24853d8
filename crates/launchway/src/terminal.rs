//! What people see: diagnostics, failures, tables, runs while they happen.

pub(crate) mod closing;
pub(crate) mod diagnostics;
pub(crate) mod display;
pub(crate) mod failure;
pub(crate) mod github;
pub(crate) mod image_lines;
pub(crate) mod log_line;
pub(crate) mod plural;
pub(crate) mod report;
pub(crate) mod run_page;
pub(crate) mod scan_lines;
pub(crate) mod style;
pub(crate) mod test_lines;
pub(crate) mod time;
pub(crate) mod waterfall;
