//! The door: a workflow and a script of what happens go in, the events come out, a line each.

mod graph;
mod harness;
