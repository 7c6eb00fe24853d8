//! The second half of the demo: what was built goes to this machine, and a broken version comes back
//! by itself, while somebody asks for the page all the time.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use super::prober::{Counts, Prober};
use super::scene::Scene;
use super::{Teller, expect, program};
use crate::exit::{Exit, Failure};

/// What is shipped: a page, and what it says it is.
const SITE: &str = "site";

/// The environment that it is shipped to.
pub(super) const ENVIRONMENT: &str = "local";

/// Plays it; what the callers of the page saw.
pub(super) fn play(scene: &Scene, teller: &Teller) -> Result<Counts, Failure> {
    let address = free_address()?;
    teller.chapter("Ship it: 1.0 goes to this machine, behind a proxy that never stops answering");
    scene.write("launchway.yml", &settings(address)?)?;
    scene.make_folder(SITE)?;
    release(scene, "1.0", Some("Hello, world!\n"))?;
    expect(scene, &["check"], Exit::Done)?;
    deploy(scene, "1.0", Exit::Done)?;

    let prober = Prober::start(address);
    let story = change_it(scene, teller);
    let counts = prober.stop();
    story.map(|()| counts)
}

fn change_it(scene: &Scene, teller: &Teller) -> Result<(), Failure> {
    teller.chapter("1.1 lost its greeting. It is never healthy, so 1.0 stays, and nobody notices");
    release(scene, "1.1", None)?;
    deploy(scene, "1.1", Exit::RolledBack)?;

    teller.chapter("1.2 has it again. Old and new change places behind the proxy");
    release(scene, "1.2", Some("Hello again, world!\n"))?;
    deploy(scene, "1.2", Exit::Done)?;

    teller.chapter("And all of it is known");
    expect(scene, &["history", ENVIRONMENT], Exit::Done)
}

fn deploy(scene: &Scene, version: &str, wanted: Exit) -> Result<(), Failure> {
    expect(scene, &["deploy", ENVIRONMENT, "--version", version, "--yes"], wanted)
}

fn release(scene: &Scene, version: &str, greeting: Option<&str>) -> Result<(), Failure> {
    scene.write(&format!("{SITE}/version.txt"), &format!("{version}\n"))?;
    match greeting {
        Some(greeting) => scene.write(&format!("{SITE}/greeting.txt"), greeting)?,
        None => scene.remove(&format!("{SITE}/greeting.txt"))?,
    }
    scene.commit(&format!("The page says {version}"))
}

/// An address that nobody listens on now.
fn free_address() -> Result<SocketAddr, Failure> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
    let address = listener.and_then(|listener| listener.local_addr());
    address.map_err(|error| Failure::caused(Exit::Missing, error))
}

fn settings(address: SocketAddr) -> Result<String, Failure> {
    let program = program()?;
    let program = serde_json::to_string(&program.to_string_lossy()).expect("text is JSON");
    Ok(include_str!("../../../demo/launchway.yml")
        .replace("ADDRESS", &address.to_string())
        .replace("PROGRAM", &program))
}
