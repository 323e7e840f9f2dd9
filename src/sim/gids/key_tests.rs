use super::tests::{SELECT, VERIFY, check, selected, send};

const CREATE_KEY: &str = "00E000004962478201188302B0818C058F10101000A537B809800107830181950140B809800187830181950140\
                          B809800147830181950140B609800117830181950140B609800157830181950140";
const GENERATE: &str = "0047000008AC0680010783018100";
const PUBLIC_KEY: &str = "00CB3FFF0A7008840181A5037F498000";

#[test]
fn key_pairs_are_made_and_used_by_the_user() {
    let mut card = selected();
    check(&mut card, &[(CREATE_KEY, "6982"), (PUBLIC_KEY, "6A88"), (VERIFY, "9000")]);
    check(&mut card, &[(CREATE_KEY, "9000"), (PUBLIC_KEY, "6A88"), (CREATE_KEY, "6984")]);
    // A file that is not active yet is open to its maker; one without a key signs nothing.
    check(&mut card, &[("00440000", "9000"), ("002241B606800157840181", "9000"), ("002A9E9A0101", "6F00")]);
    check(&mut card, &[("0047000008AC0680011283018100", "6A81"), ("0047010008AC0680010783018100", "6A86")]);
    check(&mut card, &[("0047000008AC0680010783018200", "6984"), ("0047000008AD0680010783018100", "6984")]);
    check(&mut card, &[("1047000008AC06800107830181", "6A81")]);
    let made = send(&mut card, GENERATE);
    assert!(made.starts_with("7F4982010981820100") && made.ends_with("610E"), "{made}");
    assert_eq!(send(&mut card, "00C000000E").len(), 32);
    // Signature environments: an algorithm and a key that are not there, the other use.
    check(&mut card, &[("002241B606800158840181", "6F00"), ("002241B606800157840182", "6984")]);
    check(&mut card, &[("002241B806800157840181", "6F00"), ("002241B606800157840181", "9000")]);
    let signature = send(&mut card, "002A9E9A010100");
    assert_eq!((signature.len(), &signature[512..]), (516, "9000"));
    check(&mut card, &[("002A9E9B0101", "6A86"), ("002A80860101", "6A81")]);
    // The right was looked at when the key was chosen.
    check(&mut card, &[("00200082", "9000"), (GENERATE, "6982"), ("002241B606800157840181", "6982")]);
    assert!(send(&mut card, "002A9E9A010100").ends_with("9000"));
    // A selection ends that, and a deleted key signs no more.
    check(&mut card, &[(SELECT, "9000"), ("002A9E9A010100", "6985"), (VERIFY, "9000")]);
    check(&mut card, &[("002241B606800157840181", "9000"), ("00A4000C02B081", "9000"), ("00E40000", "9000")]);
    check(&mut card, &[("002A9E9A010100", "6F00"), (PUBLIC_KEY, "6A88")]);
}

/// More data than a command carries, for a key that pads nothing itself.
#[test]
fn a_signature_of_a_whole_block_comes_in_two() {
    let mut card = selected();
    check(&mut card, &[(VERIFY, "9000"), (CREATE_KEY, "9000"), ("00440000", "9000")]);
    send(&mut card, GENERATE);
    let block = "01".repeat(255);
    check(&mut card, &[("002241B606800117840181", "9000"), (&format!("102A9E9AFF00{}", "01".repeat(254)), "9000")]);
    // Another command does not end the chain; its last block does.
    check(&mut card, &[("00200080", "6884"), ("002A9E9A", "6700")]);
    check(&mut card, &[(&format!("102A9E9AFF00{}", "01".repeat(254)), "9000")]);
    assert!(send(&mut card, "002A9E9A010100").ends_with("9000"));
    // A key that pads takes no chain, and no more than it can pad.
    check(&mut card, &[("002241B606800157840181", "9000"), (&format!("102A9E9AFF{block}"), "9000")]);
    check(&mut card, &[("002A9E9A0101", "6700"), (&format!("002A9E9AF8{}", "01".repeat(248)), "6700")]);
    assert!(send(&mut card, &format!("002A9E9AF5{}", "01".repeat(245))).ends_with("9000"));
}
