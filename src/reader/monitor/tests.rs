mod hangs;

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

use super::Watch as Watched;
use super::handle::CANCEL_PATIENCE;
use super::*;
use crate::reader::Atr;

const READER: &str = "Reader 00 00";
const PATIENCE: Duration = Duration::from_secs(30);

type Wait = Box<dyn FnMut(Option<Duration>) -> Result<(), ReaderError> + Send>;

/// What one connection shows, look by look; the last look is repeated. What happens while it waits is the test's own.
struct Script {
    looks: VecDeque<Vec<ReaderEntry>>,
    wait: Wait,
    announces: bool,
}

impl StatusSource for Script {
    fn look(&mut self) -> Result<Vec<ReaderEntry>, ReaderError> {
        let now = self.looks.pop_front().unwrap_or_default();
        if self.looks.is_empty() {
            self.looks.push_back(now.clone());
        }
        Ok(now)
    }

    fn wait(&mut self, limit: Option<Duration>) -> Result<(), ReaderError> {
        (self.wait)(limit)
    }

    fn sees_new_readers(&self) -> bool {
        self.announces
    }
}

/// A service that is connected to once for each script, and is not there afterwards.
#[derive(Default)]
struct Service {
    scripts: Mutex<VecDeque<(Script, CancelWait)>>,
    connects: AtomicUsize,
}

impl Service {
    fn of(scripts: impl IntoIterator<Item = Script>) -> Arc<Self> {
        let no_cancel = |script| -> (Script, CancelWait) { (script, Box::new(|| {})) };
        Self::with_cancel(scripts.into_iter().map(no_cancel))
    }

    fn with_cancel(scripts: impl IntoIterator<Item = (Script, CancelWait)>) -> Arc<Self> {
        Arc::new(Self { scripts: Mutex::new(scripts.into_iter().collect()), connects: AtomicUsize::new(0) })
    }
}

impl StatusService for Service {
    fn connect(&self) -> Result<(Box<dyn StatusSource>, CancelWait), ReaderError> {
        self.connects.fetch_add(1, Ordering::Relaxed);
        let (script, cancel) = self.scripts.lock().unwrap().pop_front().ok_or(ReaderError::ServiceNotRunning)?;
        Ok((Box::new(script), cancel))
    }

    fn patience(&self) -> Duration {
        Duration::from_secs(60)
    }
}

fn entry(generation: u32, atr: Option<&[u8]>) -> ReaderEntry {
    let presence = Presence { generation, atr: atr.map(Atr::new), mute: false };
    ReaderEntry { name: READER.to_owned(), presence }
}

const ATR: Option<&[u8]> = Some(b"\x3B\x80\x80\x01\x01");

/// Each wait ends at once, and after so many of them the service is lost.
fn ends_after(waits: usize) -> Wait {
    let mut left = waits;
    Box::new(move |_| match left {
        0 => Err(ReaderError::ServiceLost { operation: "watching the readers" }),
        _ => {
            left -= 1;
            Ok(())
        }
    })
}

/// The watch on a thread, and what it tells.
struct Watch {
    handle: Handle,
    events: Receiver<CardEvent>,
    thread: thread::JoinHandle<()>,
}

impl Watch {
    fn start(service: &Arc<impl StatusService + 'static>) -> Self {
        let (tell, events) = channel();
        let handle = Handle::default();
        let (service, inner) = (Arc::clone(service), handle.clone());
        let thread = thread::spawn(move || {
            watch(service.as_ref(), &inner, &|event| {
                tell.send(event).map_or(ControlFlow::Break(()), |()| ControlFlow::Continue(()))
            });
        });
        Self { handle, events, thread }
    }

    /// The next event, in short.
    fn next(&self) -> &'static str {
        name(&self.events.recv_timeout(PATIENCE).expect("an event"))
    }

    fn stop(self) {
        self.handle.stop();
        self.thread.join().unwrap();
    }
}

fn name(event: &CardEvent) -> &'static str {
    match event {
        CardEvent::ServiceFound => "found",
        CardEvent::ServiceLost(_) => "lost",
        CardEvent::ReaderAdded { .. } => "reader added",
        CardEvent::ReaderRemoved { .. } => "reader removed",
        CardEvent::Inserted { .. } => "inserted",
        CardEvent::Removed { .. } => "removed",
    }
}

