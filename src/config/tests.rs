use super::*;
use crate::agent::settings::{MetricsAddress, OnInsert, Settings};
use crate::card::PivSlot;
use crate::enroll::rules::{ManagementRule, Rules};
use crate::os::account::is_root;
use crate::os::endpoint;
use crate::os::testing;

mod files;

/// A configuration with the paths of this system.
fn of_toml(text: &str) -> Result<Config, ConfigError> {
    Config::from_toml(&testing::with_absolute_paths(text))
}

fn refused(text: &str) -> String {
    of_toml(text).unwrap_err().to_string()
}

/// An empty file with that name, in a folder that ends with what is given back.
fn empty_file() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.toml");
    std::fs::write(&path, "").unwrap();
    (folder, path)
}

#[test]
fn the_documented_sample_is_taken() {
    let config = of_toml(
        r#"
        [server]
        url = "https://cm.contoso.com/CertificateManagement"
        ca_file = "/etc/pinwright/ca.pem"
        auth = "bearer"
        token_file = "/etc/pinwright/secrets/token"
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
    assert!(config.warnings.is_empty());
    assert_eq!(config.journal.unwrap().folder(), Path::new(&testing::absolute("/var/lib/pinwright")));
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
        ("[server]\nurl = \"https://x/\"\ntoken_file = \"/t\"", "\"bearer\""),
        ("[server]\nurl = \"https://x/\"\nauth = \"adfs\"", "server.auth"),
        ("[server]\nurl = \"https://x/\"\ntimeout = \"soon\"", "server.timeout"),
        ("[server]\n\ntoken = \"hunter2\"", "line 3: unknown field `token`"),
        ("[card]\nauthority = []", "card.authority"),
        ("[card]\nauthority = [\"hunter2\"]", "`puk`"),
        ("[card]\nadmin_key = \"hunter2\"", "line 2: unknown variant, expected"),
        ("[server]\ntimeout = 8765", "line 2: invalid type: integer, expected"),
        ("[agent]\non_insert = \"erase\"", "line 2: unknown variant `erase`"),
        ("[agent]\nrequests = \"all\"", "line 2: unknown variant `all`"),
        ("[agent]\njob_timeout = \"1s\"", "agent.job_timeout: between 10s and 1h"),
        ("[agent]\nstop_timeout = \"1day\"", "agent.stop_timeout"),
        ("[agent]\nrecheck = [\"10min\", \"1min\"]", "agent.recheck: [first, longest]"),
        ("[agent]\nrecheck = [\"10ms\", \"1min\"]", "agent.recheck: between 1s"),
        ("[agent]\nrecheck = [\"10min\"]", "line 2"),
        ("[agent]\nretry = [\"2s\", \"soon\"]", "agent.retry"),
        ("[agent]\npinentry = \"bin/pinentry\"", "agent.pinentry"),
        ("[agent]\npinentry_timeout = \"2h\"", "agent.pinentry_timeout"),
        ("[agent]\ncontrol = \"agent.sock\"", "agent.control"),
        ("[agent]\ncontrol_group = \"1000\"", "agent.control_group"),
        ("[agent]\nuser = \"a b\"", "agent.user"),
        ("[agent]\nmetrics = \"0.0.0.0:9912\"", "agent.metrics: only a loopback address"),
        ("[agent]\nmetrics = \"localhost\"", "agent.metrics"),
        ("[agent]\nmetrics = \"unix:metrics.sock\"", "agent.metrics"),
        ("[agent]\npin = \"hunter2\"", "line 2: unknown field `pin`"),
        ("[card]\npin_length = [8, 4]", "card.pin_length"),
        ("[card]\nadmin_key_file = \"/a\"\nadmin_key_credential = \"b\"", "only one"),
        ("[[card.profile]]\nname = \"x\"\ncard_id = { file = \"0201\" }\npin = { reference = 1 }", "`atr`, `aid`"),
    ];
    for (text, expected) in cases {
        let message = refused(text);
        assert!(message.contains(expected), "{text}: {message}");
        assert!(!message.contains("hunter2"), "{message}");
    }
}

