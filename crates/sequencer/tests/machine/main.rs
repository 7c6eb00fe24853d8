//! The machine from outside: tables of jobs, and a walk through jobs made by chance.

mod background;
mod conformance;
mod harness;
mod job;
mod walk;