/// All that is told of these looks, up to the loss of the service.
fn told(looks: Vec<Vec<ReaderEntry>>) -> Vec<&'static str> {
    let wait = ends_after(looks.len() - 1);
    let service = Service::of([Script { looks: looks.into(), wait, announces: true }]);
    let watch = Watch::start(&service);
    let mut events = Vec::new();
    while events.last() != Some(&"lost") {
        events.push(watch.next());
    }
    watch.stop();
    events
}

#[test]
fn a_card_that_comes_and_goes_is_told_of() {
    let looks = vec![vec![], vec![entry(0, None)], vec![entry(1, ATR)], vec![entry(1, ATR)], vec![entry(2, None)]];
    assert_eq!(told(looks), ["found", "reader added", "inserted", "removed", "lost"]);
}

#[test]
fn a_card_swapped_between_two_looks_is_a_removal_and_an_insertion() {
    let looks = vec![vec![entry(1, ATR)], vec![entry(3, ATR)]];
    assert_eq!(told(looks), ["found", "reader added", "inserted", "removed", "inserted", "lost"]);
    // Without a count there is still the ATR.
    let looks = vec![vec![entry(0, ATR)], vec![entry(0, Some(b"\x3B\x00"))]];
    assert_eq!(told(looks), ["found", "reader added", "inserted", "removed", "inserted", "lost"]);
}

#[test]
fn a_reader_unplugged_with_its_card_takes_the_card_along() {
    let looks = vec![vec![entry(1, ATR)], vec![], vec![entry(1, ATR)]];
    let events = told(looks);
    let expected =
        ["found", "reader added", "inserted", "removed", "reader removed", "reader added", "inserted", "lost"];
    assert_eq!(events, expected);
}

fn mute(generation: u32) -> ReaderEntry {
    ReaderEntry { name: READER.to_owned(), presence: Presence { generation, atr: None, mute: true } }
}

#[test]
fn a_mute_card_is_a_card_and_told_of_once_more_when_it_wakes_up() {
    let looks = vec![vec![mute(1)], vec![mute(1)], vec![entry(1, ATR)], vec![entry(1, ATR)]];
    assert_eq!(told(looks), ["found", "reader added", "inserted", "inserted", "lost"]);
}

#[test]
fn a_card_that_shows_no_atr_for_a_while_is_the_same() {
    let looks = vec![vec![entry(1, ATR)], vec![mute(1)], vec![mute(1)], vec![entry(1, ATR)]];
    assert_eq!(told(looks), ["found", "reader added", "inserted", "lost"]);
    let other = Some(&b"\x3B\x00"[..]);
    let looks = vec![vec![entry(0, ATR)], vec![mute(0)], vec![entry(0, other)]];
    assert_eq!(told(looks), ["found", "reader added", "inserted", "removed", "inserted", "lost"]);
}

#[test]
fn a_loss_is_told_once_and_what_was_there_is_told_anew_when_the_service_is_back() {
    let script = || Script { looks: VecDeque::from([vec![entry(1, ATR)]]), wait: ends_after(0), announces: true };
    let service = Service::of([script(), script()]);
    let watch = Watch::start(&service);
    let events: Vec<_> = (0..8).map(|_| watch.next()).collect();
    let once = ["found", "reader added", "inserted", "lost"];
    assert_eq!(events, [once, once].concat());
    let start = Instant::now();
    while service.connects.load(Ordering::Relaxed) < 4 {
        assert!(start.elapsed() < PATIENCE, "the service is not looked for any more");
        thread::sleep(Duration::from_millis(5));
    }
    assert!(watch.events.try_recv().is_err(), "the loss is told once");
    watch.stop();
}

#[test]
fn a_service_that_is_lost_as_soon_as_it_is_waited_on_is_looked_for_more_and_more_seldom() {
    let script = || Script { looks: VecDeque::from([vec![entry(1, ATR)]]), wait: ends_after(0), announces: true };
    let watch = Watch::start(&Service::of([script(), script(), script(), script(), script()]));
    let start = Instant::now();
    for _ in 0..5 {
        while watch.next() != "lost" {}
    }
    // Four pauses, each twice as long as the one before.
    assert!(start.elapsed() >= RECONNECT.0 * (1 + 2 + 4 + 8));
    watch.stop();
}

/// A service that answers each connection with the same error.
struct Refuses {
    with: fn() -> ReaderError,
    connects: AtomicUsize,
}

impl StatusService for Refuses {
    fn connect(&self) -> Result<(Box<dyn StatusSource>, CancelWait), ReaderError> {
        self.connects.fetch_add(1, Ordering::SeqCst);
        Err((self.with)())
    }

    fn patience(&self) -> Duration {
        Duration::from_secs(60)
    }
}

