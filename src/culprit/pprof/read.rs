//! Reads a profile that a program made itself. Its bytes come from elsewhere and are not trusted.

use std::collections::HashMap;
use std::io::Read;

use flate2::read::MultiGzDecoder;
use prost::Message;

use super::super::Frame;
use super::{SAMPLE_TYPES, SIZE, proto};

/// Unpacked, no heap profile is larger.
const LARGEST: u64 = 256 << 20;
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// A heap profile that a program made itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// Bytes from one sample to the next on average, as in [`Snapshot::rate`](crate::culprit::Snapshot::rate).
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

/// Reads a heap profile, gzipped or not.
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
