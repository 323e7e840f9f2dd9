//! Paths, empty values, and files that are not to be read or trusted.

use super::*;

#[test]
fn a_path_is_whole_or_in_the_users_home_and_never_relative() {
    let variables = [("HOME".to_owned(), "/home/anna".into())];
    let home = if testing::HOME_IS_A_VARIABLE { "/home/anna".into() } else { Environment(&[]).home().unwrap() };
    let load = |text: &str| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.toml");
        std::fs::write(&path, text).unwrap();
        Config::load(Some(&path), &variables)
    };
    let config = load("[journal]\ndir = \"~/pw\"\n[agent]\npinentry = \"~/bin/pinentry\"").unwrap();
    assert_eq!(config.journal.unwrap().folder(), home.join("pw"));
    match load("[agent]\nmetrics = \"unix:~/m.sock\"") {
        Ok(config) => assert_eq!(config.agent.metrics, Some(MetricsAddress::Socket(home.join("m.sock")))),
        Err(error) => assert!(!endpoint::HAS_SOCKETS && error.to_string().contains("127.0.0.1:9912"), "{error}"),
    }
    assert_eq!(config.agent.pinentry.as_deref(), Some(home.join("bin/pinentry").as_path()));
    let files = |section| {
        let files = environment::keys_of(section).filter(|key| key.ends_with("_file"));
        files.map(|key| (section, key)).collect::<Vec<_>>()
    };
    let others = [("agent", "control"), ("agent", "pinentry"), ("journal", "dir")];
    let paths = [files("server"), files("card"), files("agent"), others.to_vec()].concat();
    assert_eq!(paths.len(), 18, "{paths:?}");
    for (section, key) in paths {
        for relative in ["./jj", "../jj", "~", "~anna/jj"] {
            let text = format!("[{section}]\n{key} = \"{relative}\"");
            if key == "pinentry" && !relative.contains('/') {
                continue;
            }
            let error = load(&text).unwrap_err().to_string();
            assert!(error.starts_with(&format!("{section}.{key}: ")), "{text}: {error}");
        }
    }
    let error = load("[journal]\ndir = \"jj\"").unwrap_err().to_string();
    assert!(error.starts_with("journal.dir: a relative path"), "{error}");
}

#[test]
fn an_empty_variable_is_an_unset_one_and_a_relative_folder_none() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.toml");
    let text = "[journal]\ndir = \"/var/lib/pinwright\"\n[reader]\nignore = [\"x\"]\n";
    std::fs::write(&path, testing::with_absolute_paths(text)).unwrap();
    let load = |path: &Path, variables: &[(&str, &str)]| {
        let environment: Vec<(String, OsString)> =
            variables.iter().map(|(name, value)| ((*name).to_owned(), value.into())).collect();
        Config::load(Some(path), &environment)
    };
    let empty = [
        ("PINWRIGHT_JOURNAL_DIR", ""),
        ("PINWRIGHT_READER_IGNORE", ""),
        ("PINWRIGHT_CARD_MIN_TRIES_LEFT", ""),
        ("PINWRIGHT_SERVER_AUTH", ""),
        ("PINWRIGHT_NONSENSE", ""),
    ];
    let config = load(&path, &empty).unwrap();
    assert_eq!(config.journal.unwrap().folder(), Path::new(&testing::absolute("/var/lib/pinwright")));
    assert_eq!((config.ignored_readers, config.rules.min_tries_left), (vec!["x".to_owned()], 2));
    assert!(config.warnings.is_empty(), "{:?}", config.warnings);
    assert!(load(&path, &[("PINWRIGHT_CARD_PROFILE_FILES", "one.toml")]).unwrap_err().to_string().contains("relative"));

    std::fs::write(&path, "").unwrap();
    let of = |variables: &[(&str, &str)]| load(&path, variables).unwrap().journal.unwrap().folder().to_owned();
    for state in ["", "jj"] {
        let folder = of(&[("XDG_STATE_HOME", state), ("HOME", "/home/anna")]);
        let expected = if testing::HOME_IS_A_VARIABLE {
            "/home/anna/.local/state/pinwright".into()
        } else {
            Environment(&[]).state_folder().unwrap()
        };
        assert_eq!(folder, expected);
    }
    assert!(of(&[("HOME", "jj")]).is_absolute());
    assert!(load(&path, &[("XDG_RUNTIME_DIR", "jj")]).unwrap().agent.control.is_none_or(|path| path.is_absolute()));
}

