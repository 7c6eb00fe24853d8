//! What a job's container sees of this machine, and under which names: those of GitHub's runner
//! (conformance 157, 158).

use std::path::{Component, Path, PathBuf};

use crate::setup::{Folders, text};

/// `HOME` of steps in a container.
pub(crate) const HOME: &str = "/github/home";
/// Where the tools are that jobs share.
const TOOLS: &str = "/__t";
/// Where Node is put.
const NODE: &str = "/__e";

/// A folder or file of this machine in the container.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Mount {
    here: PathBuf,
    inside: String,
    is_read_only: bool,
}

/// What a job may do with the tools that jobs share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tools {
    /// It keeps those that it brings.
    Changeable,
    /// It is code from outside, which changes nothing that others use.
    Readable,
}

/// Which folders become somebody's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Given {
    All,
    /// What other jobs find there.
    Tools,
}

/// All of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Mounts {
    /// The deeper ones later.
    all: Vec<Mount>,
}

impl Mounts {
    /// The folders of the job itself, and what jobs share: the actions to read, the tools as `tools` says.
    pub(crate) fn of(folders: &Folders, actions: &Path, tools: Tools) -> Mounts {
        let work = folders.runner_workspace.parent().unwrap_or(&folders.runner_workspace);
        let event = folders.event.parent().unwrap_or(&folders.event);
        let mut mounts = Mounts::default();
        mounts.add(work, "/__w");
        mounts.add(&folders.temp, "/__w/_temp");
        match tools {
            Tools::Changeable => mounts.add(&folders.tools, TOOLS),
            Tools::Readable => mounts.show(&folders.tools, TOOLS),
        }
        mounts.add(&folders.home, HOME);
        mounts.add(event, "/github/workflow");
        // Other jobs use them, too.
        mounts.show(actions, "/__w/_actions");
        mounts
    }

    /// May be changed in the container.
    fn add(&mut self, here: &Path, inside: &str) {
        let (here, inside) = (here.to_owned(), inside.to_owned());
        self.all.push(Mount { here, inside, is_read_only: false });
    }

    /// May be read in the container.
    pub(crate) fn show(&mut self, here: &Path, inside: &str) {
        let (here, inside) = (here.to_owned(), inside.to_owned());
        self.all.push(Mount { here, inside, is_read_only: true });
    }

    /// A Node of this machine; where it is in the container.
    pub(crate) fn show_node(&mut self, program: &Path, major: u32) -> String {
        let inside = format!("{NODE}/node{major}/bin/node");
        self.show(program, &inside);
        inside
    }

    /// As the engine is told.
    pub(crate) fn binds(&self) -> impl Iterator<Item = String> {
        self.all.iter().map(|mount| {
            let how = if mount.is_read_only { "ro" } else { "rw" };
            format!("{}:{}:{how}", mount.here.display(), mount.inside)
        })
    }

    /// A command for the container that makes what lies in some of these folders a user's: of them those that the job
    /// may change, not what is there to read. None where there is nothing to change.
    pub(crate) fn give(&self, folders: Given, (user, group): (u32, u32)) -> Option<Vec<String>> {
        let is_given = |mount: &&Mount| folders == Given::All || mount.inside == TOOLS;
        let (kept, changed): (Vec<&Mount>, Vec<&Mount>) =
            self.all.iter().partition(|mount| mount.is_read_only);
        let mut changed = changed.into_iter().filter(is_given).peekable();
        changed.peek()?;
        let words = |words: &[&str]| words.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>();
        let mut command = words(&["find"]);
        command.extend(changed.map(|mount| mount.inside.clone()));
        for mount in kept {
            command.extend(words(&["-path", &mount.inside, "-prune", "-o"]));
        }
        // Whatever is his already is passed over: the tools of many jobs are many files.
        command.extend(words(&["!", "-user", &user.to_string(), "-exec", "chown", "-h"]));
        command.extend(words(&[&format!("{user}:{group}"), "{}", "+"]));
        Some(command)
    }

    /// What is a folder here becomes one there: made before the engine makes it as root.
    pub(crate) fn make_points(&self) -> std::io::Result<()> {
        for mount in &self.all {
            for outer in self.all.iter().filter(|outer| outer.inside != mount.inside) {
                let below = mount.inside.strip_prefix(&format!("{}/", outer.inside));
                if let Some(below) = below
                    && !outer.is_read_only
                {
                    std::fs::create_dir_all(outer.here.join(below))?;
                }
            }
        }
        Ok(())
    }

