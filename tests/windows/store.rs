//! Servers that the certificate store of the system trusts or not: an authority of the test's own, and its list of what is revoked.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;

use pinwright::sim::server::OwnCertificate;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CrlDistributionPoint, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams, SerialNumber,
    date_time_ymd,
};

use super::*;

const NUMBER: u64 = 4711;

struct Authority {
    der: Vec<u8>,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new(name: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        (params.not_before, params.not_after) = (date_time_ymd(2026, 1, 1), date_time_ymd(2090, 1, 1));
        let der = params.self_signed(&key).unwrap().der().to_vec();
        Self { der, issuer: Issuer::new(params, key) }
    }

    /// A certificate of a server, whose list of what is revoked is at this address.
    fn issue(&self, list: &str) -> OwnCertificate {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
        params.serial_number = Some(SerialNumber::from(NUMBER));
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.use_authority_key_identifier_extension = true;
        params.crl_distribution_points = vec![CrlDistributionPoint { uris: vec![list.to_owned()] }];
        (params.not_before, params.not_after) = (date_time_ymd(2026, 1, 1), date_time_ymd(2090, 1, 1));
        let leaf = params.signed_by(&key, &self.issuer).unwrap();
        // With the authority's own: a chain that ends before it has no root that could be judged.
        OwnCertificate { chain: vec![leaf.der().to_vec(), self.der.clone()], key: key.serialize_der() }
    }

