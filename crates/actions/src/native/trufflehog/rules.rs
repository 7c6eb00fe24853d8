//! What secrets look like. A keyword is looked for first, the expression only where it stands.

use regex::Regex;

/// One form. The secret is the group named `secret`, or all of the match.
struct Rule {
    name: &'static str,
    /// In lower case; one of them must stand in the line.
    keywords: &'static [&'static str],
    pattern: &'static str,
    /// Bits of surprise per character that the secret must have, so that examples are left alone.
    entropy_min: f64,
    /// A guess is a warning.
    certain: bool,
}

const fn rule(
    name: &'static str,
    keywords: &'static [&'static str],
    pattern: &'static str,
    entropy_min: f64,
) -> Rule {
    Rule { name, keywords, pattern, entropy_min, certain: true }
}

/// Every rule. Forms as their issuers publish them.
const RULES: &[Rule] = &[
    rule(
        "AWS access key",
        &["akia", "asia", "abia", "acca"],
        r"\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}\b",
        3.0,
    ),
    rule(
        "AWS secret key",
        &["aws", "secret_access"],
        r#"(?i)(?:aws|secret_?access)[a-z_.-]{0,30}["']?\s*[:=]\s*["']?(?P<secret>[A-Za-z0-9/+]{40})(?:["'\s]|$)"#,
        4.2,
    ),
    rule(
        "GitHub token",
        &["ghp_", "gho_", "ghu_", "ghs_", "ghr_"],
        r"\bgh[pousr]_[A-Za-z0-9]{36,255}\b",
        3.5,
    ),
    rule("GitHub fine-grained token", &["github_pat_"], r"\bgithub_pat_[A-Za-z0-9_]{82}\b", 3.5),
    rule(
        "GitLab token",
        &["glpat-", "gldt-", "glrt-"],
        r"\bgl(?:pat|dt|rt)-[A-Za-z0-9_-]{20,}",
        3.0,
    ),
    rule("Slack token", &["xox"], r"\bxox[abeoprs]-[A-Za-z0-9-]{20,}", 3.0),
    rule(
        "Slack webhook",
        &["hooks.slack.com"],
        r"hooks\.slack\.com/(?:services|workflows)/[A-Za-z0-9/+_-]{40,}",
        3.0,
    ),
    rule(
        "Discord webhook",
        &["discord"],
        r"discord(?:app)?\.com/api/webhooks/[0-9]{17,20}/[A-Za-z0-9_-]{60,}",
        3.0,
    ),
    rule("Telegram bot token", &[":aa"], r"\b[0-9]{8,10}:AA[A-Za-z0-9_-]{33}\b", 3.5),
    rule("Stripe key", &["sk_live_", "rk_live_"], r"\b[rs]k_live_[A-Za-z0-9]{20,}", 3.0),
    rule("Square token", &["sq0atp-", "sq0csp-"], r"\bsq0(?:atp|csp)-[A-Za-z0-9_-]{22,43}", 3.0),
    rule(
        "Shopify token",
        &["shpat_", "shpss_", "shpca_"],
        r"\bshp(?:at|ss|ca)_[a-fA-F0-9]{32}\b",
        3.0,
    ),
    rule("Google API key", &["aiza"], r"\bAIza[A-Za-z0-9_-]{35}", 3.5),
    rule("Google OAuth secret", &["gocspx-"], r"\bGOCSPX-[A-Za-z0-9_-]{28}", 3.5),
    rule(
        "private key",
        &["private key"],
        r"-----BEGIN (?:RSA |EC |DSA |OPENSSH |ENCRYPTED |PGP )?PRIVATE KEY(?: BLOCK)?-----",
        0.0,
    ),
    rule("npm token", &["npm_"], r"\bnpm_[A-Za-z0-9]{36}\b", 3.5),
    rule("PyPI token", &["pypi-"], r"\bpypi-AgE[A-Za-z0-9_-]{50,}", 3.5),
    rule("crates.io token", &["cio"], r"\bcio[A-Za-z0-9]{32}\b", 3.5),
    rule("Docker Hub token", &["dckr_pat_"], r"\bdckr_pat_[A-Za-z0-9_-]{27}", 3.5),
    rule("SendGrid key", &["sg."], r"\bSG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}", 3.5),
    rule("Mailgun key", &["key-"], r"\bkey-[a-f0-9]{32}\b", 3.0),
    rule("Twilio key", &["twilio"], r"(?i)twilio.{0,40}\b(?P<secret>SK[0-9a-f]{32})\b", 3.0),
    rule(
        "OpenAI key",
        &["sk-"],
        r"\bsk-(?:proj-|svcacct-)?[A-Za-z0-9_-]{20,}T3BlbkFJ[A-Za-z0-9_-]{20,}",
        3.5,
    ),
    rule("Anthropic key", &["sk-ant-"], r"\bsk-ant-(?:api|admin)[0-9]{2}-[A-Za-z0-9_-]{80,}", 3.5),
    rule("Hugging Face token", &["hf_"], r"\bhf_[A-Za-z]{34}\b", 3.5),
    rule(
        "DigitalOcean token",
        &["do_v1_", "dop_v1_", "dor_v1_"],
        r"\bdo[opr]_v1_[a-f0-9]{64}\b",
        3.0,
    ),
    rule("HashiCorp Vault token", &["hvs.", "hvb."], r"\bhv[sb]\.[A-Za-z0-9_-]{90,}", 3.5),
    rule(
        "Terraform Cloud token",
        &["atlasv1"],
        r"\b[A-Za-z0-9]{14}\.atlasv1\.[A-Za-z0-9_-]{60,}",
        3.5,
    ),
    rule("Azure storage key", &["accountkey="], r"AccountKey=(?P<secret>[A-Za-z0-9+/]{86}==)", 4.0),
    rule("Linear key", &["lin_api_"], r"\blin_api_[A-Za-z0-9]{40}\b", 3.5),
    rule(
        "password in an address",
        &["://"],
        r"\b(?:postgres(?:ql)?|mysql|mariadb|mongodb(?:\+srv)?|rediss?|amqps?|https?|ftp)://[^\s:/@'\x22<>{}$]+:(?P<secret>[^\s/@'\x22<>{}$]{8,})@(?P<host>[A-Za-z0-9.-]+)",
        3.0,
    ),
    Rule {
        name: "random text beside a telling name",
        keywords: &["secret", "token", "password", "passwd", "api_key", "apikey", "api-key"],
        pattern: r#"(?i)(?:secret|token|passw(?:or)?d|api[_-]?key)[a-z_]{0,20}["']?\s*(?::|=>?|:=)\s*["'](?P<secret>[A-Za-z0-9+/=_.-]{20,})["']"#,
        entropy_min: 4.0,
        certain: false,
    },
];

