//! The machine that the applications run on: trussed with all of its state in RAM.

use std::cell::RefCell;
use std::rc::Rc;
use std::task::Poll;

use littlefs2::const_ram_storage;
use rand_chacha::ChaCha8Rng;
use rand_core::{OsRng, SeedableRng as _};
use trussed::pipe::TrussedChannel;
use trussed::platform;
use trussed::virt::{self, Runner, StorageConfig, StoreConfig};
use trussed_core::api::{Reply, RequestVariant};
use trussed_core::serde_extensions::{Extension, ExtensionClient};
use trussed_core::{
    ClientError, ClientResult, CryptoClient, Error, FilesystemClient, FutureResult, PollClient, UiClient, mechanisms,
};

use crate::backends::{BACKENDS, Dispatch};

const BLOCK: usize = 512;
const BLOCKS: usize = 1024;

const_ram_storage!(
    name = Ram,
    erase_value = 0xFF,
    read_size = 16,
    write_size = 16,
    cache_size_ty = littlefs2::consts::U512,
    block_size = BLOCK,
    block_count = BLOCKS,
    lookahead_size_ty = littlefs2::consts::U8,
);

/// Runs an application on a factory-new machine. The same seed makes the same keys and challenges.
pub fn run<R>(seed: Option<u64>, name: &str, application: impl FnOnce(Client) -> R) -> R {
    let rng = seed
        .map_or_else(|| ChaCha8Rng::from_rng(OsRng).expect("the system has random numbers"), ChaCha8Rng::seed_from_u64);
    // The channel outlives every client, of which there is a new one after each reset.
    let channel: &'static TrussedChannel = Box::leak(Box::new(TrussedChannel::new()));
    let (requester, responder) = channel.split().expect("a new channel");
    let mut runner = Runner::new();
    runner.add_endpoint(responder, name, BACKENDS);
    let client = virt::Client::new(requester, runner.syscall(), None);
    let client = Client(Rc::new(RefCell::new(client)));
    StoreConfig { internal: ram(), external: ram(), volatile: ram() }.with_store(|store| {
        let platform = Platform { rng, store, ui: virt::UserInterface::new() };
        runner.run(platform, Dispatch::new(), || application(client))
    })
}

fn ram() -> StorageConfig<'static> {
    StorageConfig { storage: Box::new(Ram::new()), format: true }
}

/// trussed's own has a constant seed and too little memory for a card full of certificates.
struct Platform<'a> {
    rng: ChaCha8Rng,
    store: virt::Store<'a>,
    ui: virt::UserInterface,
}

impl<'a> platform::Platform for Platform<'a> {
    type R = ChaCha8Rng;
    type S = virt::Store<'a>;
    type UI = virt::UserInterface;

    fn rng(&mut self) -> &mut Self::R {
        &mut self.rng
    }

    fn store(&self) -> Self::S {
        self.store
    }

    fn user_interface(&mut self) -> &mut Self::UI {
        &mut self.ui
    }
}

type Inner = virt::Client<'static, Dispatch>;

/// A client that can be cloned, for an application that is made anew. Requests are answered one at a time.
#[derive(Clone)]
pub struct Client(Rc<RefCell<Inner>>);

impl PollClient for Client {
    fn request<Rq: RequestVariant>(&mut self, request: Rq) -> ClientResult<'_, Rq::Reply, Self> {
        let asked: Result<(), ClientError> = self.0.borrow_mut().request(request).map(drop);
        asked.map(|()| FutureResult::new(self))
    }

    fn poll(&mut self) -> Poll<Result<Reply, Error>> {
        self.0.borrow_mut().poll()
    }
}

impl CryptoClient for Client {}
impl FilesystemClient for Client {}
impl UiClient for Client {}
impl mechanisms::Tdes for Client {}

impl<E: Extension> ExtensionClient<E> for Client
where
    Inner: ExtensionClient<E>,
{
    fn id() -> u8 {
        <Inner as ExtensionClient<E>>::id()
    }
}
