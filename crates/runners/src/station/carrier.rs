//! The thread that sends what one job says, in the order of deeds: log bytes, blobs, the report.

use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;
use std::sync::mpsc::Receiver;

use event::BlobId;
use mask::MaskedText;
use protocol::{FromRunner, HeldLease, LogName, PIECE_BYTES_MAX, Piece, Report};
use store::{Blobs, Durability};

use crate::connection::{Cut, Outgoing};
use crate::fleet::log_files;

/// What a carrier is told.
#[derive(Debug)]
pub(super) enum ToCarrier {
    /// The worker said something.
    Report(Option<u64>, Report),
    /// The worker is gone.
    Gone(MaskedText),
    /// So many reports are remembered on the server.
    Heard(u64),
    /// There is a connection, and this is known on the other side.
    Resume { outgoing: Outgoing, heard: u64, logs: Vec<(LogName, u64)> },
    /// There is none.
    Cut,
}

/// What one lease has to say.
pub(super) struct Carrier {
    lease: HeldLease,
    log: PathBuf,
    blobs: PathBuf,
    inbox: Receiver<ToCarrier>,
    outgoing: Option<Outgoing>,
    /// Reports that the server does not remember yet; the worker's spool has them too.
    reports: VecDeque<(u64, Report)>,
    /// The number of the next that this connection is to have.
    next: u64,
    /// How much of each file this connection was given.
    sent: BTreeMap<LogName, u64>,
    /// How far the log has grown, where that was not said.
    grown: Vec<Report>,
    gone: Option<MaskedText>,
    has_said_gone: bool,
}

/// Why nothing more is sent for now.
enum Stopped {
    Cut,
    /// What a report names is not there.
    Lost(String),
}

impl From<Cut> for Stopped {
    fn from(_: Cut) -> Stopped {
        Stopped::Cut
    }
}

impl Carrier {
    pub(super) fn new(
        lease: HeldLease,
        (log, blobs): (PathBuf, PathBuf),
        inbox: Receiver<ToCarrier>,
    ) -> Carrier {
        Carrier {
            lease,
            log,
            blobs,
            inbox,
            outgoing: None,
            reports: VecDeque::new(),
            next: 0,
            sent: BTreeMap::new(),
            grown: Vec::new(),
            gone: None,
            has_said_gone: false,
        }
    }

    /// Until nobody has anything to tell it: the lease is over.
    pub(super) fn run(mut self) {
        while let Ok(first) = self.inbox.recv() {
            self.take(first);
            while let Ok(more) = self.inbox.try_recv() {
                self.take(more);
            }
            match self.carry() {
                Ok(()) => {}
                Err(Stopped::Cut) => self.outgoing = None,
                Err(Stopped::Lost(reason)) => {
                    self.gone = Some(MaskedText::without_secrets(reason));
                    self.reports.clear();
                }
            }
        }
    }

    fn take(&mut self, message: ToCarrier) {
        match message {
            ToCarrier::Report(Some(number), report) => self.reports.push_back((number, report)),
            ToCarrier::Report(None, report) => {
                // Only the newest counts of each file.
                let own = |it: &Report| match it {
                    Report::LogGrew { own, .. } => Some(*own),
                    _ => None,
                };
                self.grown.retain(|it| own(it) != own(&report));
                self.grown.push(report);
            }
            ToCarrier::Gone(reason) => self.gone = Some(reason),
            ToCarrier::Heard(heard) => self.drop_heard(heard),
            ToCarrier::Resume { outgoing, heard, logs } => {
                self.outgoing = Some(outgoing);
                self.next = heard;
                self.sent = logs.into_iter().collect();
                self.has_said_gone = false;
                self.drop_heard(heard);
            }
            ToCarrier::Cut => self.outgoing = None,
        }
    }

    fn drop_heard(&mut self, heard: u64) {
        while self.reports.front().is_some_and(|(number, _)| *number < heard) {
            self.reports.pop_front();
        }
    }