#[test]
fn requests_of_others_are_an_agents_only_where_that_is_said() {
    for (value, visible) in [("own", false), ("approved", false), ("visible", true)] {
        let config = Config::from_toml(&format!("[agent]\nrequests = \"{value}\"")).unwrap();
        assert_eq!(config.agent.visible_requests, visible, "{value}");
    }
    assert!(!Config::from_toml("").unwrap().agent.visible_requests);
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
        ("PINWRIGHT_SERVER_URL".to_owned(), "https://two/".into()),
        ("PINWRIGHT_CARD_AUTHORITY".to_owned(), "current-pin, server".into()),
        ("PINWRIGHT_SERVER_URI".to_owned(), "https://three/".into()),
    ];
    let config = Config::load(Some(&path), &environment).unwrap();
    assert_eq!(config.server.unwrap().url.as_str(), "https://two/");
    assert_eq!(config.rules.min_tries_left, 3);
    assert_eq!(config.rules.authorities, [Authority::CurrentPin, Authority::Server]);
    assert!(config.warnings[0].contains("PINWRIGHT_SERVER_URI"));
}

#[test]
fn the_stages_on_the_card_are_configured_in_a_file_and_by_variables() {
    let folder = tempfile::tempdir().unwrap();
    let empty = folder.path().join("config.toml");
    std::fs::write(&empty, "").unwrap();
    let load = |variables: &[(&str, &str)]| {
        let variables: Vec<_> = variables.iter().map(|(name, value)| ((*name).to_owned(), value.into())).collect();
        Config::load(Some(&empty), &variables).unwrap().enroll
    };
    assert_eq!(load(&[]), Rules::default());
    let all = [
        ("PINWRIGHT_CARD_ALLOW_SHA1", "true"),
        ("PINWRIGHT_CARD_PIV_SLOT", "9d"),
        ("PINWRIGHT_CARD_MANAGEMENT", "admin-key"),
    ];
    let expected = Rules { allow_sha1: true, piv_slot: PivSlot::KeyManagement, management: ManagementRule::AdminKey };
    assert_eq!(load(&all), expected);
    let text = "[card]\nallow_sha1 = true\npiv_slot = \"9d\"\nmanagement = \"admin-key\"\n";
    assert_eq!(Config::from_toml(text).unwrap().enroll, expected);
}

#[test]
fn an_error_names_the_variable() {
    let (_folder, path) = empty_file();
    for (name, value, said) in [
        ("PINWRIGHT_CARD_MIN_TRIES_LEFT", "300", "invalid value: integer, expected u8"),
        ("PINWRIGHT_CARD_MIN_TRIES_LEFT", "few", "a whole number is needed"),
        ("PINWRIGHT_CARD_ALLOW_SHA1", "yes", "true or false is needed"),
        ("PINWRIGHT_CARD_PIV_SLOT", "9b", "unknown variant"),
        ("PINWRIGHT_CARD_MANAGEMENT", "puk", "unknown variant"),
        ("PINWRIGHT_SERVER_AUTH", "basic", "unknown variant"),
    ] {
        let error = Config::load(Some(&path), &[(name.to_owned(), value.into())]).unwrap_err();
        let text = error.to_string();
        assert!(text.starts_with(&format!("{name}: {said}")), "{text}");
    }
}

#[test]
fn a_setting_that_is_no_text_is_an_error_and_a_path_need_not_be_text() {
    let Some(odd) = testing::no_text("/odd") else { return };
    let load = |name: &str| Config::load(Some(Path::new("/dev/null")), &[(name.to_owned(), odd.clone())]);
    let error = load("PINWRIGHT_SERVER_URL").unwrap_err().to_string();
    assert_eq!(error, "PINWRIGHT_SERVER_URL: the value is not UTF-8 text");
    assert!(load("PINWRIGHT_CONFIG").unwrap().warnings.is_empty());
    let journal = load("XDG_STATE_HOME").unwrap().journal.unwrap();
    assert_eq!(journal.folder(), Path::new(&odd).join("pinwright"));
}

#[test]
fn the_users_file_comes_after_the_machines() {
    let folder = tempfile::tempdir().unwrap();
    let own = folder.path().join("pinwright");
    std::fs::create_dir(&own).unwrap();
    std::fs::write(own.join("config.toml"), "[card]\nmin_tries_left = 5\n").unwrap();
    let environment = [("XDG_CONFIG_HOME".to_owned(), folder.path().into())];
    assert_eq!(Config::load(None, &environment).unwrap().rules.min_tries_left, 5);
    assert!(Config::load(Some(&folder.path().join("missing.toml")), &[]).is_err());
}

