//! Mistakes found before the push: one file for each rule
