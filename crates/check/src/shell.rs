//! A script as its commands: enough of the shell's grammar to know which programs are started.
//!
//! Quotes, comments, here-documents and continued lines are understood; substitutions stay inside
//! their word. What cannot be told apart is left as a word: a rule must then find nothing.

use std::ops::Range;

/// What stands in front of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Joint {
    /// Nothing, a line's end, `;` or a bracket.
    Start,
    /// `&&`
    And,
    /// `||`
    Or,
    /// `|`
    Pipe,
}

/// One simple command.
#[derive(Clone, Debug)]
pub(crate) struct Command {
    /// Its words without their quotes.
    pub(crate) words: Vec<String>,
    /// What stands in front of it.
    pub(crate) joint: Joint,
    /// Its bytes in the script.
    pub(crate) range: Range<usize>,
}

impl Command {
    /// The program and its arguments, behind keywords, assignments, `sudo` and `time`.
    pub(crate) fn program(&self) -> (&str, &[String]) {
        let passed = |word: &&String| {
            matches!(
                word.as_str(),
                "sudo"
                    | "time"
                    | "!"
                    | "if"
                    | "then"
                    | "else"
                    | "elif"
                    | "do"
                    | "while"
                    | "until"
                    | "exec"
                    | "nohup"
            ) || is_assignment(word)
        };
        let skipped = self.words.iter().take_while(passed).count();
        match self.words.get(skipped) {
            Some(program) => (program, &self.words[skipped + 1..]),
            None => ("", &[]),
        }
    }

    /// Whether it starts `program` with these first arguments; options may stand between them.
    pub(crate) fn is(&self, program: &str, arguments: &[&str]) -> bool {
        let (found, rest) = self.program();
        let mut plain = rest.iter().filter(|word| !word.starts_with('-'));
        found == program && arguments.iter().all(|wanted| plain.next().is_some_and(|w| w == wanted))
    }
}

fn is_assignment(word: &str) -> bool {
    word.split_once('=').is_some_and(|(name, _)| {
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    })
}

/// The commands of a script, in order.
pub(crate) fn commands(script: &str) -> Vec<Command> {
    let mut reader = Reader {
        text: script,
        at: 0,
        done: Vec::new(),
        words: Vec::new(),
        word: None,
        start: 0,
        end: 0,
        joint: Joint::Start,
        documents: Vec::new(),
    };
    reader.read();
    reader.done
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    done: Vec<Command>,
    words: Vec<String>,
    word: Option<String>,
    start: usize,
    end: usize,
    joint: Joint,
    documents: Vec<String>,
}

