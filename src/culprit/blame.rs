//! Whom to blame for an allocation: the stack has the runtime's, the library's and the program's own functions in it.

use std::fmt;

use super::Frame;

/// A path of calls is shown so far; a recursion may be long.
const LONGEST_PATH: usize = 16;

/// A line of the program, and how it comes to allocate.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Site {
    /// The blamed line, then its caller, and so on.
    pub path: Vec<Place>,
    /// The function that allocated, where it is another one.
    pub allocated_in: Option<String>,
}

/// A line in a function.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// With the path of its package: `example.com/shop/cart.(*Store).New`. Type arguments are `[...]`, as the runtime has them.
    pub function: String,
    /// As the compiler was given it.
    pub file: String,
    /// From 1; 0 where it is not known.
    pub line: u32,
}

/// Whose code a function is; the first of these on a stack is blamed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Owner {
    Program,
    Dependency,
    StandardLibrary,
    Runtime,
}

/// Finds whom to blame on a stack, the allocating function first: the first function of the main module, else of a
/// dependency, else of the standard library. The runtime is blamed only for itself.
pub(super) fn blame(stack: &[Frame], main_module: Option<&str>) -> Site {
    let places: Vec<Place> = stack.iter().map(Place::from).collect();
    let owners: Vec<Owner> = places
        .iter()
        .map(|place| Owner::of(place, main_module))
        .collect();
    let is_users = |owner: &Owner| *owner != Owner::Runtime;
    let blamed = owners.iter().filter(|owner| is_users(owner)).min();
    let at = blamed.and_then(|blamed| owners.iter().position(|owner| owner == blamed));
    let allocating = owners.iter().position(is_users);
    let at = at.unwrap_or_default();
    let allocated_in = allocating
        .and_then(|allocating| places.get(allocating))
        .map(|place| place.function.clone())
        .filter(|function| {
            places
                .get(at)
                .is_some_and(|blamed| blamed.function != *function)
        });
    // The outermost functions are the runtime's, which starts main and each goroutine.
    let outermost = owners.iter().rposition(is_users).unwrap_or_default();
    let length = (outermost + 1).saturating_sub(at).min(LONGEST_PATH);
    let path = places.into_iter().skip(at).take(length).collect();
    Site { path, allocated_in }
}

impl Site {
    /// The place that started goroutines.
    pub(super) fn of_creation(frames: &[Frame]) -> Self {
        Self {
            path: frames.iter().take(1).map(Place::from).collect(),
            allocated_in: None,
        }
    }

    /// The blamed line.
    pub fn blamed(&self) -> Option<&Place> {
        self.path.first()
    }

    /// What makes two sites the same.
    pub(super) fn key(&self) -> (String, String, u32) {
        self.blamed().map_or_else(Default::default, |place| {
            (place.function.clone(), place.file.clone(), place.line)
        })
    }

    /// Whether nothing but the runtime is to blame.
    pub(super) fn is_runtime(&self) -> bool {
        self.blamed()
            .is_none_or(|place| Owner::of(place, None) == Owner::Runtime)
    }
}

impl fmt::Display for Site {
    /// `sessions.(*Store).New sessions.go:28, allocated in reflect.mapassign_faststr`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.blamed() {
            Some(place) => place.fmt(f)?,
            None => f.write_str("an unknown place")?,
        }
        match &self.allocated_in {
            Some(function) => write!(f, ", allocated in {}", last_element(function)),
            None => Ok(()),
        }
    }
}

impl Place {
    /// The file without its folders.
    pub fn file_name(&self) -> &str {
        last_element(&self.file)
    }
}

impl fmt::Display for Place {
    /// `sessions.(*Store).New sessions.go:28`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} {}:{}",
            last_element(&self.function),
            self.file_name(),
            self.line
        )
    }
}

impl From<&Frame> for Place {
    fn from(frame: &Frame) -> Self {
        Self {
            function: without_type_arguments(&frame.function),
            file: frame.file.clone(),
            line: frame.line,
        }
    }
}