#[test]
fn the_packaged_sample_is_taken_with_every_key_switched_on() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/config.toml");
    let sample = std::fs::read_to_string(path).unwrap();
    assert!(of_toml(&sample).is_ok());
    // Switch everything on but the second of two keys that exclude each other, and prose.
    // The keys of one kind of sign-in exclude those of another.
    let of_others = ["#spn", "#principal", "#keytab_file", "#adfs_"];
    let prose = |line: &str| {
        line.starts_with("# ") || line.contains("_credential") || of_others.iter().any(|key| line.starts_with(key))
    };
    let switched: String = sample
        .lines()
        .filter(|line| !prose(line))
        .map(|line| line.strip_prefix('#').unwrap_or(line).to_owned() + "\n")
        .collect();
    let switched = switched.replace("auth = \"none\"", "auth = \"bearer\"");
    let config = of_toml(&switched).unwrap();
    assert_eq!(config.families.profiles.len(), 1);
}

#[test]
fn the_packaged_sample_has_every_key() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/config.toml");
    let sample = std::fs::read_to_string(path).unwrap();
    for section in ["server", "card", "reader", "agent", "journal"] {
        let (_, rest) = sample.split_once(&format!("\n[{section}]\n")).unwrap();
        let body = rest.split("\n[").next().unwrap();
        for key in super::environment::keys_of(section) {
            let is_there = body.lines().any(|line| line.trim_start_matches('#').starts_with(&format!("{key} = ")));
            assert!(is_there, "{section}.{key}");
        }
    }
}

#[test]
fn the_agents_keys_become_settings() {
    let config = Config::from_toml(
        r#"
        [agent]
        on_insert = "report"
        job_timeout = "1min"
        recheck = ["1min", "1h"]
        pinentry = "pinentry-curses"
        control = "/run/pinwright/agent.sock"
        control_group = "helpdesk"
        user = "pinwright"
        metrics = "[::1]:9912"
        "#,
    );
    let agent = config.unwrap().agent;
    assert_eq!(agent.on_insert, OnInsert::Report);
    assert_eq!(agent.job_timeout, Duration::from_secs(60));
    assert_eq!((agent.recheck_first, agent.recheck_longest), (Duration::from_secs(60), Duration::from_secs(3600)));
    assert_eq!(agent.retry_first, Duration::from_secs(2), "not given");
    assert_eq!(agent.control.as_deref(), Some(Path::new("/run/pinwright/agent.sock")));
    assert_eq!(agent.control_of_system, None, "who names a socket means that one");
    assert_eq!(agent.metrics, Some(MetricsAddress::Loopback("[::1]:9912".parse().unwrap())));
    let socket = Config::from_toml("[agent]\nmetrics = \"unix:/run/x/m.sock\"").unwrap().agent.metrics;
    assert_eq!(socket, Some(MetricsAddress::Socket("/run/x/m.sock".into())));
}

#[test]
fn the_sample_names_the_agents_defaults() {
    let sample = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/config.toml")).unwrap();
    let (sample, built_in) = (Config::from_toml(&sample).unwrap().agent, Config::from_toml("").unwrap().agent);
    assert_eq!(format!("{sample:?}"), format!("{built_in:?}"));
    assert_eq!(
        format!("{built_in:?}"),
        format!(
            "{:?}",
            Settings {
                control: built_in.control.clone(),
                control_of_system: built_in.control_of_system.clone(),
                ..Settings::default()
            }
        )
    );
}

#[test]
fn a_unit_and_a_user_have_sockets_of_their_own() {
    let (_folder, path) = empty_file();
    let load = |name: &str, value: &str| {
        let agent = Config::load(Some(&path), &[(name.to_owned(), value.into())]).unwrap().agent;
        (agent.control, agent.control_of_system)
    };
    let system = Some(PathBuf::from("/run/pinwright/agent.sock"));
    assert_eq!(load("RUNTIME_DIRECTORY", "/run/pinwright"), (system.clone(), None));
    let of_user = load("RUNTIME_DIRECTORY", "/run/user/1000/pinwright:/run/user/1000/other");
    assert_eq!(of_user, (Some("/run/user/1000/pinwright/agent.sock".into()), system.clone()));
    if !is_root() {
        let of_user = load("XDG_RUNTIME_DIR", "/run/user/1000");
        assert_eq!(of_user, (Some("/run/user/1000/pinwright/agent.sock".into()), system));
    }
}

