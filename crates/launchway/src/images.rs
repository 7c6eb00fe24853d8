//! Images: built by the docker that is installed, kept in registries, found there again by what a
//! deployment asks for, copied where an environment has a repository of its own.

pub(crate) mod docker;
pub(crate) mod find;
pub(crate) mod gate;
pub(crate) mod record;
pub(crate) mod rights;
pub(crate) mod shelf;
pub(crate) mod tags;