impl Owner {
    fn of(place: &Place, main_module: Option<&str>) -> Self {
        let package = package(&place.function);
        let is_in = |module: &str| {
            package
                .strip_prefix(module)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        // Only paths of the standard library have no dot in their first element (`go help importpath`).
        let is_library = package
            .split('/')
            .next()
            .is_some_and(|first| !first.contains('.') && !first.contains("%2e"));
        // Where the main module is not known: a file of another one is in a folder `MODULE@VERSION`, or vendored.
        let is_foreign = || place.file.contains('@') || place.file.contains("/vendor/");
        if package == "main"
            || main_module.is_some_and(is_in)
            || (main_module.is_none() && !is_library && !is_foreign())
        {
            Self::Program
        } else if super::is_runtime(&place.function) {
            Self::Runtime
        } else if is_library {
            Self::StandardLibrary
        } else {
            Self::Dependency
        }
    }
}

/// `example.com/shop/cart` of `example.com/shop/cart.(*Store).New`.
fn package(function: &str) -> &str {
    // Type arguments have paths of their own.
    let bare = function.split('[').next().unwrap_or(function);
    let name = bare.rfind('/').map_or(0, |slash| slash + 1);
    let dot = bare[name..].find('.').map_or(bare.len(), |dot| name + dot);
    &bare[..dot]
}

/// `cart.(*Store).New` of `example.com/shop/cart.(*Store).New`, `cart.go` of `/src/shop/cart.go`.
fn last_element(path: &str) -> &str {
    let bare = path.split('[').next().unwrap_or(path);
    bare.rfind('/').map_or(path, |slash| &path[slash + 1..])
}

/// `main.(*Stack[...]).Push` of `main.(*Stack[go.shape.struct { main.name [30]int64 }]).Push`.
fn without_type_arguments(function: &str) -> String {
    match (function.find('['), function.rfind(']')) {
        (Some(open), Some(close)) if open < close => {
            format!("{}[...]{}", &function[..open], &function[close + 1..])
        }
        _ => function.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(function: &str, file: &str, line: u32) -> Frame {
        Frame {
            function: function.into(),
            file: file.into(),
            line,
        }
    }

    fn blamed(stack: &[Frame], main_module: Option<&str>) -> String {
        blame(stack, main_module).to_string()
    }

    #[test]
    fn the_main_module_comes_before_its_dependencies_and_those_before_the_library() {
        let runtime = frame(
            "internal/runtime/maps.(*Map).grow",
            "/go/src/internal/runtime/maps/map.go",
            9,
        );
        let library = frame("bytes.growSlice", "/go/src/bytes/buffer.go", 240);
        let dependency = frame(
            "gopkg.in/yaml%2ev3.(*parser).node",
            "/src/go/pkg/mod/gopkg.in/yaml.v3@v3.0.1/decode.go",
            7,
        );
        let cart = frame(
            "example.com/shop/cart.(*Store).New",
            "/src/shop/cart/cart.go",
            28,
        );
        let main = frame("main.main", "/src/shop/main.go", 5);
        let all = [runtime, library, dependency, cart, main];
        for module in [Some("example.com/shop"), None] {
            assert_eq!(
                blamed(&all, module),
                "cart.(*Store).New cart.go:28, allocated in bytes.growSlice"
            );
        }
        assert_eq!(
            blamed(&all[..3], Some("example.com/shop")),
            "yaml%2ev3.(*parser).node decode.go:7, allocated in bytes.growSlice"
        );
        assert_eq!(blamed(&all[..2], None), "bytes.growSlice buffer.go:240");
        assert_eq!(blamed(&all[..1], None), "maps.(*Map).grow map.go:9");
        assert_eq!(
            blamed(&all, Some("example.com/sho")),
            "main.main main.go:5, allocated in bytes.growSlice"
        );
        assert_eq!(blamed(&[], None), "an unknown place");
    }

    #[test]
    fn the_runtime_at_both_ends_of_a_stack_is_left_out() {
        let stack = [
            frame("runtime.mallocgc", "/go/src/runtime/malloc.go", 1),
            frame("main.load", "/src/main.go", 2),
            frame("runtime.callback", "/go/src/runtime/x.go", 3),
            frame("main.main", "/src/main.go", 4),
            frame("runtime.main", "/go/src/runtime/proc.go", 5),
            frame("runtime.goexit", "/go/src/runtime/asm.s", 6),
        ];
        let site = blame(&stack, None);
        let path: Vec<String> = site.path.iter().map(ToString::to_string).collect();
        assert_eq!(
            path,
            [
                "main.load main.go:2",
                "runtime.callback x.go:3",
                "main.main main.go:4"
            ]
        );
        assert_eq!(site.allocated_in, None);
    }

    #[test]
    fn type_arguments_have_paths_of_their_own() {
        let push = "example.com/shop/list.(*Stack[go.shape.struct { example.com/x/y.Name [30]int64 }]).Push";
        assert_eq!(package(push), "example.com/shop/list");
        assert_eq!(
            blamed(&[frame(push, "list.go", 3)], None),
            "list.(*Stack[...]).Push list.go:3"
        );
    }
}
