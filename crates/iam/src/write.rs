//! A role with its trust and its policy, as somebody makes it: by commands, or by Terraform.

use serde_json::Value as Json;

use crate::policy::Policy;
use crate::trust::Trust;

/// A role.
#[derive(Clone, Debug)]
pub struct Named<'a> {
    /// Its name.
    pub role: &'a str,
    /// How long a session may be.
    pub seconds: u64,
    /// Who may take it.
    pub trust: &'a Trust,
    /// What it may do.
    pub policy: &'a Policy,
}

/// How the policy is called in the role.
const POLICY: &str = "launchway";

/// Commands of AWS's own tool. Those that say that something is there already may be passed over.
pub fn commands(named: &Named<'_>) -> String {
    let Named { role, seconds, trust, policy } = named;
    let issuer = trust.issuer.trim_end_matches('/');
    let (trusted, allowed) = (quoted(&trust.json()), quoted(&policy.json()));
    // AWS asks for a role's longest session between one hour and twelve.
    let seconds = seconds.clamp(&3600, &43_200);
    let audience = &trust.audience;
    format!(
        "aws iam create-open-id-connect-provider --url {issuer} --client-id-list {audience}\n\
         aws iam create-role --role-name {role} --max-session-duration {seconds} \
         --assume-role-policy-document {trusted}\n\
         aws iam put-role-policy --role-name {role} --policy-name {POLICY} --policy-document {allowed}\n"
    )
}

/// For a shell: nothing in it means anything else.
fn quoted(json: &Json) -> String {
    format!("'{}'", json.to_string().replace('\'', r"'\''"))
}

/// For Terraform. The provider is one for the whole account: where it is there, a `data` block takes
/// the place of the first.
pub fn terraform(named: &Named<'_>) -> String {
    let Named { role, seconds, trust, policy } = named;
    let label: String =
        role.chars().map(|it| if it.is_ascii_alphanumeric() { it } else { '_' }).collect();
    let issuer = trust.issuer.trim_end_matches('/');
    let seconds = seconds.clamp(&3600, &43_200);
    format!(
        r#"resource "aws_iam_openid_connect_provider" "{label}" {{
  url            = "{issuer}"
  client_id_list = ["{audience}"]
}}

resource "aws_iam_role" "{label}" {{
  name                 = "{role}"
  max_session_duration = {seconds}
  assume_role_policy   = jsonencode({trusted})
  depends_on           = [aws_iam_openid_connect_provider.{label}]
}}

resource "aws_iam_role_policy" "{label}" {{
  name   = "{POLICY}"
  role   = aws_iam_role.{label}.id
  policy = jsonencode({allowed})
}}
"#,
        audience = trust.audience,
        trusted = expression(&trust.json()),
        allowed = expression(&policy.json()),
    )
}

/// JSON is an expression of Terraform, but for what begins a template in its texts.
fn expression(json: &Json) -> String {
    let text = format!("{json:#}").replace("${", "$${").replace("%{", "%%{");
    text.replace('\n', "\n  ")
}
