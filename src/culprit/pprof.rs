//! Heap profiles as `go tool pprof` reads them, and as Go programs serve them (`runtime/pprof/protomem.go`,
//! `github.com/google/pprof/proto/profile.proto`).

use std::collections::HashMap;
use std::io::{self, Read, Write};

use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use prost::Message;

use super::{Frame, Snapshot, is_runtime, scale};

/// Unpacked, no heap profile is larger.
const LARGEST: u64 = 256 << 20;
const GZIP: [u8; 2] = [0x1f, 0x8b];
/// What each sample counts, as the program's own heap profiles do, and in which units.
const SAMPLE_TYPES: [[&str; 2]; 4] = [
    ["alloc_objects", "count"],
    ["alloc_space", "bytes"],
    ["inuse_objects", "count"],
    ["inuse_space", "bytes"],
];
const DEFAULT_SAMPLE_TYPE: &str = "inuse_space";
const PERIOD_TYPE: [&str; 2] = ["space", "bytes"];
/// The label of a sample that tells its objects' size.
const SIZE: &str = "bytes";
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

/// A heap profile that a program made itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// Bytes from one sample to the next on average, as in [`Snapshot::rate`].
    pub rate: u64,
    /// When it was taken, in nanoseconds since 1970; 0 where it does not say.
    pub unix_nanos: i64,
    /// For each stack and size of objects.
    pub samples: Vec<Sample>,
    locations: HashMap<u64, Vec<Frame>>,
}

impl Profile {
    /// The frames of a location of this profile, innermost first; another profile numbers its locations otherwise.
    pub fn frames(&self, location: u64) -> Vec<Frame> {
        self.locations.get(&location).cloned().unwrap_or_default()
    }
}

/// The objects of one size that one stack allocated: estimates of all of them, scaled from those that were sampled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    /// Locations, the allocating one first; [`Profile::frames`] names them.
    pub stack: Vec<u64>,
    /// Of one object, in bytes; 0 where the profile does not say.
    pub size: u64,
    /// Objects allocated since the program started.
    pub alloc_objects: u64,
    /// Their bytes.
    pub alloc_bytes: u64,
    /// Objects in use.
    pub in_use_objects: u64,
    /// Their bytes.
    pub in_use_bytes: u64,
}

/// Why bytes are not read as a heap profile.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAProfile {
    /// Not gzip, not the message, too large, or contradicting itself.
    #[error(
        "it is no pprof profile; is the address that of a heap profile, such as `http://localhost:6060/debug/pprof/heap`?"
    )]
    Malformed,
    /// A profile of something else.
    #[error(
        "it is a profile, but not of the heap; give the address of the heap profile, `/debug/pprof/heap`"
    )]
    NotOfTheHeap,
}