    /// A path of this machine as the container has it; itself where it has it not.
    pub(crate) fn inside(&self, here: &Path) -> String {
        let nearest = self
            .all
            .iter()
            .filter_map(|mount| Some((mount, here.strip_prefix(&mount.here).ok()?)))
            .max_by_key(|(mount, _)| mount.here.as_os_str().len());
        match nearest {
            Some((mount, rest)) if rest.as_os_str().is_empty() => mount.inside.clone(),
            Some((mount, rest)) => format!("{}/{}", mount.inside, rest.display()),
            None => text(here),
        }
    }

    /// A path of the container as this machine has it; none where only the container has it.
    pub(crate) fn here(&self, inside: &str) -> Option<PathBuf> {
        let (mount, rest) = self.nearest(inside)?;
        Some(match rest.trim_start_matches('/') {
            "" => mount.here.clone(),
            rest => mount.here.join(rest),
        })
    }

    /// Whether a path of the container is seen from here to be no folder. What is not mounted, where a link leads, and what
    /// `..` means, only the container knows.
    pub(crate) fn lacks_folder(&self, inside: &str) -> bool {
        let Some((mount, rest)) = self.nearest(inside) else { return false };
        let mut here = mount.here.clone();
        for part in Path::new(rest.trim_start_matches('/')).components() {
            match part {
                Component::Normal(name) => here.push(name),
                Component::CurDir => continue,
                _ => return false,
            }
            match here.symlink_metadata() {
                Ok(found) if found.is_symlink() => return false,
                Ok(found) if found.is_dir() => {}
                Ok(_) | Err(_) => return true,
            }
        }
        false
    }

    fn nearest<'t>(&self, inside: &'t str) -> Option<(&Mount, &'t str)> {
        let found = self.all.iter().filter_map(|mount| {
            let rest = inside.strip_prefix(&*mount.inside)?;
            (rest.is_empty() || rest.starts_with('/')).then_some((mount, rest))
        });
        found.max_by_key(|(mount, _)| mount.inside.len())
    }

    /// A text in which paths of the container stand, with those of this machine. What is part of a
    /// longer name is left alone.
    pub(crate) fn text_here(&self, text: &str) -> String {
        let names =
            self.all.iter().map(|mount| (mount.inside.as_str(), mount.here.to_string_lossy()));
        replace_paths(text, &names.collect::<Vec<_>>())
    }

    /// A text in which paths of this machine stand, with those of the container.
    pub(crate) fn text_inside(&self, text: &str) -> String {
        let names = self.all.iter().map(|mount| {
            let here = mount.here.to_string_lossy();
            (here, mount.inside.as_str().into())
        });
        let names: Vec<_> = names.collect();
        let names: Vec<_> =
            names.iter().map(|(here, inside)| (&**here, Clone::clone(inside))).collect();
        replace_paths(text, &names)
    }

    /// The folders of the job, as its steps see them.
    pub(crate) fn folders(&self, folders: &Folders) -> Folders {
        let inside = |path: &Path| PathBuf::from(self.inside(path));
        Folders {
            workspace: inside(&folders.workspace),
            runner_workspace: inside(&folders.runner_workspace),
            temp: inside(&folders.temp),
            home: inside(&folders.home),
            event: inside(&folders.event),
            file_commands: inside(&folders.file_commands),
            tools: inside(&folders.tools),
        }
    }
}

