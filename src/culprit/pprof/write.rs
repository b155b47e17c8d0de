//! Writes a profile as the program itself would.

use std::collections::HashMap;
use std::io::{self, Write};

use flate2::Compression;
use flate2::write::GzEncoder;
use prost::Message;

use super::super::{Frame, Snapshot, is_runtime, scale};
use super::{SAMPLE_TYPES, SIZE, proto};

const DEFAULT_SAMPLE_TYPE: &str = "inuse_space";
const PERIOD_TYPE: [&str; 2] = ["space", "bytes"];
const OUTERMOST: &str = "runtime.goexit";

/// What a profile says of itself.
#[derive(Clone, Copy, Debug)]
pub struct About<'a> {
    /// The program's file.
    pub program: &'a str,
    /// When it was taken, in nanoseconds since 1970.
    pub unix_nanos: i64,
}

/// Writes a snapshot as the program itself would, gzipped: the same sample types, counts scaled, stacks from the first frame on
/// that is not the runtime's. `resolve` names the frames of an address, innermost first.
pub fn write_profile(
    snapshot: &Snapshot,
    about: About<'_>,
    resolve: impl Fn(u64) -> Vec<Frame>,
    into: impl Write,
) -> io::Result<()> {
    let mut builder = Builder::new(snapshot.rate, about);
    for bucket in &snapshot.buckets {
        let (alloc_objects, alloc_space) = scaled(bucket.allocs, bucket.size, snapshot.rate);
        let (inuse_objects, inuse_space) = scaled(bucket.in_use(), bucket.size, snapshot.rate);
        let values = vec![alloc_objects, alloc_space, inuse_objects, inuse_space];
        builder.add(&bucket.stack, bucket.size, values, &resolve);
    }
    let mut zipped = GzEncoder::new(into, Compression::default());
    zipped.write_all(&builder.profile.encode_to_vec())?;
    zipped.finish()?.flush()
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "cut as the runtime cuts it; a cast of floats saturates"
)]
fn scaled(objects: u64, size: u64, rate: u64) -> (i64, i64) {
    let (objects, bytes) = scale(objects, size, rate);
    (objects as i64, bytes as i64)
}

/// A profile in the making.
struct Builder {
    profile: proto::Profile,
    strings: HashMap<String, i64>,
    functions: HashMap<(String, String), u64>,
    locations: HashMap<u64, Location>,
    size: i64,
}

/// What is known of an address.
#[derive(Clone, Copy)]
struct Location {
    id: u64,
    is_runtime: bool,
    is_outermost: bool,
}

impl Builder {
    fn new(rate: u64, about: About<'_>) -> Self {
        let mut builder = Self {
            profile: proto::Profile::default(),
            strings: HashMap::new(),
            functions: HashMap::new(),
            locations: HashMap::new(),
            size: 0,
        };
        builder.string("");
        builder.size = builder.string(SIZE);
        builder.profile.sample_type = SAMPLE_TYPES.map(|kind| builder.value_type(kind)).into();
        builder.profile.period_type = Some(builder.value_type(PERIOD_TYPE));
        builder.profile.period = i64::try_from(rate).unwrap_or(i64::MAX);
        builder.profile.default_sample_type = builder.string(DEFAULT_SAMPLE_TYPE);
        builder.profile.time_nanos = about.unix_nanos;
        let filename = builder.string(about.program);
        // One mapping for all addresses: it says that all names are there, so that no tool looks for the program.
        builder.profile.mapping = vec![proto::Mapping {
            id: 1,
            memory_limit: u64::MAX,
            filename,
            has_functions: true,
            has_filenames: true,
            has_line_numbers: true,
            has_inline_frames: true,
            ..proto::Mapping::default()
        }];
        builder
    }

    fn string(&mut self, text: &str) -> i64 {
        if let Some(index) = self.strings.get(text) {
            return *index;
        }
        let index = i64::try_from(self.strings.len()).unwrap_or(i64::MAX);
        self.strings.insert(text.to_owned(), index);
        self.profile.string_table.push(text.to_owned());
        index
    }

    fn value_type(&mut self, [kind, unit]: [&str; 2]) -> proto::ValueType {
        proto::ValueType {
            r#type: self.string(kind),
            unit: self.string(unit),
        }
    }

    fn add(
        &mut self,
        stack: &[u64],
        size: u64,
        values: Vec<i64>,
        resolve: &impl Fn(u64) -> Vec<Frame>,
    ) {
        let stack: Vec<Location> = stack.iter().map(|pc| self.location(*pc, resolve)).collect();
        // A stack that is the runtime's alone is shown whole.
        let shown = stack.iter().position(|location| !location.is_runtime);
        let shown = stack.iter().skip(shown.unwrap_or_default());
        self.profile.sample.push(proto::Sample {
            location_id: shown
                .filter(|location| !location.is_outermost)
                .map(|location| location.id)
                .collect(),
            value: values,
            label: vec![proto::Label {
                key: self.size,
                num: i64::try_from(size).unwrap_or(i64::MAX),
                ..proto::Label::default()
            }],
        });
    }

    fn location(&mut self, pc: u64, resolve: &impl Fn(u64) -> Vec<Frame>) -> Location {
        if let Some(location) = self.locations.get(&pc) {
            return *location;
        }
        let frames = resolve(pc);
        let location = Location {
            id: self.profile.location.len() as u64 + 1,
            is_runtime: frames
                .first()
                .is_some_and(|frame| is_runtime(&frame.function)),
            is_outermost: frames
                .first()
                .is_some_and(|frame| frame.function == OUTERMOST),
        };
        self.locations.insert(pc, location);
        let line = frames
            .into_iter()
            .map(|frame| proto::Line {
                line: frame.line.into(),
                function_id: self.function(frame),
            })
            .collect();
        self.profile.location.push(proto::Location {
            id: location.id,
            mapping_id: 1,
            // The call, not where it returns to.
            address: pc.wrapping_sub(1),
            line,
        });
        location
    }

    fn function(&mut self, frame: Frame) -> u64 {
        let name = self.string(&frame.function);
        let filename = self.string(&frame.file);
        let next = self.functions.len() as u64 + 1;
        let key = (frame.function, frame.file);
        let id = *self.functions.entry(key).or_insert(next);
        if id == next {
            self.profile.function.push(proto::Function {
                id,
                name,
                system_name: name,
                filename,
                start_line: 0,
            });
        }
        id
    }
}
