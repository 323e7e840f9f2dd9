use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::Shutdown;
use std::sync::Arc;

use super::*;

/// A name that no other test has.
fn place() -> PathBuf {
    PathBuf::from(format!("{PIPES}pinwright-test-{}-{:x}", std::process::id(), fastrand::u64(..)))
}

const SOON: Duration = Duration::from_secs(10);

#[test]
fn a_client_is_let_in_and_has_its_answer() {
    let path = place();
    assert_eq!(connect(&path, SOON).unwrap_err().kind(), ErrorKind::NotFound);
    let endpoint = Arc::new(Endpoint::open(&path, None, None).unwrap());
    let serving = Arc::clone(&endpoint);
    let server = thread::spawn(move || {
        for _ in 0..2 {
            let stream = serving.accept().unwrap();
            admit(&stream, None).unwrap();
            let mut line = String::new();
            BufReader::new(&stream).read_line(&mut line).unwrap();
            (&stream).write_all(format!("you said {line}").as_bytes()).unwrap();
        }
        serving.accept().unwrap_err().kind()
    });
    for word in ["one", "two"] {
        let mut stream = connect(&path, SOON).unwrap();
        believe(&stream, &path).unwrap();
        assert!(admit(&stream, None).is_err(), "a server is no client");
        stream.write_all(format!("{word}\n").as_bytes()).unwrap();
        let mut answer = String::new();
        // To its end: the server has let go.
        stream.read_to_string(&mut answer).unwrap();
        assert_eq!(answer, format!("you said {word}\n"));
    }
    endpoint.stop_accepting().unwrap();
    assert_eq!(server.join().unwrap(), ErrorKind::ConnectionAborted);
}

#[test]
fn a_second_one_at_the_same_place_is_told_who_sits_there() {
    let path = place();
    let _first = Endpoint::open(&path, None, None).unwrap();
    assert!(matches!(Endpoint::open(&path, None, None), Err(EndpointError::Running { .. })));
}

#[test]
fn a_read_has_its_limit_and_ends_with_the_connection() {
    let path = place();
    let endpoint = Endpoint::open(&path, None, None).unwrap();
    let client = thread::spawn(move || connect(&path, SOON).unwrap());
    let stream = endpoint.accept().unwrap();
    let client = client.join().unwrap();
    stream.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    assert_eq!((&stream).read(&mut [0; 8]).unwrap_err().kind(), ErrorKind::TimedOut);
    let other = stream.try_clone().unwrap();
    other.set_read_timeout(None).unwrap();
    let waiting = thread::spawn(move || (&other).read(&mut [0; 8]).unwrap());
    stream.shutdown(Shutdown::Both).unwrap();
    assert_eq!(waiting.join().unwrap(), 0);
    assert_eq!((&stream).write(b"more").unwrap_err().kind(), ErrorKind::BrokenPipe);
    drop(stream);
    assert_eq!((&client).read(&mut [0; 8]).unwrap(), 0);
}

#[test]
fn only_a_pipe_of_this_machine_is_a_place() {
    for (text, is) in [
        (r"\\.\pipe\pinwright-agent", true),
        (r"\\.\pipe\", false),
        (r"\\.\pipe\a\b", false),
        (r"\\other\pipe\pinwright-agent", false),
        (r"C:\run\agent.sock", false),
    ] {
        assert_eq!(is_place(Path::new(text)), is, "{text}");
    }
    assert!(is_place(&of_system()) && is_place(&of_user(&|_| None).unwrap()));
    let nowhere = Path::new(r"C:\run\agent.sock");
    assert!(matches!(Endpoint::open(nowhere, None, None), Err(EndpointError::Io { .. })));
}
