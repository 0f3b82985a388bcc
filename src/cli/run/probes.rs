//! Runs the probes of a container, in a thread, and reports changes of their results.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use coracle_core::port::Protocol;
use coracle_kube::manifests::workload_settings;
use coracle_run::Container;
use coracle_run::probe::{Probe, ProbeAction};

use super::container::declared_ports;
use super::events::{ProbeResult, RunEvent};
use super::image::PreparedImage;

/// How often a program is asked until it is ready: a kubelet asks less often.
const FIRST_PERIOD: Duration = Duration::from_millis(20);
/// How often it is checked whether the container still runs.
const CHECK: Duration = Duration::from_millis(200);

/// The probes of a container.
#[derive(Clone, Default)]
pub(super) struct RunProbes {
    startup: Option<Probe>,
    readiness: Option<Probe>,
    liveness: Option<Probe>,
    /// `true` if readiness is a connection to a declared port, because there is no probe.
    is_guessed: bool,
}

/// The number of the container that runs; probes of others end.
pub(super) type Generation = Arc<AtomicU64>;

impl RunProbes {
    /// Returns the probes of the recipe. Without any, the program is ready when it listens on its first
    /// port. `has_host_network`: the container's ports are those of this machine.
    pub(super) fn of(prepared: &PreparedImage, container: &Container, has_host_network: bool) -> Self {
        let ports: Vec<u16> = declared_ports(prepared)
            .into_iter()
            .filter(|port| port.protocol == Protocol::Tcp)
            .map(|port| port.number)
            .collect();
        let only_port = ports.first().copied();
        let to_host = |port: u16| {
            let mapped = container.ports.iter().find(|mapping| mapping.container.number == port);
            if has_host_network { Some(port) } else { mapped.map(|mapping| mapping.host) }
        };
        let convert = |probe: &Option<workload_settings::Probe>| -> Option<Probe> {
            let probe = probe.as_ref()?;
            let action = match &probe.action {
                workload_settings::ProbeAction::Http { path, port } => {
                    ProbeAction::Http { path: path.clone(), port: to_host((*port).or(only_port)?)? }
                }
                workload_settings::ProbeAction::Tcp(port) => ProbeAction::Tcp(to_host(*port)?),
                workload_settings::ProbeAction::Exec(command) => ProbeAction::Exec(command.clone()),
            };
            let seconds = |value: Option<u32>, default: Duration| {
                value.map_or(default, |value| Duration::from_secs(value.into()))
            };
            let defaults = Probe::new(action);
            Some(Probe {
                initial_delay: seconds(probe.initial_delay, defaults.initial_delay),
                period: seconds(probe.period, defaults.period),
                timeout: seconds(probe.timeout, defaults.timeout),
                failure_threshold: probe.failure_threshold.unwrap_or(defaults.failure_threshold),
                ..defaults
            })
        };
        let probes = &prepared.recipe.kubernetes.probes;
        let [startup, readiness, liveness] =
            [&probes.startup, &probes.readiness, &probes.liveness].map(convert);
        let is_guessed = startup.is_none() && readiness.is_none();
        let guess = || only_port.and_then(to_host).map(|port| Probe::new(ProbeAction::Tcp(port)));
        Self { startup, readiness: if is_guessed { guess() } else { readiness }, liveness, is_guessed }
    }

    /// Starts the thread for the container with this number.
    pub(super) fn start(self, number: u64, generation: Generation, events: Sender<RunEvent>) {
        let start = Instant::now();
        let runner = ProbeRunner { number, generation, events, start };
        thread::spawn(move || runner.run(self));
    }
}

struct ProbeRunner {
    number: u64,
    generation: Generation,
    events: Sender<RunEvent>,
    start: Instant,
}

impl ProbeRunner {
    fn run(&self, probes: RunProbes) {
        for probe in probes.startup.iter().chain(&probes.readiness) {
            self.sleep(probe.initial_delay);
            while self.is_current() && self.probe(probe).is_err() {
                thread::sleep(FIRST_PERIOD);
            }
        }
        self.report(ProbeResult::Ready(self.start.elapsed()));
        let mut readiness = probes.readiness.filter(|_| !probes.is_guessed).map(RepeatedProbe::new);
        let mut liveness = probes.liveness.map(RepeatedProbe::new);
        while self.is_current() && (readiness.is_some() || liveness.is_some()) {
            if let Some(repeated) = &mut readiness
                && let Some(change) = repeated.next(self)
            {
                self.report(
                    change.map_or_else(ProbeResult::NotReady, |()| ProbeResult::Ready(self.start.elapsed())),
                );
            }
            if let Some(repeated) = &mut liveness
                && let Some(Err(why)) = repeated.next(self)
            {
                self.report(ProbeResult::NotLive(why));
            }
            thread::sleep(CHECK);
        }
    }

    fn is_current(&self) -> bool {
        self.generation.load(Ordering::Acquire) == self.number
    }

    fn sleep(&self, duration: Duration) {
        let until = Instant::now() + duration;
        while self.is_current() && Instant::now() < until {
            thread::sleep(CHECK.min(until.saturating_duration_since(Instant::now())));
        }
    }

    fn probe(&self, probe: &Probe) -> Result<(), String> {
        probe.run(|command| {
            let (sender, result) = channel();
            let ended = |_| "the run has ended".to_owned();
            self.events.send(RunEvent::Exec(command.to_vec(), sender)).map_err(|_| ended(()))?;
            result.recv().map_err(|_| ended(()))?
        })
    }

    fn report(&self, result: ProbeResult) {
        if self.is_current() {
            let _ = self.events.send(RunEvent::Probe(self.number, result));
        }
    }
}

/// A probe that is repeated with its period, and its last result.
struct RepeatedProbe {
    probe: Probe,
    next: Instant,
    failures: u32,
    is_failed: bool,
}

impl RepeatedProbe {
    fn new(probe: Probe) -> Self {
        Self {
            next: Instant::now() + probe.period.max(probe.initial_delay),
            probe,
            failures: 0,
            is_failed: false,
        }
    }

    /// Runs the probe if it is due. Returns its result if that has changed.
    fn next(&mut self, runner: &ProbeRunner) -> Option<Result<(), String>> {
        if Instant::now() < self.next {
            return None;
        }
        let result = runner.probe(&self.probe);
        self.next = Instant::now() + self.probe.period;
        match result {
            Ok(()) => {
                self.failures = 0;
                std::mem::take(&mut self.is_failed).then_some(Ok(()))
            }
            Err(why) => {
                self.failures += 1;
                let is_new = self.failures >= self.probe.failure_threshold && !self.is_failed;
                self.is_failed |= is_new;
                is_new.then_some(Err(why))
            }
        }
    }
}
