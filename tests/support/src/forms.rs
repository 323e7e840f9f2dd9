//! The forms in which a secret might show up in text.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

/// ASCII, hex, decimal, base64: as logs, JSON and URLs write them.
pub fn forms(secret: &[u8]) -> Vec<String> {
    let hex = hex::encode(secret);
    let pairs: Vec<String> = secret.iter().map(|byte| format!("{byte:02x}")).collect();
    let decimal: Vec<String> = secret.iter().map(u8::to_string).collect();
    let mut forms = vec![
        hex.to_uppercase(),
        pairs.join(" "),
        pairs.join(" ").to_uppercase(),
        pairs.join(":"),
        decimal.join(", "),
        STANDARD.encode(secret),
        STANDARD.encode(secret).replace('+', "%2B").replace('/', "%2F").replace('=', "%3D"),
        URL_SAFE_NO_PAD.encode(secret),
        hex,
    ];
    forms.extend(String::from_utf8(secret.to_vec()).ok());
    forms
}
