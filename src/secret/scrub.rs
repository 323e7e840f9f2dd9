//! Where secrets are worked with: on a stack that no longer exists afterwards.
//!
//! Ciphers and parsers leave pieces of what they worked on below the stack pointer, and a signal that interrupts them puts
//! their registers on the stack. Nothing can zero all that, but it can be unmapped. The stack of a thread that has ended is no
//! help: the C library keeps it for the next one. Registers keep the last pieces until something else needs them.

use std::hint::black_box;

use rustls::crypto::cipher::{AeadKey, Iv, OutboundChunks, OutboundPlainMessage};
use rustls::crypto::ring::cipher_suite;
use rustls::{ContentType, ProtocolVersion};

/// As much as a thread of the standard library gets. Only pages that are used are taken from the system.
const STACK: usize = 2 * 1024 * 1024;

/// Runs `work` on a stack of its own that is unmapped before this returns, also when `work` panics.
///
/// Everything that touches a secret belongs inside: the card, and the client and runtime that fetch the secret, made and
/// dropped there, since what is still open when `work` returns keeps what it has read. The result goes to the caller's stack:
/// it must hold no secret by value.
///
/// On processors for which the `stacker` crate knows no way to change stacks, `work` runs on the caller's.
///
/// # Panics
/// With `work`'s own panic, and where the system gives no memory for the stack.
pub fn on_own_stack<T>(work: impl FnOnce() -> T) -> T {
    let _afterwards = Registers;
    stacker::grow(STACK, work)
}

/// Dropped, the processor's vector registers hold something else than what was deciphered last: a thread that then waits for long
/// would keep pieces of that, and a core of the process has them. The library's cipher is set to work on nothing, since it uses
/// the same registers each time.
struct Registers;

impl Drop for Registers {
    fn drop(&mut self) {
        let Some(suite) = cipher_suite::TLS13_AES_256_GCM_SHA384.tls13() else { return };
        // 32 bytes are the length of this suite's keys.
        let mut cipher = suite.aead_alg.encrypter(AeadKey::from([0; 32]), Iv::from([0; 12]));
        let nothing = OutboundPlainMessage {
            typ: ContentType::ApplicationData,
            version: ProtocolVersion::TLSv1_3,
            payload: OutboundChunks::Single(&[0; 1024]),
        };
        // What comes of it is nobody's, and so is a failure.
        drop(black_box(cipher.encrypt(nothing, 0)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::os::testing;

    /// Where this function's frame is.
    #[inline(never)]
    fn here() -> usize {
        let local = 0_u8;
        std::ptr::from_ref(std::hint::black_box(&local)).addr()
    }

    /// Bytes that were put on the stack, and where.
    struct Mark {
        bytes: [u8; 16],
        address: usize,
    }

    impl Mark {
        /// Leaves a mark in the frame of `work`, seen to be there.
        fn leave(work: impl FnOnce(Self)) {
            let bytes: [u8; 16] = std::array::from_fn(|_| fastrand::u8(1..));
            let local = std::hint::black_box(bytes);
            let mark = Self { bytes, address: std::ptr::from_ref(&local).addr() };
            assert_ne!(mark.is_there(), Some(false));
            work(mark);
        }

        /// Whether it is there now, where the system tells. Another thread may have mapped the place anew.
        fn is_there(&self) -> Option<bool> {
            testing::memory_holds(self.address, &self.bytes)
        }
    }

    #[test]
    fn the_stack_is_another_one() {
        assert!(here().abs_diff(on_own_stack(here)) > 64 * 1024);
        assert_eq!(on_own_stack(|| on_own_stack(|| 7)), 7);
    }

    #[test]
    fn the_stack_is_gone_afterwards() {
        let mut left = None;
        on_own_stack(|| Mark::leave(|mark| left = Some(mark)));
        assert_ne!(left.unwrap().is_there(), Some(true));
    }

    #[test]
    fn a_panic_comes_through_and_the_stack_is_gone() {
        let mut left = None;
        let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            on_own_stack(|| {
                Mark::leave(|mark| {
                    left = Some(mark);
                    std::panic::resume_unwind(Box::new("this is it"));
                });
            });
        }));
        assert!(caught.unwrap_err().downcast_ref::<&str>().is_some_and(|text| *text == "this is it"));
        assert_ne!(left.unwrap().is_there(), Some(true));
    }
}
