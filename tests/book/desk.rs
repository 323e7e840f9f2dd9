//! Where the book's command lines are run, and how what they print is compared.

use std::fs;
use std::sync::Arc;

use pinwright::cli::screen::{Colours, Screen};
use pinwright::cli::{self, context::CommandContext};
use pinwright::sim::gids::{GidsCard, GidsSettings};
use pinwright::sim::piv::{PivCard, PivSettings};
use pinwright::sim::reader::VirtualReaders;
use pinwright::sim::server::{Settings, StandIn};
use uuid::Uuid;

/// Whether a line is what the book says, in which `[..]` stands for anything.
pub fn is_like(got: &str, book: &str) -> bool {
    let Some((head, tail)) = book.split_once("[..]") else { return got == book };
    let Some(rest) = got.strip_prefix(head) else { return false };
    rest.char_indices().any(|(at, _)| is_like(&rest[at..], tail)) || is_like("", tail)
}

/// Two readers with a card in the first, and a server that knows it; for the commands of one page, in their order.
pub struct Desk {
    folder: tempfile::TempDir,
    readers: VirtualReaders,
    _server: Option<StandIn>,
}

impl Desk {
    /// `mark` is `run`, or `run: piv` with a PIV card, or `run: no card`, or `run: no server`, or `run: new card` with one that the server
    /// does not know yet, or `run: new PIN` and `run: old card` with one in use and no request.
    pub fn new(mark: &str) -> Self {
        let gids = GidsSettings::default();
        let mut settings = Settings::for_card(Uuid::from_bytes_le(gids.card_id), "", gids.admin_key);
        match mark {
            "run: new card" => {
                settings.cards.clear();
                settings.requests.iter_mut().for_each(|request| request.new_card = None);
                settings.templates[0].keys.iter_mut().for_each(|keys| keys.hash = "SHA256".to_owned());
            }
            "run: new PIN" | "run: old card" => settings.requests.clear(),
            _ => {}
        }
        let mut readers = VirtualReaders::new();
        let slot = readers.add("Virtual PCD 00 00");
        match mark {
            "run: piv" => slot.insert(PivCard::new(PivSettings::default())),
            "run: no card" => {}
            _ => slot.insert(GidsCard::personalised(gids)),
        }
        readers.add("Virtual PCD 00 01");
        let folder = tempfile::tempdir().unwrap();
        let server = StandIn::start(settings).unwrap();
        let ca = folder.path().join("ca.pem");
        fs::write(&ca, server.ca_pem()).unwrap();
        let config = format!("[server]\nurl = \"{}\"\nca_file = \"{}\"\n", server.base_url(), ca.display());
        fs::write(folder.path().join("config.toml"), config).unwrap();
        // Its port stays known, and nobody listens there.
        let server = (mark != "run: no server").then_some(server);
        Self { folder, readers, _server: server }
    }

    /// What a command prints.
    pub fn run(&self, words: &[String]) -> String {
        self.print(words, Screen::default(), Colours::default())
    }

    /// What it shows on a terminal of that width, with colours.
    pub fn show(&self, words: &[String], columns: usize) -> String {
        let screen = Screen { out_is_terminal: true, err_is_terminal: true, columns: Some(columns) };
        self.print(words, screen, Colours { out: true, err: true })
    }

    fn print(&self, words: &[String], screen: Screen, colours: Colours) -> String {
        let path = |name: &str| self.folder.path().join(name).into_os_string();
        let environment =
            [("HOME", path("")), ("XDG_STATE_HOME", path("state")), ("PINWRIGHT_CONFIG", path("config.toml"))];
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let mut context = CommandContext {
            readers: Some(&self.readers),
            environment: environment.map(|(name, value)| (name.to_owned(), value)).into(),
            out: &mut out,
            err: &mut err,
            screen,
            colours,
            tells_progress: false,
            may_prompt: false,
            interrupted: Arc::default(),
        };
        if let Ok(arguments) = cli::parse(words, &mut context) {
            cli::run(&arguments, &mut context);
        }
        out.append(&mut err);
        String::from_utf8(out).unwrap()
    }
}

/// How what a command prints differs from what the book says.
pub fn difference(got: &str, book: &[&str]) -> Option<String> {
    let got: Vec<&str> = got.lines().map(str::trim_start).collect();
    let same = got.len() == book.len() && got.iter().zip(book).all(|(got, book)| is_like(got, book));
    (!same).then(|| format!("prints\n{}", got.join("\n")))
}
