//! The one loop: input, decide, append, evolve, do what is pending
