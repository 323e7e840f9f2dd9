//! The few commands that bring a card into a state, written for these tests: in hexadecimal, as the judges send them.

/// SELECT of the PIV application.
pub const PIV_SELECT: &str = "00A4040009A0000003080000100000";

/// SELECT of the OpenPGP application.
pub const OPENPGP_SELECT: &str = "00A4040006D2760001240100";

/// VERIFY with P1 FF: the PIV PIN is no longer verified.
pub const PIV_LOG_OUT: &str = "0020FF80";

/// VERIFY without data: PW1's counter, and PW3's.
pub const OPENPGP_STATUS: &str = "00200082";
pub const OPENPGP_ADMIN_STATUS: &str = "00200083";

/// VERIFY with P1 FF, of PW1 and of PW3.
pub const OPENPGP_LOG_OUT: &str = "0020FF82";
pub const OPENPGP_ADMIN_LOG_OUT: &str = "0020FF83";

/// VERIFY without data: the PIV PIN's counter.
pub const PIV_STATUS: &str = "00200080";

/// VERIFY of the PIV PIN.
pub fn piv_verify(pin: &str) -> String {
    format!("0020008008{}", padded(pin))
}

/// CHANGE REFERENCE DATA of the PIV PIN.
pub fn piv_change(old: &str, new: &str) -> String {
    format!("0024008010{}{}", padded(old), padded(new))
}

/// RESET RETRY COUNTER with the PUK.
pub fn piv_unblock(puk: &str, new: &str) -> String {
    format!("002C008010{}{}", padded(puk), padded(new))
}

/// VERIFY of PW1 for everything but signatures.
pub fn openpgp_verify(pin: &str) -> String {
    with_data("00200082", pin.as_bytes())
}

/// VERIFY of PW3.
pub fn openpgp_verify_admin(pin: &str) -> String {
    with_data("00200083", pin.as_bytes())
}

/// CHANGE REFERENCE DATA of PW1.
pub fn openpgp_change(old: &str, new: &str) -> String {
    with_data("00240081", &[old.as_bytes(), new.as_bytes()].concat())
}

/// CHANGE REFERENCE DATA of PW3.
pub fn openpgp_change_admin(old: &str, new: &str) -> String {
    with_data("00240083", &[old.as_bytes(), new.as_bytes()].concat())
}

/// RESET RETRY COUNTER with the resetting code.
pub fn openpgp_unblock(code: &str, new: &str) -> String {
    with_data("002C0081", &[code.as_bytes(), new.as_bytes()].concat())
}

/// RESET RETRY COUNTER with the new PW1 alone; needs PW3.
pub fn openpgp_reset_as_admin(new: &str) -> String {
    with_data("002C0281", new.as_bytes())
}

/// PUT DATA of the resetting code; needs PW3.
pub fn openpgp_put_resetting_code(code: &str) -> String {
    with_data("00DA00D3", code.as_bytes())
}

/// PUT DATA of a KDF-DO: from now on PINs are to be salted and hashed (OpenPGP card 3.4 4.3.2); needs PW3.
pub const OPENPGP_PUT_KDF: &str = "00DA00F91681010382010883040320000084081122334455667788";

/// TERMINATE DF; needs PW3.
pub const OPENPGP_TERMINATE: &str = "00E60000";

fn with_data(header: &str, data: &[u8]) -> String {
    format!("{header}{:02X}{}", data.len(), hex::encode_upper(data))
}

/// Eight bytes, filled up with FF (SP 800-73-4 part 2, 2.4.3).
fn padded(pin: &str) -> String {
    format!("{:F<16}", hex::encode_upper(pin))
}
