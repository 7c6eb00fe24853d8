//! STS, as far as signing in needs it: the query protocol, answered in XML.

use crate::answer::Refused;
use crate::cloud::Cloud;

/// The members of a query request.
pub(crate) type Form = [(String, String)];

/// A member that must be there.
pub(crate) fn member<'a>(form: &'a Form, key: &str) -> Result<&'a str, Refused> {
    let found = form.iter().find(|(it, _)| it == key).map(|(_, value)| value.as_str());
    found.ok_or_else(|| Refused::new("ValidationError", format!("{key} is missing")))
}

/// Reads them.
pub(crate) fn form(body: &str) -> Vec<(String, String)> {
    let pairs = body.split('&').filter_map(|pair| pair.split_once('='));
    pairs.map(|(key, value)| (decoded(key), decoded(value))).collect()
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digits: String = rest.by_ref().take(2).map(char::from).collect();
                u8::from_str_radix(&digits, 16).unwrap_or(b'?')
            }
            other => other,
        });
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Answers in XML.
pub(crate) fn answer(
    cloud: &mut Cloud,
    action: &str,
    members: &[(String, String)],
    account: &str,
) -> Result<String, Refused> {
    let member = |key: &str| member(members, key);
    let result = match action {
        "GetCallerIdentity" => format!(
            "<Arn>arn:aws:iam::{account}:user/deployer</Arn><UserId>AIDAMODEL</UserId>\
             <Account>{account}</Account>"
        ),
        "AssumeRole" => assumed(cloud, member("RoleArn")?, member("RoleSessionName")?)?,
        "AssumeRoleWithWebIdentity" => {
            let (role, session) = (member("RoleArn")?, member("RoleSessionName")?);
            if member("WebIdentityToken")?.split('.').count() != 3 {
                let said = "The ID Token provided is not a valid JWT.";
                return Err(Refused::new("InvalidIdentityToken", said));
            }
            assumed(cloud, role, session)?
        }
        _ => {
            let said = format!("Could not find operation {action} for version 2011-06-15");
            return Err(Refused::new("InvalidAction", said));
        }
    };
    Ok(format!(
        "<{action}Response xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\
         <{action}Result>{result}</{action}Result></{action}Response>"
    ))
}

/// Credentials of a role. The account of its ARN stands in the key id, so that later calls are
/// known to be of that account.
fn assumed(cloud: &mut Cloud, role: &str, session: &str) -> Result<String, Refused> {
    let account = role.split(':').nth(4).unwrap_or_default();
    let name = role.rsplit('/').next().unwrap_or_default();
    if account.len() != 12 || !account.bytes().all(|it| it.is_ascii_digit()) {
        return Err(Refused::new("ValidationError", format!("{role} is invalid")));
    }
    if cloud.untrusting.iter().any(|it| it == role) {
        let said = "Not authorized to perform sts:AssumeRoleWithWebIdentity";
        return Err(Refused::new("AccessDenied", said).with_status(403));
    }
    // An hour, the usual length.
    let until = cloud.now() / 1000 + 3600;
    Ok(format!(
        "<Credentials><AccessKeyId>ASIA{account}</AccessKeyId>\
         <SecretAccessKey>model-secret-of-{name}</SecretAccessKey>\
         <SessionToken>model-session-of-{session}</SessionToken>\
         <Expiration>{}</Expiration></Credentials>\
         <AssumedRoleUser><Arn>arn:aws:sts::{account}:assumed-role/{name}/{session}</Arn>\
         <AssumedRoleId>AROAMODEL:{session}</AssumedRoleId></AssumedRoleUser>",
        iso(until)
    ))
}

/// Seconds since 1970 as XML has them.
pub(crate) fn iso(seconds: u64) -> String {
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    // Days since 1970-01-01 into a date of the Gregorian calendar, counted in eras of 400 years
    // that begin on the first of March.
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z",
        rest / 3600,
        rest / 60 % 60,
        rest % 60
    )
}

/// A refusal in the query protocol's XML.
pub(crate) fn refusal(refused: &Refused, request_id: &str) -> String {
    format!(
        "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error>\
         <Type>Sender</Type><Code>{}</Code><Message>{}</Message></Error>\
         <RequestId>{request_id}</RequestId></ErrorResponse>",
        refused.code, refused.message
    )
}
