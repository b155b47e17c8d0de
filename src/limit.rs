//! The size that the heap must not reach: given, or set by GOMEMLIMIT, or by the control group that we run in.

use std::fs;
use std::path::{Path, PathBuf};

use crate::size::Size;
use crate::summary::Limit;

/// Above this a control group's limit is none: version 1 writes the largest page-aligned number (`page_counter.h`).
const NO_LIMIT: u64 = 1 << 60;

/// The limit of a command that is started here: what was asked for, else GOMEMLIMIT, else the control group's.
pub fn of_command(given: Option<Size>) -> Option<Limit> {
    from_option(given)
        .or_else(from_gomemlimit)
        .or_else(|| from_cgroup(Path::new("/proc/self/cgroup"), Path::new("/sys/fs/cgroup")))
}

/// The limit that was asked for. A saved log may come from another machine, so it knows of no other.
pub fn from_option(given: Option<Size>) -> Option<Limit> {
    given.map(|size| Limit {
        size,
        from: "--limit".into(),
    })
}

fn from_gomemlimit() -> Option<Limit> {
    let size = std::env::var("GOMEMLIMIT").ok()?.parse().ok()?;
    Some(Limit {
        size,
        from: "GOMEMLIMIT".into(),
    })
}

/// The smallest `memory.max` (version 2) or `memory.limit_in_bytes` (version 1) from our control group up to the root:
/// cgroups(7). Inside a container the path may be that of the host; then only the root that is mounted counts.
fn from_cgroup(list: &Path, root: &Path) -> Option<Limit> {
    let list = fs::read_to_string(list).ok()?;
    let read =
        |file: PathBuf| -> Option<u64> { fs::read_to_string(file).ok()?.trim().parse().ok() };
    let smallest = |mount: PathBuf, group: &str, name: &str| -> Option<u64> {
        let group = group.trim_start_matches('/');
        Path::new(group)
            .ancestors()
            .filter_map(|part| read(mount.join(part).join(name)))
            .min()
    };
    let limits = list.lines().filter_map(|line| {
        let mut fields = line.splitn(3, ':').skip(1);
        let (controllers, group) = (fields.next()?, fields.next()?);
        if controllers.is_empty() {
            Some((
                smallest(root.to_path_buf(), group, "memory.max")?,
                "memory.max",
            ))
        } else if controllers
            .split(',')
            .any(|controller| controller == "memory")
        {
            Some((
                smallest(root.join("memory"), group, "memory.limit_in_bytes")?,
                "memory.limit_in_bytes",
            ))
        } else {
            None
        }
    });
    let (bytes, from) = limits.filter(|(bytes, _)| *bytes < NO_LIMIT).min()?;
    Some(Limit {
        size: Size::from_bytes(bytes),
        from: from.into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(list: &str, files: &[(&str, &str)]) -> Option<(u64, String)> {
        let root = tempfile::tempdir().expect("a temporary folder");
        for (file, text) in files {
            let file = root.path().join(file);
            fs::create_dir_all(file.parent().expect("a folder")).expect("a folder");
            fs::write(file, text).expect("a file");
        }
        let list_file = root.path().join("list");
        fs::write(&list_file, list).expect("a file");
        from_cgroup(&list_file, root.path()).map(|limit| (limit.size.bytes(), limit.from))
    }

    #[test]
    fn the_smallest_limit_of_version_2_counts() {
        let files = [
            ("a/memory.max", "900\n"),
            ("a/b/memory.max", "max\n"),
            ("a/b/c/memory.max", "1000\n"),
        ];
        assert_eq!(
            limit("0::/a/b/c\n", &files),
            Some((900, "memory.max".into()))
        );
        assert_eq!(limit("0::/x\n", &files), None);
        assert_eq!(
            limit("0::/\n", &[("memory.max", "512\n")]),
            Some((512, "memory.max".into()))
        );
    }

    #[test]
    fn version_1_writes_a_huge_number_for_none() {
        let list = "9:cpu:/a\n4:memory,other:/a\n";
        assert_eq!(
            limit(
                list,
                &[("memory/a/memory.limit_in_bytes", "9223372036854771712\n")]
            ),
            None
        );
        let expected = Some((4096, "memory.limit_in_bytes".into()));
        assert_eq!(
            limit(list, &[("memory/a/memory.limit_in_bytes", "4096\n")]),
            expected
        );
    }
}