    fn carry(&mut self) -> Result<(), Stopped> {
        let Some(outgoing) = self.outgoing.clone() else { return Ok(()) };
        let due: Vec<(u64, Report)> =
            self.reports.iter().filter(|(number, _)| *number >= self.next).cloned().collect();
        for (number, report) in due {
            self.send_log(&outgoing)?;
            if let Some(blob) = blob_of(&report) {
                self.send_blob(&outgoing, blob)?;
            }
            let lease = self.lease.clone();
            outgoing.send(&FromRunner::Report { lease, number: Some(number), report }, b"")?;
            self.next = number + 1;
        }
        if !self.grown.is_empty() {
            self.send_log(&outgoing)?;
            for report in self.grown.drain(..) {
                let lease = self.lease.clone();
                outgoing.send(&FromRunner::Report { lease, number: None, report }, b"")?;
            }
        }
        if let Some(reason) = self.gone.clone().filter(|_| !self.has_said_gone) {
            self.send_log(&outgoing)?;
            outgoing.send(&FromRunner::Gone { lease: self.lease.clone(), reason }, b"")?;
            self.has_said_gone = true;
        }
        Ok(())
    }

    /// Sends what the log's files have more than was sent.
    fn send_log(&mut self, outgoing: &Outgoing) -> Result<(), Stopped> {
        let mut bytes = vec![0; PIECE_BYTES_MAX];
        for (log, length) in log_files(&self.log) {
            let mut path = self.log.clone().into_os_string();
            path.push(log.suffix());
            let mut offset = self.sent.get(&log).copied().unwrap_or(0);
            if offset >= length {
                continue;
            }
            let lost = |error: std::io::Error| Stopped::Lost(format!("its log is gone: {error}"));
            let file = File::open(&path).map_err(lost)?;
            while offset < length {
                let most = bytes.len().min((length - offset) as usize);
                file.read_exact_at(&mut bytes[..most], offset).map_err(lost)?;
                let lease = self.lease.clone();
                outgoing.send(&FromRunner::Log { lease, log, offset }, &bytes[..most])?;
                offset += most as u64;
                self.sent.insert(log, offset);
            }
        }
        Ok(())
    }

    fn send_blob(&self, outgoing: &Outgoing, blob: &BlobId) -> Result<(), Stopped> {
        let lost = |error: &dyn std::fmt::Display| {
            Stopped::Lost(format!("what it kept cannot be read: {error}"))
        };
        let blobs = Blobs::open(&self.blobs, Durability::ProcessDeath).map_err(|it| lost(&it))?;
        let mut file = blobs.get(blob).map_err(|it| lost(&it))?;
        let size = file.metadata().map_err(|it| lost(&it))?.len();
        let mut bytes = vec![0; PIECE_BYTES_MAX];
        let mut offset = 0;
        loop {
            let most = bytes.len().min((size - offset) as usize);
            file.read_exact(&mut bytes[..most]).map_err(|it| lost(&it))?;
            let (lease, blob) = (self.lease.clone(), blob.clone());
            let piece = Piece { offset, size };
            outgoing.send(&FromRunner::Blob { lease, blob, piece }, &bytes[..most])?;
            offset += most as u64;
            if offset == size {
                return Ok(());
            }
        }
    }
}

/// The blob that a report names.
fn blob_of(report: &Report) -> Option<&BlobId> {
    match report {
        Report::StepCompleted { own_log, .. } => own_log.as_ref(),
        Report::SummaryWritten { blob, .. } | Report::ArtifactUploaded { blob, .. } => Some(blob),
        Report::Started { .. }
        | Report::StepStarted { .. }
        | Report::LogGrew { .. }
        | Report::AnnotationAdded { .. }
        | Report::ImageBuilt { .. }
        | Report::NotEnforced { .. }
        | Report::Completed { .. } => None,
    }
}
