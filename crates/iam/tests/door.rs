//! Trusts and tokens, judged; policies that somebody wrote, looked at; roles, written.

use expect_test::{Expect, expect};
use iam::{Condition, Named, Policy, Statement, Token, Trust, judge, lint_policy, lint_trust};
use serde_json::{Value as Json, json};

const ACCOUNT: &str = "111122223333";
const ISSUER: &str = "https://token.actions.githubusercontent.com";
const PRODUCTION: &str = "repo:planner-team/planner:environment:production";

/// The same pairs are played on a server that evaluates trusts by itself: tier `ministack`.
#[test]
fn pairs_are_judged_as_aws_judges_them() {
    let pairs: Vec<Json> = serde_json::from_str(include_str!("pairs.json")).unwrap();
    assert!(pairs.len() >= 30);
    for pair in pairs {
        let text = |key: &str| pair["token"][key].as_str().unwrap_or_default().to_owned();
        let token = Token { issuer: text("iss"), subject: text("sub"), audience: text("aud") };
        let judgement = judge(&pair["trust"], ACCOUNT, &token);
        assert_eq!(judgement.given, pair["given"], "{}: {judgement:?}", pair["name"]);
        assert_eq!(judgement.given, judgement.reasons.is_empty(), "{}", pair["name"]);
    }
}

fn trust() -> Trust {
    Trust {
        account: ACCOUNT.to_owned(),
        issuer: ISSUER.to_owned(),
        audience: "sts.amazonaws.com".to_owned(),
        subjects: vec![
            PRODUCTION.to_owned(),
            "repo:planner-team@*/planner@*:environment:production".to_owned(),
        ],
    }
}

fn written(operator: &str, subject: &str) -> Json {
    let key = |it: &str| format!("token.actions.githubusercontent.com:{it}");
    let mut condition = json!({"StringEquals": {key("aud"): "sts.amazonaws.com"}});
    condition[operator][key("sub")] = json!(subject);
    json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Action": "sts:AssumeRoleWithWebIdentity",
        "Principal": {"Federated": trust().provider()}, "Condition": condition,
    }]})
}

fn check_trust(document: &Json, expect: &Expect) {
    let found = lint_trust(document, &trust());
    let lines = found.iter().map(|it| format!("{:?}: {}; {}\n", it.weight, it.said, it.remedy));
    expect.assert_eq(&lines.collect::<String>());
}

#[test]
fn what_is_written_here_is_taken_and_nothing_is_found_in_it() {
    check_trust(&trust().json(), &expect![""]);
    check_trust(&written("StringEquals", PRODUCTION), &expect![""]);
}

