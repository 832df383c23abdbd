//! Who may see the page: everybody on this machine, and elsewhere who has the token.

use std::net::SocketAddr;

use axum::extract::Query;
use axum::http::uri::Authority;
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use serde::Deserialize;
use subtle::ConstantTimeEq;

use crate::error::{Error, Kind};

/// A shorter token can be guessed.
const SHORTEST_TOKEN: usize = 16;

/// Where the page is served, and to whom.
#[derive(Clone)]
pub struct Access {
    address: SocketAddr,
    token: Option<String>,
}

impl Access {
    /// Access to a page at `address`: with a token wherever there is one, and never without beyond this machine.
    ///
    /// # Errors
    /// [`Kind::Usage`] for an address that others reach and no token, and for a token that can be guessed or not be
    /// typed into an address.
    pub fn new(address: SocketAddr, token: Option<String>) -> Result<Self, Error> {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-._~".contains(c);
        let usage = |text: String| Error::new(Kind::Usage, text);
        match &token {
            None if !address.ip().is_loopback() => Err(usage(format!(
                "a board at `{address}` can be seen from other machines, and there is no token"
            ))
            .hint("give `--board-token-file FILE` or QPYFLASH_BOARD_TOKEN, or serve it at 127.0.0.1")),
            Some(token) if token.len() < SHORTEST_TOKEN || !token.chars().all(plain) => Err(usage(format!(
                "the board's token needs at least {SHORTEST_TOKEN} characters, letters, digits and `-._~` alone"
            ))
            .hint("`openssl rand -hex 16` makes a good one")),
            _ => Ok(Access { address, token }),
        }
    }

    /// Where to listen.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Why a request gets no answer, if so. `public` is what holds nothing of the station.
    pub(super) fn refuses(
        &self,
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
        public: bool,
    ) -> Option<(StatusCode, &'static str)> {
        if method != Method::GET {
            return Some((StatusCode::METHOD_NOT_ALLOWED, "this page can only be read\n"));
        }
        if self.address.ip().is_loopback() && !names_this_machine(headers) {
            return Some((StatusCode::FORBIDDEN, "this page is for this machine alone\n"));
        }
        let is_open = public || self.token.as_ref().is_none_or(|token| shows(uri, token));
        (!is_open).then_some((
            StatusCode::UNAUTHORIZED,
            "open this page with the token of the station: ?token=...\n",
        ))
    }
}

/// A page of elsewhere whose name was made to mean this machine still says that name.
fn names_this_machine(headers: &HeaderMap) -> bool {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let Some(authority) = host.and_then(|host| host.parse::<Authority>().ok()) else {
        return false;
    };
    let name = authority.host().trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost")
        || name.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[derive(Deserialize)]
struct Shown {
    token: String,
}

fn shows(uri: &Uri, token: &str) -> bool {
    let shown = Query::<Shown>::try_from_uri(uri);
    shown.is_ok_and(|Query(shown)| bool::from(shown.token.as_bytes().ct_eq(token.as_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "0123456789abcdef";

    fn refused(address: &str, token: Option<&str>, method: Method, uri: &str, host: &str) -> Option<u16> {
        let access = Access::new(address.parse().unwrap(), token.map(str::to_owned)).unwrap();
        let headers = HeaderMap::from_iter([(header::HOST, host.parse().unwrap())]);
        let refused = access.refuses(&method, &uri.parse().unwrap(), &headers, false);
        refused.map(|(status, _)| status.as_u16())
    }

    #[test]
    fn this_machine_needs_no_token_but_its_own_name() {
        let ask = |host| refused("127.0.0.1:8089", None, Method::GET, "/events", host);
        for host in [
            "127.0.0.1:8089",
            "localhost",
            "LOCALHOST:8089",
            "[::1]:8089",
            "127.0.0.2",
        ] {
            assert_eq!(ask(host), None, "{host}");
        }
        for host in [
            "rebound.example:8089",
            "127.0.0.1.example",
            "localhost.example",
            "",
            "192.0.2.1",
            "a b",
        ] {
            assert_eq!(ask(host), Some(403), "{host}");
        }
        let access = Access::new("127.0.0.1:1".parse().unwrap(), None).unwrap();
        let nameless = access.refuses(&Method::GET, &Uri::from_static("/"), &HeaderMap::new(), false);
        assert_eq!(nameless.unwrap().0, StatusCode::FORBIDDEN);
    }

    #[test]
    fn elsewhere_the_token_decides() {
        let ask = |uri: &str| refused("0.0.0.0:8089", Some(TOKEN), Method::GET, uri, "line-3.example");
        assert_eq!(ask(&format!("/events?token={TOKEN}")), None);
        assert_eq!(ask(&format!("/events?lang=zh&token={TOKEN}")), None);
        for wrong in [
            "",
            "?token=",
            "?token=0123456789abcdeX",
            "?token=0123456789abcdef0",
            "?Token=0123456789abcdef",
        ] {
            assert_eq!(ask(&format!("/events{wrong}")), Some(401), "{wrong}");
        }
        let twice = format!("/events?token=x&token={TOKEN}");
        assert_eq!(ask(&twice), Some(401));
    }

    #[test]
    fn nothing_can_be_changed() {
        for method in [
            Method::POST,
            Method::PUT,
            Method::DELETE,
            Method::HEAD,
            Method::OPTIONS,
            Method::PATCH,
        ] {
            assert_eq!(refused("127.0.0.1:1", None, method, "/", "localhost"), Some(405));
        }
    }

    #[test]
    fn no_token_or_a_poor_one_is_a_mistake() {
        let new = |address: &str, token: Option<&str>| {
            let access = Access::new(address.parse().unwrap(), token.map(str::to_owned));
            access.map(drop).map_err(|error| error.kind)
        };
        assert_eq!(new("127.0.0.1:0", None), Ok(()));
        assert_eq!(new("[::1]:0", None), Ok(()));
        for address in ["0.0.0.0:0", "192.0.2.7:80", "[::]:80", "[::ffff:127.0.0.1]:80"] {
            assert_eq!(new(address, None), Err(Kind::Usage), "{address}");
            assert_eq!(new(address, Some(TOKEN)), Ok(()), "{address}");
        }
        for poor in ["", "short", "0123456789abcde&", "0123456789abcdeé"] {
            assert_eq!(new("127.0.0.1:0", Some(poor)), Err(Kind::Usage), "{poor}");
        }
    }
}