#[test]
fn what_a_person_has_to_change_is_asked_for_more_and_more_seldom() {
    let pauses = |with: fn() -> ReaderError| {
        let service = Refuses { with, connects: AtomicUsize::new(0) };
        let (handle, tell) = (Handle::default(), |_| ControlFlow::Continue(()));
        let mut watch = Watched { service: &service, handle: &handle, tell: &tell, told: None, pause: RECONNECT.0 };
        let pauses: Vec<Duration> = (0..16).map(|_| watch.lost((service.with)()).unwrap()).collect();
        pauses
    };
    let doubled = |longest: Duration| (0..16).map(|n| (RECONNECT.0 * 2_u32.pow(n)).min(longest)).collect::<Vec<_>>();
    for refused in [|| ReaderError::OtherProtocol, || ReaderError::AccessDenied] {
        assert_eq!(pauses(refused), doubled(RECONNECT_REFUSED));
    }
    // One that is away comes back by itself.
    for away in [|| ReaderError::ServiceNotRunning, || ReaderError::ServiceLost { operation: "looking" }] {
        assert_eq!(pauses(away), doubled(RECONNECT.1));
    }
}

#[test]
fn a_service_that_was_away_and_refuses_us_is_told_anew() {
    let service = Refuses { with: || ReaderError::AccessDenied, connects: AtomicUsize::new(0) };
    let told = Mutex::new(Vec::new());
    let tell = |event: CardEvent| {
        let CardEvent::ServiceLost(error) = event else { panic!("{event:?}") };
        told.lock().unwrap().push(error.to_string());
        ControlFlow::Continue(())
    };
    let handle = Handle::default();
    let mut watch = Watched { service: &service, handle: &handle, tell: &tell, told: None, pause: RECONNECT.0 };
    for error in [
        ReaderError::ServiceNotRunning,
        ReaderError::ServiceNotRunning,
        ReaderError::AccessDenied,
        ReaderError::AccessDenied,
        // Now and then a refusal looks like this one, too.
        ReaderError::ServiceNotRunning,
        ReaderError::AccessDenied,
    ] {
        let _ = watch.call(Call::bounded("reaching the service", PATIENCE), || Ok(()));
        watch.lost(error).unwrap();
    }
    let expected = [ReaderError::ServiceNotRunning, ReaderError::AccessDenied].map(|error| error.to_string());
    assert_eq!(*told.lock().unwrap(), expected);
}

#[test]
fn a_request_ends_a_long_pause() {
    let service = Arc::new(Refuses { with: || ReaderError::OtherProtocol, connects: AtomicUsize::new(0) });
    let watch = Watch::start(&service);
    assert_eq!(watch.next(), "lost");
    // Pauses of 0.1 s that double: the tenth is nearly a minute long.
    for _ in 0..10 {
        watch.handle.refresh();
    }
    assert!(service.connects.load(Ordering::SeqCst) >= 10);
    watch.stop();
}

/// How long so many waits take that all return at once.
fn spins(announces: bool, waits: usize) -> Duration {
    let service =
        Service::of([Script { looks: VecDeque::from([vec![entry(1, ATR)]]), wait: ends_after(waits), announces }]);
    let start = Instant::now();
    let watch = Watch::start(&service);
    while watch.next() != "lost" {}
    let elapsed = start.elapsed();
    watch.stop();
    elapsed
}

#[test]
fn a_status_call_that_spins_is_slowed_down() {
    // The first twenty may be a coincidence; each of the next three is followed by a pause.
    let waits = usize::try_from(busy_loop::LIMIT).unwrap() + 3;
    assert!(spins(true, waits) >= busy_loop::PAUSE * 2);
}

#[test]
fn a_status_call_that_spins_where_readers_are_polled_is_slowed_down() {
    let waits = usize::try_from(busy_loop::LIMIT).unwrap() + 3;
    assert!(spins(false, waits) >= busy_loop::PAUSE * 2);
}

#[test]
fn readers_that_do_not_announce_themselves_are_looked_for() {
    let (told, limits) = channel();
    let wait = Box::new(move |limit| {
        told.send(limit).unwrap();
        Ok(())
    });
    let looks = VecDeque::from([vec![], vec![entry(0, None)]]);
    let watch = Watch::start(&Service::of([Script { looks, wait, announces: false }]));
    assert_eq!([watch.next(), watch.next()], ["found", "reader added"]);
    assert_eq!(limits.recv_timeout(PATIENCE).unwrap(), Some(POLL));
    watch.stop();
}

