//! Objects below a prefix, asked for by threads of their own: a client belongs to one thread, a
//! journal to all of them.

use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws::{BucketState, Client, Fault, ListPage, Object, PutIf, Stored};

use crate::error::BucketError;

/// How often a call is made that S3 did not take for want of strength.
const TRIES: u32 = 4;
/// The wait before the second try; it doubles.
const FIRST_WAIT: Duration = Duration::from_millis(100);
/// Objects that are fetched at once: a new machine reads all there is.
const FETCHES_MAX: usize = 8;

/// Makes a client of a region.
type Make = Arc<dyn Fn(&str) -> Client + Send + Sync>;
type Job = Box<dyn FnOnce(&mut Client) + Send>;

/// A bucket and a prefix in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Located {
    /// The bucket.
    pub bucket: String,
    /// The prefix, without a slash at its ends; empty for none.
    pub prefix: String,
}

impl Located {
    /// Of `s3://bucket/prefix`.
    pub fn of(url: &str) -> Located {
        let rest = url.strip_prefix("s3://").unwrap_or(url);
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        Located { bucket: bucket.to_owned(), prefix: prefix.trim_matches('/').to_owned() }
    }

    /// The whole name of an object.
    pub(crate) fn key(&self, name: &str) -> String {
        match self.prefix.as_str() {
            "" => name.to_owned(),
            prefix => format!("{prefix}/{name}"),
        }
    }
}

impl std::fmt::Display for Located {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.prefix.as_str() {
            "" => write!(f, "s3://{}", self.bucket),
            prefix => write!(f, "s3://{}/{prefix}", self.bucket),
        }
    }
}

/// The objects of a journal.
pub struct Objects {
    located: Located,
    region: Arc<Mutex<String>>,
    make: Make,
    callers: Mutex<Vec<Sender<Job>>>,
}

impl Objects {
    /// Those below a prefix. `region` is where the bucket is looked for first; S3 says where it is.
    pub fn new(
        located: Located,
        region: &str,
        make: impl Fn(&str) -> Client + Send + Sync + 'static,
    ) -> Objects {
        Objects {
            located,
            region: Arc::new(Mutex::new(region.to_owned())),
            make: Arc::new(make),
            callers: Mutex::new(Vec::new()),
        }
    }

    /// Where they are.
    pub fn located(&self) -> &Located {
        &self.located
    }

    /// What is set for the bucket.
    ///
    /// # Errors
    /// When S3 does not say.
    pub fn state(&self) -> Result<BucketState, BucketError> {
        let bucket = self.located.bucket.clone();
        self.call(move |client| client.bucket_state(&bucket))
    }

    /// An object, whole.
    pub(crate) fn get(&self, name: &str) -> Result<Option<Object>, BucketError> {
        let (bucket, key) = (self.located.bucket.clone(), self.located.key(name));
        self.call(move |client| client.get_object(&bucket, &key))
    }

    /// Objects, each whole, several at once.
    pub(crate) fn get_all(&self, names: &[String]) -> Result<Vec<Option<Object>>, BucketError> {
        let mut all = Vec::with_capacity(names.len());
        for group in names.chunks(FETCHES_MAX) {
            let group: Vec<_> = std::thread::scope(|scope| {
                let each: Vec<_> =
                    group.iter().map(|name| scope.spawn(move || self.get(name))).collect();
                each.into_iter().map(|it| it.join().expect("a look does not panic")).collect()
            });
            for object in group {
                all.push(object?);
            }
        }
        Ok(all)
    }

    /// One page of the names that begin so, behind one.
    pub(crate) fn list(&self, prefix: &str, after: &str) -> Result<ListPage, BucketError> {
        let bucket = self.located.bucket.clone();
        let (begin, own) = (self.located.key(""), self.located.key(prefix));
        let after = if after.is_empty() { String::new() } else { self.located.key(after) };
        let page = self.call(move |client| client.list_objects(&bucket, &own, &after))?;
        let mut page = page;
        for object in &mut page.objects {
            object.key = object.key.strip_prefix(&begin).unwrap_or(&object.key).to_owned();
        }
        Ok(page)
    }

    /// Writes an object. A call that S3 did not take for want of strength is made again: under a
    /// condition that is harmless, and whoever gets [`Stored::NotSo`] looks whether it was its own.
    pub(crate) fn put(
        &self,
        name: &str,
        bytes: &[u8],
        only_absent: OnlyAbsent,
    ) -> Result<Stored, BucketError> {
        let (bucket, key) = (self.located.bucket.clone(), self.located.key(name));
        let bytes: Arc<[u8]> = bytes.into();
        self.call(move |client| {
            let condition = match only_absent {
                OnlyAbsent::Yes => PutIf::Absent,
                OnlyAbsent::No => PutIf::Always,
            };
            client.put_object(&bucket, &key, &bytes, condition)
        })
    }

    /// Removes an object.
    pub(crate) fn remove(&self, name: &str) -> Result<(), BucketError> {
        let (bucket, key) = (self.located.bucket.clone(), self.located.key(name));
        self.call(move |client| client.delete_object(&bucket, &key))
    }

    /// Makes a call on a thread that has a client, again where S3 was too weak.
    fn call<T: Send + 'static>(
        &self,
        call: impl Fn(&mut Client) -> Result<T, Fault> + Send + Sync + 'static,
    ) -> Result<T, BucketError> {
        let call = Arc::new(call);
        let mut wait = FIRST_WAIT;
        let mut tried = 1;
        loop {
            match self.call_once(Arc::clone(&call)) {
                Err(fault) if fault.may_pass() && tried < TRIES => {
                    std::thread::sleep(wait);
                    (wait, tried) = (wait * 2, tried + 1);
                }
                other => {
                    return other.map_err(|it| BucketError::of(&self.located.to_string(), it));
                }
            }
        }
    }

    fn call_once<T: Send + 'static>(
        &self,
        call: Arc<impl Fn(&mut Client) -> Result<T, Fault> + Send + Sync + 'static>,
    ) -> Result<T, Fault> {
        let caller = self.callers().pop().unwrap_or_else(|| self.caller());
        let (sender, answer) = channel();
        let (region, make) = (Arc::clone(&self.region), Arc::clone(&self.make));
        let job: Job = Box::new(move |client| {
            let mut given = call(client);
            if let Err(Fault { resources, .. }) = &given
                && let [elsewhere] = &**resources
                && elsewhere != client.region()
            {
                *region.lock().expect("nobody panics while holding it") = elsewhere.clone();
                *client = make(elsewhere);
                given = call(client);
            }
            // Whoever asked waits for it.
            let _ = sender.send(given);
        });
        caller.send(job).expect("the thread lives as long as its sender");
        let given = answer.recv().expect("every job is answered");
        self.callers().push(caller);
        given
    }

    /// A thread with a client of its own, for as long as its sender lives.
    fn caller(&self) -> Sender<Job> {
        let (sender, jobs) = channel::<Job>();
        let (region, make) = (Arc::clone(&self.region), Arc::clone(&self.make));
        std::thread::spawn(move || {
            let region = region.lock().expect("nobody panics while holding it").clone();
            let mut client = make(&region);
            for job in jobs {
                job(&mut client);
            }
        });
        sender
    }

    fn callers(&self) -> std::sync::MutexGuard<'_, Vec<Sender<Job>>> {
        self.callers.lock().expect("nobody panics while holding them")
    }
}

/// Whether what is there is left as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OnlyAbsent {
    Yes,
    No,
}
