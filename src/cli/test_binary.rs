//! The test binaries that `go test` runs: each is a run of its own.

use std::ffi::{OsStr, OsString};
use std::path::{Component, Path};

use super::Args;

impl Args {
    /// Under `go test`, which starts each test binary in the folder of its package: reports go to the folder in which `go`
    /// was started, and each binary has its own.
    pub(super) fn of_test_binary(mut self) -> Self {
        let Some(folder) = self.test_reports_in.take() else {
            return self;
        };
        let binary = self.command.first().map(Path::new);
        let here = std::env::current_dir().unwrap_or_default();
        let package = here.strip_prefix(&folder).unwrap_or(&here);
        let name = name(package, binary.unwrap_or(Path::new("")));
        let reports = [
            &mut self.trace_file,
            &mut self.json,
            &mut self.jsonl,
            &mut self.junit,
        ];
        for path in reports.into_iter().flatten() {
            let mut own = path.file_stem().unwrap_or_default().to_os_string();
            own.push(".");
            own.push(&name);
            if let Some(extension) = path.extension() {
                own.push(".");
                own.push(extension);
            }
            *path = folder.join(path.with_file_name(own));
        }
        for path in [&mut self.baseline, &mut self.profile_out]
            .into_iter()
            .flatten()
        {
            *path = folder.join(&path);
        }
        self
    }
}

/// The binary's name, which is its package's last element, behind the folders that the package is in: other packages may
/// have the same name elsewhere.
fn name(package: &Path, binary: &Path) -> OsString {
    let folders = package.parent().into_iter().flat_map(Path::components);
    let folders = folders.filter_map(|folder| match folder {
        Component::Normal(folder) => Some(folder),
        _ => None,
    });
    let elements: Vec<&OsStr> = folders.chain(binary.file_stem()).collect();
    elements.join(OsStr::new("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_of_one_name_in_several_folders_are_told_apart() {
        for (package, binary, expected) in [
            ("", "/tmp/b001/m.test", "m"),
            ("a", "/tmp/b001/a.test", "a"),
            ("x/a", "/tmp/b001/a.test", "x.a"),
            ("x/y/a", "/tmp/b001/a.test", "x.y.a"),
            ("/elsewhere/a", "/tmp/b001/a.test", "elsewhere.a"),
        ] {
            assert_eq!(name(Path::new(package), Path::new(binary)), expected);
        }
    }
}
