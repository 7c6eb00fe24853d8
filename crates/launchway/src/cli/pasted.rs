//! Hints name commands to be pasted. Whoever said where to look (`--data F`, `--server U`) means the same place there, so
//! it is put in where the command takes it: here, once, by what was typed and by what can be typed.

use std::sync::OnceLock;

use clap::error::{ContextKind, ContextValue};
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command};

/// The flags that say where. The state folder is not among them: who has it elsewhere says so once, by its variable.
const WHERE: [&str; 3] = ["repository", "data", "server"];

/// A flag that was typed: what its help calls its value, and the value.
#[derive(Debug)]
struct Typed {
    flag: &'static str,
    value_name: String,
    value: String,
}

static TYPED: OnceLock<Vec<Typed>> = OnceLock::new();

/// What was typed says where.
pub(super) fn remember(command: &Command, matches: &ArgMatches) {
    let _ = TYPED.set(typed(command, matches));
}

/// A hint with commands that work as they stand.
pub(crate) fn whole(hint: &str) -> String {
    match TYPED.get() {
        Some(typed) if !typed.is_empty() => completed(&super::command(), typed, hint),
        _ => hint.to_owned(),
    }
}

fn typed(command: &Command, matches: &ArgMatches) -> Vec<Typed> {
    if let Some((name, matches)) = matches.subcommand() {
        return command.find_subcommand(name).map(|it| typed(it, matches)).unwrap_or_default();
    }
    let mut all = Vec::new();
    for flag in WHERE {
        let Some(arg) = argument(command, flag) else { continue };
        let is_typed = matches.value_source(flag) == Some(ValueSource::CommandLine);
        let value = matches.get_raw(flag).and_then(|mut it| it.next()).filter(|_| is_typed);
        // What is not text cannot be shown to be pasted.
        if let Some(value) = value.and_then(|it| it.to_str()) {
            all.push(Typed { flag, value_name: value_name(arg), value: value.to_owned() });
        }
    }
    all
}

fn argument<'c>(command: &'c Command, flag: &str) -> Option<&'c Arg> {
    command.get_arguments().find(|it| it.get_id() == flag && it.get_long() == Some(flag))
}

fn value_name(arg: &Arg) -> String {
    let names = arg.get_value_names().unwrap_or_default();
    names.first().map(ToString::to_string).unwrap_or_default()
}

fn completed(root: &Command, typed: &[Typed], hint: &str) -> String {
    const PROGRAM: &str = "launchway ";
    let mut parts = hint.split(PROGRAM);
    let mut whole = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        // `--name launchway gives` names no command of ours.
        let is_command =
            whole.chars().next_back().is_none_or(|it| it == ' ' || it == '`' || it == '(');
        whole += PROGRAM;
        match is_command.then(|| with_where(root, typed, part)).flatten() {
            Some(part) => whole += &part,
            None => whole += part,
        }
    }
    whole
}

/// What stands behind the program's name, up to the next one, with what is missing put behind the command's words.
fn with_where(root: &Command, typed: &[Typed], text: &str) -> Option<String> {
    let (mut command, mut path, mut end) = (root, Vec::new(), 0);
    for word in text.split(' ') {
        let name = word.trim_end_matches([',', ';', ':', '.', ')', '`']);
        let Some(below) = command.find_subcommand(name) else { break };
        end += usize::from(!path.is_empty()) + name.len();
        (command, path) = (below, [&path[..], &[name]].concat());
        if name != word {
            break;
        }
    }
    if path.is_empty() || command.has_subcommands() {
        return None;
    }
    let (words, rest) = text.split_at(end);
    let (mut words, mut rest) = (words.to_owned(), rest.to_owned());
    let has = |rest: &str, flag: &str| rest.contains(&format!("--{flag}"));
    // It says itself that it is about another place.
    let is_elsewhere = ["data", "server", "state"].iter().any(|it| has(&rest, it));
    let mut flags = Vec::new();
    for it in typed {
        let Some(arg) = argument(command, it.flag) else { continue };
        // `--repository` is a folder of one command and a name of another.
        if value_name(arg) != it.value_name {
            continue;
        }
        let value = word(&it.value);
        let unnamed = format!("--{} {}", it.flag, it.value_name);
        // `--data DIR` is said of another machine's folder, or of one that is to be chosen.
        if it.flag == "server" && rest.contains(&unnamed) {
            rest = rest.replace(&unnamed, &format!("--{} {value}", it.flag));
        } else if !has(&rest, it.flag) && (!is_elsewhere || it.flag == "repository") {
            flags.push((it.flag, it.value.as_str()));
        }
    }
    // `--data` of some goes with `--repository` alone.
    let before = complaints(root, &path, &[]);
    if complaints(root, &path, &flags).iter().all(|it| before.contains(it)) {
        for (flag, value) in flags {
            words += &format!(" --{flag} {}", word(value));
        }
    }
    Some(words + &rest)
}