/// Hosts of a developer's own machine and of examples.
const HARMLESS_HOSTS: &[&str] =
    &["localhost", "127.0.0.1", "0.0.0.0", "db", "postgres", "mysql", "redis", "example.com"];

/// A match.
pub(super) struct Hit<'t> {
    pub(super) rule: &'static str,
    pub(super) secret: &'t str,
    pub(super) certain: bool,
}

/// The rules, ready to run.
pub(super) struct Scanner {
    rules: Vec<(&'static Rule, Regex)>,
}

impl Scanner {
    pub(super) fn new() -> Scanner {
        let compiled = |rule: &'static Rule| {
            (
                rule,
                Regex::new(rule.pattern).expect("the patterns are constants that a test compiles"),
            )
        };
        Scanner { rules: RULES.iter().map(compiled).collect() }
    }

    /// Calls `hear` for every secret in a line. A guess is left out where a rule was certain.
    pub(super) fn find<'t>(&self, line: &'t str, hear: &mut dyn FnMut(Hit<'t>)) {
        let lower = line.to_lowercase();
        let mut certain = false;
        for (rule, pattern) in &self.rules {
            if (certain && !rule.certain) || !rule.keywords.iter().any(|word| lower.contains(word))
            {
                continue;
            }
            for captures in pattern.captures_iter(line) {
                let found = captures.name("secret").or_else(|| captures.get(0));
                let secret = found.expect("a match has its whole").as_str();
                let harmless = captures.name("host").is_some_and(|host| is_harmless(host.as_str()));
                if harmless || entropy(secret) < rule.entropy_min {
                    continue;
                }
                certain |= rule.certain;
                hear(Hit { rule: rule.name, secret, certain: rule.certain });
            }
        }
    }
}

