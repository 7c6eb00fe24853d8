//! The door: a workflow and a script of what happens go in, the events come out, a line each.

mod cancel;
mod conformance;
mod gates;
mod graph;
mod groups;
mod harness;
mod linear;
mod matrices;
mod places;
mod trust;
mod workflows;