/// Which flags are missing, or do not go together, with these.
fn complaints(root: &Command, path: &[&str], flags: &[(&str, &str)]) -> Vec<String> {
    let mut words = vec!["launchway".to_owned()];
    words.extend(path.iter().map(ToString::to_string));
    words.extend(flags.iter().map(|(flag, value)| format!("--{flag}={value}")));
    let Err(error) = root.clone().try_get_matches_from(words) else { return Vec::new() };
    match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(one)) => vec![one.clone()],
        Some(ContextValue::Strings(all)) => {
            all.iter().filter(|it| it.starts_with("--")).cloned().collect()
        }
        _ => Vec::new(),
    }
}

/// A value as one word of a shell.
pub(crate) fn word(value: &str) -> String {
    let is_plain = |it: u8| it.is_ascii_alphanumeric() || b"-_./:@%+=,".contains(&it);
    match !value.is_empty() && value.bytes().all(is_plain) {
        true => value.to_owned(),
        false => format!("'{}'", value.replace('\'', "'\\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What was typed, a hint, and how it is shown.
    fn check(words: &str, hint: &str, expect: &str) {
        let root = super::super::command();
        let matches = root.clone().try_get_matches_from(words.split(' ')).unwrap();
        let typed = typed(&root, &matches);
        assert_eq!(completed(&root, &typed, hint), expect, "{words}");
    }

    #[test]
    fn a_command_of_a_hint_looks_where_the_one_looked_that_was_typed() {
        let at_data = "launchway repositories remove octo/app --data /srv/l";
        check(
            at_data,
            "launchway repositories list shows what is",
            "launchway repositories list --data /srv/l shows what is",
        );
        check(
            at_data,
            "launchway tokens create NAME --data DIR makes one; `launchway tokens list`, too",
            "launchway tokens create NAME --data DIR makes one; `launchway tokens list --data /srv/l`, too",
        );
        let at_server = "launchway runs show 1 --server https://ci.example.com";
        check(
            at_server,
            "end it: launchway runs cancel, or look (launchway runs list)",
            "end it: launchway runs cancel --server https://ci.example.com, or look (launchway runs list --server https://ci.example.com)",
        );
        check(
            at_server,
            "launchway approvals list --server URL says which do",
            "launchway approvals list --server https://ci.example.com says which do",
        );
        // Said already, of another place, or of what has none.
        for said in [
            "launchway runs list --server https://other.example.com shows them",
            "launchway tokens create NAME --data DIR makes one, where the server runs",
            "launchway deployments resume 2 --state DIR, with the server's folder",
            "launchway check shows them",
            "launchway serve --help",
            "letters and digits; launchway is the server's own",
            "it names launchway",
            "",
        ] {
            check(at_server, said, said);
        }
        check("launchway runs show 1", "launchway runs list shows", "launchway runs list shows");
    }

    #[test]
    fn what_does_not_go_together_is_not_put_together() {
        // Secrets of a server are of a repository.
        let hint = "launchway secrets set NAME keeps it";
        check("launchway repositories list --data /srv/l", hint, hint);
        check(
            "launchway secrets list --repository octo/app --data /srv/l",
            hint,
            "launchway secrets set --repository octo/app --data /srv/l NAME keeps it",
        );
        // A folder here, a name there.
        let hint = "launchway secrets list shows what there is";
        check("launchway run --repository /srv/app", hint, hint);
    }

    #[test]
    fn a_value_is_one_word_of_a_shell() {
        check(
            "launchway repositories list --data=/srv/l",
            "launchway tokens list",
            "launchway tokens list --data /srv/l",
        );
        assert_eq!(word("/srv/my data"), "'/srv/my data'");
        assert_eq!(word("it's"), r"'it'\''s'");
        assert_eq!(word(""), "''");
    }
}
