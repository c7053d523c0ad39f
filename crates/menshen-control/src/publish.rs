//! Publishing: compile aside, swap whole, keep the last good one.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use menshen_config::document::LogTo;
use menshen_config::source::Reader;
use menshen_config::{Document, Problems};
use menshen_proxy::Snapshot;
use menshen_proxy::challenges::Challenges;
use tokio::sync::watch;

use crate::access_log::LogControl;
use crate::acme::Change;
use crate::compile::{Compiled, Purpose, compile};
use crate::discovery::eureka::registration::Phase;
use crate::discovery::listing::Registry;
use crate::expiry::{self, Expiry};
use crate::fixed::Fixed;
use crate::generated::Tally;
use crate::services::Serving;
use crate::{Ground, Origin};

/// How the last reload went.
#[derive(Clone, Debug, Default)]
pub struct Status {
    /// The generation being served.
    pub version: u64,
    /// Reloads that succeeded.
    pub reloads: u64,
    /// Reloads that were refused.
    pub refused: u64,
    /// Why the last reload was refused; empty after one that succeeded.
    pub refusal: String,
    /// Settings of the configuration being served that take effect after a restart, a sentence for each.
    pub warnings: Vec<String>,
    /// How long the last compilation took.
    pub took: Duration,
    /// The certificates of the listeners and when they end.
    pub certificates: Vec<Expiry>,
    /// The gateway has been ready once: what is not warm later does not make it unready.
    pub was_ready: bool,
    /// Routes that are made of what registries list.
    pub tallies: BTreeMap<Registry, Tally>,
    /// The gateway is stopping.
    pub stopping: bool,
}

/// What the admin listener and the process see of a publisher.
#[derive(Debug)]
pub struct Shared {
    /// What outlives generations.
    pub ground: Arc<Ground>,
    /// How reloads went.
    pub status: Mutex<Status>,
    /// Where access-log lines go.
    pub log: Arc<LogControl>,
    /// The services that are served.
    pub services: Serving,
}

