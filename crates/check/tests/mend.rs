//! What is mended in the seeds' workflows as they were written, and what is left to a person.

use expect_test::{Expect, expect};

/// The changed lines, then what is left.
fn check(name: &str, text: &str, expect: Expect) {
    let mended = check::mend(name, text);
    let (before, after): (Vec<&str>, Vec<&str>) =
        (text.lines().collect(), mended.text.lines().collect());
    let mut said = String::new();
    let (mut from, mut to) = (0, 0);
    // Lines are taken away or put in; what stays stays in its order.
    while from < before.len() || to < after.len() {
        if from < before.len() && to < after.len() && before[from] == after[to] {
            (from, to) = (from + 1, to + 1);
        } else if to < after.len() && !before[from.min(before.len())..].contains(&after[to]) {
            said += &format!("+{}\n", after[to]);
            to += 1;
        } else if from < before.len() && !after[to.min(after.len())..].contains(&before[from]) {
            said += &format!("-{}\n", before[from]);
            from += 1;
        } else if to < after.len() {
            said += &format!("+{}\n", after[to]);
            to += 1;
        } else {
            said += &format!("-{}\n", before[from]);
            from += 1;
        }
    }
    for finding in mended.left {
        said += &format!("left: [{}] {}\n", finding.rule, finding.message);
    }
    expect.assert_eq(&said);
}

#[test]
fn s0_build() {
    check(
        "s0-build.yml",
        include_str!("../../../examples/seeds/s0-build.yml"),
        expect![[r#"
        +          load: true
        +          docker run --rm sandbox-broker-api:test --version
        -          docker run --rm sandbox-broker-api:test --version || echo "Built successfully"
    "#]],
    );
}

#[test]
fn s0_deploy() {
    check(
        "s0-deploy.yml",
        include_str!("../../../examples/seeds/s0-deploy.yml"),
        expect![[r#"
        -    if: github.event.inputs.confirm == 'DEPLOY'
        +    permissions:
        +      id-token: write
        +      contents: read
        +      - name: Check the confirmation
        +        env:
        +          CONFIRM: ${{ github.event.inputs.confirm }}
        +        run: test "$CONFIRM" = DEPLOY
        +
        +        env:
        +          VERSION: ${{ github.event.inputs.version || github.sha }}
        +          IMAGE_TAG=${VERSION}
        -          IMAGE_TAG=${{ github.event.inputs.version || github.sha }}
        +        env:
        +          VERSION: ${{ github.event.inputs.version || github.sha }}
        +          IMAGE_TAG=${VERSION}
        -          IMAGE_TAG=${{ github.event.inputs.version || github.sha }}
    "#]],
    );
}

#[test]
fn s0_rollback() {
    check(
        "s0-rollback.yml",
        include_str!("../../../examples/seeds/s0-rollback.yml"),
        expect![[r#"
        -    if: github.event.inputs.confirm == 'ROLLBACK'
        +    permissions:
        +      id-token: write
        +      contents: read
        +      - name: Check the confirmation
        +        env:
        +          CONFIRM: ${{ github.event.inputs.confirm }}
        +        run: test "$CONFIRM" = ROLLBACK
        +
        +        env:
        +          TASK_REVISION: ${{ github.event.inputs.task_revision }}
        +            --task-definition sandbox-broker-api:${TASK_REVISION} \
        -            --task-definition sandbox-broker-api:${{ github.event.inputs.task_revision }} \
    "#]],
    );
}

#[test]
fn s0_terraform() {
    check(
        "s0-terraform.yml",
        include_str!("../../../examples/seeds/s0-terraform.yml"),
        expect![[r#"
        +          terraform init -input=false -reconfigure
    "#]],
    );
}

#[test]
fn s0_test() {
    check("s0-test.yml", include_str!("../../../examples/seeds/s0-test.yml"), expect![]);
}

#[test]
fn s2_main() {
    check(
        "s2-main.yml",
        include_str!("../../../examples/seeds/s2-main.yml"),
        expect![[r#"
        +        ports:
        +          - 5432:5432
        +          POSTGRES_DB: test
        +        ports:
        +          - 6379:6379
        +        with:
        +          fetch-depth: 0
        +        uses: trufflesecurity/trufflehog@v3.88.0
        -        uses: trufflesecurity/trufflehog@main
        -          base: ${{ github.event.repository.default_branch }}
        -          head: HEAD
        +      - name: Configure AWS credentials
        +        uses: aws-actions/configure-aws-credentials@v2
        +        with:
        +          aws-access-key-id: ${{ secrets.AWS_ACCESS_KEY_ID }}
        +          aws-secret-access-key: ${{ secrets.AWS_SECRET_ACCESS_KEY }}
        +          aws-region: us-east-1
        +      - name: Configure AWS credentials
        +        uses: aws-actions/configure-aws-credentials@v2
        +        with:
        +          aws-access-key-id: ${{ secrets.AWS_ACCESS_KEY_ID }}
        +          aws-secret-access-key: ${{ secrets.AWS_SECRET_ACCESS_KEY }}
        +          aws-region: us-east-1
        +      - name: Configure AWS credentials
        +        uses: aws-actions/configure-aws-credentials@v2
        +        with:
        +          aws-access-key-id: ${{ secrets.AWS_ACCESS_KEY_ID }}
        +          aws-secret-access-key: ${{ secrets.AWS_SECRET_ACCESS_KEY }}
        +          aws-region: us-east-1
        +        uses: slackapi/slack-github-action@v2
        -        uses: slackapi/slack-github-action@v1
        +          webhook: ${{ secrets.SLACK_WEBHOOK }}
        +          webhook-type: incoming-webhook
        -          webhook-url: ${{ secrets.SLACK_WEBHOOK }}
    "#]],
    );
}

#[test]
fn s4_deploy() {
    check(
        "s4-deploy.yml",
        include_str!("../../../examples/seeds/s4-deploy.yml"),
        expect![[r#"
            +    permissions:
            +      id-token: write
            +      contents: read
            +        id: task-def
            left: [unknown-output] no step of the job 'deploy' has the id 'vars'
            left: [unknown-variable] nobody sets the variable 'ENV'
            left: [unknown-variable] nobody sets the variable 'ENV'
        "#]],
    );
}
