//! The test binaries that `go test` runs: each is a run of its own.

use std::path::Path;

use super::Args;

impl Args {
    /// Under `go test`, which starts each test binary in the folder of its package: reports go to the folder in which `go`
    /// was started, and each binary has its own.
    pub(super) fn of_test_binary(mut self) -> Self {
        let Some(folder) = self.test_reports_in.take() else {
            return self;
        };
        let binary = self.command.first().map(Path::new);
        let name = binary.and_then(Path::file_stem).unwrap_or_default();
        let reports = [
            &mut self.trace_file,
            &mut self.json,
            &mut self.jsonl,
            &mut self.junit,
        ];
        for path in reports.into_iter().flatten() {
            let mut own = path.file_stem().unwrap_or_default().to_os_string();
            own.push(".");
            own.push(name);
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
