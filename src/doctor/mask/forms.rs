//! Forms by which a secret or a name is known although nobody has named it: ids, addresses, hosts, accounts, keys, tokens.

/// What a form is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// Neither: it is passed over as a whole.
    Shown,
    /// A key, a token, a password.
    Secret,
    /// A number that may be a serial number or a PIN.
    Number,
    /// An id of the server or of a card.
    Id,
    /// A person or account.
    User,
    /// A machine.
    Host,
}

/// Where the first one of a form is: its place, its length, what it is.
type Find = fn(&str) -> Option<(usize, usize, Form)>;

/// In this order: what one has found the next does not see.
pub(super) const ALL: [Find; 9] =
    [after_scheme, after_word, guid, account, folder_of_person, address, host, security_id, long];

/// Letters and digits with these beside them, and where each such word begins.
fn words<'a>(text: &'a str, beside: &'a str) -> impl Iterator<Item = (usize, &'a str)> {
    let inside = move |character: char| character.is_ascii_alphanumeric() || beside.contains(character);
    text.split(move |character| !inside(character))
        .filter(|word| !word.is_empty())
        .map(move |word| (offset(text, word), word))
}

/// Where a part of a text begins in it.
fn offset(text: &str, part: &str) -> usize {
    part.as_ptr().addr() - text.as_ptr().addr()
}

/// Credentials after the name of their scheme: `Bearer eyJ…`.
fn after_scheme(text: &str) -> Option<(usize, usize, Form)> {
    const SCHEMES: [&str; 4] = ["bearer ", "basic ", "negotiate ", "ntlm "];
    let lower = text.to_ascii_lowercase();
    SCHEMES.iter().find_map(|scheme| {
        lower.match_indices(scheme).find_map(|(at, _)| {
            let (start, word) = words(text.get(at + scheme.len()..)?, "-._~+/=").next()?;
            (start == 0 && word.len() >= 12).then_some((at + scheme.len(), word.len(), Form::Secret))
        })
    })
}

/// What stands after the name of a secret: `PIN: 12345678`, `password=…`.
fn after_word(text: &str) -> Option<(usize, usize, Form)> {
    const NAMES: [(&str, bool); 9] = [
        ("pin", true),
        ("puk", true),
        ("password", false),
        ("passwd", false),
        ("passphrase", false),
        ("secret", false),
        ("token", true),
        ("key", true),
        ("challenge", false),
    ];
    let lower = text.to_ascii_lowercase();
    NAMES.iter().find_map(|(name, has_digit)| {
        lower.match_indices(name).find_map(|(at, _)| {
            let after = text.get(at + name.len()..)?;
            let value = after.trim_start_matches([' ', '"', '\'']);
            let value = value.strip_prefix([':', '='])?.trim_start_matches([' ', '"', '\'']);
            let end = value.find([' ', '"', '\'', ',', ';', '&', ')']).unwrap_or(value.len());
            let value = value.get(..end)?;
            let is_secret = value.len() >= 4 && (!has_digit || value.bytes().any(|byte| byte.is_ascii_digit()));
            (is_secret && !value.starts_with(['/', '<'])).then(|| (offset(text, value), value.len(), Form::Secret))
        })
    })
}

fn guid(text: &str) -> Option<(usize, usize, Form)> {
    let is_id = |word: &str| uuid::Uuid::try_parse(word).is_ok() && word.len() == 36;
    words(text, "-").find(|(_, word)| is_id(word)).map(|(at, word)| (at, word.len(), Form::Id))
}

/// `anna@contoso.com`, `CONTOSO\anna`, `user 1000`, `uid=1000`.
fn account(text: &str) -> Option<(usize, usize, Form)> {
    let found = words(text, "._%+-@\\/").find(|(_, word)| {
        word.split_once('@').is_some_and(|(name, realm)| !name.is_empty() && !realm.is_empty())
            || word.split_once('\\').is_some_and(|(domain, name)| domain.len() > 1 && !name.is_empty())
    });
    if let Some((at, word)) = found {
        return Some((at, word.trim_end_matches('.').len(), Form::User));
    }
    let lower = text.to_ascii_lowercase();
    ["user ", "uid=", "uid ", "user=", "/run/user/"].iter().find_map(|before| {
        lower.match_indices(before).find_map(|(at, _)| {
            let at = at + before.len();
            let digits = text.get(at..)?.bytes().take_while(u8::is_ascii_digit).count();
            (digits > 0 && text.get(at..at + digits) != Some("0")).then_some((at, digits, Form::User))
        })
    })
}

