//! Where operating systems differ: one file a thing, with the same interface on every system.
//!
//! Nowhere else does the code ask which system it is built for (but in `reader/pcsc`, where PC/SC itself differs). What a
//! system lacks is an error of the thing's own type there, or a harmless nothing where its absence costs nothing.

pub mod files;
