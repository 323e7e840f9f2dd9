//! The names of the records of version 1, sorted by card: which of them are one card's is found without listing the folder.
//!
//! Programs of version 1 put every record into the one folder. Its listing is kept in a file, with the folder's time of change
//! when it was listed. Each of their writes makes or renames a file there and so changes that time: where it is another one, the
//! folder is listed anew. A list is not believed either where the folder was changed so shortly before it that a later
//! change could bear the same time.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::time::{Duration, SystemTime};

use uuid::Uuid;

use super::error::JournalError;
use super::folder::{self, Folder};
use super::marker;

const SCHEMA: &str = "pinwright.v1-names/1";

/// Bytes of a line, its end included. A name has some 70.
const WIDTH: usize = 128;

/// So many names are looked at in one turn of pruning.
const SOME: u64 = 1000;

/// Two changes of a folder that are further apart bear different times: kernels advance them every 1 to 10 ms.
const TIME_STEP: Duration = Duration::from_millis(20);

/// The same where a file system keeps whole seconds or pairs of them.
const COARSE_TIME_STEP: Duration = Duration::from_secs(2);

/// The names of one card's records of version 1, and whether the folder had to be listed for that.
pub(super) fn of_card(folder: &Folder, card_id: Uuid) -> Result<(Vec<String>, bool), JournalError> {
    let prefix = format!("{card_id}_");
    if let Some(names) = Kept::open(folder).and_then(|mut kept| kept.starting_with(&prefix)) {
        return Ok((names, false));
    }
    let names = list(folder)?.into_iter().filter(|name| name.starts_with(&prefix)).collect();
    Ok((names, true))
}

/// Names of other cards' records of version 1: all where there are few, else some that follow each other, other ones each time.
pub(super) fn some(folder: &Folder) -> Result<Vec<String>, JournalError> {
    match Kept::open(folder) {
        Some(mut kept) => Ok(kept.some()),
        None => Ok(list(folder)?.into_iter().collect()),
    }
}

/// Lists the folder and keeps the list, unless the kept one is right. Takes up to 20 ms more where the folder was changed just
/// now.
pub(super) fn refresh(folder: &Folder) -> Result<(), JournalError> {
    if Kept::open(folder).is_some() {
        return Ok(());
    }
    let io = JournalError::io(&folder.0);
    let mut changed = modified(&folder.0).map_err(&io)?;
    if let Ok(age) = changed.elapsed()
        && let Some(rest) = still_to_wait(age)
    {
        std::thread::sleep(rest);
        changed = modified(&folder.0).map_err(&io)?;
    }
    let names = list(folder)?;
    if names.iter().any(|name| name.len() >= WIDTH) {
        // No such name is ours; the folder is listed each time.
        return Ok(());
    }
    let mut text = Vec::with_capacity((names.len() + 1) * WIDTH);
    let header = format!("{SCHEMA} {} {} {}", nanos(changed), nanos(SystemTime::now()), names.len());
    for line in std::iter::once(&header).chain(&names) {
        text.extend(line.bytes());
        text.resize(text.len().next_multiple_of(WIDTH) - 1, b' ');
        text.push(b'\n');
    }
    folder.make(folder.names().parent().unwrap_or(&folder.0))?;
    folder::replace(&folder.names(), &text)
}

/// How long until a change of the folder could not bear the time of this one any more; `None` where it can't now.
fn still_to_wait(age: Duration) -> Option<Duration> {
    TIME_STEP.checked_sub(age).map(|rest| rest + Duration::from_millis(1))
}

fn list(folder: &Folder) -> Result<BTreeSet<String>, JournalError> {
    let paths = folder::list(&folder.0, "json")?;
    let names = paths.iter().filter_map(|path| path.file_name()?.to_str());
    Ok(names.filter(|name| card_of(name).is_some() && !marker::is_name(name)).map(str::to_owned).collect())
}

/// The card whose record a file's name says it is.
pub(super) fn card_of(name: &str) -> Option<Uuid> {
    name.split_once('_').and_then(|(card, _)| Uuid::parse_str(card).ok())
}

