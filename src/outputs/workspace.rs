//! The checkout that a CI job works on: where in it a source file is that the compiler was given by another name.

use std::cell::OnceCell;
use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

/// So many folders of a checkout are looked into for a go.mod.
const MOST_FOLDERS: usize = 10_000;

/// So much of a go.mod is read: its first line is nearly always the one.
const GO_MOD_READ: u64 = 64 << 10;

/// A checkout.
#[derive(Debug)]
pub(super) struct Workspace {
    /// Without symbolic links.
    root: PathBuf,
    /// The modules in it, once somebody asked: their paths and folders.
    modules: OnceCell<Vec<(String, PathBuf)>>,
}

impl Workspace {
    /// The checkout in this folder; `None` where there is no such folder.
    pub(super) fn new(root: &Path) -> Option<Self> {
        Some(Self {
            root: root.canonicalize().ok()?,
            modules: OnceCell::new(),
        })
    }

    /// The path in the checkout of a source file, if it is there. The compiler names it by its path, and under `-trimpath`
    /// by its module's path and the rest (`go help build`).
    pub(super) fn find(&self, compiled: &str) -> Option<String> {
        let path = Path::new(compiled);
        if path.is_absolute() {
            return self.relative(path);
        }
        self.modules().iter().find_map(|(module, folder)| {
            let rest = compiled.strip_prefix(module.as_str())?.strip_prefix('/')?;
            self.relative(&folder.join(rest))
        })
    }

    /// A path below the root, of a file that is there.
    fn relative(&self, path: &Path) -> Option<String> {
        let path = path.canonicalize().ok().filter(|path| path.is_file())?;
        Some(path.strip_prefix(&self.root).ok()?.to_str()?.to_owned())
    }

    /// The longest paths first: a module may lie in another one.
    fn modules(&self) -> &[(String, PathBuf)] {
        self.modules.get_or_init(|| {
            let mut modules = modules_below(&self.root);
            modules.sort_by_key(|(path, _)| std::cmp::Reverse(path.len()));
            modules
        })
    }
}

/// Breadth first, so that of two modules of one name the outer one counts.
fn modules_below(root: &Path) -> Vec<(String, PathBuf)> {
    let mut modules = Vec::new();
    let mut folders = VecDeque::from([root.to_path_buf()]);
    for _ in 0..MOST_FOLDERS {
        let Some(folder) = folders.pop_front() else {
            break;
        };
        if let Some(module) = module_of(&folder.join("go.mod")) {
            modules.push((module, folder.clone()));
        }
        let mut below: Vec<PathBuf> = fs::read_dir(&folder)
            .into_iter()
            .flatten()
            .flatten()
            // Not through a symbolic link, which may lead in a circle.
            .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
            .filter(|entry| may_have_modules(&entry.file_name().to_string_lossy()))
            .map(|entry| entry.path())
            .collect();
        below.sort();
        folders.extend(below);
    }
    modules
}

fn may_have_modules(folder: &str) -> bool {
    !folder.starts_with('.') && folder != "node_modules"
}

/// The path of the module that a go.mod declares.
fn module_of(go_mod: &Path) -> Option<String> {
    let mut text = Vec::new();
    File::open(go_mod)
        .ok()?
        .take(GO_MOD_READ)
        .read_to_end(&mut text)
        .ok()?;
    let text = String::from_utf8_lossy(&text);
    let path = text.lines().find_map(|line| {
        let line = line.split("//").next()?.trim();
        line.strip_prefix("module")
            .filter(|rest| rest.starts_with([' ', '\t', '"', '`']))
    })?;
    let path = path.trim().trim_matches(['"', '`']);
    (!path.is_empty()).then(|| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A checkout with these files.
    fn checkout(files: &[(&str, &str)]) -> (tempfile::TempDir, Workspace) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for (path, text) in files {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            fs::write(path, text).expect("a file");
        }
        let workspace = Workspace::new(folder.path()).expect("it is there");
        (folder, workspace)
    }

    #[test]
    fn a_file_is_found_by_its_path_only_where_it_lies_in_the_checkout() {
        let (folder, workspace) = checkout(&[("a/b.go", "")]);
        let find = |path: &Path| workspace.find(&path.to_string_lossy());
        let inside = folder.path().join("a/b.go");
        assert_eq!(find(&inside).as_deref(), Some("a/b.go"));
        assert_eq!(
            find(&folder.path().join("a/../a/b.go")).as_deref(),
            Some("a/b.go")
        );
        assert_eq!(find(&folder.path().join("a/missing.go")), None);
        assert_eq!(find(&folder.path().join("a")), None);
        let (other, _) = checkout(&[("a/b.go", "")]);
        assert_eq!(find(&other.path().join("a/b.go")), None);
        // A path that leads out of it.
        let name = other.path().file_name().expect("a name");
        assert_eq!(
            find(&folder.path().join("..").join(name).join("a/b.go")),
            None
        );
        let link = other.path().join("link");
        std::os::unix::fs::symlink(folder.path(), &link).expect("a link");
        assert_eq!(find(&link.join("a/b.go")).as_deref(), Some("a/b.go"));
    }

    #[test]
    fn a_trimmed_path_is_found_by_its_module() {
        let (_folder, workspace) = checkout(&[
            (
                "go.mod",
                "// a comment\nmodule example.com/shop // its path\n\ngo 1.19\n",
            ),
            ("cart/cart.go", ""),
            ("tools/go.mod", "module \"example.com/shop/tools\"\n"),
            ("tools/gen/gen.go", ""),
            ("deep/er/go.mod", "go 1.19\nmodule\texample.com/deep\n"),
            ("deep/er/x.go", ""),
            (".cache/go.mod", "module hidden\n"),
            (".cache/x.go", ""),
        ]);
        for (compiled, found) in [
            ("example.com/shop/cart/cart.go", Some("cart/cart.go")),
            (
                "example.com/shop/tools/gen/gen.go",
                Some("tools/gen/gen.go"),
            ),
            ("example.com/deep/x.go", Some("deep/er/x.go")),
            ("example.com/shopping/cart/cart.go", None),
            ("example.com/shop@v1.2.3/cart/cart.go", None),
            ("example.com/shop/cart/missing.go", None),
            ("hidden/x.go", None),
            ("runtime/proc.go", None),
            ("", None),
        ] {
            assert_eq!(workspace.find(compiled).as_deref(), found, "{compiled}");
        }
    }
}
