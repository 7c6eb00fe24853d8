//! Service containers as local programs
