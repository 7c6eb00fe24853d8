//! What whoever deploys has to be allowed in the journal's bucket.

use iam::{Condition, Policy, Statement};

use crate::objects::Located;

/// Looking, appending, taking places, and clearing up behind oneself; nothing of the log is removed.
pub fn permissions(located: &Located, partition: &str) -> Policy {
    let bucket = format!("arn:{partition}:s3:::{}", located.bucket);
    let below = |name: &str| format!("{bucket}/{}", located.key(name));
    let statement = |name: &str, actions: &[&str], resources, conditions| Statement {
        name: name.to_owned(),
        actions: actions.iter().map(|it| (*it).to_owned()).collect(),
        resources,
        conditions,
    };
    let prefix = Condition::one("StringLike", "s3:prefix", &located.key("*"));
    let settings = ["s3:GetBucketVersioning", "s3:GetEncryptionConfiguration"];
    let clear = vec![below("inbox/*"), below("places/*")];
    Policy {
        statements: vec![
            statement("JournalList", &["s3:ListBucket"], vec![bucket.clone()], vec![prefix]),
            statement("JournalBucket", &settings, vec![bucket.clone()], Vec::new()),
            statement("Journal", &["s3:GetObject", "s3:PutObject"], vec![below("*")], Vec::new()),
            statement("JournalClear", &["s3:DeleteObject"], clear, Vec::new()),
        ],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_the_log_may_be_removed() {
        let policy = permissions(&Located::of("s3://planner/journal/"), "aws");
        let json = policy.json().to_string();
        assert!(json.contains("arn:aws:s3:::planner/journal/inbox/*"), "{json}");
        assert_eq!(json.matches("s3:DeleteObject").count(), 1);
        assert!(json.contains(r#""s3:prefix":"journal/*""#), "{json}");
    }
}
