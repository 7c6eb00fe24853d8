//! Policies of AWS's IAM: what a role may do, and who may take it.
//!
//! ```text
//!   Policy  what a role may do ──┐
//!   Trust   who may take it ─────┴──▶ write.rs: as JSON, as commands, as Terraform
//!   judge()  a trust and a token ──▶ given, or why not: "sub was ..., the policy wants ..."
//!   lint_*() a policy that is there ──▶ what is too much in it, what is missing, what never holds
//! ```
//!
//! A token is judged as AWS judges it: some statement allows it and none denies; in a statement the
//! action, the provider and every condition must fit; the values of one condition are alternatives.
//! What AWS does besides (permission boundaries, policies of organizations) is not known here.

mod document;
mod judge;
mod lint;
mod policy;
mod trust;
mod write;

pub use judge::{Judgement, Token, judge};
pub use lint::{Finding, Weight, lint_policy, lint_trust};
pub use policy::{Condition, Policy, Statement};
pub use trust::Trust;
pub use write::{Named, commands, terraform};
