//! What an older Launchway kept under where repositories come from.

use expect_test::{Expect, expect};

use super::*;

struct Place {
    folder: tempfile::TempDir,
    data: DataFolder,
}

impl Place {
    /// A server with repositories, each with where it comes from; none where its folder is gone.
    fn with(repositories: &[(&str, Option<&str>)]) -> Place {
        let folder = tempfile::tempdir().expect("a folder");
        let data = DataFolder::locate(Some(&folder.path().join("data")), None).expect("a place");
        let place = Place { folder, data };
        let mut known = Vec::new();
        for (name, origin) in repositories {
            let path = place.folder.path().join(name.replace('/', "-"));
            if let Some(origin) = origin {
                place.git(&["init", "--quiet", "--bare", &path.display().to_string()]);
                let at = path.display().to_string();
                place.git(&["-C", &at, "config", "remote.origin.url", origin]);
            }
            known.push(serde_json::json!({ "name": name, "path": path }));
        }
        crate::serving::data::write(&place.data.path("repositories.json"), &known).expect("a file");
        place
    }

    fn git(&self, args: &[&str]) {
        let git =
            std::process::Command::new("git").current_dir(self.folder.path()).args(args).status();
        assert!(git.expect("git starts").success(), "{args:?}");
    }

    fn vault(&self) -> Vault {
        kept::vault(&self.data.state)
    }

    fn keep(&self, owner: &str, environment: Option<&str>, name: &str) {
        let environment = environment.map(str::to_owned);
        let scope = Scope { repository: owner.to_owned(), environment };
        let secret = Secret::new("hunter2hunter2");
        let set = self.vault().set(&scope, name, Value::Secret(&secret), (now(), None));
        set.expect("it is kept");
    }

    /// What is kept for each, after a start.
    fn check(&self, owners: &[&str], expect: &Expect) {
        take_over_old(&self.data).expect("it can be read");
        let line = |owner: &&str| {
            format!("{owner}: {}\n", listed(&self.vault().list(owner).expect("it can be read")))
        };
        expect.assert_eq(&owners.iter().map(line).collect::<String>());
    }
}

const ORIGIN: &str = "git@example.com:octo/app.git";
const OLD: &str = "example.com/octo/app";

#[test]
fn one_that_alone_comes_from_there_has_it() {
    let place = Place::with(&[("octo/app", Some(ORIGIN)), ("eve/tool", Some("/srv/git/tool"))]);
    place.keep(OLD, None, "TOK");
    place.keep(OLD, Some("production"), "DB_URL");
    place.check(
        &["octo/app", OLD, "eve/tool"],
        &expect![[r#"
            octo/app: TOK, DB_URL (production)
            example.com/octo/app: 
            eve/tool: 
        "#]],
    );
    let opened = place.vault().secrets("octo/app", Some("production")).expect("it opens");
    assert_eq!(opened["DB_URL"].expose(), "hunter2hunter2");
}

#[test]
fn of_several_from_there_none_has_it_until_it_is_set_anew() {
    let place = Place::with(&[("octo/app", Some(ORIGIN)), ("eve/app2", Some(ORIGIN))]);
    place.keep(OLD, None, "TOK");
    place.keep(OLD, Some("production"), "DB_URL");
    place.keep("octo/app", None, "TOK");
    place.check(
        &["octo/app", "eve/app2", OLD],
        &expect![[r#"
            octo/app: TOK
            eve/app2: 
            example.com/octo/app: TOK, DB_URL (production)
        "#]],
    );
    place.keep("eve/app2", Some("production"), "DB_URL");
    place.check(
        &["octo/app", "eve/app2", OLD],
        &expect![[r#"
            octo/app: TOK
            eve/app2: DB_URL (production)
            example.com/octo/app: 
        "#]],
    );
}

#[test]
fn nothing_is_guessed_while_one_cannot_be_read() {
    let place = Place::with(&[("octo/app", Some(ORIGIN)), ("eve/app2", None)]);
    place.keep(OLD, None, "TOK");
    place.check(
        &["octo/app", OLD],
        &expect![[r#"
            octo/app: 
            example.com/octo/app: TOK
        "#]],
    );
}

#[test]
fn where_one_comes_from_is_no_name_of_another() {
    // Both are addresses to git, and names to the vault.
    let (named, own) = ("octo:app", "https://launchway:github:/x");
    let place = Place::with(&[("eve/app2", Some(named)), ("eve/app3", Some(own))]);
    place.keep("octo/app", None, "TOK");
    place.keep("launchway:github:/x", None, "KEY");
    place.check(
        &["octo/app", "launchway:github:/x", "eve/app2", "eve/app3"],
        &expect![[r#"
            octo/app: TOK
            launchway:github:/x: KEY
            eve/app2: 
            eve/app3: 
        "#]],
    );
}

#[test]
fn nothing_is_kept_or_forgotten_that_cannot_be_recorded() {
    let place = Place::with(&[("octo/app", Some(ORIGIN))]);
    let wish = |value: Option<&str>| KeepWish {
        repository: "octo/app".to_owned(),
        name: "KEY".to_owned(),
        environment: None,
        kind: KeptKind::Secret,
        value: value.map(str::to_owned),
        rotate_by: None,
        by: "lena".to_owned(),
    };
    let away = |_: &str| Err(Failure::new(Exit::Missing, "the database is away"));
    let mut kept = Vec::new();
    for value in [Some("hunter2hunter2"), None] {
        assert!(change(&place.data, &wish(value), &away).is_err());
        kept.push(place.vault().list("octo/app").expect("it can be read").len());
        change(&place.data, &wish(value), &|_| Ok(())).expect("it can be recorded");
        kept.push(place.vault().list("octo/app").expect("it can be read").len());
    }
    assert_eq!(kept, [0, 1, 1, 0]);
}
