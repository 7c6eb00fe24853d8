//! What scans found, as tools write it and as it lies there when they were killed.

use expect_test::{Expect, expect};
use reports::{Report, read};

fn check(text: &str, expect: Expect) {
    let Some(Report::Scan(scan)) = read(text.as_bytes()) else {
        return expect.assert_eq("no scan\n");
    };
    let mut told = format!("by {}\n", scan.tools.join(", "));
    for it in &scan.findings {
        let line = it.line.map(|line| format!(":{line}")).unwrap_or_default();
        let known = if it.is_suppressed { ", known" } else { "" };
        let (tool, level, rule, file) = (&it.tool, it.level.as_str(), &it.rule, &it.file);
        let mark = if it.fingerprint.is_empty() { "" } else { " #" };
        let mark = format!("{mark}{}", it.fingerprint);
        told += &format!("{tool} {level} {rule} {file}{line}{mark}{known}\n");
    }
    if scan.is_cut {
        told += "cut\n";
    }
    expect.assert_eq(&told);
}

#[test]
fn a_score_says_how_bad_it_is_then_the_finding_then_its_rule() {
    check(
        r#"{"$schema":"https://example.com/sarif-2.1.0.json","version":"2.1.0","runs":[{
          "tool":{"driver":{"name":"Trivy","rules":[
            {"id":"CVE-1","defaultConfiguration":{"level":"error"},"properties":{"security-severity":"9.8","tags":["a"]}},
            {"id":"CVE-2","properties":{"security-severity":7.0}},
            {"id":"CVE-3","properties":{"security-severity":"4.0"}},
            {"id":"CVE-4","properties":{"security-severity":"0.1"}},
            {"id":"AVD-5","defaultConfiguration":{"level":"note"},"properties":{"security-severity":"0.0"}},
            {"id":"AVD-6"}]}},
          "results":[
            {"ruleId":"CVE-1","ruleIndex":0,"level":"error","message":{"text":"secret words"},"locations":[{"physicalLocation":
              {"artifactLocation":{"uri":"app/poetry.lock","uriBaseId":"ROOTPATH"},"region":{"startLine":7,"endLine":7}}}]},
            {"ruleId":"CVE-2","level":"note"}, {"ruleId":"CVE-3"}, {"ruleIndex":3}, {"ruleId":"AVD-5"}, {"ruleId":"AVD-6"},
            {"ruleId":"AVD-6","level":"error"}, {"ruleId":"of no rule","level":"odd"}]}]}"#,
        expect![[r#"
            by Trivy
            Trivy critical CVE-1 app/poetry.lock:7
            Trivy high CVE-2 
            Trivy medium CVE-3 
            Trivy low CVE-4 
            Trivy note AVD-5 
            Trivy warning AVD-6 
            Trivy error AVD-6 
            Trivy warning of no rule 
        "#]],
    );
}

#[test]
fn what_passed_is_gone_or_is_only_told_is_no_finding_and_what_is_known_says_so() {
    check(
        r#"{"version":"2.1.0","runs":[{"results":[
            {"ruleId":"a","kind":"pass"}, {"ruleId":"b","kind":"review","level":"none"}, {"ruleId":"c","level":"none"},
            {"ruleId":"d","baselineState":"absent"}, {"ruleId":"e","kind":"fail"},
            {"ruleId":"f","suppressions":[{"kind":"inSource"}]}, {"ruleId":"g","suppressions":[]},
            {"ruleId":"h","suppressions":[{"kind":"external","status":"underReview"}]}],
          "tool":{"driver":{"name":"ESLint"}}}]}"#,
        expect![[r#"
            by ESLint
            ESLint warning e 
            ESLint warning f , known
            ESLint warning g 
            ESLint warning h 
        "#]],
    );
}

#[test]
fn rules_of_extensions_several_tools_and_files_from_where_the_tool_looked() {
    check(
        r#"{"version":"2.1.0","runs":[
          {"tool":{"driver":{"name":"CodeQL"},"extensions":[{"name":"queries","rules":[
             {"id":"py/injection","defaultConfiguration":{"level":"error"},"properties":{"security-severity":"8.8"}}]}]},
           "results":[{"rule":{"id":"py/injection","index":0,"toolComponent":{"index":0}},
             "partialFingerprints":{"other":"b","primaryLocationLineHash":"39fa2ee980eb94b0:1"},
             "locations":[{"physicalLocation":{"artifactLocation":{"uri":"./src/app.py"}}}]}]},
          {"tool":{"driver":{"name":"Trivy"}},"originalUriBaseIds":{"ROOTPATH":{"uri":"file:///work/7/app/"},"X":{"uri":"file:///work/"}},
           "results":[{"ruleId":"x","fingerprints":{"0":"f"},"locations":[{"physicalLocation":{"artifactLocation":{"uri":"file:///work/7/app/go.mod"}}}]}]},
          {"tool":{"driver":{"name":"Gitleaks"}},"results":[]}]}"#,
        expect![[r#"
            by CodeQL, Trivy, Gitleaks
            CodeQL high py/injection src/app.py #39fa2ee980eb94b0:1
            Trivy warning x go.mod #f
        "#]],
    );
}

