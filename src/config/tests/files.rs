//! Paths, empty values, and files that are not to be read or trusted.

use super::*;

#[test]
fn a_path_is_whole_or_in_the_users_home_and_never_relative() {
    let home = [("HOME".to_owned(), "/home/anna".into())];
    let load = |text: &str| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.toml");
        std::fs::write(&path, text).unwrap();
        Config::load(Some(&path), &home)
    };
    let config =
        load("[journal]\ndir = \"~/pw\"\n[agent]\nmetrics = \"unix:~/m.sock\"\npinentry = \"~/bin/pinentry\"").unwrap();
    assert_eq!(config.journal.unwrap().folder(), Path::new("/home/anna/pw"));
    assert_eq!(config.agent.metrics, Some(MetricsAddress::Socket("/home/anna/m.sock".into())));
    assert_eq!(config.agent.pinentry.as_deref(), Some(Path::new("/home/anna/bin/pinentry")));
    let files = |section| {
        let files = environment::keys_of(section).filter(|key| key.ends_with("_file"));
        files.map(|key| (section, key)).collect::<Vec<_>>()
    };
    let others = [("agent", "control"), ("agent", "pinentry"), ("journal", "dir")];
    let paths = [files("server"), files("card"), others.to_vec()].concat();
    assert_eq!(paths.len(), 11, "{paths:?}");
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
    std::fs::write(&path, "[journal]\ndir = \"/var/lib/pinwright\"\n[reader]\nignore = [\"x\"]\n").unwrap();
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
    assert_eq!(config.journal.unwrap().folder(), Path::new("/var/lib/pinwright"));
    assert_eq!((config.ignored_readers, config.rules.min_tries_left), (vec!["x".to_owned()], 2));
    assert!(config.warnings.is_empty(), "{:?}", config.warnings);
    assert!(load(&path, &[("PINWRIGHT_CARD_PROFILE_FILES", "one.toml")]).unwrap_err().to_string().contains("relative"));

    std::fs::write(&path, "").unwrap();
    let of = |variables: &[(&str, &str)]| load(&path, variables).unwrap().journal.unwrap().folder().to_owned();
    for state in ["", "jj"] {
        let folder = of(&[("XDG_STATE_HOME", state), ("HOME", "/home/anna")]);
        assert_eq!(folder, Path::new("/home/anna/.local/state/pinwright"));
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
