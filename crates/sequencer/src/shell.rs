//! Which program runs a script, and what is done to the script for it (conformance 133).

/// How a script is run. The worker looks the program up on the step's own PATH.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shell {
    /// As the log shows it before the program is found: `bash -e {0}`.
    pub line: String,
    /// The program, and what runs where it is not there.
    pub program: String,
    /// Instead, where `program` cannot be found; only for a step that names no shell.
    pub fallback: Option<String>,
    /// Its arguments; `{0}` stands for the script's path.
    pub arguments: Vec<String>,
    /// The script's extension, with its dot; empty for shells that we do not know.
    pub extension: &'static str,
    before: &'static str,
    after: &'static str,
}

/// The text after `shell:` names no way to run a script.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ShellError {
    /// Neither one of the known names nor a command line.
    #[error(
        "invalid shell option '{0}': it must be a known shell (bash, sh, pwsh, powershell, python) or hold '{{0}}'"
    )]
    NotACommandLine(String),
    /// A shell of Windows.
    #[error("the shell '{0}' exists on Windows only")]
    WindowsOnly(String),
}

const POWERSHELL_BEFORE: &str = "$ErrorActionPreference = 'stop'\n";
const POWERSHELL_AFTER: &str =
    "\nif ((Test-Path -LiteralPath variable:\\LASTEXITCODE)) { exit $LASTEXITCODE }";

impl Shell {
    /// What runs a step that names no shell: bash without pipefail, or sh where there is none.
    pub fn unnamed() -> Shell {
        Shell { fallback: Some("sh".to_owned()), ..Shell::new("bash", "-e {0}", ".sh") }
    }

    /// The same in a container: an image need not have bash, and GitHub does not look.
    pub fn in_container() -> Shell {
        Shell::new("sh", "-e {0}", ".sh")
    }

    /// What `shell: text` means. Names ignore case.
    pub fn named(text: &str) -> Result<Shell, ShellError> {
        let text = text.trim();
        let powershell = |program| Shell {
            before: POWERSHELL_BEFORE,
            after: POWERSHELL_AFTER,
            ..Shell::with(program, vec!["-command".to_owned(), ". '{0}'".to_owned()], ".ps1")
        };
        match text.to_ascii_lowercase().as_str() {
            "bash" => Ok(Shell::new("bash", "--noprofile --norc -e -o pipefail {0}", ".sh")),
            "sh" => Ok(Shell::new("sh", "-e {0}", ".sh")),
            "python" => Ok(Shell::new("python", "{0}", ".py")),
            "pwsh" => Ok(powershell("pwsh")),
            "powershell" => Ok(powershell("powershell")),
            "cmd" => Err(ShellError::WindowsOnly(text.to_owned())),
            _ => Shell::custom(text),
        }
    }

    fn custom(text: &str) -> Result<Shell, ShellError> {
        let (program, arguments) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
        if !arguments.contains("{0}") {
            return Err(ShellError::NotACommandLine(text.to_owned()));
        }
        // The known names keep their extension with other arguments: `bash -x {0}`.
        let extension = match program.to_ascii_lowercase().as_str() {
            "bash" | "sh" => ".sh",
            "python" => ".py",
            "pwsh" | "powershell" => ".ps1",
            _ => "",
        };
        Ok(Shell::with(program, split_arguments(arguments), extension))
    }

    fn new(program: &str, arguments: &str, extension: &'static str) -> Shell {
        Shell::with(program, split_arguments(arguments), extension)
    }

    fn with(program: &str, arguments: Vec<String>, extension: &'static str) -> Shell {
        Shell {
            line: format!("{program} {}", arguments.join(" ")),
            program: program.to_owned(),
            fallback: None,
            arguments,
            extension,
            before: "",
            after: "",
        }
    }

    /// The script's text as this shell wants it.
    pub fn script(&self, text: &str) -> String {
        format!("{}{text}{}", self.before, self.after)
    }

    /// The arguments with the script's path in its place.
    pub fn arguments_for(&self, script: &str) -> Vec<String> {
        self.arguments.iter().map(|argument| argument.replace("{0}", script)).collect()
    }
}

/// Splits at blanks outside of double quotes, as .NET does for a process's argument string; a
/// backslash before a quote makes it an ordinary character.
fn split_arguments(text: &str) -> Vec<String> {
    let mut arguments = Vec::new();
    let mut current: Option<String> = None;
    let mut is_quoted = false;
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '\\' if characters.peek() == Some(&'"') => {
                characters.next();
                current.get_or_insert_default().push('"');
            }
            '"' => {
                is_quoted = !is_quoted;
                current.get_or_insert_default();
            }
            blank if blank.is_whitespace() && !is_quoted => arguments.extend(current.take()),
            other => current.get_or_insert_default().push(other),
        }
    }
    arguments.extend(current);
    arguments
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::Shell;

    fn check(text: &str, expected: Expect) {
        let shown = match Shell::named(text) {
            Ok(shell) => format!("{:?} {:?} {:?}", shell.program, shell.arguments, shell.extension),
            Err(error) => error.to_string(),
        };
        expected.assert_eq(&shown);
    }

    // proves: conformance 133
    #[test]
    fn c133_shells() {
        check(
            "bash",
            expect![[r#""bash" ["--noprofile", "--norc", "-e", "-o", "pipefail", "{0}"] ".sh""#]],
        );
        check(
            "BASH",
            expect![[r#""bash" ["--noprofile", "--norc", "-e", "-o", "pipefail", "{0}"] ".sh""#]],
        );
        check("sh", expect![[r#""sh" ["-e", "{0}"] ".sh""#]]);
        check("python", expect![[r#""python" ["{0}"] ".py""#]]);
        check("pwsh", expect![[r#""pwsh" ["-command", ". '{0}'"] ".ps1""#]]);
        check("perl {0}", expect![[r#""perl" ["{0}"] """#]]);
        check("bash -x {0}", expect![[r#""bash" ["-x", "{0}"] ".sh""#]]);
        check(r#"env -S "a b" {0}"#, expect![[r#""env" ["-S", "a b", "{0}"] """#]]);
        check(
            "perl",
            expect![[
                r#"invalid shell option 'perl': it must be a known shell (bash, sh, pwsh, powershell, python) or hold '{0}'"#
            ]],
        );
        check("cmd", expect!["the shell 'cmd' exists on Windows only"]);
    }

    // proves: conformance 133, 249
    #[test]
    fn c133_a_step_without_shell_has_no_pipefail() {
        let shell = Shell::unnamed();
        expect![[r#"bash ["-e", "{0}"] or Some("sh")"#]]
            .assert_eq(&format!("{} {:?} or {:?}", shell.program, shell.arguments, shell.fallback));
    }
}
