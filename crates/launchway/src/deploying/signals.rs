//! Signals to a command that deploys. Ctrl-C once ends what it drives as the settings say, twice leaves it. SIGTERM and
//! SIGHUP leave it: whoever comes next goes on with it. Who wants it from elsewhere sends none of them
//! ([`super::stop::Stops`]).
//!
//! Until it drives something a signal ends the command, as it does everywhere. From then on it is heard, between two
//! deployments too: nothing new is begun then, and a second one ends the command at once.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, MutexGuard};

use deployment::Input;
use driver::DeploymentInput;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use super::person;
use crate::exit::{Exit, Failure};
use crate::terminal::style::talk;

/// Those that are heard.
const SIGNALS: [i32; 3] = [SIGINT, SIGTERM, SIGHUP];

/// What a command hears of them.
#[derive(Default)]
pub(super) struct Signals(Arc<Mutex<Heard>>);

#[derive(Default)]
struct Heard {
    is_listening: bool,
    /// Whoever drives a deployment now.
    driven: Option<Sender<DeploymentInput>>,
    /// Of the deployment that is driven.
    interrupts: u32,
    is_told_to_stop: bool,
    /// Set by the signal itself: whoever sees that a program died of it sees this, too.
    has_come: Arc<AtomicBool>,
}

/// What to do at a signal.
enum Deed {
    Tell(Sender<DeploymentInput>, DeploymentInput),
    Say(&'static str),
    End,
}

/// As long as it lives, a deployment hears them.
pub(super) struct Heeded<'s>(&'s Signals);

impl Drop for Heeded<'_> {
    fn drop(&mut self) {
        self.0.heard().driven = None;
    }
}

impl Signals {
    fn heard(&self) -> MutexGuard<'_, Heard> {
        self.0.lock().expect("nobody panics while holding it")
    }

    /// Whether somebody wanted the command to stop.
    pub(super) fn is_told_to_stop(&self) -> bool {
        self.heard().has_come()
    }

    /// Whether something new may be begun.
    ///
    /// # Errors
    /// When the command was told to stop.
    pub(super) fn may_begin(&self) -> Result<(), Failure> {
        self.heard().may_begin()
    }

    /// A deployment hears them until what comes back is dropped.
    ///
    /// # Errors
    /// When the command was told to stop before: nothing is to be begun.
    pub(super) fn drive(&self, inputs: Sender<DeploymentInput>) -> Result<Heeded<'_>, Failure> {
        let mut heard = self.heard();
        heard.may_begin()?;
        if !heard.is_listening {
            self.listen(&heard.has_come).map_err(|error| Failure::caused(Exit::Missing, error))?;
        }
        (heard.is_listening, heard.driven, heard.interrupts) = (true, Some(inputs), 0);
        Ok(Heeded(self))
    }

    fn listen(&self, has_come: &Arc<AtomicBool>) -> std::io::Result<()> {
        // Before the flag, which alone tells nobody: a signal between the two would be heard by none.
        let mut signals = signal_hook::iterator::Signals::new(SIGNALS)?;
        for signal in SIGNALS {
            signal_hook::flag::register(signal, Arc::clone(has_come))?;
        }
        let heard = Signals(Arc::clone(&self.0));
        std::thread::spawn(move || {
            for signal in signals.forever() {
                let deed = heard.heard().hear(signal);
                match deed {
                    Deed::Tell(inputs, input) => {
                        if matches!(input, DeploymentInput::Told(_)) {
                            talk("stopping; once more to leave it as it is");
                        }
                        // It may be over by then.
                        let _ = inputs.send(input);
                    }
                    Deed::Say(text) => talk(text),
                    // It ends the process, as each of the three does where nobody hears it.
                    Deed::End => drop(signal_hook::low_level::emulate_default_handler(signal)),
                }
            }
        });
        Ok(())
    }
}

impl Heard {
    fn has_come(&self) -> bool {
        self.is_told_to_stop || self.has_come.load(Ordering::SeqCst)
    }

    fn may_begin(&self) -> Result<(), Failure> {
        if self.has_come() {
            let message = "nothing new was begun: this command was told to stop";
            return Err(Failure::new(Exit::Cancelled, message));
        }
        Ok(())
    }

    fn hear(&mut self, signal: i32) -> Deed {
        let is_first = !std::mem::replace(&mut self.is_told_to_stop, true);
        let Some(inputs) = &self.driven else {
            let begins_nothing = "told to stop: nothing new is begun; once more to end at once";
            return if is_first { Deed::Say(begins_nothing) } else { Deed::End };
        };
        self.interrupts += u32::from(signal == SIGINT);
        let input = if signal == SIGINT && self.interrupts == 1 {
            DeploymentInput::Told(Input::Cancel { by: person(), reason: None })
        } else {
            DeploymentInput::Detach
        };
        Deed::Tell(inputs.clone(), input)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    /// What becomes of signals that come one behind the other.
    fn check(is_driving: bool, signals: &[i32], expect: &[&str]) {
        let (sender, _inputs) = channel();
        let mut heard = Heard { driven: is_driving.then_some(sender), ..Heard::default() };
        let word = |deed| match deed {
            Deed::Tell(_, DeploymentInput::Told(Input::Cancel { .. })) => "cancel",
            Deed::Tell(_, DeploymentInput::Detach) => "leave",
            Deed::Tell(..) => "another",
            Deed::Say(_) => "say",
            Deed::End => "end",
        };
        let found: Vec<&str> = signals.iter().map(|it| word(heard.hear(*it))).collect();
        assert_eq!(found, expect);
        let before = Signals(Arc::new(Mutex::new(heard)));
        assert_eq!(before.is_told_to_stop(), !signals.is_empty());
        let begun = before.drive(channel().0).err().map(|it| (it.exit, it.error.to_string()));
        let refused = "nothing new was begun: this command was told to stop".to_owned();
        assert_eq!(begun, Some((Exit::Cancelled, refused)));
    }

    #[test]
    fn who_is_told_to_stop_begins_nothing() {
        check(true, &[SIGINT, SIGINT], &["cancel", "leave"]);
        check(true, &[SIGTERM, SIGINT, SIGHUP], &["leave", "cancel", "leave"]);
        // Between two deployments.
        check(false, &[SIGTERM, SIGTERM], &["say", "end"]);
        check(false, &[SIGINT, SIGHUP], &["say", "end"]);
    }
}