#[test]
fn what_is_of_another_kind_than_it_should_be_is_passed_over() {
    check(
        r#"{"version":"2.1.0","runs":[7,"a",[],{"tool":7,"results":{"a":1}},
          {"tool":{"driver":{"name":["x"],"rules":{"a":1}},"extensions":"no"},"originalUriBaseIds":[1],
           "results":[null,{"ruleId":5,"ruleIndex":-1,"locations":"here","level":true,"partialFingerprints":["x"]},
             {"ruleId":"a\u001b[2Jb","locations":[{"physicalLocation":{"region":{"startLine":"12"}}}]},
             {"ruleId":"c","locations":[{"physicalLocation":{"artifactLocation":{"uri":"a"},"region":{"startLine":1e99}}}]}]}]}"#,
        expect![[r#"
            by 
             warning  
             warning  
             warning a [2Jb :12
             warning c a
        "#]],
    );
}

#[test]
fn of_a_file_that_ends_in_the_middle_what_stood_before_counts() {
    check(
        r#"{"version":"2.1.0","runs":[{"tool":{"driver":{"name":"Bandit","rules":[{"id":"B105","defaultConfiguration":{"level":"note"}}]}},
          "results":[{"ruleId":"B105"},{"ruleId":"B106","level":"err"#,
        expect![[r#"
            by Bandit
            Bandit note B105 
            cut
        "#]],
    );
}

#[test]
fn of_too_many_findings_the_first_count() {
    let results = vec![r#"{"ruleId":"a"}"#; 25_001].join(",");
    let text = format!(r#"{{"version":"2.1.0","runs":[{{"results":[{results}]}}]}}"#);
    let Some(Report::Scan(scan)) = read(text.as_bytes()) else { panic!("it is a scan") };
    assert_eq!((scan.findings.len(), scan.is_cut), (25_000, true));
}

#[test]
fn of_lists_in_a_finding_and_of_extensions_what_is_looked_at_counts() {
    check(
        r#"{"version":"2.1.0","runs":[{"tool":{"driver":{"name":"a"},"extensions":[7,
             {"rules":[{"id":"x","defaultConfiguration":{"level":"note"}}]},{"rules":[{"id":"y","defaultConfiguration":{"level":"error"}}]}]},
          "results":[
            {"ruleId":"x","locations":[{},{"physicalLocation":{"artifactLocation":{"uri":"second"}}}]},
            {"ruleId":"y","suppressions":[{},{"status":"rejected"}],"partialFingerprints":{"c":"c","a":"","b":"b"},"fingerprints":{"a":"a"}},
            {"ruleId":"y","suppressions":[{},{"status":"accepted"}],"partialFingerprints":{"c":1},"fingerprints":{"b":"b","a":"a"}}]}]}"#,
        expect![[r#"
            by a
            a note x 
            a error y  #b
            a error y  #a, known
        "#]],
    );
    // Two extensions with the most rules each: what the second says of the last of its own is not known any more.
    let rules = |letter: &str| -> String {
        let rule = |at: u32| {
            format!(r#"{{"id":"{letter}{at}","defaultConfiguration":{{"level":"error"}}}}"#)
        };
        (0..20_000).map(rule).collect::<Vec<_>>().join(",")
    };
    let (one, two) = (rules("a"), rules("b"));
    check(
        &format!(
            r#"{{"version":"2.1.0","runs":[{{"tool":{{"extensions":[{{"rules":[{one}]}},{{"rules":[{two}]}}]}},
               "results":[{{"ruleId":"a19999"}},{{"ruleId":"b4999"}},{{"ruleId":"b19999"}}]}}]}}"#
        ),
        expect![[r#"
            by 
             error a19999 
             error b4999 
             warning b19999 
            cut
        "#]],
    );
}

#[test]
fn what_is_no_scan() {
    let deep = "[".repeat(500);
    for text in [
        "{",
        "{\"runs\": 1}",
        "{\"runs\": []}",
        "{\"version\": \"1.0.0\", \"runs\": []}",
        "{\"version\": \"2.1.0\", \"runs\": {}}",
        "{\"version\": 2.1, \"runs\": []}",
        "[{\"version\": \"2.1.0\", \"runs\": []}]",
        &format!("{{\"a\": {deep}"),
    ] {
        check(text, expect![["no scan\n"]]);
    }
}