/// Each name where a path begins with it, the longest that fits.
fn replace_paths(text: &str, names: &[(&str, std::borrow::Cow<'_, str>)]) -> String {
    let is_name = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let begins = !out.ends_with(|c| is_name(c) || c == '/');
        let fits = |name: &str| {
            let after = rest.strip_prefix(name)?;
            (!after.starts_with(is_name)).then_some(after)
        };
        let found = names.iter().filter_map(|(name, by)| Some((name.len(), by, fits(name)?)));
        match found.max_by_key(|(length, ..)| *length).filter(|_| begins && c == '/') {
            Some((_, by, after)) => {
                out.push_str(by);
                rest = after;
            }
            None => {
                out.push(c);
                rest = &rest[c.len_utf8()..];
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    fn mounts() -> Mounts {
        let job = Path::new("/state/job");
        let folders = Folders {
            workspace: job.join("work/app/app"),
            runner_workspace: job.join("work/app"),
            temp: job.join("temp"),
            home: job.join("home"),
            event: job.join("temp/_github_workflow/event.json"),
            file_commands: job.join("temp/_runner_file_commands"),
            tools: "/state/tools".into(),
        };
        Mounts::of(&folders, Path::new("/state/actions"), Tools::Changeable)
    }

    // proves: conformance 157
    #[test]
    fn c157_what_is_mounted() {
        let mut mounts = mounts();
        assert_eq!(mounts.show_node(Path::new("/usr/bin/node"), 24), "/__e/node24/bin/node");
        expect![[r#"
            /state/job/work:/__w:rw
            /state/job/temp:/__w/_temp:rw
            /state/tools:/__t:rw
            /state/job/home:/github/home:rw
            /state/job/temp/_github_workflow:/github/workflow:rw
            /state/actions:/__w/_actions:ro
            /usr/bin/node:/__e/node24/bin/node:ro"#]]
        .assert_eq(&mounts.binds().collect::<Vec<_>>().join("\n"));
    }

    #[test]
    fn what_a_containers_root_made_becomes_somebodys() {
        let commands = |mounts: &Mounts| {
            [Given::All, Given::Tools]
                .map(|it| mounts.give(it, (998, 997)).unwrap_or_default().join(" "))
                .join("\n")
        };
        let mut mounts = mounts();
        expect![[r#"
            find /__w /__w/_temp /__t /github/home /github/workflow -path /__w/_actions -prune -o ! -user 998 -exec chown -h 998:997 {} +
            find /__t -path /__w/_actions -prune -o ! -user 998 -exec chown -h 998:997 {} +"#]]
        .assert_eq(&commands(&mounts));
        let tools = mounts.all.iter_mut().find(|it| it.inside == TOOLS);
        tools.expect("they are mounted").is_read_only = true;
        expect![[r#"
            find /__w /__w/_temp /github/home /github/workflow -path /__t -prune -o -path /__w/_actions -prune -o ! -user 998 -exec chown -h 998:997 {} +
        "#]]
        .assert_eq(&commands(&mounts));
    }

    // proves: conformance 158
    #[test]
    fn c158_paths_in_and_out() {
        let mounts = mounts();
        let cases = [
            "/state/job/work/app/app",
            "/state/job/temp",
            "/state/job/temp/_runner_file_commands/set_env_1",
            "/state/job/temp/_github_workflow/event.json",
            "/state/tools/go",
            "/state/job/workshop",
            "/usr/bin/git",
        ];
        let mut shown = String::new();
        for here in cases {
            let inside = mounts.inside(Path::new(here));
            let back = mounts.here(&inside);
            shown.push_str(&format!(
                "{here}: {inside}: {}\n",
                back.as_deref().map_or("none".into(), text)
            ));
        }
        expect![[r#"
            /state/job/work/app/app: /__w/app/app: /state/job/work/app/app
            /state/job/temp: /__w/_temp: /state/job/temp
            /state/job/temp/_runner_file_commands/set_env_1: /__w/_temp/_runner_file_commands/set_env_1: /state/job/temp/_runner_file_commands/set_env_1
            /state/job/temp/_github_workflow/event.json: /github/workflow/event.json: /state/job/temp/_github_workflow/event.json
            /state/tools/go: /__t/go: /state/tools/go
            /state/job/workshop: /state/job/workshop: none
            /usr/bin/git: /usr/bin/git: none
        "#]]
        .assert_eq(&shown);
    }

    #[test]
    fn a_folder_that_a_link_leads_to_is_the_containers_to_judge() {
        let folder = tempfile::tempdir().expect("a scratch folder");
        let mut mounts = Mounts::default();
        mounts.add(folder.path(), "/__w");
        let path = |name: &str| folder.path().join(name);
        std::fs::create_dir_all(path("app/sub")).expect("made");
        std::fs::write(path("app/file"), "").expect("written");
        for (link, target) in [("usr", "/opt/of-the-container"), ("etc", "/etc"), ("none", "none")]
        {
            std::os::unix::fs::symlink(target, path(link)).expect("linked");
        }
        for (inside, lacks) in [
            ("/__w", false),
            ("/__w/app/./sub", false),
            ("/__w/app/file", true),
            ("/__w/app/none", true),
            ("/__w/app/none/sub", true),
            ("/__w/usr", false),
            ("/__w/usr/local", false),
            ("/__w/etc/of-the-container", false),
            ("/__w/none", false),
            ("/__w/app/../../opt", false),
            ("/opt", false),
        ] {
            assert_eq!(mounts.lacks_folder(inside), lacks, "{inside}");
        }
    }

    #[test]
    fn texts_with_paths() {
        let mounts = mounts();
        let text = "/__w/app/app/dist\n!/__w/_temp/x:/github/home, a/__w/b /__work https://x/__w/y";
        expect![[r#"
            /state/job/work/app/app/dist
            !/state/job/temp/x:/state/job/home, a/__w/b /__work https://x/__w/y"#]]
        .assert_eq(&mounts.text_here(text));
        let text = "/state/job/work/app/app/dist:/usr/bin:/state/jobs";
        expect!["/__w/app/app/dist:/usr/bin:/state/jobs"].assert_eq(&mounts.text_inside(text));
    }
}