fn modified(path: &Path) -> std::io::Result<SystemTime> {
    fs::metadata(path)?.modified()
}

fn nanos(time: SystemTime) -> u128 {
    time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_nanos()
}

/// A list that still says what is in the folder.
struct Kept {
    file: File,
    count: u64,
}

impl Kept {
    fn open(folder: &Folder) -> Option<Self> {
        let mut file = File::open(folder.names()).ok()?;
        let header = line(&mut file, 0)?;
        let mut words = header.split(' ');
        if words.next()? != SCHEMA {
            return None;
        }
        let (changed, listed): (u128, u128) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
        let count: u64 = words.next()?.parse().ok()?;
        let step = if changed % 1_000_000_000 == 0 { COARSE_TIME_STEP } else { TIME_STEP };
        let right = nanos(modified(&folder.0).ok()?) == changed
            && listed > changed + step.as_nanos()
            && file.metadata().ok()?.len() == (count + 1) * WIDTH as u64;
        right.then_some(Self { file, count })
    }

    /// `None` where the list is damaged.
    fn starting_with(&mut self, prefix: &str) -> Option<Vec<String>> {
        let (mut low, mut high) = (0, self.count);
        while low < high {
            let middle = low + (high - low) / 2;
            if self.name(middle)?.as_str() < prefix { low = middle + 1 } else { high = middle }
        }
        let mut found = Vec::new();
        for index in low..self.count {
            let name = self.name(index)?;
            if !name.starts_with(prefix) {
                break;
            }
            found.push(name);
        }
        Some(found)
    }

    fn some(&mut self) -> Vec<String> {
        let count = self.count;
        let first = fastrand::u64(..count.max(1));
        let indices = (0..count.min(SOME)).map(|step| (first + step) % count);
        indices.filter_map(|index| self.name(index)).collect()
    }

    fn name(&mut self, index: u64) -> Option<String> {
        line(&mut self.file, index + 1)
    }
}