fn is_harmless(host: &str) -> bool {
    HARMLESS_HOSTS
        .iter()
        .any(|it| host.eq_ignore_ascii_case(it) || host.ends_with(&format!(".{it}")))
}

/// Shannon's bits per character.
fn entropy(text: &str) -> f64 {
    let mut counts = [0u32; 256];
    for byte in text.bytes() {
        counts[usize::from(byte)] += 1;
    }
    let length = f64::from(u32::try_from(text.len()).unwrap_or(u32::MAX));
    let bits = |count: &u32| {
        let share = f64::from(*count) / length;
        -share * share.log2()
    };
    counts.iter().filter(|count| **count > 0).map(bits).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Text of that length that looks random and is the same in every run. Whole tokens never stand
    /// in this file: other scanners would find them.
    fn random(alphabet: &str, length: usize) -> String {
        let letters = alphabet.chars().collect::<Vec<_>>();
        (0..length)
            .map(|index| letters[(index * index * 7 + index * 13 + 5) % letters.len()])
            .collect()
    }

    fn found(line: &str) -> Vec<&'static str> {
        let mut names = Vec::new();
        Scanner::new().find(line, &mut |hit| names.push(hit.rule));
        names
    }

    #[test]
    fn tokens_are_known_by_their_form() {
        let word = "abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ0123456789";
        let hex = "0123456789abcdef";
        let of = |prefix: &str, length: usize| format!("{prefix}{}", random(word, length));
        for (line, rule) in [
            (
                format!(
                    "key = AK{}",
                    "IA".to_owned() + &random("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 16)
                ),
                "AWS access key",
            ),
            (of("gh", 0) + "p_" + &random(word, 36), "GitHub token"),
            (of("glpat", 0) + "-" + &random(word, 20), "GitLab token"),
            (of("sk_", 0) + "live_" + &random(word, 24), "Stripe key"),
            (of("AI", 0) + "za" + &random(word, 35), "Google API key"),
            (of("npm", 0) + "_" + &random(word, 36), "npm token"),
            (of("dop", 0) + "_v1_" + &random(hex, 64), "DigitalOcean token"),
            ("-----BEGIN ".to_owned() + "RSA PRIVATE KEY-----", "private key"),
            (
                "postgres://app:".to_owned() + &random(word, 16) + "@db.prod.internal/x",
                "password in an address",
            ),
            (
                "\"client_secret\": \"".to_owned() + &random(word, 32) + "\"",
                "random text beside a telling name",
            ),
        ] {
            assert_eq!(found(&line), [rule], "{rule}");
        }
    }

    #[test]
    fn examples_and_references_are_left_alone() {
        for line in [
            "AKIAAAAAAAAAAAAAAAAA",
            "password: \"${{ secrets.DATABASE_PASSWORD_OF_PRODUCTION }}\"",
            "postgres://postgres:postgres@localhost:5432/test",
            "token = os.environ[\"SERVICE_TOKEN_FROM_ENVIRONMENT\"]",
            "api_key = \"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"",
            "https://example.com/a:b@c",
        ] {
            assert_eq!(found(line), Vec::<&str>::new(), "{line}");
        }
    }
}