/// Reads a heap profile, gzipped or not. The bytes come from elsewhere and are not trusted.
pub fn read_profile(bytes: &[u8]) -> Result<Profile, NotAProfile> {
    let malformed = NotAProfile::Malformed;
    let unpacked = if bytes.starts_with(&GZIP) {
        let mut unpacked = Vec::new();
        let mut unzipped = MultiGzDecoder::new(bytes).take(LARGEST);
        let length = unzipped
            .read_to_end(&mut unpacked)
            .map_err(|_| malformed.clone())?;
        if length as u64 == LARGEST {
            return Err(malformed);
        }
        unpacked
    } else {
        bytes.to_vec()
    };
    let profile = proto::Profile::decode(&*unpacked).map_err(|_| malformed.clone())?;
    if profile.sample_type.is_empty() {
        return Err(malformed);
    }
    let text = |index: i64| {
        let index = usize::try_from(index).ok()?;
        profile.string_table.get(index).map(String::as_str)
    };
    let columns = SAMPLE_TYPES.map(|[wanted, _]| {
        let mut kinds = profile.sample_type.iter();
        kinds.position(|kind| text(kind.r#type) == Some(wanted))
    });
    let [
        Some(alloc_objects),
        Some(alloc_bytes),
        Some(in_use_objects),
        Some(in_use_bytes),
    ] = columns
    else {
        return Err(NotAProfile::NotOfTheHeap);
    };
    let locations = locations(&profile, text).ok_or(malformed.clone())?;
    let samples = profile.sample.iter().map(|sample| {
        let value = |column: usize| {
            let value = sample.value.get(column).copied()?;
            u64::try_from(value).ok()
        };
        let mut stack = sample.location_id.iter();
        let is_known = stack.all(|id| locations.contains_key(id));
        let mut sizes = sample
            .label
            .iter()
            .filter(|label| text(label.key) == Some(SIZE));
        is_known.then_some(())?;
        Some(Sample {
            stack: sample.location_id.clone(),
            size: sizes
                .next_back()
                .map_or(Some(0), |size| u64::try_from(size.num).ok())?,
            alloc_objects: value(alloc_objects)?,
            alloc_bytes: value(alloc_bytes)?,
            in_use_objects: value(in_use_objects)?,
            in_use_bytes: value(in_use_bytes)?,
        })
    });
    Ok(Profile {
        rate: u64::try_from(profile.period).map_err(|_| malformed.clone())?,
        unix_nanos: profile.time_nanos,
        samples: samples.collect::<Option<_>>().ok_or(malformed)?,
        locations,
    })
}

/// The frames of each location, innermost first. Names are repeated in them, so few long ones could become many.
fn locations<'a>(
    profile: &'a proto::Profile,
    text: impl Fn(i64) -> Option<&'a str>,
) -> Option<HashMap<u64, Vec<Frame>>> {
    let functions = profile
        .function
        .iter()
        .map(|function| (function.id, function));
    let functions: HashMap<u64, &proto::Function> = functions.collect();
    let mut left = LARGEST;
    let mut frame = |line: &proto::Line| {
        let function = functions.get(&line.function_id)?;
        let (name, file) = (text(function.name)?, text(function.filename)?);
        left = left.checked_sub((name.len() + file.len()) as u64)?;
        Some(Frame {
            function: name.to_owned(),
            file: file.to_owned(),
            line: u32::try_from(line.line).ok()?,
        })
    };
    let locations = profile.location.iter().map(|location| {
        let frames: Option<Vec<Frame>> = location.line.iter().map(&mut frame).collect();
        Some((location.id, frames?))
    });
    locations.collect()
}

/// The messages of `profile.proto`, field by field. Numbers of strings are places in the table of strings, which begins with
/// the empty one.
mod proto {
    use prost::Message;

    #[derive(Clone, PartialEq, Message)]
    pub(super) struct Profile {
        #[prost(message, repeated, tag = "1")]
        pub(super) sample_type: Vec<ValueType>,
        #[prost(message, repeated, tag = "2")]
        pub(super) sample: Vec<Sample>,
        #[prost(message, repeated, tag = "3")]
        pub(super) mapping: Vec<Mapping>,
        #[prost(message, repeated, tag = "4")]
        pub(super) location: Vec<Location>,
        #[prost(message, repeated, tag = "5")]
        pub(super) function: Vec<Function>,
        #[prost(string, repeated, tag = "6")]
        pub(super) string_table: Vec<String>,
        #[prost(int64, tag = "9")]
        pub(super) time_nanos: i64,
        #[prost(message, optional, tag = "11")]
        pub(super) period_type: Option<ValueType>,
        #[prost(int64, tag = "12")]
        pub(super) period: i64,
        #[prost(int64, tag = "14")]
        pub(super) default_sample_type: i64,
    }

    #[derive(Clone, Copy, PartialEq, Message)]
    pub(super) struct ValueType {
        #[prost(int64, tag = "1")]
        pub(super) r#type: i64,
        #[prost(int64, tag = "2")]
        pub(super) unit: i64,
    }

    #[derive(Clone, PartialEq, Message)]
    pub(super) struct Sample {
        #[prost(uint64, repeated, tag = "1")]
        pub(super) location_id: Vec<u64>,
        #[prost(int64, repeated, tag = "2")]
        pub(super) value: Vec<i64>,
        #[prost(message, repeated, tag = "3")]
        pub(super) label: Vec<Label>,
    }

    #[derive(Clone, Copy, PartialEq, Message)]
    pub(super) struct Label {
        #[prost(int64, tag = "1")]
        pub(super) key: i64,
        #[prost(int64, tag = "2")]
        pub(super) str: i64,
        #[prost(int64, tag = "3")]
        pub(super) num: i64,
    }

    #[expect(clippy::struct_excessive_bools, reason = "the message has them")]
    #[derive(Clone, Copy, PartialEq, Message)]
    pub(super) struct Mapping {
        #[prost(uint64, tag = "1")]
        pub(super) id: u64,
        #[prost(uint64, tag = "2")]
        pub(super) memory_start: u64,
        #[prost(uint64, tag = "3")]
        pub(super) memory_limit: u64,
        #[prost(int64, tag = "5")]
        pub(super) filename: i64,
        #[prost(bool, tag = "7")]
        pub(super) has_functions: bool,
        #[prost(bool, tag = "8")]
        pub(super) has_filenames: bool,
        #[prost(bool, tag = "9")]
        pub(super) has_line_numbers: bool,
        #[prost(bool, tag = "10")]
        pub(super) has_inline_frames: bool,
    }

    #[derive(Clone, PartialEq, Message)]
    pub(super) struct Location {
        #[prost(uint64, tag = "1")]
        pub(super) id: u64,
        #[prost(uint64, tag = "2")]
        pub(super) mapping_id: u64,
        #[prost(uint64, tag = "3")]
        pub(super) address: u64,
        #[prost(message, repeated, tag = "4")]
        pub(super) line: Vec<Line>,
    }

    #[derive(Clone, Copy, PartialEq, Message)]
    pub(super) struct Line {
        #[prost(uint64, tag = "1")]
        pub(super) function_id: u64,
        #[prost(int64, tag = "2")]
        pub(super) line: i64,
    }

    #[derive(Clone, Copy, PartialEq, Message)]
    pub(super) struct Function {
        #[prost(uint64, tag = "1")]
        pub(super) id: u64,
        #[prost(int64, tag = "2")]
        pub(super) name: i64,
        #[prost(int64, tag = "3")]
        pub(super) system_name: i64,
        #[prost(int64, tag = "4")]
        pub(super) filename: i64,
        #[prost(int64, tag = "5")]
        pub(super) start_line: i64,
    }
}
