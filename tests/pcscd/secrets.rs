//! The canary: at the loudest, nothing that the command says or leaves behind shows a secret in any usual form.

use std::path::Path;

use pinwright::sim::gids::GidsSettings;
use pinwright::sim::server::PinMaker;
use support::forms::forms;
use support::installation::{Installation, Run, server_for};
use support::opensc::ADMIN_KEY;

use super::{pcscd_with, personalised};

const PIN: &[u8] = b"zQ7vK2wX9pLm";
const TOKEN: &str = "Tk-81fWq2Zr7Yb4Xc";

fn assert_clean(run: &Run, installation: &Installation, secrets: &[(&str, Vec<u8>)]) {
    let mut texts = vec![("stdout".to_owned(), run.stdout.clone()), ("stderr".to_owned(), run.stderr.clone())];
    left_behind(&installation.path("."), &mut texts);
    for (name, secret) in secrets {
        assert!(secret.len() >= 8, "{name}: a short one proves nothing");
        for form in forms(secret) {
            for (shown_by, text) in &texts {
                assert!(!text.contains(&form), "{shown_by} shows the {name} as {form:?}:\n{text}");
            }
        }
    }
}

/// Every file in the home folder, without those that the test put there to be read.
fn left_behind(folder: &Path, texts: &mut Vec<(String, String)>) {
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        let given = ["secret-token", "secret-key", "secret-pin"].iter().any(|name| path.ends_with(name));
        if path.is_dir() {
            left_behind(&path, texts);
        } else if !given {
            texts.push((
                path.display().to_string(),
                String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned(),
            ));
        }
    }
}

#[test]
fn the_loudest_log_of_a_job_shows_neither_pin_nor_answer_nor_token() {
    let Some(pcscd) = pcscd_with(2) else { return };
    let card = personalised();
    let _inserted = pcscd.insert(0, card.clone());
    let mut settings = server_for(&GidsSettings::default());
    settings.pin_maker = PinMaker::Fixed(PIN.to_vec());
    settings.token = Some(TOKEN.to_owned());
    let installation = Installation::new(settings);
    std::fs::write(installation.path("secret-token"), TOKEN).unwrap();
    let token_file = installation.path("secret-token");
    installation.configure(&format!("auth = \"bearer\"\ntoken_file = \"{}\"", token_file.display()), "");

    for arguments in [&["-vvv", "set-pin", "--yes", "--again"][..], &["-vvv", "--json", "set-pin", "--yes", "--again"]]
    {
        let run = installation.pinwright(&pcscd, arguments);
        run.exits(0);
        assert!(run.stderr.contains("00A4"), "the log shows the commands: {run}");
        assert!(card.with(|card| card.pin_is(PIN)));
        let mut secrets = vec![("PIN", PIN.to_vec()), ("token", TOKEN.as_bytes().to_vec())];
        secrets.extend(installation.server.state().answers().into_iter().map(|answer| ("admin answer", answer)));
        assert!(secrets.len() > 2);
        assert_clean(&run, &installation, &secrets);
    }
}

#[test]
fn the_loudest_log_of_failures_shows_no_secret_either() {
    let Some(pcscd) = pcscd_with(2) else { return };
    // The card has another admin key than the server thinks: the answer is refused.
    let card = personalised();
    let _inserted = pcscd.insert(0, card.clone());
    let mut settings = server_for(&GidsSettings { admin_key: [0x5A; 24], ..GidsSettings::default() });
    settings.pin_maker = PinMaker::Fixed(PIN.to_vec());
    let installation = Installation::new(settings);

    let refused = installation.pinwright(&pcscd, &["-vvv", "--json", "set-pin", "--yes", "--again"]);
    refused.exits(4);
    let mut secrets = vec![("PIN", PIN.to_vec()), ("admin key", vec![0x5A; 24])];
    secrets.extend(installation.server.state().answers().into_iter().map(|answer| ("admin answer", answer)));
    assert!(secrets.len() > 2);
    assert_clean(&refused, &installation, &secrets);

    // A PIN that no card of this kind takes.
    let long = b"zQ7vK2wX9pLm-zQ7vK2wX9pLm".to_vec();
    installation.server.state().change(|settings| settings.pin_maker = PinMaker::Fixed(long.clone()));
    let misfit =
        installation.pinwright(&pcscd, &["-vvv", "--json", "set-pin", "--yes", "--again", "--risk-uncounted=admin"]);
    misfit.exits(8);
    secrets.push(("long PIN", long));
    assert_clean(&misfit, &installation, &secrets);

    // JSON of another kind around a PIN.
    let body = format!("{{\"pin\": \"{}\"}}", std::str::from_utf8(PIN).unwrap()).into_bytes();
    let maker = PinMaker::Raw { status: 200, content_type: "application/json".to_owned(), body };
    installation.server.state().change(|settings| settings.pin_maker = maker);
    let malformed =
        installation.pinwright(&pcscd, &["-vvv", "--json", "set-pin", "--yes", "--again", "--risk-uncounted=admin"]);
    assert_ne!(malformed.code(), 0);
    assert_clean(&malformed, &installation, &secrets);
    assert!(card.with(|card| card.pin_is(super::OLD_PIN.as_bytes())));
}

#[test]
fn secrets_from_descriptors_are_neither_in_the_log_nor_among_the_arguments() {
    let Some(pcscd) = pcscd_with(2) else { return };
    let card = personalised();
    let _inserted = pcscd.insert(0, card.clone());
    let installation = Installation::for_gids(PinMaker::UserProvided);
    installation.configure("", "[card]\nauthority = [\"admin-key\"]");
    std::fs::write(installation.path("secret-pin"), PIN).unwrap();
    std::fs::write(installation.path("secret-key"), ADMIN_KEY).unwrap();

    let path = |name| installation.path(name).display().to_string();
    let words = format!("exec 8<'{}' 9<'{}'", path("secret-pin"), path("secret-key"));
    let arguments = ["-vvv", "set-pin", "--yes", "--again", "--pin-fd", "8", "--admin-key-fd", "9"];
    let run = installation.start_by(&pcscd.socket(), &words, &arguments).finish();
    run.exits(0);
    assert!(card.with(|card| card.pin_is(PIN)));
    assert_clean(&run, &installation, &[("PIN", PIN.to_vec()), ("admin key", hex::decode(ADMIN_KEY).unwrap())]);
}
