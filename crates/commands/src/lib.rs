//! What a step says to its runner: workflow commands, file commands, problem matchers
