//! Set-up actions. Interpreters are real where the test's machine has them; where a test needs
//! several versions they are small scripts that answer like one.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use crate::bench::Bench;

/// A program that answers a version and nothing else.
fn fake(bench: &Bench, name: &str, answer: &str) {
    bench.write(name, format!("#!/bin/sh\necho '{answer}'\n"));
    let mode = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(bench.path(name), mode).expect("chmod");
}

#[test]
fn python_comes_in_an_environment_of_its_own() {
    let bench = Bench::new();
    bench.write("work/requirements.txt", "");
    let inputs = [("python-version", "3.x"), ("cache", "pip")];
    let ran = bench.run("setup-python", &inputs).ok();
    let python = &ran.outputs["python-path"];
    assert!(python.starts_with(&bench.path("temp").display().to_string()), "{python}");
    assert_eq!(ran.env["pythonLocation"], python.trim_end_matches("/bin/python"));
    assert_eq!(ran.path, [python.trim_end_matches("/python")]);
    assert_eq!(ran.outputs["cache-hit"], "false");
    let say = |arguments: &[&str]| {
        let output = Command::new(python).args(arguments).output().expect("the interpreter");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    };
    let version = say(&["-c", "import platform; print(platform.python_version())"]);
    assert_eq!(version, ran.outputs["python-version"]);
    assert_eq!(say(&["-c", "import sys; print(sys.prefix)"]), ran.env["pythonLocation"]);
    let pip = Command::new(python.replace("bin/python", "bin/pip")).arg("--version").output();
    let pip = String::from_utf8_lossy(&pip.expect("pip").stdout).into_owned();
    assert!(pip.contains(&ran.env["pythonLocation"]), "{pip}");
    // The cache: saved after this job, there in the next.
    bench.write("home/.cache/pip/wheel", "w");
    bench.stage("setup-python", "post", &inputs, &ran.state).ok();
    std::fs::remove_dir_all(bench.path("home/.cache")).expect("a folder");
    let again = bench.run("setup-python", &inputs).ok();
    assert_eq!(again.outputs["cache-hit"], "true");
    assert_eq!(bench.read("home/.cache/pip/wheel"), "w");
}

#[test]
fn a_missing_python_names_what_to_install() {
    let bench = Bench::new();
    let run = |version: &str| bench.run("setup-python", &[("python-version", version)]);
    for (version, code, says) in [
        ("3.1", 5, "YAML reads an unquoted 3.10 as 3.1: write python-version: '3.10'"),
        ("3.99", 5, "Python 3.99 is not on this machine (found: 3."),
        ("pypy3.10", 5, "knows CPython only"),
        ("three", 1, "is not a Python version or range"),
    ] {
        let ran = run(version);
        assert_eq!(ran.code, code, "{version}: {}", ran.log);
        assert!(ran.log.contains(says), "{version}: {}", ran.log);
    }
    let ran = bench.run("setup-python", &[("python-version-file", "nowhere")]);
    assert!(ran.log.contains("doesn't exist"), "{}", ran.log);
    let ran = bench.run("setup-python", &[("python-version", "3.x"), ("cache", "pip")]);
    assert_eq!(ran.code, 1);
    assert!(
        ran.log.contains("matched to [**/requirements.txt or **/pyproject.toml]"),
        "{}",
        ran.log
    );
}

