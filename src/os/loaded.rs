//! Libraries that this process has loaded, by the names of their files.

/// The file of a loaded library whose name has this in it; `None` where there is none, or the system does not tell.
#[must_use]
pub fn library(part: &str) -> Option<String> {
    let maps = std::fs::read_to_string("/proc/self/maps").ok()?;
    of_maps(&maps, part)
}

/// Lines of proc_pid_maps(5): the path stands in the sixth field, to the end of the line.
fn of_maps(maps: &str, part: &str) -> Option<String> {
    let mut paths = maps.lines().filter_map(|line| line.find('/').and_then(|at| line.get(at..)));
    let file = |path: &str| path.rsplit('/').next().is_some_and(|name| name.contains(part));
    paths.find(|path| file(path)).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::of_maps;

    #[test]
    fn a_library_is_found_by_its_file() {
        let maps = "7f0 r-xp 0 08:01 5  /usr/lib/libpcscspy.so.0.0.0\n7f1 r--p 0 08:01 6  /home/pcscspy/libc.so.6\n7f2 rw-p 0 0:0 0 [heap]\n";
        assert_eq!(of_maps(maps, "pcscspy").as_deref(), Some("/usr/lib/libpcscspy.so.0.0.0"));
        assert_eq!(of_maps("7f1 r--p 0 08:01 6  /home/pcscspy/libc.so.6\n", "pcscspy"), None);
    }
}
