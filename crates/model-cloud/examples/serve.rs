//! The model cloud on a local port, for clients that are not ours. Its first line is its URL; it
//! serves until its input ends. `wall` as the argument lets time pass, else it stands still until
//! `/_model/advance`.

use std::io::{Read as _, Write as _};

use model_cloud::{Clock, Cloud, Front};

/// 2026-11-21: any time will do.
const START: u64 = 1_795_219_200_000;

fn main() -> std::io::Result<()> {
    let clock = match std::env::args().nth(1).as_deref() {
        Some("wall") => Clock::Wall { times: 1 },
        _ => Clock::Held,
    };
    let front = Front::serve(Cloud::new("111122223333", "eu-central-1", START), clock, 0)?;
    writeln!(std::io::stdout(), "{}", front.url())?;
    std::io::stdin().read_to_end(&mut Vec::new()).map(drop)
}