#[test]
fn an_empty_text_removes_what_an_earlier_layer_says() {
    let layer = |text: &str| parse(text, "layer").unwrap();
    let mut layers = layer("[server]\nurl = \"https://one/\"\nauth = \"bearer\"\ntoken_file = \"/t\"\n");
    layers.overlay(layer("[server]\nauth = \"\"\ntoken_file = \"\"\n"));
    let (raw, _, _) = layers.finish().unwrap();
    assert!(raw.server.token_file.is_none() && matches!(raw.server.auth, raw::Auth::None));
    assert_eq!(raw.server.url.as_deref(), Some("https://one/"));
}

#[test]
fn what_is_no_regular_file_is_refused_and_not_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    testing::make_named_pipe(&pipe);
    let long = folder.path().join("long.toml");
    std::fs::write(&long, "#".repeat(2 * 1024 * 1024)).unwrap();
    for path in [Some(pipe), Some(long), Some(folder.path().to_owned()), testing::endless_file()].into_iter().flatten()
    {
        let error = Config::load(Some(&path), &[]).unwrap_err();
        assert!(matches!(error, ConfigError::Unreadable { .. }), "{}: {error}", path.display());
    }
}

#[test]
fn a_configuration_that_others_can_write_to_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (config, profiles) = (folder.path().join("config.toml"), folder.path().join("one.toml"));
    std::fs::write(&config, "[card]\nprofile_files = [\"one.toml\"]\n").unwrap();
    std::fs::write(&profiles, format!("[[card.profile]]\nname = \"one\"\naid = \"F000000001\"\n{PROFILE}")).unwrap();
    Config::load(Some(&config), &[]).unwrap();
    for path in [&config, &profiles] {
        if !testing::open_to_others(path, true) {
            return;
        }
        let error = Config::load(Some(&config), &[]).unwrap_err();
        assert!(matches!(&error, ConfigError::Exposed { path: told, .. } if told == path), "{error}");
        assert!(error.remedy().contains("chmod go-w"), "{}", error.remedy());
        testing::open_to_others(path, false);
    }
    Config::load(Some(&config), &[]).unwrap();
}

/// The layers over each other, the environment last.
fn laid(files: &[&str], variables: &[(&str, &str)]) -> Result<Explained, ConfigError> {
    let folder = tempfile::tempdir().unwrap();
    let write = |(number, text): (usize, &&str)| {
        let path = folder.path().join(format!("{number}.toml"));
        std::fs::write(&path, testing::with_absolute_paths(text)).unwrap();
        path
    };
    let files = files.iter().enumerate().map(write).collect();
    let variables: Vec<(String, OsString)> =
        variables.iter().map(|(name, value)| ((*name).to_owned(), value.into())).collect();
    Config::from_files(files, Environment(&variables))
}

