//! `go` as the command: the program that it runs is watched, and not the tool.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::support::{Gcwatch, RELEASES, option, root, toolchain};

/// A module of three packages in a folder of its own, each with a test, and a program. Whether the last of their 30 cycles
/// gets printed before they end is chance.
fn module() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let write = |path: &str, text: &str| {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, text).expect("a file");
    };
    write("go.mod", "module m\n\ngo 1.19\n");
    write(
        "main.go",
        "package main\n\nimport (\n\t\"os\"\n\t\"runtime\"\n)\n\nfunc main() {\n\tfor i := 0; i < 30; i++ {\n\t\truntime.GC()\n\t}\n\t\
         println(\"arguments\", len(os.Args))\n}\n",
    );
    for (path, name) in [("a", "a"), ("b", "b"), ("b/a", "a")] {
        write(
            &format!("{path}/{name}_test.go"),
            &format!(
                "package {name}\n\nimport (\n\t\"runtime\"\n\t\"testing\"\n)\n\nfunc TestIt(t *testing.T) {{\n\tfor i := 0; i < 30; i++ {{\n\t\truntime.GC()\n\t}}\n}}\n"
            ),
        );
    }
    folder
}

fn go(options: &[&str], release: &str, folder: &Path, arguments: &[&str]) -> Gcwatch {
    let cache = root().join("target/go/tool-cache");
    Gcwatch::new(options)
        .watch(toolchain(release), arguments)
        .folder(folder)
        .env("GOCACHE", cache.join(release))
        .env("GOPATH", cache.join("path"))
        .env("GOENV", "off")
        .env("GOTOOLCHAIN", "local")
        .env("GOPROXY", "off")
        .env("GOFLAGS", "-buildvcs=false")
        .env("CGO_ENABLED", "0")
}

fn cycles(summary: &Path) -> u64 {
    let bytes = fs::read(summary).expect("the summary");
    let summary: Value = serde_json::from_slice(&bytes).expect("JSON");
    summary["trace"]["cycles"].as_u64().expect("a count")
}

#[test]
fn the_program_that_go_runs_is_watched_and_not_the_tool() {
    for release in RELEASES {
        let folder = module();
        let options = ["--json", "its report.json"];
        let done = go(&options, release, folder.path(), &["run", ".", "x", "y"])
            .run()
            .exits(0);
        let done = done.says("arguments 3\n").says("gcwatch: ran ");
        assert!(!done.stderr().contains("gc 1 @"), "{}", done.stderr());
        // Of the tool and the compiler there would be other processes.
        let summary = folder.path().join("its report.json");
        let bytes = fs::read(&summary).expect("the summary");
        let json: Value = serde_json::from_slice(&bytes).expect("JSON");
        assert_eq!(json["processes"].as_array().map(Vec::len), Some(1));
        assert!(cycles(&summary) >= 20);
    }
}

/// `go run` strips what it builds, and lies between gcwatch and the program.
#[test]
fn the_lines_that_leak_are_named_in_a_program_that_go_runs() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let shop = root().join("tests/go/shop");
    let runs = RELEASES.map(|release| {
        let json = folder.path().join(format!("{release}.json"));
        let json_option = format!("--json={}", json.display());
        let options = [
            "--culprit=on",
            "--on-leak=stop",
            "--warmup=3s",
            "--min-span=15s",
            &json_option,
        ];
        let running = go(&options, release, &shop, &["run", ".", "leak"]).start();
        (json, running)
    });
    let source = fs::read_to_string(shop.join("sessions/sessions.go")).expect("a source");
    let leak = source
        .lines()
        .position(|line| line.contains("// LEAK:session"));
    let leak = leak.expect("it is marked") + 1;
    for (json, running) in runs {
        // Whatever the program and gcwatch end with, go ends with this.
        let done = running.finish().exits(1);
        assert_eq!(done.stdout(), "shop: closed\n");
        done.says(&format!(
            " of the growth: sessions.(*Store).New sessions.go:{leak}\n"
        ));
        let summary: Value =
            serde_json::from_slice(&fs::read(json).expect("the summary")).expect("JSON");
        let [process] = &summary["processes"].as_array().expect("a list")[..] else {
            panic!("{summary}")
        };
        assert_eq!(process["verdict"], "leak", "{process}");
        let first = &process["culprits"][0];
        assert_eq!(first["function"], "example.com/shop/sessions.(*Store).New");
        assert_eq!(first["line"], leak, "{first}");
    }
}

#[test]
fn each_test_binary_has_reports_of_its_own() {
    for release in RELEASES {
        let folder = module();
        let page = folder.path().join("summary.md");
        let options = "-q --json report.json --junit report.xml --github always";
        let options: Vec<&str> = options.split(' ').collect();
        let arguments = ["test", "-count=1", "./a", "./b/..."];
        let done = go(&options, release, folder.path(), &arguments)
            .env("GITHUB_STEP_SUMMARY", &page)
            .run()
            .exits(0);
        assert_eq!(done.stdout().matches("ok  \t").count(), 3, "{done:?}");
        // Of two packages the name is the same.
        for name in ["a", "b", "b.a"] {
            assert!(cycles(&folder.path().join(format!("report.{name}.json"))) >= 20);
            assert!(folder.path().join(format!("report.{name}.xml")).exists());
        }
        // All of them append to the one page.
        let page = fs::read_to_string(page).expect("the page");
        let heads = page.lines().filter(|line| line.starts_with("### "));
        assert_eq!(heads.count(), 3, "{page}");
    }
}

#[test]
fn other_subcommands_run_as_without_gcwatch() {
    let folder = module();
    let release = RELEASES[1];
    let done = go(&[], release, folder.path(), &["env", "GODEBUG"])
        .run()
        .exits(0);
    assert_eq!(done.stdout().trim(), "");
    done.says_only("gcwatch: `go env` runs no program to watch: it runs as if without gcwatch");
    let done = go(&["-q"], release, folder.path(), &["env", "GODEBUG"])
        .run()
        .exits(0);
    assert_eq!(done.stderr(), "");
    go(&["--on-leak", "fail"], release, folder.path(), &["build"])
        .run()
        .exits(125)
        .says_only("gcwatch: `go build` runs no program to watch, so `--on-leak` has nothing to judge; see `gcwatch --help`");
    let file = folder.path().join("x");
    Gcwatch::new([option("json", &file)])
        .watch(toolchain(release), ["run", "-exec", "sudo", "."])
        .run()
        .exits(125)
        .says("leave yours out");
}
