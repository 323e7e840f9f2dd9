//! The `pinwright` command.

fn main() {}