#[test]
fn a_later_source_of_a_secret_is_in_the_place_of_an_earlier_one() {
    const SECRETS: [&str; 7] = [
        "server.token",
        "server.proxy_password",
        "card.admin_key",
        "card.puk",
        "card.admin_pin",
        "card.resetting_code",
        "card.current_pin",
    ];
    for name in SECRETS {
        let (section, secret) = name.split_once('.').unwrap();
        let more = match name {
            "server.token" => "url = \"https://one/\"\nauth = \"bearer\"\n",
            "server.proxy_password" => "url = \"https://one/\"\nproxy = \"http://p/\"\nproxy_user = \"u\"\n",
            _ => "",
        };
        let (file, credential) = (format!("{secret}_file = \"/f\"\n"), format!("{secret}_credential = \"c\"\n"));
        let layer = |keys: &str| format!("[{section}]\n{keys}");
        let value = |explained: &Explained, kind: &str| {
            let key = format!("{name}_{kind}");
            let setting = explained.settings.iter().find(|setting| setting.key == key).unwrap();
            setting.value.as_ref().and_then(toml::Value::as_str).map(str::to_owned)
        };
        let values = |files: &[&str], variables: &[(&str, &str)]| {
            let explained = laid(files, variables).unwrap_or_else(|error| panic!("{name}: {error}"));
            (value(&explained, "file"), value(&explained, "credential"))
        };
        let (one, two) = (layer(&format!("{more}{file}")), layer(&credential));
        assert_eq!(values(&[&one, &two], &[]), (None, Some("c".to_owned())), "{name}");
        let (one, two) = (layer(&format!("{more}{credential}")), layer(&file));
        assert_eq!(values(&[&one, &two], &[]), (Some(testing::absolute("/f")), None), "{name}");
        let variable = format!("PINWRIGHT_{}_{}_FILE", section.to_uppercase(), secret.to_uppercase());
        let path = testing::absolute("/v");
        assert_eq!(values(&[&one], &[(&variable, &path)]), (Some(path.clone()), None), "{name}");
        // An empty one names no source, and an empty variable is none at all.
        let nothing = layer(&format!("{secret}_file = \"\"\n"));
        assert_eq!(values(&[&one, &nothing], &[(&variable, "")]), (None, Some("c".to_owned())), "{name}");
        // Within one layer the two are a contradiction.
        let both = laid(&[&layer(&format!("{more}{file}{credential}"))], &[]).unwrap_err().to_string();
        assert!(both.contains("only one of"), "{both}");
        let other = format!("PINWRIGHT_{}_{}_CREDENTIAL", section.to_uppercase(), secret.to_uppercase());
        let both = laid(&[&layer(more)], &[(&variable, &path), (&other, "c")]).unwrap_err().to_string();
        assert!(both.contains("only one of"), "{both}");
    }
}

#[test]
fn a_later_list_replaces_an_earlier_one_and_profiles_are_added() {
    let profile = |name: &str, aid: &str| format!("[[card.profile]]\nname = \"{name}\"\naid = \"{aid}\"\n{PROFILE}");
    let first =
        format!("[reader]\nignore = [\"a\", \"b\"]\n{}{}", profile("x", "F000000001"), profile("y", "F000000002"));
    let second = format!("[reader]\nignore = [\"c\"]\n{}{}", profile("z", "F000000003"), profile("x", "F000000004"));
    let explained = laid(&[&first, &second], &[]).unwrap();
    assert_eq!(explained.config.ignored_readers, ["c"]);
    let profiles = &explained.config.families.profiles;
    let names: Vec<&str> = profiles.iter().map(|profile| profile.name.as_str()).collect();
    assert_eq!(names, ["y", "z", "x"]);
    // The later one of that name: the earlier one's AID is free again.
    let third = profile("w", "F000000001");
    assert_eq!(laid(&[&first, &second, &third], &[]).unwrap().config.families.profiles.len(), 4);
    let clash = laid(&[&first, &second, &profile("v", "F000000004")], &[]).unwrap_err().to_string();
    assert!(clash.contains("2.toml, line 1: card profile \"v\" matches the same cards"), "{clash}");
    // Within one layer a name is one profile's.
    let twice = laid(&[&(profile("x", "F000000001") + &profile("x", "F000000002"))], &[]).unwrap_err().to_string();
    assert!(twice.contains("has the same name"), "{twice}");
}

#[test]
fn the_control_group_is_the_systems_agents() {
    let group = "[agent]\ncontrol_group = \"helpdesk\"\n";
    let of = |variables: &[(&str, &str)]| laid(&[group], variables).unwrap().config.agent.control_group;
    assert_eq!(of(&[("RUNTIME_DIRECTORY", "/run/pinwright")]).as_deref(), Some("helpdesk"));
    let person = [("XDG_RUNTIME_DIR", "/run/user/1000"), ("RUNTIME_DIRECTORY", "/run/user/1000/pinwright")];
    assert_eq!(of(&person), None, "its user is in no such group");
    let named = "[agent]\ncontrol_group = \"helpdesk\"\ncontrol = \"/srv/agent.sock\"\n";
    let elsewhere = laid(&[named], &[("XDG_RUNTIME_DIR", "/run/user/1000")]).unwrap().config.agent;
    assert_eq!(elsewhere.control_group.as_deref(), Some("helpdesk"));
    let wrong = laid(&["[agent]\ncontrol_group = \"1000\"\n"], &person).unwrap_err().to_string();
    assert!(wrong.starts_with("agent.control_group"), "{wrong}");
}