    /// Its list, with this number in it or without.
    fn list(&self, number: Option<u64>) -> Vec<u8> {
        let revoked = number.map(|number| RevokedCertParams {
            serial_number: SerialNumber::from(number),
            revocation_time: date_time_ymd(2026, 2, 1),
            reason_code: None,
            invalidity_date: None,
        });
        let params = CertificateRevocationListParams {
            this_update: date_time_ymd(2026, 3, 1),
            next_update: date_time_ymd(2090, 1, 1),
            crl_number: SerialNumber::from(1_u64),
            issuing_distribution_point: None,
            revoked_certs: revoked.into_iter().collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        params.signed_by(&self.issuer).unwrap().der().to_vec()
    }

    /// Puts it among the roots of this user, until what is given is dropped.
    fn trust(&self) -> Trusted {
        let digest = ring::digest::digest(&ring::digest::SHA1_FOR_LEGACY_USE_ONLY, &self.der);
        let digest = digest.as_ref();
        let name = hex::encode_upper(digest);
        // A certificate as the store keeps it: its properties, each with number, 1 and length; 3 is the digest, 32 the certificate.
        let mut blob = Vec::new();
        for (number, content) in [(3_u32, digest), (32, &self.der)] {
            for word in [number, 1, u32::try_from(content.len()).unwrap()] {
                blob.extend(word.to_le_bytes());
            }
            blob.extend(content);
        }
        let key = format!(r"HKCU\Software\Microsoft\SystemCertificates\Root\Certificates\{name}");
        registry(&["add", &key, "/v", "Blob", "/t", "REG_BINARY", "/d", &hex::encode(blob), "/f"]);
        Trusted { key }
    }
}

struct Trusted {
    key: String,
}

impl Drop for Trusted {
    fn drop(&mut self) {
        registry(&["delete", &self.key, "/f"]);
    }
}

fn registry(arguments: &[&str]) {
    let output = Command::new("reg").args(arguments).stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "reg {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// What gives a list to whoever asks, until it is dropped.
struct ListServer {
    address: std::net::SocketAddr,
    asked: Arc<AtomicUsize>,
    ends: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl ListServer {
    fn start() -> (Self, std::sync::mpsc::Sender<Vec<u8>>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (send, receive) = std::sync::mpsc::channel::<Vec<u8>>();
        let (asked, ends) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
        let address = listener.local_addr().unwrap();
        let (counts, ended) = (Arc::clone(&asked), Arc::clone(&ends));
        let thread = std::thread::spawn(move || {
            let mut list = Vec::new();
            for stream in listener.incoming() {
                if ended.load(Ordering::SeqCst) {
                    return;
                }
                list = receive.try_iter().last().unwrap_or(list);
                counts.fetch_add(1, Ordering::SeqCst);
                drop(answer(stream.unwrap(), &list));
            }
        });
        (Self { address, asked, ends, thread: Some(thread) }, send)
    }

    /// An address there that nobody has asked before.
    fn address(&self) -> String {
        format!("http://127.0.0.1:{}/{}.crl", self.address.port(), fastrand::u64(..))
    }
}

impl Drop for ListServer {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::SeqCst);
        drop(TcpStream::connect(self.address));
        drop(self.thread.take().map(JoinHandle::join));
    }
}

fn answer(mut stream: TcpStream, list: &[u8]) -> std::io::Result<()> {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte)? > 0 {
        head.extend(byte);
    }
    let length = list.len();
    write!(
        stream,
        "HTTP/1.1 200 OK\r\nContent-Type: application/pkix-crl\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    )?;
    stream.write_all(list)
}

/// A desk whose configuration leaves trust to the system, and whose server shows this certificate.
fn desk(certificate: OwnCertificate) -> Desk {
    let card = GidsSettings::default();
    let known = Settings::for_card(Uuid::from_bytes_le(card.card_id), &hex::encode(&card.atr), card.admin_key);
    let desk = Desk::with(Settings { certificate: Some(certificate), ..known });
    let (url, journal) = (desk.server.base_url(), desk.path("journal"));
    let text = format!("[server]\nurl = \"{url}\"\n\n[journal]\ndir = '{}'\n", journal.display());
    std::fs::write(desk.path("config.toml"), text).unwrap();
    desk
}

/// What a call is told.
fn told(desk: &Desk) -> (i32, String) {
    let run = desk.pinwright(&["request", "list"]);
    (run.exit.unwrap(), format!("{}{}", run.out, run.err))
}

#[test]
fn an_authority_among_the_roots_is_trusted_while_it_is_there() {
    let Some(_alone) = Readers::new() else { return };
    let authority = Authority::new("Contoso Root");
    let (lists, give) = ListServer::start();
    give.send(authority.list(None)).unwrap();
    let desk = desk(authority.issue(&lists.address()));
    let (code, said) = told(&desk);
    assert!(code == 6 && said.contains("0x800B0109") && said.contains("does not trust the authority"), "{said}");
    assert!(said.contains("certutil -addstore Root"), "{said}");
    let trusted = authority.trust();
    let (code, said) = told(&desk);
    assert_eq!(code, 0, "{said}");
    assert!(lists.asked.load(Ordering::SeqCst) > 0, "the list was not asked for");
    drop(trusted);
    assert_eq!(told(&desk).0, 6);
    // One of that name with another key is another one.
    let _other = Authority::new("Contoso Root").trust();
    assert_eq!(told(&desk).0, 6);
}

#[test]
fn a_certificate_that_is_revoked_is_told_so() {
    let Some(_alone) = Readers::new() else { return };
    let authority = Authority::new("Contoso Root");
    let _trusted = authority.trust();
    let (lists, give) = ListServer::start();
    give.send(authority.list(Some(NUMBER))).unwrap();
    let desk = desk(authority.issue(&lists.address()));
    let (code, said) = told(&desk);
    assert!(code == 6 && said.contains("is revoked (0x8"), "{code}: {said}");
}

#[test]
fn a_list_that_cannot_be_had_is_told_so() {
    let Some(_alone) = Readers::new() else { return };
    let authority = Authority::new("Contoso Root");
    let _trusted = authority.trust();
    let address = {
        let (lists, _) = ListServer::start();
        lists.address()
    };
    let desk = desk(authority.issue(&address));
    let (code, said) = told(&desk);
    let numbers = ["0x80092012", "0x80092013", "0x800B010E"];
    assert!(code == 6 && numbers.iter().any(|number| said.contains(number)), "{code}: {said}");
    assert!(said.contains("revoked") && said.contains("certutil -verify -urlfetch"), "{said}");
}
