//! What a whole enrollment needs beyond the PIN: the request that a certificate is issued for.

pub mod csr;
