//! Memory that holds secrets is not written to swap, as far as the system's limit goes.
//!
//! The system locks whole pages and does not count how often, while several secrets share a page: so the count is kept here.
//! Only pages of secrets that are alive are locked: a handful.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use region::LockGuard;

use crate::os::process::LOCK_MORE;

/// The pages that are locked now, by address.
static PAGES: Mutex<BTreeMap<usize, Page>> = Mutex::new(BTreeMap::new());

/// Whether the warning was given: once is enough.
static WARNED: AtomicBool = AtomicBool::new(false);

struct Page {
    users: usize,
    /// `None` where the system refused to lock it.
    _lock: Option<LockGuard>,
}

/// A buffer's pages, locked until this is dropped. To be dropped before the buffer is freed.
pub(super) struct Locked {
    first: usize,
    count: usize,
}

impl Locked {
    /// Locks the pages of `capacity` bytes from `start`; a refusal is told once in the log and is no error.
    pub(super) fn around(start: *const u8, capacity: usize) -> Self {
        if capacity == 0 {
            return Self { first: 0, count: 0 };
        }
        let size = region::page::size();
        let first = start.addr() / size;
        let count = (start.addr() + capacity - 1) / size - first + 1;
        let mut refused = None;
        let mut pages = PAGES.lock().unwrap_or_else(PoisonError::into_inner);
        for number in first..first + count {
            let page = pages.entry(number).or_insert_with(|| {
                let lock = region::lock(start.with_addr(number * size), size);
                Page { users: 0, _lock: lock.map_err(|error| refused = Some(error)).ok() }
            });
            page.users += 1;
        }
        drop(pages);
        if let Some(error) = refused
            && !WARNED.swap(true, Ordering::Relaxed)
        {
            tracing::warn!("secrets can't be kept out of swap ({error}): {LOCK_MORE}");
        }
        Self { first, count }
    }
}

/// Whether the system locks a page for this process now. Nothing stays locked.
///
/// # Errors
/// It refused.
pub(super) fn can_lock() -> Result<(), region::Error> {
    let page = vec![0_u8; region::page::size()];
    region::lock(page.as_ptr(), page.len()).map(drop)
}

impl Drop for Locked {
    fn drop(&mut self) {
        let mut pages = PAGES.lock().unwrap_or_else(PoisonError::into_inner);
        for number in self.first..self.first + self.count {
            let Some(page) = pages.get_mut(&number) else { continue };
            page.users -= 1;
            if page.users == 0 {
                pages.remove(&number);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn users(page: usize) -> Option<usize> {
        PAGES.lock().unwrap().get(&page).map(|page| page.users)
    }

    #[test]
    fn a_shared_page_stays_locked_until_its_last_secret_is_gone() {
        let size = region::page::size();
        // A range of its own: other tests have secrets too.
        let buffer = vec![0_u8; 4 * size];
        let start = (buffer.as_ptr().addr() / size + 1) * size;
        let at = |offset: usize| buffer.as_ptr().with_addr(start + offset);
        let page = start / size;
        let one = Locked::around(at(10), 20);
        let two = Locked::around(at(size - 1), 2);
        assert_eq!((users(page), users(page + 1)), (Some(2), Some(1)));
        drop(one);
        assert_eq!((users(page), users(page + 1)), (Some(1), Some(1)));
        drop(two);
        assert_eq!((users(page), users(page + 1)), (None, None));
        assert_eq!(Locked::around(at(0), 0).count, 0);
    }
}
