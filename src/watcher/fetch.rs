//! Reads one page over HTTP, from the program that is watched: an address and a path, no redirects, no TLS.

use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::str::FromStr;
use std::time::Duration;

/// A program that does not answer is asked again later.
const PATIENCE: Duration = Duration::from_secs(2);

/// Zipped, no heap profile is larger.
const LARGEST: u64 = 64 << 20;

/// Where `net/http/pprof` serves the heap profile.
const HEAP: &str = "/debug/pprof/heap";

/// The address of a heap profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProfileUrl {
    /// Host and port.
    authority: String,
    path: String,
}

impl FromStr for ProfileUrl {
    type Err = &'static str;

    fn from_str(url: &str) -> Result<Self, Self::Err> {
        let rest = url
            .strip_prefix("http://")
            .ok_or("it begins with `http://`, as in `http://localhost:6060`; TLS is not spoken")?;
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        if authority.is_empty() || url.contains(|letter: char| letter <= ' ' || letter == '@') {
            return Err("it names a host and a port, as in `http://localhost:6060`");
        }
        let has_port = authority
            .rsplit_once(':')
            .is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        let authority = if has_port {
            authority.to_owned()
        } else {
            format!("{authority}:80")
        };
        let path = match path.trim_end_matches('/') {
            "" | "/debug" | "/debug/pprof" => HEAP.to_owned(),
            _ => path.to_owned(),
        };
        Ok(Self { authority, path })
    }
}

impl ProfileUrl {
    /// What the program answers.
    pub(super) fn get(&self) -> io::Result<Vec<u8>> {
        let Self { authority, path } = self;
        let mut failure = io::Error::from(io::ErrorKind::AddrNotAvailable);
        // "localhost" has two addresses, and the program may listen on one of them.
        for address in authority.to_socket_addrs()? {
            match TcpStream::connect_timeout(&address, PATIENCE) {
                Ok(stream) => return get(stream, authority, path),
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }
}

fn get(mut stream: TcpStream, authority: &str, path: &str) -> io::Result<Vec<u8>> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    // Asked in 1.0, a server sends the page as it is and then closes (RFC 9112, section 6.3).
    let request =
        format!("GET {path} HTTP/1.0\r\nHost: {authority}\r\nUser-Agent: gcwatch\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    stream.take(LARGEST).read_to_end(&mut answer)?;
    body(&answer)
}

/// The page in an answer.
fn body(answer: &[u8]) -> io::Result<Vec<u8>> {
    let other = |text: &str| io::Error::other(text.to_owned());
    let end = memchr::memmem::find(answer, b"\r\n\r\n").ok_or_else(|| other("it is no HTTP"))?;
    let status = answer[..end].split(|byte| *byte == b' ').nth(1);
    match status {
        Some(b"200") => Ok(answer[end + 4..].to_vec()),
        Some(status) => Err(other(&format!(
            "it answers {}",
            String::from_utf8_lossy(&status[..status.len().min(3)])
        ))),
        None => Err(other("it is no HTTP")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_may_leave_out_what_is_usual() {
        for (url, authority, path) in [
            ("http://localhost:6060", "localhost:6060", HEAP),
            ("http://localhost:6060/", "localhost:6060", HEAP),
            ("http://[::1]:6060/debug/pprof/", "[::1]:6060", HEAP),
            ("http://[::1]/debug/pprof", "[::1]:80", HEAP),
            (
                "http://host/debug/pprof/heap?gc=1",
                "host:80",
                "/debug/pprof/heap?gc=1",
            ),
            ("http://host:1/x/heap", "host:1", "/x/heap"),
        ] {
            let expected = ProfileUrl {
                authority: authority.into(),
                path: path.into(),
            };
            assert_eq!(url.parse(), Ok(expected), "{url}");
        }
    }

    #[test]
    fn what_is_no_url_of_ours_is_refused() {
        for url in [
            "",
            "localhost:6060",
            "https://host",
            "http://",
            "http:///x",
            "http://a b",
            "http://user@host",
        ] {
            assert!(url.parse::<ProfileUrl>().is_err(), "{url}");
        }
    }

    #[test]
    fn an_answer_is_its_page_or_why_there_is_none() {
        assert_eq!(
            body(b"HTTP/1.0 200 OK\r\nA: b\r\n\r\npage\r\n\r\nend").expect("a page"),
            b"page\r\n\r\nend"
        );
        for answer in [
            &b"HTTP/1.1 404 Not Found\r\n\r\n"[..],
            b"SSH-2.0-x\r\n",
            b"\r\n\r\n",
            b"",
        ] {
            assert!(body(answer).is_err(), "{answer:?}");
        }
    }
}