#[test]
fn a_rescan_tells_of_each_card_as_if_it_had_just_been_inserted() {
    let (cancel, waiting, _) = scripted_wait();
    let script = Script { looks: VecDeque::from([vec![entry(1, ATR)]]), wait: waiting, announces: true };
    let watch = Watch::start(&Service::with_cancel([(script, cancel)]));
    assert_eq!([watch.next(), watch.next(), watch.next()], ["found", "reader added", "inserted"]);
    watch.handle.refresh();
    watch.handle.rescan();
    assert_eq!(watch.next(), "inserted", "the refresh has told nothing");
    watch.stop();
}

#[test]
fn a_card_that_is_gone_at_a_rescan_is_told_as_removed() {
    let mut seen = LastLook::default();
    seen.compare(vec![entry(1, ATR)]);
    seen.tell_cards_anew();
    let events = seen.compare(vec![entry(2, None)]);
    assert_eq!(events.iter().map(name).collect::<Vec<_>>(), ["removed"]);
    seen.compare(vec![entry(3, ATR)]);
    seen.tell_cards_anew();
    let events = seen.compare(vec![entry(5, ATR)]);
    assert_eq!(events.iter().map(name).collect::<Vec<_>>(), ["removed", "inserted"]);
    assert!(seen.compare(vec![entry(5, ATR)]).is_empty(), "anew once");
}

/// A wait that only a call ends which comes while it is under way; earlier calls are lost, as SCardCancel's are. Counts calls.
fn scripted_wait() -> (CancelWait, Wait, Arc<AtomicUsize>) {
    let state = Arc::new((Mutex::new(false), Condvar::new()));
    let calls = Arc::new(AtomicUsize::new(0));
    let (other, counted) = (Arc::clone(&state), Arc::clone(&calls));
    let cancel: CancelWait = Box::new(move || {
        counted.fetch_add(1, Ordering::SeqCst);
        *other.0.lock().unwrap() = true;
        other.1.notify_all();
    });
    let wait = Box::new(move |_| {
        let mut called = state.0.lock().unwrap();
        *called = false;
        drop(state.1.wait_while(called, |called| !*called).unwrap());
        Ok(())
    });
    (cancel, wait, calls)
}

#[test]
fn a_call_that_comes_before_the_wait_is_repeated_until_it_is_heeded() {
    let (cancel, mut wait, calls) = scripted_wait();
    // The wait begins only after it was called off.
    let late = Box::new(move |limit| {
        let start = Instant::now();
        while calls.load(Ordering::SeqCst) == 0 {
            assert!(start.elapsed() < PATIENCE, "nobody calls");
            thread::yield_now();
        }
        wait(limit)
    });
    let script = Script { looks: VecDeque::from([vec![entry(0, None)]]), wait: late, announces: true };
    let watch = Watch::start(&Service::with_cancel([(script, cancel)]));
    assert_eq!(watch.next(), "found");
    let start = Instant::now();
    watch.handle.refresh();
    assert!(start.elapsed() < CANCEL_PATIENCE, "the refresh was taken up");
    watch.stop();
}

#[test]
fn a_call_that_never_returns_is_made_once_and_does_not_hold_up_the_end() {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let cancel: CancelWait = Box::new(move || {
        counted.fetch_add(1, Ordering::SeqCst);
        loop {
            thread::park();
        }
    });
    let (waits, is_waiting) = channel();
    let wait = Box::new(move |_| {
        waits.send(()).unwrap();
        loop {
            thread::park();
        }
    });
    let script = Script { looks: VecDeque::from([vec![]]), wait, announces: true };
    let watch = Watch::start(&Service::with_cancel([(script, cancel)]));
    is_waiting.recv_timeout(PATIENCE).unwrap();
    let (stopped, has_stopped) = channel();
    let handle = watch.handle.clone();
    thread::spawn(move || {
        handle.stop();
        stopped.send(()).unwrap();
    });
    assert_eq!(has_stopped.recv_timeout(PATIENCE), Ok(()), "the end waits for the call");
    assert_eq!(calls.load(Ordering::SeqCst), 1);
}

#[test]
fn a_watch_without_a_service_is_stopped_at_any_moment() {
    for pause in 0..200 {
        let watch = Watch::start(&Service::of([]));
        for _ in 0..pause * 20 {
            std::hint::spin_loop();
        }
        let start = Instant::now();
        watch.stop();
        assert!(start.elapsed() < CANCEL_PATIENCE);
    }
}