#[test]
fn a_trust_that_lets_nobody_or_everybody_in_is_told() {
    // The mistake of many: the job names an environment, the policy a branch.
    check_trust(
        &written("StringEquals", "repo:planner-team/planner:ref:refs/heads/main"),
        &expect![[r#"
            Error: the role is not given: sub was `repo:planner-team/planner:environment:production`, the policy wants `repo:planner-team/planner:ref:refs/heads/main` (StringEquals): a job that names an environment never has a branch in its sub; allow the sub `repo:planner-team/planner:environment:production`
        "#]],
    );
    check_trust(
        &written("StringEquals", "repo:planner-team/planner:*"),
        &expect![[r#"
        Error: the role is not given: sub was `repo:planner-team/planner:environment:production`, the policy wants `repo:planner-team/planner:*` (StringEquals): StringEquals knows no wildcards, StringLike does; allow the sub `repo:planner-team/planner:environment:production`
        Error: `repo:planner-team/planner:*` under StringEquals fits a star only: it has no wildcards; StringLike, or the whole text
    "#]],
    );
    check_trust(
        &written("StringLike", "repo:planner-team/planner:*"),
        &expect![[r#"
        Warning: `repo:planner-team/planner:*` trusts every branch, tag and pull request: whoever may push one may deploy; `:environment:NAME`, whose rules say who may deploy
    "#]],
    );
    check_trust(
        &written("StringLike", "repo:planner-team/*"),
        &expect![[r#"
        Warning: `repo:planner-team/*` trusts every repository of planner-team that is called alike; name the repository
    "#]],
    );
    check_trust(
        &written("StringLike", "repo:planner*/planner:*"),
        &expect![[r#"
        Error: `repo:planner*/planner:*` trusts other owners, too: anybody may take a name like it; name the owner
    "#]],
    );
    check_trust(
        &written("StringLike", "*"),
        &expect![[r#"
        Error: `*` trusts every repository of the issuer; name owner and repository
    "#]],
    );
    check_trust(
        &written("StringEquals", "repo:Planner-Team/planner:environment:production"),
        &expect![[r#"
            Error: the role is not given: sub was `repo:planner-team/planner:environment:production`, the policy wants `repo:Planner-Team/planner:environment:production` (StringEquals): letters count, capital or small; allow the sub `repo:planner-team/planner:environment:production`
        "#]],
    );
    let mut open = written("StringEquals", PRODUCTION);
    open["Statement"][0]["Condition"] = json!({});
    check_trust(
        &open,
        &expect![[r#"
        Warning: aud is not asked for: a token that was made for somebody else is taken; StringEquals token.actions.githubusercontent.com:aud sts.amazonaws.com
        Error: sub is not asked for: every repository of the issuer is trusted; allow `repo:planner-team/planner:environment:production`, `repo:planner-team@*/planner@*:environment:production` only
    "#]],
    );
    let mut open = written("ForAllValues:StringLike", PRODUCTION);
    open["Statement"][0]["Principal"] = json!("*");
    check_trust(
        &open,
        &expect![[r#"
        Error: every identity provider of the world is trusted; name the provider: arn:aws:iam::111122223333:oidc-provider/token.actions.githubusercontent.com
        Error: sub is not asked for: every repository of the issuer is trusted; allow `repo:planner-team/planner:environment:production`, `repo:planner-team@*/planner@*:environment:production` only
        Error: ForAllValues is true of a token that says nothing under token.actions.githubusercontent.com:sub; plain StringLike
    "#]],
    );
}

fn check_policy(statements: &Json, expect: &Expect) {
    let document = json!({"Version": "2012-10-17", "Statement": statements});
    let needed = ["ecs:UpdateService", "ecs:DescribeServices", "iam:PassRole"];
    let found = lint_policy(&document, &needed);
    let lines = found.iter().map(|it| format!("{:?}: {}; {}\n", it.weight, it.said, it.remedy));
    expect.assert_eq(&lines.collect::<String>());
}

#[test]
fn a_policy_that_allows_too_little_or_too_much_is_told() {
    check_policy(
        &json!([
            {"Effect": "Allow", "Action": ["ecs:UpdateService", "ecs:DescribeServices"],
             "Resource": "arn:aws:ecs:eu-central-1:111122223333:service/staging/api"},
            {"Effect": "Allow", "Action": "iam:PassRole", "Resource": "arn:aws:iam::1:role/task",
             "Condition": {"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}}},
        ]),
        &expect![""],
    );
    check_policy(
        &json!({"Effect": "Allow", "Resource": "*",
            "Action": ["ecs:DescribeServices", "ecs:UpdateService"]}),
        &expect![[r#"
            Error: iam:PassRole is not allowed; add it: registering a task definition passes its roles on
            Warning: ecs:UpdateService is allowed for every resource; name the resources
        "#]],
    );
    check_policy(
        &json!([{"Effect": "Allow", "Action": "*", "Resource": "*"}]),
        &expect![[r#"
        Warning: `*` allows more than deployments need; name the actions
        Warning: ecs:UpdateService is allowed for every resource; name the resources
        Warning: ecs:RunTask is allowed for every resource; name the resources
        Warning: ecs:StopTask is allowed for every resource; name the resources
        Warning: iam:PassRole is allowed for every resource; name the resources
        Warning: iam:PassRole is allowed towards every service; StringEquals iam:PassedToService ecs-tasks.amazonaws.com
    "#]],
    );
    check_policy(
        &json!([
            {"Effect": "Allow", "NotAction": "iam:Create*", "Resource": "arn:x"},
            {"Effect": "Deny", "Action": "ecs:Update*", "Resource": "*"},
        ]),
        &expect![[r#"
            Warning: a statement denies ecs:UpdateService, at least for some resources; see that it is not about these
            Warning: NotAction allows whatever AWS invents next; name the actions
            Warning: iam:PassRole is allowed towards every service; StringEquals iam:PassedToService ecs-tasks.amazonaws.com
        "#]],
    );
}

#[test]
fn a_role_is_written_as_commands_and_as_terraform() {
    let trust = Trust { subjects: vec![PRODUCTION.to_owned()], ..trust() };
    let policy = Policy {
        statements: vec![Statement {
            name: "Service".to_owned(),
            actions: vec!["ecs:UpdateService".to_owned()],
            resources: vec!["arn:aws:ecs:*:*:service/it's/${x}".to_owned()],
            conditions: vec![Condition::one("StringEquals", "aws:RequestedRegion", "eu-central-1")],
        }],
    };
    let named = Named { role: "planner-production", seconds: 900, trust: &trust, policy: &policy };
    expect![[r#"
        aws iam create-open-id-connect-provider --url https://token.actions.githubusercontent.com --client-id-list sts.amazonaws.com
        aws iam create-role --role-name planner-production --max-session-duration 3600 --assume-role-policy-document '{"Version":"2012-10-17","Statement":[{"Sid":"Subject","Effect":"Allow","Principal":{"Federated":"arn:aws:iam::111122223333:oidc-provider/token.actions.githubusercontent.com"},"Action":"sts:AssumeRoleWithWebIdentity","Condition":{"StringEquals":{"token.actions.githubusercontent.com:aud":"sts.amazonaws.com","token.actions.githubusercontent.com:sub":"repo:planner-team/planner:environment:production"}}}]}'
        aws iam put-role-policy --role-name planner-production --policy-name launchway --policy-document '{"Version":"2012-10-17","Statement":[{"Sid":"Service","Effect":"Allow","Action":["ecs:UpdateService"],"Resource":["arn:aws:ecs:*:*:service/it'\''s/${x}"],"Condition":{"StringEquals":{"aws:RequestedRegion":"eu-central-1"}}}]}'
    "#]].assert_eq(&iam::commands(&named));
    expect![[r#"
        resource "aws_iam_openid_connect_provider" "planner_production" {
          url            = "https://token.actions.githubusercontent.com"
          client_id_list = ["sts.amazonaws.com"]
        }

        resource "aws_iam_role" "planner_production" {
          name                 = "planner-production"
          max_session_duration = 3600
          assume_role_policy   = jsonencode({
            "Version": "2012-10-17",
            "Statement": [
              {
                "Sid": "Subject",
                "Effect": "Allow",
                "Principal": {
                  "Federated": "arn:aws:iam::111122223333:oidc-provider/token.actions.githubusercontent.com"
                },
                "Action": "sts:AssumeRoleWithWebIdentity",
                "Condition": {
                  "StringEquals": {
                    "token.actions.githubusercontent.com:aud": "sts.amazonaws.com",
                    "token.actions.githubusercontent.com:sub": "repo:planner-team/planner:environment:production"
                  }
                }
              }
            ]
          })
          depends_on           = [aws_iam_openid_connect_provider.planner_production]
        }

        resource "aws_iam_role_policy" "planner_production" {
          name   = "launchway"
          role   = aws_iam_role.planner_production.id
          policy = jsonencode({
            "Version": "2012-10-17",
            "Statement": [
              {
                "Sid": "Service",
                "Effect": "Allow",
                "Action": [
                  "ecs:UpdateService"
                ],
                "Resource": [
                  "arn:aws:ecs:*:*:service/it's/$${x}"
                ],
                "Condition": {
                  "StringEquals": {
                    "aws:RequestedRegion": "eu-central-1"
                  }
                }
              }
            ]
          })
        }
    "#]].assert_eq(&iam::terraform(&named));
}
