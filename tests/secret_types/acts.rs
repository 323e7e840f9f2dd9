// What nobody can do with a secret. Compiled by `refusals.rs`, with `Secret` for each type in turn; `//~` names the errors that
// the compiler must give for a line, and no other line may have one. With a type that can do it all nothing is wrong.

pub fn shown(secret: &Secret) -> String {
    format!("{secret}") //~ E0277
}

pub fn spelt(secret: &Secret) -> String {
    secret.to_string() //~ E0599
}

pub fn copied(secret: &Secret) -> Secret {
    secret.clone() //~ E0308
}

pub fn moved_twice(secret: Secret) -> [Secret; 2] {
    let twice = Clone::clone(&secret); //~ E0277
    [secret, twice]
}

pub fn written_out(secret: &Secret, to: &mut std::fmt::Formatter<'_>) -> bool {
    serde::Serialize::serialize(secret, to).is_ok() //~ E0277
}

pub fn compared(one: &Secret, other: &Secret) -> bool {
    one == other //~ E0369
}

pub fn compared_with_bytes(one: &Secret, other: &[u8]) -> bool {
    *one == *other //~ E0369
}

pub fn compared_with_text(one: &Secret, other: &str) -> bool {
    *one == *other //~ E0369
}

pub fn ordered(one: &Secret, other: &Secret) -> bool {
    one < other //~ E0369
}

pub fn hashed(secret: &Secret, into: &mut std::collections::hash_map::DefaultHasher) {
    std::hash::Hash::hash(secret, into); //~ E0277
}

pub fn lent(secret: &Secret) -> &[u8] {
    <Secret as std::borrow::Borrow<[u8]>>::borrow(secret) //~ E0277
}

pub fn seen_through(secret: &Secret) -> &[u8] {
    secret //~ E0308
}
