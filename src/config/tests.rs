use super::*;

fn refused(text: &str) -> String {
    Config::from_toml(text).unwrap_err().to_string()
}

#[test]
fn the_documented_sample_is_taken() {
    let config = Config::from_toml(
        r#"
        [server]
        url = "https://cm.contoso.com/CertificateManagement"
        ca_file = "/etc/pinwright/ca.pem"
        auth = "bearer"
        token_file = "/run/pinwright/token"
        pin_route = "auto"
        timeout = "10s"
        [card]
        authority = ["server", "admin-key"]
        min_tries_left = 2
        [reader]
        ignore = ["Windows Hello"]
        [agent]
        on_insert = "provision"
        requests = "approved"
        [journal]
        dir = "/var/lib/pinwright"
        "#,
    )
    .unwrap();
    assert_eq!(config.rules.authorities, [Authority::Server, Authority::AdminKey]);
    assert_eq!(config.server.unwrap().timeout, Duration::from_secs(10));
    assert_eq!(config.warnings.len(), 1);
    assert_eq!(config.journal.unwrap().folder(), Path::new("/var/lib/pinwright"));
}

#[test]
fn an_empty_configuration_has_defaults_and_no_server() {
    let config = Config::from_toml("").unwrap();
    assert!(config.server.is_none());
    assert_eq!(config.rules.min_tries_left, 2);
}

#[test]
fn what_cannot_be_is_refused_by_name() {
    let cases = [
        ("[server]\nurl = \"http://cm.contoso.com/x\"", "plain http"),
        ("[server]\nurl = \"ftp://cm.contoso.com/x\"", "https"),
        ("[server]\nurl = \"https://user:hunter2@cm.contoso.com/x\"", "no user name"),
        ("[server]\nurl = \"https://cm.contoso.com/x?y\"", "no query"),
        ("[server]\nurl = \"cm.contoso.com\"", "server.url"),
        ("[server]\nurl = \"https://x/\"\nauth = \"bearer\"", "token_file"),
        ("[server]\nurl = \"https://x/\"\ntoken_file = \"t\"", "\"bearer\""),
        ("[server]\nurl = \"https://x/\"\nauth = \"negotiate\"", "server.auth"),
        ("[server]\nurl = \"https://x/\"\ntimeout = \"soon\"", "server.timeout"),
        ("[server]\n\ntoken = \"hunter2\"", "line 3: unknown field `token`"),
        ("[card]\nauthority = []", "card.authority"),
        ("[card]\nauthority = [\"hunter2\"]", "`puk`"),
        ("[card]\nadmin_key = \"hunter2\"", "line 2: unknown variant, expected"),
        ("[server]\ntimeout = 8765", "line 2: invalid type: integer, expected"),
        ("[card]\npin_length = [8, 4]", "card.pin_length"),
        ("[card]\nadmin_key_file = \"a\"\nadmin_key_credential = \"b\"", "only one"),
        ("[[card.profile]]\nname = \"x\"\ncard_id = { file = \"0201\" }\npin = { reference = 1 }", "`atr`, `aid`"),
    ];
    for (text, expected) in cases {
        let message = refused(text);
        assert!(message.contains(expected), "{text}: {message}");
        assert!(!message.contains("hunter2"), "{message}");
    }
}

#[test]
fn http_is_for_this_machine_alone() {
    for host in ["localhost", "127.0.0.1:8080", "[::1]"] {
        assert!(Config::from_toml(&format!("[server]\nurl = \"http://{host}/x\"")).is_ok(), "{host}");
    }
}

#[test]
fn the_environment_comes_after_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.toml");
    std::fs::write(&path, "[server]\nurl = \"https://one/\"\n[card]\nmin_tries_left = 3\n").unwrap();
    let environment = [
        ("PINWRIGHT_SERVER_URL".to_owned(), "https://two/".to_owned()),
        ("PINWRIGHT_CARD_AUTHORITY".to_owned(), "current-pin, server".to_owned()),
        ("PINWRIGHT_SERVER_URI".to_owned(), "https://three/".to_owned()),
    ];
    let config = Config::load(Some(&path), &environment).unwrap();
    assert_eq!(config.server.unwrap().url.as_str(), "https://two/");
    assert_eq!(config.rules.min_tries_left, 3);
    assert_eq!(config.rules.authorities, [Authority::CurrentPin, Authority::Server]);
    assert!(config.warnings[0].contains("PINWRIGHT_SERVER_URI"));
}

#[test]
fn the_users_file_comes_after_the_machines() {
    let folder = tempfile::tempdir().unwrap();
    let own = folder.path().join("pinwright");
    std::fs::create_dir(&own).unwrap();
    std::fs::write(own.join("config.toml"), "[card]\nmin_tries_left = 5\n").unwrap();
    let environment = [("XDG_CONFIG_HOME".to_owned(), folder.path().display().to_string())];
    assert_eq!(Config::load(None, &environment).unwrap().rules.min_tries_left, 5);
    assert!(Config::load(Some(&folder.path().join("missing.toml")), &[]).is_err());
}

#[test]
fn the_packaged_sample_is_taken_with_every_key_switched_on() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/config.toml");
    let sample = std::fs::read_to_string(path).unwrap();
    assert!(Config::from_toml(&sample).is_ok());
    // Switch everything on but the second of two keys that exclude each other, and prose.
    let prose = |line: &str| line.starts_with("# ") || line.contains("_credential");
    let switched: String = sample
        .lines()
        .filter(|line| !prose(line))
        .map(|line| line.strip_prefix('#').unwrap_or(line).to_owned() + "\n")
        .collect();
    let switched = switched.replace("auth = \"none\"", "auth = \"bearer\"");
    let config = Config::from_toml(&switched).unwrap();
    assert_eq!(config.families.profiles.len(), 1);
}