#[test]
fn node_is_chosen_by_version_range_line_and_file() {
    let bench = Bench::new();
    for version in ["18.20.1", "20.3.0", "97.1.0"] {
        fake(&bench, &format!("tools/node/{version}/x64/bin/node"), &format!("v{version}"));
    }
    bench.write("work/.nvmrc", "v18\n");
    bench.write("work/package.json", r#"{"engines":{"node":">=97 <98"}}"#);
    for (inputs, expected) in [
        ([("node-version", "18"), ("x", "")], "v18.20.1"),
        ([("node-version", "~20.3.0"), ("x", "")], "v20.3.0"),
        ([("node-version", "lts/hydrogen"), ("x", "")], "v18.20.1"),
        ([("node-version", "latest"), ("x", "")], "v97.1.0"),
        ([("node-version-file", ".nvmrc"), ("x", "")], "v18.20.1"),
        ([("node-version-file", "package.json"), ("x", "")], "v97.1.0"),
    ] {
        let ran = bench.run("setup-node", &inputs).ok();
        assert_eq!(ran.outputs["node-version"], expected, "{inputs:?}");
        assert!(ran.env["NPM_CONFIG_PREFIX"].ends_with(&format!("node-{}", &expected[1..])));
    }
    let ran = bench.run("setup-node", &[("node-version", "16")]);
    assert_eq!(ran.code, 5);
    assert!(ran.log.contains("hint: install it: nvm install 16"), "{}", ran.log);
}

#[test]
fn node_writes_the_registry_and_caches_by_lock_file() {
    let mut bench = Bench::new();
    fake(&bench, "tools/node/97.1.0/x64/bin/node", "v97.1.0");
    bench.write("work/package.json", r#"{"packageManager":"npm@11.0.0"}"#);
    bench.write("work/package-lock.json", "{}");
    bench.write("home/.npm/x", "x");
    let inputs = [
        ("node-version", "97"),
        ("registry-url", "https://registry.example.com"),
        ("scope", "Octo"),
    ];
    bench.set("GITHUB_ACTION_REF", "v6");
    let ran = bench.run("setup-node", &inputs).ok();
    assert_eq!(
        bench.read("temp/.npmrc"),
        "//registry.example.com/:_authToken=${NODE_AUTH_TOKEN}\n@octo:registry=https://registry.example.com/\n"
    );
    bench.stage("setup-node", "post", &inputs, &ran.state).ok();
    assert_eq!(bench.run("setup-node", &inputs).ok().outputs["cache-hit"], "true");
    bench.set("GITHUB_ACTION_REF", "v4");
    assert_eq!(bench.run("setup-node", &inputs).ok().outputs.get("cache-hit"), None);
    std::fs::remove_file(bench.path("work/package-lock.json")).expect("a file");
    let ran = bench.run("setup-node", &[("node-version", "97"), ("cache", "npm")]);
    assert!(ran.log.contains("Dependencies lock file is not found"), "{}", ran.log);
}

#[test]
fn terraform_is_wrapped_and_its_output_kept() {
    let bench = Bench::new();
    bench.write(
        "tools/terraform/1.5.0/x64/terraform",
        "#!/bin/sh\nif [ \"$1\" = version ]; then echo 'Terraform v1.5.0'; exit; fi\necho \"out $*\"; echo err >&2; exit ${1#code}\n",
    );
    let program = bench.path("tools/terraform/1.5.0/x64/terraform");
    std::fs::set_permissions(program, std::fs::Permissions::from_mode(0o755)).expect("chmod");
    let inputs = [("terraform_version", "1.5.0"), ("cli_config_credentials_token", "t0k3n")];
    let ran = bench.run("setup-terraform", &inputs).ok();
    assert_eq!(
        bench.read("home/.terraformrc"),
        "credentials \"app.terraform.io\" {\n  token = \"t0k3n\"\n}\n"
    );
    for (argument, code) in [("code0", 0), ("code2", 0), ("code3", 1)] {
        bench.write("kept", "");
        let output = Command::new(format!("{}/terraform", ran.path[0]))
            .args([argument, "a b"])
            .env("GITHUB_OUTPUT", bench.path("kept"))
            .env("RUNNER_TEMP", bench.path("temp"))
            .output()
            .expect("the wrapper");
        assert_eq!(output.status.code(), Some(code), "{argument}");
        let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(stdout.starts_with(&format!("out {argument} a b\n")), "{stdout}");
        assert_eq!(String::from_utf8_lossy(&output.stderr), "err\n");
        let kept = bench.read("kept");
        assert!(kept.contains(&format!("\nout {argument} a b\n\n")), "{kept}");
        assert!(kept.ends_with(&format!("exitcode={}\n", &argument[4..])), "{kept}");
    }
    let ran = bench.run("setup-terraform", &[("terraform_version", "0.0.7")]);
    assert_eq!(ran.code, 5);
    assert!(ran.log.contains("Terraform 0.0.7 is not on this machine"), "{}", ran.log);
}
