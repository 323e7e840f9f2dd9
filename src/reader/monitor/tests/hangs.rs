//! A service that hangs in one of its calls, for as long as the test wants.

use super::*;

/// Told when somebody is in it, and left when the test says so.
#[derive(Clone)]
struct HangingCall(Arc<(Mutex<State>, Condvar)>);

#[derive(Default)]
struct State {
    armed: bool,
    entered: bool,
}

impl HangingCall {
    fn armed() -> Self {
        Self(Arc::new((Mutex::new(State { armed: true, entered: false }), Condvar::new())))
    }

    fn unarmed() -> Self {
        let trap = Self::armed();
        trap.release();
        trap
    }

    /// Returns at once unless it is armed.
    fn step_in(&self) {
        let mut state = self.0.0.lock().unwrap();
        state.entered = state.armed;
        self.0.1.notify_all();
        drop(self.0.1.wait_while(state, |state| state.armed).unwrap());
    }

    fn release(&self) {
        self.0.0.lock().unwrap().armed = false;
        self.0.1.notify_all();
    }

    fn wait_until_entered(&self) {
        let state = self.0.0.lock().unwrap();
        let (state, _) = self.0.1.wait_timeout_while(state, PATIENCE, |state| !state.entered).unwrap();
        assert!(state.entered, "nobody came");
    }
}

/// One reader with a card. Its wait is ended by nothing but the trap: calls are in vain.
struct Hanging {
    connect: HangingCall,
    look: HangingCall,
    wait: HangingCall,
    patience: Duration,
}

impl Hanging {
    fn patient() -> Self {
        let patience = Duration::from_secs(600);
        Self { connect: HangingCall::unarmed(), look: HangingCall::unarmed(), wait: HangingCall::armed(), patience }
    }

    fn impatient() -> Self {
        Self { patience: Duration::from_millis(50), ..Self::patient() }
    }
}

impl StatusService for Hanging {
    fn connect(&self) -> Result<(Box<dyn StatusSource>, CancelWait), ReaderError> {
        self.connect.step_in();
        Ok((Box::new(Source { look: self.look.clone(), wait: self.wait.clone() }), Box::new(|| {})))
    }

    fn patience(&self) -> Duration {
        self.patience
    }
}

struct Source {
    look: HangingCall,
    wait: HangingCall,
}

impl StatusSource for Source {
    fn look(&mut self) -> Result<Vec<ReaderEntry>, ReaderError> {
        self.look.step_in();
        Ok(vec![entry(1, ATR)])
    }

    fn wait(&mut self, _: Option<Duration>) -> Result<(), ReaderError> {
        self.wait.step_in();
        Ok(())
    }

    fn sees_new_readers(&self) -> bool {
        true
    }
}

/// The reason of the loss that has to come next.
#[track_caller]
fn loss(watch: &Watch) -> String {
    match watch.events.recv_timeout(PATIENCE).expect("an event") {
        CardEvent::ServiceLost(error @ ReaderError::ServiceSilent { .. }) => error.to_string(),
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn hears_all_anew(watch: &Watch) {
    assert_eq!([watch.next(), watch.next(), watch.next()], ["found", "reader added", "inserted"]);
}

#[test]
fn a_service_that_hangs_at_the_start_is_told_as_lost_and_found_when_it_answers() {
    let (connect, look) = (HangingCall::armed(), HangingCall::armed());
    for (trap, operation) in [(&connect, "reaching the service"), (&look, "looking at the readers")] {
        let mut service = Hanging::impatient();
        match operation {
            "reaching the service" => service.connect = trap.clone(),
            _ => service.look = trap.clone(),
        }
        let wait = service.wait.clone();
        let watch = Watch::start(&Arc::new(service));
        let reason = loss(&watch);
        assert!(reason.ends_with(operation), "{reason}");
        trap.release();
        hears_all_anew(&watch);
        wait.release();
        watch.stop();
    }
}

#[test]
fn a_service_that_hangs_here_and_then_there_is_told_as_lost_once() {
    let service = Hanging {
        connect: HangingCall::armed(),
        look: HangingCall::armed(),
        patience: Duration::from_millis(50),
        ..Hanging::patient()
    };
    let (connect, look, wait) = (service.connect.clone(), service.look.clone(), service.wait.clone());
    let watch = Watch::start(&Arc::new(service));
    loss(&watch);
    connect.release();
    look.wait_until_entered();
    thread::sleep(Duration::from_millis(200));
    look.release();
    hears_all_anew(&watch);
    wait.release();
    watch.stop();
}

#[test]
fn a_wait_that_cannot_be_called_off_is_told_as_lost_and_what_is_there_anew_when_it_ends() {
    let service = Hanging::patient();
    let wait = service.wait.clone();
    let watch = Watch::start(&Arc::new(service));
    hears_all_anew(&watch);
    wait.wait_until_entered();
    // Nobody minds how long it takes until somebody wants it to end.
    watch.handle.refresh();
    let reason = loss(&watch);
    assert!(reason.contains("for 5 s while calling off the status call"), "{reason}");
    wait.release();
    hears_all_anew(&watch);
    watch.stop();
}
