//! The files through which a step talks to its runner, whatever it writes there.

use commands::file_command::{
    ArtifactEntry, ArtifactSubjects, decode, parse_artifacts, parse_env, parse_output, parse_path,
    prepend_path,
};

/// An input is a file.
pub fn check(input: &[u8]) {
    let text = decode(input);
    let (pairs, complete) = match parse_output(&text) {
        Ok(pairs) => (pairs, true),
        Err(error) => (error.before().to_vec(), false),
    };
    check_written_again(&pairs);

    let file = parse_env(&text);
    assert_eq!(file.error.is_none(), complete);
    assert_eq!(file.variables.len() + file.refused.len(), pairs.len());
    assert!(file.variables.iter().all(|(name, _)| !name.eq_ignore_ascii_case("node_options")));

    let mut additions = Vec::new();
    for entry in parse_path(&text) {
        assert!(!entry.is_empty() && !entry.contains('\n'));
        prepend_path(&mut additions, entry.clone());
        assert_eq!(additions.first(), Some(&entry));
        assert_eq!(additions.iter().filter(|it| **it == entry).count(), 1);
    }

    let mut subjects = ArtifactSubjects::default();
    for (line, entry) in parse_artifacts(&text).unwrap_or_default() {
        if let ArtifactEntry::Oci(subject) = entry {
            assert!(subject.digest.len() > 64 && !subject.name.is_empty());
            if subjects.declare(line, subject.clone()).is_ok() {
                assert_eq!(subjects.declare(line, subject), Ok(false));
            }
        }
    }
}

/// What was read, written with delimiters, reads the same.
fn check_written_again(pairs: &[(String, String)]) {
    let mut written = String::new();
    let mut expected = Vec::new();
    for (name, value) in pairs {
        assert!(!name.is_empty());
        if name.contains('<') {
            // `a<` before `<<` would read as `a`.
            continue;
        }
        let mut delimiter = String::from("E");
        while value.split('\n').any(|line| line == delimiter) {
            delimiter.push('E');
        }
        written.push_str(&format!("{name}<<{delimiter}\n"));
        if !value.is_empty() {
            written.push_str(&format!("{value}\n"));
        }
        written.push_str(&format!("{delimiter}\n"));
        expected.push((name.clone(), value.clone()));
    }
    assert_eq!(parse_output(&written), Ok(expected));
}
