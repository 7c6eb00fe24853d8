//! `.env` files, whatever they say.

use settings::dotenv::{BYTES_MAX, VALUE_BYTES_MAX, VARIABLES_MAX, compare, read};

use crate::places;

/// An input is a file.
pub fn check(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let (file, found) = read(".env", &text);
    places::diagnostics_in(&file.source, &found);
    assert!(found.iter().all(|it| it.hint.is_some()), "there is a remedy");
    assert!(file.variables.len() <= VARIABLES_MAX);
    assert!(text.len() <= BYTES_MAX || file.variables.is_empty());
    // The copy that findings point into: the same places, and nothing of a value.
    let covered = file.source.text();
    assert_eq!(covered.len(), text.len());
    assert!(
        covered.lines().map(|it| it.chars().count()).eq(text.lines().map(|it| it.chars().count()))
    );
    for variable in &file.variables {
        let name = &*variable.name.value;
        assert_eq!(file.source.slice(variable.name.span), name, "a name stands where it is said");
        places::span_in(&file.source, variable.value.span);
        let value = variable.value.expose();
        assert!(value.len() <= VALUE_BYTES_MAX && !value.contains('\0'));
        let shown = file.source.slice(variable.value.span);
        let hidden = |it: char| it.is_whitespace() || "*·•🞄".contains(it);
        assert!(shown.chars().all(hidden), "a value can be seen");
        let first = file.variables.iter().find(|it| &*it.name.value == name);
        assert!(std::ptr::eq(first.expect("itself"), variable), "a name stands once");
    }
    let unlike = compare(&file, &file, &[]);
    assert!(unlike.iter().all(|it| it.rule == "env-placeholder"), "it is like itself");
    // Written plainly, every value that can be is read as it was.
    for variable in &file.variables {
        let value = variable.value.expose();
        let plain = |it: char| it != '\'' && it != '$' && it != '\\';
        if value.chars().all(plain) {
            let (again, found) = read("again", &format!("A='{value}' # b\nB=1"));
            assert!(found.is_empty() && again.variables.len() == 2);
            assert_eq!(again.variables[0].value.expose(), value);
        }
    }
}
