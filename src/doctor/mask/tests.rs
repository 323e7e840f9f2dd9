use super::*;

fn mask() -> Mask {
    Mask::new(vec![
        Name::Host("cm.contoso.com".to_owned()),
        Name::Card(vec![
            "33221100-5544-7766-8899-aabbccddeeff".to_owned(),
            "00112233445566778899AABBCCDDEEFF".to_owned(),
        ]),
        Name::User("anna".to_owned()),
        Name::User("root".to_owned()),
        Name::Authority("Contoso Issuing CA".to_owned()),
        Name::Atr("3b8d0180fba000000397425446590301c8".to_owned()),
    ])
}

#[test]
fn a_name_has_one_pseudonym_wherever_it_stands() {
    let mut mask = mask();
    for (line, masked) in [
        ("https://cm.contoso.com/CertificateManagement", "https://<host-1>/CertificateManagement"),
        ("CM.CONTOSO.COM answers", "<host-1> answers"),
        ("card 33221100-5544-7766-8899-AABBCCDDEEFF", "card <card-1>"),
        ("raw 00112233445566778899aabbccddeeff", "raw <card-1>"),
        ("request a9b4b42c-cc50-4c9b-89d1-bbc0bcd5a099", "request <id-1>"),
        ("again {A9B4B42C-CC50-4C9B-89D1-BBC0BCD5A099}", "again {<id-1>}"),
        ("user anna, not annabel or root", "user <user-1>, not annabel or root"),
        ("issued by \"Contoso Issuing CA\"", "issued by \"<authority-1>\""),
        ("dc1.contoso.com and www.example.org", "<host-3> and <host-4>"),
        ("Contoso alone", "<host-2> alone"),
    ] {
        assert_eq!(mask.text(line), masked);
    }
}

#[test]
fn a_name_that_one_line_has_by_its_form_is_known_in_the_others() {
    let mut mask = Mask::new(Vec::new());
    ["CONTOSO\\carla", "dora@corp.fabrikam.com", "https://proxy7.fabrikam.com/", "two\\nlines"]
        .iter()
        .for_each(|line| mask.learn(line));
    for (line, masked) in [
        ("carla of Contoso", "<user-1> of <host-1>"),
        ("Dora by way of proxy7", "<user-2> by way of <host-6>"),
        ("two lines at Fabrikam", "two lines at <host-4>"),
    ] {
        assert_eq!(mask.text(line), masked);
    }
}

#[test]
fn what_nobody_has_named_is_known_by_its_form() {
    let mut mask = Mask::new(Vec::new());
    for (line, masked) in [
        ("Authorization: Bearer abc.def-123456789", "Authorization: Bearer <secret>"),
        ("the server offers Bearer, Negotiate", "the server offers Bearer, Negotiate"),
        ("PIN: 24681357 is new", "PIN: <secret> is new"),
        ("PIN: 3 of 3 tries left", "PIN: 3 of 3 tries left"),
        ("password=hunter2", "password=<secret>"),
        ("?challenge=1hFD%2Bcz%2F0so%3D&atr=3b", "?challenge=<secret>&atr=3b"),
        (
            "server.token_file = \"/etc/pinwright/secrets/token\"",
            "server.token_file = \"/etc/pinwright/secrets/token\"",
        ),
        ("bob@corp.contoso.com signed in", "<user-1> signed in"),
        ("CONTOSO\\bob signed in", "<user-2> signed in"),
        ("process 12 of user 1000", "process 12 of user <user-3>"),
        ("/home/bob/token and /run/user/1000/x", "/home/<user-4>/token and /run/user/<user-3>/x"),
        ("at 192.0.2.10:443, not 127.0.0.1:8443", "at <host-1>:443, not 127.0.0.1:8443"),
        ("at 2001:db8::1 not ::1", "at <host-2> not ::1"),
        ("owner S-1-5-21-1004336348-1177238915", "owner <user-5>"),
        ("key 010203040506070801020304050607080102030405060708", "key <secret>"),
        ("took 24681357", "took <number>"),
        ("pinwright[1234567]: (pid 1234567), 1048576 bytes", "pinwright[1234567]: (pid 1234567), 1048576 bytes"),
        ("OMNIKEY CardMan 3121 (OKCM0021712090955) 00 00", "OMNIKEY CardMan 3121 (<number>) 00 00"),
        ("QWxhZGRpbjpvcGVuIHNlc2FtZQ==", "<secret>"),
        (
            "/etc/pinwright/config.toml, card.id_order, agent.on_insert, server.ca_file, server.url, pcscd.comm",
            "/etc/pinwright/config.toml, card.id_order, agent.on_insert, server.ca_file, server.url, pcscd.comm",
        ),
        ("org.debian.pcsc-lite.access_card", "org.debian.pcsc-lite.access_card"),
        ("2026-11-29T01:30:00+0000 6.1.0-18-amd64 1.9.9", "2026-11-29T01:30:00+0000 6.1.0-18-amd64 1.9.9"),
    ] {
        assert_eq!(mask.text(line), masked);
    }
}

#[test]
fn a_secret_that_is_known_is_hidden_and_an_atr_is_shown() {
    let mut mask = mask();
    mask.hide(b"a-token-of-the-server");
    assert_eq!(mask.text("says a-token-of-the-server."), "says <secret>.");
    let atr = "ATR 3B8D0180FBA000000397425446590301C8";
    assert_eq!(mask.text(atr), atr);
}