const PROFILE: &str = "card_id = { file = \"0201\" }\npin = { reference = 1 }\n";

#[test]
fn a_profile_that_cannot_work_is_refused_with_its_line() {
    let cases = [
        ("[card]\n\n[[card.profile]]\nname = \"x\"\n", "configuration, line 4: card profile \"x\": `name`: give `atr`"),
        ("[[card.profile]]\nname = \"x\"\naid = \"F0\"\n", "line 3: card profile \"x\": `aid`: must have 5 to 16"),
        ("[[card.profile]]\nname = \"x\"\naid = \"F0001\"\n", "line 3: Odd number of digits"),
        ("[[card.profile]]\nname = \"x\"\naids = \"F0\"\n", "line 3: unknown field `aids`"),
    ];
    for (text, expected) in cases {
        let message = refused(&format!("{text}{PROFILE}"));
        assert!(message.contains(expected), "{message}");
    }
    let good = format!("[[card.profile]]\nname = \"x\"\naid = \"F000000001\"\n{PROFILE}");
    let nested = format!(
        "{good}\n[[card.profile]]\nname = \"y\"\naid = \"F000000002\"\ncard_id.file = \"0201\"\n\
        [card.profile.pin]\nreference = 1\nmin = 9\nmax = 8\n"
    );
    assert!(refused(&nested).contains("line 14: card profile \"y\": `pin.max`"), "{}", refused(&nested));
    for (second, expected) in [
        ("name = \"x\"\naid = \"F000000002\"\n", "has the same name (the other is \"x\": configuration, line 1)"),
        ("name = \"y\"\naid = \"F00000000103\"\n", "line 7: card profile \"y\" matches the same cards"),
    ] {
        let message = refused(&format!("{good}\n[[card.profile]]\n{second}{PROFILE}"));
        assert!(message.contains(expected), "{message}");
    }
}

#[test]
fn profiles_come_from_files_too() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    let load = || Config::load(Some(&folder.path().join("config.toml")), &[]);
    write("one.toml", &format!("# a card\n[[card.profile]]\nname = \"one\"\naid = \"F000000001\"\n{PROFILE}"));
    write(
        "config.toml",
        &format!(
            "[card]\nprefer = [\"one\", \"gids\"]\nprofile_files = [\"one.toml\"]\n[[card.profile]]\nname = \"two\"\n\
             aid = \"F000000002\"\n{PROFILE}"
        ),
    );
    let families = load().unwrap().families;
    let names: Vec<_> = families.profiles.iter().map(|profile| profile.name.as_str()).collect();
    assert_eq!(names, ["two", "one"]);
    assert_eq!(families.prefer, ["one", "gids"]);

    let refused = |text: &str| {
        write("one.toml", text);
        load().unwrap_err().to_string()
    };
    let clash = refused(&format!("[[card.profile]]\nname = \"two\"\naid = \"F000000001\"\n{PROFILE}"));
    assert!(clash.contains("one.toml, line 1: card profile \"two\" has the same name"), "{clash}");
    assert!(clash.contains("config.toml, line 4"), "{clash}");
    assert!(
        refused("[card]\nadmin_key_file = \"x\"\nprofile = []\n").contains("line 2: unknown field `admin_key_file`")
    );
    assert!(refused("[card]\nprofile = []\n").contains("no [[card.profile]]"));
    assert!(refused("[[card.profile]]\nname = \"one\"\n\nname = \"one\"\n").contains("one.toml, line 4"));
    std::fs::remove_file(folder.path().join("one.toml")).unwrap();
    assert!(matches!(load(), Err(ConfigError::Unreadable { .. })));
}

#[test]
fn what_is_preferred_must_exist_and_once() {
    for (prefer, expected) in [
        ("[\"gids\", \"hunter2\"]", "card.prefer: entry 2 is neither a built-in family (piv, gids, openpgp)"),
        ("[\"gids\", \"gids\"]", "entry 2 is there twice"),
    ] {
        let message = refused(&format!("[card]\nprefer = {prefer}"));
        assert!(message.contains(expected) && !message.contains("hunter2"), "{message}");
    }
}

