//! Which file it is, whatever it is called.

use std::io;
use std::os::fd::AsFd;
use std::path::Path;

use nix::sys::stat::{FileStat, fstat, stat};

/// A file: as long as it is there, no other has both its device and its number (inode(7)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileId {
    device: u64,
    inode: u64,
}

impl FileId {
    /// Of an open file.
    ///
    /// # Errors
    ///
    /// Those of fstat(2).
    pub fn of(file: impl AsFd) -> io::Result<Self> {
        Ok(fstat(file)?.into())
    }

    /// Of the file that a path leads to.
    ///
    /// # Errors
    ///
    /// Those of stat(2).
    pub fn at(path: impl AsRef<Path>) -> io::Result<Self> {
        Ok(stat(path.as_ref())?.into())
    }
}

impl From<FileStat> for FileId {
    fn from(stat: FileStat) -> Self {
        Self {
            device: stat.st_dev,
            inode: stat.st_ino,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};

    use super::*;

    #[test]
    fn a_file_is_the_same_by_each_of_its_names_and_no_other_is() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let [one, other, link] = ["one", "other", "link"].map(|name| folder.path().join(name));
        let open = File::create(&one).expect("a file");
        File::create(&other).expect("a file");
        fs::hard_link(&one, &link).expect("a link");
        let id = FileId::of(&open).expect("it is there");
        assert_eq!(id, FileId::at(&one).expect("it is there"));
        assert_eq!(id, FileId::at(&link).expect("it is there"));
        assert_ne!(id, FileId::at(&other).expect("it is there"));
        fs::remove_file(&other).expect("it was there");
        let gone = FileId::at(&other).expect_err("it is gone");
        assert_eq!(gone.kind(), io::ErrorKind::NotFound);
    }
}