/// A person's folder, by its name.
fn folder_of_person(text: &str) -> Option<(usize, usize, Form)> {
    ["/home/", "/Users/", "\\Users\\"].iter().find_map(|base| {
        let at = text.find(base)? + base.len();
        let rest = text.get(at..)?;
        let end = rest.find(['/', '\\', ' ', '"', ':', ';', ',', ')']).unwrap_or(rest.len());
        (end > 0).then_some((at, end, Form::User))
    })
}

fn address(text: &str) -> Option<(usize, usize, Form)> {
    let is_address = |word: &str| {
        word.parse::<std::net::Ipv4Addr>().is_ok()
            || word.contains(':') && word.len() > 2 && word.parse::<std::net::Ipv6Addr>().is_ok()
    };
    // A port after the address of version 4 is no part of it.
    words(text, ".:").find_map(|(at, word)| {
        let whole = word.trim_end_matches([':', '.']);
        let bare = whole.split_once(':').map_or(whole, |(bare, _)| bare);
        [whole, bare].into_iter().find(|word| is_address(word)).map(|word| {
            let shown = word.starts_with("127.") || word == "::1" || word == "0.0.0.0";
            (at, word.len(), if shown { Form::Shown } else { Form::Host })
        })
    })
}

/// The ends of names that are hosts' and not files' or keys'.
const TOP_LEVELS: [&str; 24] = [
    "com", "net", "org", "edu", "gov", "mil", "int", "info", "biz", "cloud", "local", "lan", "corp", "internal",
    "intranet", "home", "test", "example", "invalid", "domain", "ad", "arpa", "eu", "dev",
];

/// Two letters that are a country's, and no file's.
const NO_COUNTRIES: [&str; 8] = ["rs", "sh", "so", "md", "py", "gz", "js", "rc"];

/// What a URL names, and names with dots that end as hosts' do.
fn host(text: &str) -> Option<(usize, usize, Form)> {
    if let Some(at) = text.find("://") {
        let rest = text.get(at + 3..)?;
        let end = rest.find(['/', ':', ' ', '"', '?', ')', ',', ';']).unwrap_or(rest.len());
        if end > 0 && !rest.starts_with("localhost") && !rest.starts_with("127.") {
            return Some((at + 3, end, Form::Host));
        }
    }
    // A word with an underscore is a key's, and no host's.
    words(text, ".-_").filter(|(_, word)| !word.contains('_')).find_map(|(at, word)| {
        let word = word.trim_end_matches(['.', '-']);
        let labels: Vec<&str> = word.split('.').collect();
        let last = labels.last()?.to_ascii_lowercase();
        let is_country = last.len() == 2 && last.bytes().all(|byte| byte.is_ascii_alphabetic());
        let is_host = labels.len() > 1
            && labels.iter().all(|label| !label.is_empty())
            && (TOP_LEVELS.contains(&last.as_str()) || is_country && !NO_COUNTRIES.contains(&last.as_str()));
        // The names of polkit's actions are written the other way round.
        (is_host && !word.starts_with("org.")).then_some((at, word.len(), Form::Host))
    })
}

/// `S-1-5-21-…`
fn security_id(text: &str) -> Option<(usize, usize, Form)> {
    let is_id = |word: &str| word.starts_with("S-1-") && word.matches('-').count() > 2;
    words(text, "-").find(|(_, word)| is_id(word)).map(|(at, word)| (at, word.len(), Form::User))
}

/// Hex digits, digits and base64 that are as long as keys, PINs and serial numbers.
fn long(text: &str) -> Option<(usize, usize, Form)> {
    words(text, "_-+=").find_map(|(at, word)| {
        let count = |is: fn(&u8) -> bool| word.bytes().filter(is).count();
        let (digits, upper, lower) =
            (count(u8::is_ascii_digit), count(u8::is_ascii_uppercase), count(u8::is_ascii_lowercase));
        let is_hex = word.bytes().all(|byte| byte.is_ascii_hexdigit());
        let form = match word.len() {
            12.. if is_hex && digits > 0 => Form::Secret,
            20.. if digits > 0 && upper > 0 && lower > 0 => Form::Secret,
            6.. if digits == word.len() && !is_counted(text, at, word.len()) => Form::Number,
            8.. if digits >= 6 && word.bytes().all(|byte| byte.is_ascii_alphanumeric()) && upper > 0 => Form::Number,
            _ => return None,
        };
        Some((at, word.len(), form))
    })
}

/// Whether a number is a process's, or counts bytes.
fn is_counted(text: &str, at: usize, length: usize) -> bool {
    let before = text.get(..at).unwrap_or_default();
    let after = text.get(at + length..).unwrap_or_default();
    before.ends_with("pid ") || before.ends_with('[') && after.starts_with(']') || after.starts_with(" bytes")
}
