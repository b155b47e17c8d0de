//! GD: the variable that switches the trace on.

use crate::bare::GCWATCH;
use crate::support::{Gcwatch, NONE, probe};

#[test]
fn gd_1_gctrace_is_merged_into_what_the_user_has_set() {
    for (theirs, merged) in [
        ("", "gctrace=1"),
        ("gctrace=0", "gctrace=0,gctrace=1"),
        ("gctrace=2", "gctrace=2"),
        ("gctrace=1,gctrace=x", "gctrace=1,gctrace=x"),
        ("a=b,,c,=", "a=b,,c,=,gctrace=1"),
        ("gctrace=yes", "gctrace=yes,gctrace=1"),
    ] {
        let done = Gcwatch::new(["-q"])
            .env("GODEBUG", theirs)
            .script("echo \"$GODEBUG\"")
            .run()
            .exits(0);
        assert_eq!(done.stdout().trim_end(), merged);
    }
    let unset = Gcwatch::new(["-q"]).script("echo $GODEBUG").run();
    assert_eq!(unset.stdout(), "gctrace=1\n");
}

#[test]
fn gd_1_bytes_that_are_no_text_stay() {
    use std::os::unix::ffi::OsStrExt;
    let theirs = std::ffi::OsStr::from_bytes(b"x=\xff\xfe");
    let done = Gcwatch::new(["-q"])
        .env("GODEBUG", theirs)
        .script("printf %s \"$GODEBUG\"")
        .run();
    assert_eq!(done.stdout, b"x=\xff\xfe,gctrace=1");
}

#[test]
fn gd_2_gcwatch_in_gcwatch_works_and_leaves_no_trace_to_the_outer_one() {
    let program = probe("1.27");
    let program = program.to_str().expect("a plain path");
    let done = Gcwatch::new(NONE)
        .watch(GCWATCH, ["-q", "--", program, "exit", "7"])
        .run()
        .exits(7);
    done.says("gcwatch: ran ")
        .says(", 0 GC cycles (0 reassembled, 0 lost)");
    let nested = ["-q", "--", GCWATCH, "-q", "--", "sh", "-c", "echo $GODEBUG"];
    let done = Gcwatch::new(["-q"]).watch(GCWATCH, nested).run().exits(0);
    assert_eq!(done.stdout(), "gctrace=1\n");
}