#[test]
fn a_name_with_a_comma_is_one_name() {
    let (_folder, path) = empty_file();
    let load = |value: &str| {
        let environment = [("PINWRIGHT_READER_IGNORE".to_owned(), value.into())];
        Config::load(Some(&path), &environment)
    };
    let one = load("Contoso, Inc. Reader 00 00").unwrap();
    assert_eq!(one.ignored_readers, ["Contoso, Inc. Reader 00 00"]);
    assert!(one.warnings[0].contains("PINWRIGHT_READER_IGNORE"), "{:?}", one.warnings);
    let two = load("[\"Contoso, Inc. Reader\", \"Windows Hello\"]").unwrap();
    assert_eq!(two.ignored_readers, ["Contoso, Inc. Reader", "Windows Hello"]);
    assert!(two.warnings.is_empty());
    assert_eq!(load("[]").unwrap().ignored_readers, [""; 0]);
    assert_eq!(load("Windows Hello").unwrap().ignored_readers, ["Windows Hello"]);
    for broken in ["[\"a", "[1]", "[\"a\"]\nb = 1"] {
        let error = load(broken).unwrap_err().to_string();
        assert!(error.starts_with("PINWRIGHT_READER_IGNORE: "), "{error}");
    }
    // Lists of words, which have no commas, may be written either way.
    let authority = [("PINWRIGHT_CARD_AUTHORITY".to_owned(), "[\"puk\", \"server\"]".into())];
    let config = Config::load(Some(&path), &authority).unwrap();
    assert_eq!(config.rules.authorities, [Authority::Puk, Authority::Server]);
}

#[test]
fn parts_come_in_the_order_of_their_names_and_each_value_has_an_origin() {
    let folder = tempfile::tempdir().unwrap();
    let (machine, own) = (folder.path().join("machine"), folder.path().join("own/pinwright"));
    for folder in [&machine.join("config.d"), &own] {
        std::fs::create_dir_all(folder).unwrap();
    }
    let write = |path: PathBuf, text: &str| {
        std::fs::write(&path, text).unwrap();
        path
    };
    let first = write(machine.join("config.toml"), "[server]\nurl = \"https://one/\"\n[card]\nmin_tries_left = 3\n");
    let third =
        write(machine.join("config.d/20-site.toml"), "[server]\nurl = \"https://three/\"\nca_file = \"/ca.pem\"\n");
    let second =
        write(machine.join("config.d/10-desk.toml"), "[server]\nurl = \"https://two/\"\n[reader]\nignore = [\"x\"]\n");
    write(machine.join("config.d/20-site.toml.bak"), "nonsense");
    write(machine.join("config.d/.30-editing.toml"), "nonsense");
    let last = write(own.join("config.toml"), "[server]\nca_file = \"\"\n");
    let variables = [
        ("XDG_CONFIG_HOME".to_owned(), folder.path().join("own").into()),
        ("PINWRIGHT_CARD_MIN_TRIES_LEFT".to_owned(), "4".into()),
    ];
    let files = default_files(&machine, Environment(&variables)).unwrap();
    assert_eq!(files, [first, second.clone(), third.clone(), last.clone()]);
    let explained = Config::from_files(files, Environment(&variables)).unwrap();
    let of = |key: &str| {
        let setting = explained.settings.iter().find(|setting| setting.key == key).unwrap();
        (setting.value.as_ref().map(ToString::to_string).unwrap_or_default(), setting.origin.clone())
    };
    assert_eq!(of("server.url"), ("\"https://three/\"".to_owned(), Origin::File(third)));
    assert_eq!(of("server.ca_file"), (String::new(), Origin::File(last)));
    assert_eq!(of("reader.ignore"), ("[\"x\"]".to_owned(), Origin::File(second)));
    assert_eq!(of("card.min_tries_left").1, Origin::Variable("PINWRIGHT_CARD_MIN_TRIES_LEFT".to_owned()));
    assert_eq!(of("server.timeout"), ("\"10s\"".to_owned(), Origin::Default));
    assert_eq!(of("server.token_file"), (String::new(), Origin::Default));
    assert_eq!(explained.config.rules.min_tries_left, 4);
}