fn line(file: &mut File, index: u64) -> Option<String> {
    let mut line = [0; WIDTH];
    file.seek(SeekFrom::Start(index * WIDTH as u64)).ok()?;
    file.read_exact(&mut line).ok()?;
    let text = std::str::from_utf8(&line).ok()?.strip_suffix('\n')?.trim_end_matches(' ');
    (!text.is_empty() && !text.contains('\0')).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::os::testing;

    fn settled(folder: &Folder) {
        let old = SystemTime::now() - Duration::from_secs(60);
        testing::set_modified(&folder.0, old);
    }

    #[test]
    fn a_list_is_believed_as_long_as_nobody_has_changed_the_folder() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = Folder(temporary.path().to_owned());
        let cards: Vec<Uuid> = (1..=40).map(Uuid::from_u128).collect();
        for card in &cards {
            for job in ["b-2", "a-1"] {
                fs::write(folder.0.join(format!("{card}_{job}.json")), "").unwrap();
            }
            fs::write(folder.0.join(marker::name(*card)), "").unwrap();
            fs::write(folder.0.join(format!("{card}.lock")), "").unwrap();
        }
        let expected = |card: &Uuid| vec![format!("{card}_a-1.json"), format!("{card}_b-2.json")];
        assert_eq!(of_card(&folder, cards[0]).unwrap(), (expected(&cards[0]), true));
        fs::create_dir(folder.0.join("v2")).unwrap();
        settled(&folder);
        refresh(&folder).unwrap();
        for card in &cards {
            assert_eq!(of_card(&folder, *card).unwrap(), (expected(card), false));
        }
        assert_eq!(of_card(&folder, Uuid::from_u128(0)).unwrap(), (Vec::new(), false));
        assert_eq!(of_card(&folder, Uuid::from_u128(41)).unwrap(), (Vec::new(), false));

        fs::write(folder.0.join(format!("{}_c-3.json", cards[0])), "").unwrap();
        let (names, listed) = of_card(&folder, cards[0]).unwrap();
        assert_eq!((names.len(), listed), (3, true));
        // Listed right after the change: a later one could bear the same time.
        let changed = modified(&folder.0).unwrap();
        refresh(&folder).unwrap();
        assert_eq!(of_card(&folder, cards[0]).unwrap().0.len(), 3);
        assert!(SystemTime::now() > changed + TIME_STEP);
    }

    #[test]
    fn a_damaged_list_is_not_used() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = Folder(temporary.path().to_owned());
        let card = Uuid::from_u128(5);
        fs::create_dir(folder.0.join("v2")).unwrap();
        fs::write(folder.0.join(format!("{card}_a-1.json")), "").unwrap();
        settled(&folder);
        refresh(&folder).unwrap();
        let good = fs::read(folder.names()).unwrap();
        assert!(!of_card(&folder, card).unwrap().1);
        let zeroed = [&good[..WIDTH], &[0; WIDTH]].concat();
        let nameless = |byte: u8| [&good[..WIDTH], &[byte; WIDTH - 1], b"\n"].concat();
        let other = String::from_utf8(good.clone()).unwrap().replace("names/1", "names/2");
        for bad in [&good[..good.len() - 1], &[], &zeroed, &nameless(b' '), &nameless(0), other.as_bytes()] {
            fs::write(folder.names(), bad).unwrap();
            assert_eq!(of_card(&folder, card).unwrap(), (vec![format!("{card}_a-1.json")], true));
        }
    }

    /// A list of one name as it stands on disk, made so long after its folder's last change; the folder's name is in it.
    fn is_believed(changed: SystemTime, listed_after: Duration) -> bool {
        let temporary = tempfile::tempdir().unwrap();
        let folder = Folder(temporary.path().to_owned());
        fs::create_dir(folder.0.join("v2")).unwrap();
        let line = |text: String| format!("{text:<width$}\n", width = WIDTH - 1);
        let header = line(format!("{SCHEMA} {} {} 1", nanos(changed), nanos(changed + listed_after)));
        fs::write(folder.names(), header + &line("name.json".to_owned())).unwrap();
        testing::set_modified(&folder.0, changed);
        Kept::open(&folder).is_some()
    }

    #[test]
    fn a_list_that_a_later_change_could_bear_the_time_of_is_not_believed() {
        let whole = SystemTime::UNIX_EPOCH + Duration::from_secs(1_790_000_000);
        // Windows counts in steps of 100 ns.
        let tick = [1, 100].map(Duration::from_nanos).into_iter().find(|tick| whole + *tick > whole).unwrap();
        for (changed, step) in [(whole + Duration::from_millis(5), TIME_STEP), (whole, COARSE_TIME_STEP)] {
            assert!(!is_believed(changed, Duration::ZERO));
            assert!(!is_believed(changed, step));
            assert!(is_believed(changed, step + tick));
        }
    }

    #[test]
    fn a_folder_that_was_changed_just_now_is_listed_when_its_time_has_passed() {
        let tick = Duration::from_nanos(1);
        for age in [Duration::ZERO, TIME_STEP / 2, TIME_STEP] {
            assert!(still_to_wait(age).is_some_and(|rest| age + rest > TIME_STEP), "{age:?}");
        }
        assert_eq!(still_to_wait(TIME_STEP + tick), None);
    }

    #[test]
    fn a_turn_of_pruning_looks_at_each_name_once() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = Folder(temporary.path().to_owned());
        fs::create_dir(folder.0.join("v2")).unwrap();
        let names: Vec<String> = (1..=12).map(|card| format!("{}_a-1.json", Uuid::from_u128(card))).collect();
        for name in &names {
            fs::write(folder.0.join(name), "").unwrap();
        }
        settled(&folder);
        refresh(&folder).unwrap();
        let mut kept = Kept::open(&folder).unwrap();
        assert_eq!(kept.starting_with(&names[3]).unwrap(), [names[3].clone()]);
        for _ in 0..50 {
            let mut some = kept.some();
            some.sort();
            assert_eq!(some, names);
        }
    }
}