impl Shared {
    /// How reloads went.
    pub fn status(&self) -> Status {
        self.status.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn update(&self, change: impl FnOnce(&mut Status)) {
        change(&mut self.status.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Notes that the gateway is stopping: readiness goes first.
    pub fn stopping(&self) {
        self.update(|s| s.stopping = true);
        self.ground.registering.is_at(Phase::Leaving);
    }

    /// Waits until the gateway is ready for the first time; from then on others may know of it.
    pub async fn tell_when_ready(&self) {
        while !self.is_ready() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        self.update(|s| s.was_ready = true);
        self.ground.registering.is_at(Phase::Up);
    }

    /// True when every worker serves the current generation, every service has been heard of, and the gateway is not stopping.
    pub fn is_ready(&self) -> bool {
        let status = self.status();
        !status.stopping
            && status.version > 0
            && self.all_workers_serve(status.version)
            && self.ground.discovery.awaited().is_empty()
            && (status.was_ready || self.is_warm())
    }

    /// True when no worker is making connections that somebody wants to be there before the first request.
    fn is_warm(&self) -> bool {
        self.ground.worker_stats.sum(|c| &c.warming) == 0
    }

    /// True when every worker serves, also if some services have no endpoints yet.
    pub fn serves(&self) -> bool {
        let version = self.status().version;
        version > 0 && self.all_workers_serve(version)
    }

    fn all_workers_serve(&self, version: u64) -> bool {
        let workers: Vec<u64> = self.ground.worker_stats.iter().map(|c| c.version.get()).collect();
        workers.len() == self.ground.workers && workers.iter().all(|v| *v >= version)
    }

    /// Waits until every worker serves this generation. False when that takes too long.
    pub async fn settled(&self, version: u64) -> bool {
        let end = Instant::now() + Duration::from_secs(10);
        while !self.all_workers_serve(version) {
            if Instant::now() >= end {
                return false;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        true
    }
}

/// Reads, compiles and publishes. It has one owner, so generations come one after the other.
pub struct Publisher {
    origin: Origin,
    reader: Reader,
    snapshots: watch::Sender<Arc<Snapshot>>,
    shared: Arc<Shared>,
    serving: Option<Current>,
    /// Generations that workers may still hold; dropped here, because freeing a large one takes time.
    old: Vec<Arc<Snapshot>>,
    fixed: Fixed,
    /// A hash of the sources as they were last read; `None` when they could not be.
    last_read: Option<u64>,
    /// What a certificate authority is answered.
    challenges: Arc<Challenges>,
    /// Sweeps that still give memory back after a publication.
    tidying: u8,
    /// Warnings about the document that is served, which were told.
    warned: Vec<String>,
}

struct Current {
    compiled: Compiled,
    /// Where certificates are got, or routes are made of what registries list, it is compiled anew with those.
    document: Option<Document>,
}

/// Freed memory goes back to the system some time later, when a thread that used the allocator ends.
fn give_memory_back() {
    on_own_thread(|| drop(std::hint::black_box(vec![0u8; 1 << 20])));
}

/// Reading and compiling a large document takes much memory for a moment. On a thread of its own that memory goes
/// back to the system when the thread ends, instead of staying with a thread that lives on.
fn on_own_thread<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| match scope.spawn(work).join() {
        Ok(result) => result,
        Err(panic) => std::panic::resume_unwind(panic),
    })
}

/// Who may connect to a Unix socket can change while it is open.
fn grant_access(compiled: &Compiled) {
    for listener in compiled.listeners.iter() {
        if let Err(error) = listener.sockets.grant(listener.access) {
            let (listener, address) = (&listener.name, listener.sockets.address());
            tracing::warn!(%listener, %address, %error, "cannot change who may connect; it stays as it was");
        }
    }
}

fn fingerprint(sources: &[menshen_config::Source]) -> u64 {
    use std::hash::{Hash, Hasher};
    let mut hasher = std::hash::DefaultHasher::new();
    for source in sources {
        (&source.name, &source.text).hash(&mut hasher);
    }
    hasher.finish()
}

/// A document read once, before workers exist.
pub struct First {
    reader: Reader,
    last_read: u64,
    /// The document.
    pub document: Document,
    /// What is wrong with it.
    pub problems: Problems,
}

impl First {
    /// Reads the document.
    ///
    /// # Errors
    /// One line about a file that cannot be read.
    pub fn read(origin: &Origin) -> Result<Self, String> {
        on_own_thread(|| Self::read_here(origin))
    }

    fn read_here(origin: &Origin) -> Result<Self, String> {
        let mut reader = Reader::new();
        let sources = origin.read()?;
        let (document, problems) = reader.read(&sources);
        if sources.len() == 1 {
            reader.forget();
        }
        Ok(Self { reader, last_read: fingerprint(&sources), document, problems })
    }
}

impl Publisher {
    /// Publishes the first generation.
    ///
    /// # Errors
    /// All problems of the document.
    pub fn start(
        origin: Origin,
        first: First,
        snapshots: watch::Sender<Arc<Snapshot>>,
        shared: Arc<Shared>,
    ) -> Result<Self, Problems> {
        let First { reader, last_read, document, problems } = first;
        let fixed = Fixed::of(&document.gateway);
        let (serving, old, last_read) = (None, Vec::new(), Some(last_read));
        let challenges = Arc::default();
        let mut publisher = Self {
            origin,
            reader,
            snapshots,
            shared,
            serving,
            old,
            fixed,
            last_read,
            challenges,
            tidying: 0,
            warned: Vec::new(),
        };
        on_own_thread(move || {
            publisher.compile_and_publish(&document, problems)?;
            Ok(publisher)
        })
    }

    /// Reads the sources again and publishes them if they are good; else the last good generation stays.
    ///
    /// # Errors
    /// Why they were refused, for people.
    pub fn reload(&mut self) -> Result<u64, String> {
        let result = on_own_thread(|| self.try_reload());
        match &result {
            Ok(version) => tracing::info!(version, "configuration published"),
            Err(why) => {
                self.shared.update(|s| {
                    s.refused += 1;
                    s.refusal.clone_from(why);
                });
                let version = self.shared.status().version;
                tracing::error!(
                    serving = version,
                    "configuration refused; the last good one keeps serving\n{why}"
                );
            }
        }
        result
    }

    /// True when a file that the configuration names, such as a certificate, is not what it was.
    pub fn has_other_files(&self) -> bool {
        self.shared.ground.files.have_changed()
    }

    /// True when the sources read as they did last time, and so do the files that they name.
    pub fn is_unchanged(&self) -> bool {
        !self.has_other_files()
            && self.origin.read().is_ok_and(|sources| Some(fingerprint(&sources)) == self.last_read)
    }

    fn try_reload(&mut self) -> Result<u64, String> {
        let (document, problems) = self.read()?;
        self.warned.clear();
        self.compile_and_publish(&document, problems).map_err(|p| p.with_excerpts().to_string())?;
        let (warnings, told) =
            (self.fixed.changes_to(&Fixed::of(&document.gateway)), self.shared.status().warnings);
        warnings.iter().filter(|w| !told.contains(w)).for_each(|w| tracing::warn!("{w}"));
        self.shared.update(|s| {
            s.warnings = warnings;
            s.reloads += 1;
            s.refusal.clear();
        });
        Ok(self.shared.status().version)
    }

    fn read(&mut self) -> Result<(Document, Problems), String> {
        self.last_read = None;
        let sources = self.origin.read()?;
        let read = self.reader.read(&sources);
        self.last_read = Some(fingerprint(&sources));
        self.keep_for_next_time(&sources);
        Ok(read)
    }

    /// Of many files most are the same next time and need not be parsed again; a single one has changed then.
    fn keep_for_next_time(&mut self, sources: &[menshen_config::Source]) {
        if sources.len() == 1 {
            self.reader.forget();
        }
    }

    fn compile_and_publish(&mut self, document: &Document, mut problems: Problems) -> Result<(), Problems> {
        let started = Instant::now();
        let compiled = match problems.has_errors() {
            true => {
                // The rest of the problems is worth knowing too.
                compile(document, &self.shared.ground, Purpose::Check, &mut problems);
                return Err(problems);
            }
            false => compile(document, &self.shared.ground, Purpose::Serve, &mut problems),
        };
        let Some(compiled) = compiled else {
            self.shared.ground.sweep();
            return Err(problems);
        };
        let warnings: Vec<String> = problems.iter().map(ToString::to_string).collect();
        // What is compiled again and again because others change is told once.
        warnings.iter().filter(|w| !self.warned.contains(w)).for_each(|w| tracing::warn!("{w}"));
        self.warned = warnings;
        self.shared.log.set(document.gateway.access_log.as_ref().map_or(LogTo::default(), |l| l.to.clone()));
        self.shared.ground.files.keep();
        self.publish(&compiled);
        self.shared.ground.acme.set_plan(compiled.acme.as_ref());
        self.shared.ground.discovery.set_plan(&compiled.discovery);
        self.shared.ground.registering.want(compiled.registration.clone());
        let is_needed = compiled.acme.is_some() || compiled.generated.is_some();
        let document = is_needed.then(|| document.clone());
        let tallies = compiled.generated.as_ref().map(|g| g.tallies.clone()).unwrap_or_default();
        self.serving = Some(Current { compiled, document });
        self.shared.update(|s| (s.took, s.tallies) = (started.elapsed(), tallies));
        Ok(())
    }

    fn publish(&mut self, compiled: &Compiled) {
        let mut version = 0;
        let certificates = expiry::of(compiled.listeners.iter().map(|l| &**l));
        self.shared.update(|s| {
            s.certificates = certificates;
            s.version += 1;
            version = s.version;
        });
        grant_access(compiled);
        let snapshot = Arc::new(Snapshot {
            version,
            listeners: compiled.listeners.clone(),
            services: compiled.services.clone(),
            gateway: compiled.gateway.clone(),
            challenges: self.challenges.clone(),
        });
        let services = compiled.services.clone();
        self.shared.ground.health.watch(compiled.plans.watched(&compiled.services));
        let before = self.snapshots.send_replace(snapshot);
        self.shared.services.replace(services);
        self.old.push(before);
        self.tidying = 5;
    }

    /// Publishes what was found out about where services are; those that nothing was found out about stay as they are.
    pub fn take_discovered(&mut self) {
        let changed = self.shared.ground.discovery.take_changed();
        if changed.is_nothing() {
            return;
        }
        let started = Instant::now();
        match changed.concerns_routes() {
            true => self.compile_again("routes of registries"),
            false => self.recompile_services(|service| changed.concerns(service)),
        }
        self.shared.ground.discovery.note_publication(started.elapsed());
    }

    /// Compiles these services anew and publishes them.
    fn recompile_services(&mut self, is_meant: impl Fn(&str) -> bool + Send) {
        let Some(mut serving) = self.serving.take() else { return };
        let mut problems = Problems::new();
        let Compiled { plans, services, .. } = &serving.compiled;
        let recalling = self.shared.ground.files.recall();
        let services =
            on_own_thread(|| plans.recompile(services, is_meant, &self.shared.ground, &mut problems));
        drop(recalling);
        if problems.has_errors() {
            // A file that services need was not kept and cannot be read now; without it they would have no endpoint at all.
            tracing::warn!("addresses of services changed and are not used yet: {problems}");
        } else {
            serving.compiled.services = services;
            self.publish(&serving.compiled);
            tracing::debug!(version = self.shared.status().version, "addresses of services changed");
        }
        self.serving = Some(serving);
    }

    /// Has the keeper of certificates its way.
    pub fn apply(&mut self, change: Change) {
        match change {
            Change::Challenges(challenges, tell) => {
                self.challenges = Arc::new(challenges);
                if let Some(serving) = self.serving.take() {
                    self.publish(&serving.compiled);
                    self.serving = Some(serving);
                }
                // Whoever asked may have gone.
                let _ = tell.send(self.shared.status().version);
            }
            Change::Certificates => self.compile_again("certificates"),
        }
    }

    /// What is served is compiled anew: whatever the files say by now, they have nothing to do with this.
    fn compile_again(&mut self, what: &str) {
        let Some(document) = self.serving.as_mut().and_then(|s| s.document.take()) else { return };
        let ground = self.shared.ground.clone();
        let recalling = ground.files.recall();
        let compiled = on_own_thread(|| self.compile_and_publish(&document, Problems::new()));
        drop(recalling);
        match compiled {
            Ok(()) => tracing::info!(version = self.shared.status().version, "{what} changed"),
            Err(problems) => {
                let problems = problems.with_excerpts();
                tracing::error!("new {what} cannot be used; the old ones keep serving\n{problems}");
                if let Some(serving) = &mut self.serving {
                    serving.document = Some(document);
                }
            }
        }
    }

    /// Says in the log which certificates have ended or will soon.
    pub fn warn_of_expiry(&self) {
        let certificates = self.shared.status().certificates;
        expiry::warnings(&certificates, expiry::now()).iter().for_each(|w| tracing::warn!("{w}"));
    }

    /// Says in the log which revocation lists have ended since it was asked last.
    pub fn warn_of_ended_lists(&self) {
        for file in self.shared.ground.files.newly_ended(expiry::now()) {
            let file = file.display();
            tracing::warn!(
                "{file}: the revocation list is out of date; certificates of its authority are refused"
            );
        }
    }

    /// Frees generations that no worker holds any more, and what belonged to them.
    pub fn sweep(&mut self) {
        let before = self.old.len();
        self.old.retain(|s| Arc::strong_count(s) > 1);
        if self.old.len() < before {
            self.shared.ground.sweep();
        }
        if self.tidying > 0 {
            self.tidying -= 1;
            give_memory_back();
        }
    }

    /// Where the configuration comes from.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// What others see of it.
    pub fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }
}
