//! Lists in inputs as the docker actions read them: lines of comma-separated values, where quotes
//! hold a value with commas or line ends together.

/// How a list is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Commas {
    /// They part values.
    Part,
    /// They belong to the value: only lines part.
    Belong,
    /// As above, and quotes are nothing special.
    BelongAndQuotesToo,
}

/// The values, without blank ones.
pub(super) fn values(text: &str, commas: Commas) -> Vec<String> {
    let quotes = commas != Commas::BelongAndQuotesToo;
    let mut found = Vec::new();
    for record in records(text, quotes) {
        match (commas, record.as_slice()) {
            (Commas::Part, [one]) => found.extend(one.split(',').map(str::to_owned)),
            (Commas::Part, _) => found.extend(record),
            _ => found.push(record.join(",")),
        }
    }
    found.into_iter().map(|it| it.trim().to_owned()).filter(|it| !it.is_empty()).collect()
}

/// Records of fields. A quote counts at the start of a field; doubled inside it stands for one.
fn records(text: &str, quotes: bool) -> Vec<Vec<String>> {
    let (mut records, mut record, mut field) = (Vec::new(), Vec::new(), String::new());
    let mut quoted = false;
    let mut rest = text.chars().peekable();
    while let Some(it) = rest.next() {
        match it {
            '"' if quoted && rest.peek() == Some(&'"') => {
                rest.next();
                field.push('"');
            }
            '"' if quoted => quoted = false,
            '"' if quotes && field.trim().is_empty() => {
                field.clear();
                quoted = true;
            }
            ',' if !quoted => record.push(std::mem::take(&mut field)),
            '\r' if !quoted && rest.peek() == Some(&'\n') => {}
            '\n' if !quoted => {
                record.push(std::mem::take(&mut field));
                records.push(std::mem::take(&mut record));
            }
            other => field.push(other),
        }
    }
    record.push(field);
    records.push(record);
    records
}

/// The members of `type=local,dest=out`; a word without `=` has no name.
pub(super) fn members(text: &str) -> Vec<(String, String)> {
    let pair = |part: &str| match part.trim().split_once('=') {
        Some((key, value)) => (key.trim().to_lowercase(), value.trim().to_owned()),
        None => (String::new(), part.trim().to_owned()),
    };
    text.split(',').map(pair).collect()
}

/// One member's value.
pub(super) fn member(text: &str, key: &str) -> Option<String> {
    members(text).into_iter().find(|(name, _)| name == key).map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, commas: Commas, expected: &[&str]) {
        assert_eq!(values(text, commas), expected);
    }

    #[test]
    fn lists_are_read_as_the_actions_read_them() {
        check("a,b\n c \n\n", Commas::Part, &["a", "b", "c"]);
        check("A=1,2\nB=3", Commas::Belong, &["A=1,2", "B=3"]);
        check("\"A=one\ntwo\"\nB=3", Commas::Belong, &["A=one\ntwo", "B=3"]);
        check("\"A=say \"\"x\"\"\"", Commas::Belong, &["A=say \"x\""]);
        check("A={\"x\": \"y, z\"}", Commas::Belong, &["A={\"x\": \"y, z\"}"]);
        check("\"type=local\",dest=a", Commas::BelongAndQuotesToo, &["\"type=local\",dest=a"]);
        check("a\r\nb", Commas::Part, &["a", "b"]);
        check("", Commas::Part, &[]);
    }

    #[test]
    fn members_are_named() {
        assert_eq!(member("type=registry,ref=a/b:c", "ref").as_deref(), Some("a/b:c"));
        assert_eq!(member("a/b:c", "type"), None);
        assert_eq!(members("a/b:c"), [(String::new(), "a/b:c".to_owned())]);
    }
}