impl Reader<'_> {
    fn read(&mut self) {
        while self.at < self.text.len() {
            let rest = &self.text[self.at..];
            let byte = rest.as_bytes()[0];
            match byte {
                b'\\' if rest.starts_with("\\\n") => self.gap(2),
                b'\\' => self.escaped(),
                b'\n' => self.line_end(),
                b' ' | b'\t' | b'\r' => self.gap(1),
                b'#' if self.word.is_none() => self.at += rest.find('\n').unwrap_or(rest.len()),
                b'\'' => self.single_quoted(),
                b'"' => self.double_quoted(),
                b'$' if rest.starts_with("${{") => {
                    let end = rest.find("}}").map_or(rest.len(), |end| end + 2);
                    self.push(end);
                }
                b'$' if rest.starts_with("$(") => self.push(substitution_end(rest)),
                b'&' if rest.starts_with("&&") => self.join(Joint::And, 2),
                b'|' if rest.starts_with("||") => self.join(Joint::Or, 2),
                b'|' => self.join(Joint::Pipe, 1),
                b';' | b'(' | b')' => self.join(Joint::Start, 1),
                b'<' if rest.starts_with("<<") && !rest.starts_with("<<<") => self.document(),
                _ => self.push(rest.chars().next().map_or(1, char::len_utf8)),
            }
        }
        self.finish_command();
    }

    fn escaped(&mut self) {
        self.at += 1;
        match self.text[self.at..].chars().next() {
            Some(next) => self.push(next.len_utf8()),
            None => self.push(0),
        }
    }

    fn push(&mut self, length: usize) {
        if self.word.is_none() && self.words.is_empty() {
            self.start = self.at;
        }
        let piece = &self.text[self.at..self.at + length];
        self.word.get_or_insert_default().push_str(piece);
        self.at += length;
        self.end = self.at;
    }

    fn single_quoted(&mut self) {
        self.push(0);
        self.at += 1;
        let length = self.text[self.at..].find('\'').unwrap_or(self.text.len() - self.at);
        self.push(length);
        self.at = (self.at + 1).min(self.text.len());
        self.end = self.at;
    }

    fn double_quoted(&mut self) {
        self.push(0);
        self.at += 1;
        while let Some(next) = self.text[self.at..].chars().next() {
            match next {
                '"' => break,
                '\\' if self.text[self.at..].len() > 1 => {
                    self.at += 1;
                    let length = self.text[self.at..].chars().next().map_or(0, char::len_utf8);
                    self.push(length);
                }
                _ => self.push(next.len_utf8()),
            }
        }
        self.at = (self.at + 1).min(self.text.len());
        self.end = self.at;
    }

    fn gap(&mut self, length: usize) {
        self.finish_word();
        self.at += length;
    }

    fn finish_word(&mut self) {
        if let Some(word) = self.word.take() {
            // Braces that stand alone only group.
            if (word == "{" || word == "}") && self.words.is_empty() {
                return;
            }
            self.words.push(word);
        }
    }

    fn finish_command(&mut self) {
        self.finish_word();
        if !self.words.is_empty() {
            let words = std::mem::take(&mut self.words);
            self.done.push(Command { words, joint: self.joint, range: self.start..self.end });
            self.joint = Joint::Start;
        }
    }

    fn join(&mut self, joint: Joint, length: usize) {
        self.finish_command();
        self.joint = joint;
        self.at += length;
    }

    fn line_end(&mut self) {
        // Behind `&&`, `||` and `|` the command goes on in the next line.
        self.finish_command();
        self.at += 1;
        for delimiter in std::mem::take(&mut self.documents) {
            while self.at < self.text.len() {
                let rest = &self.text[self.at..];
                let length = rest.find('\n').map_or(rest.len(), |newline| newline + 1);
                self.at += length;
                if rest[..length].trim() == delimiter {
                    break;
                }
            }
        }
    }

    fn document(&mut self) {
        self.finish_word();
        self.at += 2;
        let rest = self.text[self.at..].trim_start_matches('-').trim_start_matches(' ');
        self.at = self.text.len() - rest.len();
        let length = rest.find(char::is_whitespace).unwrap_or(rest.len());
        let delimiter = rest[..length].trim_matches(|c| matches!(c, '\'' | '"' | '\\'));
        if !delimiter.is_empty() {
            self.documents.push(delimiter.to_owned());
        }
        self.at += length;
        self.end = self.at;
    }
}

/// The length of a `$(..)`, brackets inside it counted.
fn substitution_end(rest: &str) -> usize {
    let mut depth = 0_usize;
    for (at, byte) in rest.bytes().enumerate() {
        match byte {
            b'(' => depth += 1,
            b')' if depth == 1 => return at + 1,
            b')' => depth -= 1,
            _ => {}
        }
    }
    rest.len()
}

#[cfg(test)]
mod tests {
    use super::commands;
    use expect_test::{Expect, expect};

    #[expect(clippy::needless_pass_by_value, reason = "the macro makes the value at the call")]
    fn check(script: &str, expect: Expect) {
        let mut seen = String::new();
        for command in commands(script) {
            let (program, rest) = command.program();
            seen += &format!(
                "{:?} {program} {rest:?} <- {:?}\n",
                command.joint,
                &script[command.range.clone()]
            );
        }
        expect.assert_eq(&seen);
    }

    #[test]
    fn scripts_become_commands() {
        check(
            "# build\nsudo docker build -t \"$IMAGE:latest\" \\\n  . && docker push x || exit 1\nA=b make 'all of it' | tee log; cd x",
            expect![[r#"
                Start docker ["build", "-t", "$IMAGE:latest", "."] <- "sudo docker build -t \"$IMAGE:latest\" \\\n  ."
                And docker ["push", "x"] <- "docker push x"
                Or exit ["1"] <- "exit 1"
                Start make ["all of it"] <- "A=b make 'all of it'"
                Pipe tee ["log"] <- "tee log"
                Start cd ["x"] <- "cd x"
            "#]],
        );
        check(
            "cat <<'EOF' > file\naws s3 ls\nEOF\nif test -n \"$(date; true)\"; then echo ${{ a || b }}; fi",
            expect![[r#"
                Start cat [">", "file"] <- "cat <<'EOF' > file"
                Start test ["-n", "$(date; true)"] <- "if test -n \"$(date; true)\""
                Start echo ["${{ a || b }}"] <- "then echo ${{ a || b }}"
                Start fi [] <- "fi"
            "#]],
        );
        check(
            "echo 'open\n\"",
            expect![[r#"
            Start echo ["open\n\""] <- "echo 'open\n\""
        "#]],
        );
        check(
            "é \\",
            expect![[r#"
            Start é [""] <- "é \\"
        "#]],
        );
    }
}
