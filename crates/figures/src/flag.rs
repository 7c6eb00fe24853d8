//! Under which flag a report is shown: what the name of its artifact says it is of.

/// Flags of one name; more are passed over.
const FLAGS_MAX: usize = 10;
/// What says only that it is a report.
const REPORT: &[&str] =
    &["cov", "coverage", "junit", "report", "reports", "result", "results", "test", "tests"];
/// What says only on which machine a leg of a matrix ran.
const MACHINE: &[&str] = &["latest", "linux", "macos", "ubuntu", "windows"];

/// The flags of an artifact's name, at least one. `coverage-api` and `api-tests` are of `api`; what stands behind
/// an `@`, versions, machines and commits tell legs of a matrix apart, and are left out; `+` joins several flags.
/// Where nothing is left the name is the flag.
pub(crate) fn flags(artifact: &str) -> Vec<&str> {
    let name = artifact.split('@').next().unwrap_or(artifact);
    let name = without_end(name, is_of_a_leg);
    let name = without_ends(name, is_report);
    let name = without_end(name, is_of_a_leg);
    let mut flags: Vec<&str> =
        name.split('+').filter(|it| !it.is_empty()).take(FLAGS_MAX).collect();
    flags.sort_unstable();
    flags.dedup();
    if flags.is_empty() { vec![artifact] } else { flags }
}

fn is_report(word: &str) -> bool {
    REPORT.iter().any(|it| word.eq_ignore_ascii_case(it))
}

fn is_of_a_leg(word: &str) -> bool {
    let is_number = word.bytes().all(|it| it.is_ascii_digit() || it == b'.');
    let is_commit = word.len() == 40 && word.bytes().all(|it| it.is_ascii_hexdigit());
    is_number || is_commit || MACHINE.iter().any(|it| word.eq_ignore_ascii_case(it))
}

const BETWEEN: [char; 3] = ['-', '_', ' '];

/// Without its last words for which that holds; never without all of them.
fn without_end(mut name: &str, is_left_out: fn(&str) -> bool) -> &str {
    while let Some((before, last)) = name.rsplit_once(BETWEEN) {
        if !is_left_out(last) || before.is_empty() {
            break;
        }
        name = before;
    }
    name
}

/// The same of its first words, too.
fn without_ends(name: &str, is_left_out: fn(&str) -> bool) -> &str {
    let mut name = without_end(name, is_left_out);
    while let Some((first, behind)) = name.split_once(BETWEEN) {
        if !is_left_out(first) || behind.is_empty() {
            break;
        }
        name = behind;
    }
    name
}

#[cfg(test)]
mod tests {
    use super::flags;

    #[test]
    fn a_flag_is_what_the_name_says_besides() {
        let check = |artifact: &str, expect: &str| {
            assert_eq!(flags(artifact).join(" "), expect, "{artifact}");
        };
        check("coverage-api", "api");
        check("api-coverage", "api");
        check("coverage_front-end", "front-end");
        check("test-results-api", "api");
        check("api-unit-tests", "api-unit");
        check("unittests", "unittests");
        check("coverage-test", "coverage");
        check("coverage", "coverage");
        check("test-results", "test");
        check("reports", "reports");
        // Legs of a matrix.
        check("coverage-api-3.11", "api");
        check("coverage-api-ubuntu-latest-3.12", "api");
        check("coverage-api-ubuntu-24.04", "api");
        check("coverage-api@python-3.11", "api");
        check("api-3.11-coverage", "api");
        check("coverage-3.11", "coverage");
        check("junit-windows-latest", "junit");
        check("coverage-s3", "s3");
        check("coverage-api-0123456789012345678901234567890123456789", "api");
        // Codecov's.
        check("coverage-unit@test-2", "unit");
        check("coverage-api+unit@test", "api unit");
        // Nothing is left.
        check("@", "@");
        check("-", "-");
        check("+", "+");
        check("", "");
    }
}
