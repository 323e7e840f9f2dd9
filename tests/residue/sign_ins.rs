//! The long run behind the book's table of sign-ins: `make residue`.

use std::process::Command;

use support::pcscd::Pcscd;

use super::adfs::SignedIn;
use super::agent::Agent;
use super::forms::Kind;
#[cfg(feature = "kerberos")]
use super::kerberos;
use super::long_lived::Series;
use super::table::{Columns, JOBS, RUNS, conclude, plain_client};

const USUAL: &str = "AD FS, pinwright under the usual allocator";

fn pcscd() -> Pcscd {
    super::pcscd().expect("the long run needs root and a pcscd")
}

fn signed_in() -> SignedIn {
    SignedIn::new(pcscd(), true)
}

fn one_process() -> Series {
    let signed_in = signed_in();
    let mut agent = Agent::new(&signed_in.setup);
    signed_in.jobs(&mut agent, JOBS)
}

/// The same code without our allocator and the process's other measures.
fn without_measures() -> Series {
    let signed_in = signed_in();
    let mut command = Command::new(plain_client());
    command.arg("--pinwright");
    let mut agent = Agent::start(&signed_in.setup, command);
    signed_in.jobs(&mut agent, JOBS)
}

#[cfg(feature = "kerberos")]
fn with_kerberos() -> Series {
    kerberos::job(pcscd())
}

#[test]
#[ignore = "the long run: make residue"]
fn the_table_of_sign_ins() {
    println!(
        "Copies found after a sign-in; a person's at AD FS is renewed in each job. Least to most of {RUNS} runs.\n"
    );
    assert!(support::kerberos::is_here(), "the long run needs a KDC and Apache");
    let table = Columns(Kind::OF_SIGN_INS);
    table.print();
    let rows = [
        table.row("AD FS, one job of `pinwright set-pin`", true, || signed_in().job()),
        table.row("AD FS, 50 jobs in one process", true, one_process),
        table.row(USUAL, false, without_measures),
        #[cfg(feature = "kerberos")]
        table.row("Kerberos, one job of `pinwright set-pin`", false, with_kerberos),
    ];
    conclude(&rows, &[USUAL]);
}
