//! `Classify` for the errors of the standard library and `reqwest`.

use std::io;

use resilient_policy::ErrorKind;

#[cfg(any(test, feature = "reqwest", feature = "reqwest-012"))]
use super::Classify;

/// Returns the kind of an I/O error, without considering the error that it wraps.
pub(crate) fn io_kind(error: &io::Error) -> Option<ErrorKind> {
    use io::ErrorKind as Io;
    match error.kind() {
        // On Unix, a socket whose read or write timeout elapsed returns `WouldBlock`.
        Io::TimedOut | Io::WouldBlock => Some(ErrorKind::Timeout),
        Io::ConnectionRefused
        | Io::ConnectionReset
        | Io::ConnectionAborted
        | Io::NotConnected
        | Io::BrokenPipe
        | Io::HostUnreachable
        | Io::NetworkUnreachable
        | Io::NetworkDown
        | Io::AddrNotAvailable
        // The peer closed the connection in the middle of a message.
        | Io::UnexpectedEof => Some(ErrorKind::Connection),
        Io::InvalidData => Some(ErrorKind::BadResponse),
        _ => (is_network(error) || is_lookup(error)).then_some(ErrorKind::Connection),
    }
}

/// Returns whether this is an error of the socket layer for which `std` has no stable kind: host is down, network
/// dropped the connection, socket was shut down, machine is not on the network.
fn is_network(error: &io::Error) -> bool {
    let codes: &[i32] = if cfg!(any(target_os = "linux", target_os = "android")) {
        // ENONET, ENETRESET, ESHUTDOWN, EHOSTDOWN
        &[64, 102, 108, 112]
    } else if cfg!(windows) {
        // WSAENETRESET, WSAESHUTDOWN, WSAEHOSTDOWN, WSAEDISCON, WSAHOST_NOT_FOUND, WSATRY_AGAIN, WSANO_RECOVERY, WSANO_DATA
        &[10052, 10058, 10064, 10101, 11001, 11002, 11003, 11004]
    } else if cfg!(any(target_vendor = "apple", target_os = "freebsd", target_os = "netbsd", target_os = "openbsd")) {
        // ENETRESET, ESHUTDOWN, EHOSTDOWN
        &[52, 58, 64]
    } else {
        &[]
    };
    error.raw_os_error().is_some_and(|code| codes.contains(&code))
}

/// Returns whether name resolution failed. `std` has no kind for that, and Tokio passes its errors on, so only the text
/// remains, which both libraries write themselves.
fn is_lookup(error: &io::Error) -> bool {
    if error.raw_os_error().is_some() {
        return false;
    }
    let text = error.to_string();
    text.starts_with("failed to lookup address information") || text.starts_with("could not resolve to any address")
}

#[cfg(any(feature = "reqwest", feature = "reqwest-012"))]
macro_rules! classify_reqwest {
    ($reqwest:ident) => {
        /// A redirect to a scheme other than `http` and `https` is a [`BadResponse`](ErrorKind::BadResponse), and so is
        /// a request to such a URL: `reqwest` returns the same error for both.
        impl Classify for $reqwest::Error {
            fn kind(&self) -> ErrorKind {
                let foreign_scheme =
                    self.url().is_some_and(|url| url.has_host() && !matches!(url.scheme(), "http" | "https"));
                if self.is_timeout() {
                    ErrorKind::Timeout
                } else if let Some(status) = self.status() {
                    ErrorKind::from_http_status(status.as_u16())
                } else if self.is_builder() {
                    if foreign_scheme { ErrorKind::BadResponse } else { ErrorKind::Internal }
                } else if self.is_decode() || self.is_redirect() {
                    // `reqwest` also reports a truncated body as a decoding error.
                    if broke_off(self) { ErrorKind::Connection } else { ErrorKind::BadResponse }
                } else {
                    // Errors while connecting, sending the request or reading the body.
                    ErrorKind::Connection
                }
            }

            fn was_not_performed(&self) -> bool {
                self.is_connect()
            }
        }
    };
}

#[cfg(feature = "reqwest")]
classify_reqwest!(reqwest);
#[cfg(feature = "reqwest-012")]
classify_reqwest!(reqwest_012);

/// Returns whether one of the sources is a connection error.
#[cfg(any(feature = "reqwest", feature = "reqwest-012"))]
fn broke_off(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut source = error.source();
    while let Some(cause) = source {
        if let Some(io) = cause.downcast_ref::<io::Error>() {
            return matches!(Classify::kind(io), ErrorKind::Connection | ErrorKind::Timeout);
        }
        // hyper's error type is not a dependency of this crate, so compare its text. A wrong guess only costs a retry.
        if cause.to_string().contains("connection closed before message completed") {
            return true;
        }
        source = cause.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{Shutdown, TcpListener, TcpStream};
    use std::time::Duration;

    use super::*;

    fn kind(error: &io::Error) -> ErrorKind {
        Classify::kind(error)
    }

    /// Opens a connection to this machine and returns both ends.
    fn connection() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let client = TcpStream::connect(listener.local_addr().expect("an address")).expect("a connection");
        (client, listener.accept().expect("a connection").0)
    }

    #[test]
    fn io_errors_of_connections_are_the_upstreams_and_those_of_files_are_internal() {
        use io::ErrorKind as Io;
        for (io, expected) in [
            (Io::TimedOut, ErrorKind::Timeout),
            (Io::WouldBlock, ErrorKind::Timeout),
            (Io::ConnectionRefused, ErrorKind::Connection),
            (Io::ConnectionReset, ErrorKind::Connection),
            (Io::ConnectionAborted, ErrorKind::Connection),
            (Io::BrokenPipe, ErrorKind::Connection),
            (Io::NotConnected, ErrorKind::Connection),
            (Io::HostUnreachable, ErrorKind::Connection),
            (Io::NetworkUnreachable, ErrorKind::Connection),
            (Io::NetworkDown, ErrorKind::Connection),
            (Io::UnexpectedEof, ErrorKind::Connection),
            (Io::InvalidData, ErrorKind::BadResponse),
            (Io::NotFound, ErrorKind::Internal),
            (Io::PermissionDenied, ErrorKind::Internal),
            (Io::AlreadyExists, ErrorKind::Internal),
            (Io::IsADirectory, ErrorKind::Internal),
            (Io::StorageFull, ErrorKind::Internal),
            (Io::ReadOnlyFilesystem, ErrorKind::Internal),
            (Io::InvalidInput, ErrorKind::Internal),
            (Io::AddrInUse, ErrorKind::Internal),
            (Io::OutOfMemory, ErrorKind::Internal),
        ] {
            assert_eq!(kind(&io::Error::from(io)), expected, "{io}");
        }
        assert_eq!(kind(&std::fs::File::open("/no/such/file").expect_err("no file")), ErrorKind::Internal);
        assert_eq!(kind(&std::fs::read("/").expect_err("a directory")), ErrorKind::Internal);
    }

    #[test]
    fn a_name_that_cannot_be_resolved_is_a_connection_error() {
        for name in ["a..b:80", "no-such-host.invalid:80"] {
            assert_eq!(kind(&TcpStream::connect(name).expect_err("no such host")), ErrorKind::Connection, "{name}");
        }
        let nothing: &[std::net::SocketAddr] = &[];
        assert_eq!(kind(&TcpStream::connect(nothing).expect_err("no address")), ErrorKind::Connection);
        // A wrong address in the server's own settings is an internal error.
        for settings in ["host-without-port", "host:port"] {
            assert_eq!(kind(&TcpStream::connect(settings).expect_err("no address")), ErrorKind::Internal, "{settings}");
        }
    }

    #[test]
    fn the_text_of_tokio_about_a_name_without_addresses_is_a_connection_error() {
        let text = io::Error::new(io::ErrorKind::InvalidInput, "could not resolve to any address");
        assert_eq!(kind(&text), ErrorKind::Connection);
    }

    #[cfg(any(target_os = "linux", target_os = "android"))]
    #[test]
    fn errors_of_the_socket_layer_without_a_stable_kind_are_connection_errors() {
        for code in [64, 100, 101, 102, 103, 104, 107, 108, 111, 112, 113] {
            assert_eq!(kind(&io::Error::from_raw_os_error(code)), ErrorKind::Connection, "{code}");
        }
        // ENOENT, EACCES, EISDIR, EMFILE, ENOSPC, EROFS
        for code in [2, 13, 21, 24, 28, 30] {
            assert_eq!(kind(&io::Error::from_raw_os_error(code)), ErrorKind::Internal, "{code}");
        }
    }

    #[test]
    fn a_read_timeout_of_a_socket_is_a_timeout() {
        let (mut client, _server) = connection();
        client.set_read_timeout(Some(Duration::from_millis(20))).expect("a timeout");
        assert_eq!(kind(&client.read(&mut [0]).expect_err("no data")), ErrorKind::Timeout);
    }

    #[test]
    fn a_connection_that_is_closed_or_shut_down_is_a_connection_error() {
        let (mut client, mut server) = connection();
        server.write_all(b"ab").expect("room");
        drop(server);
        assert_eq!(kind(&client.read_exact(&mut [0; 4]).expect_err("two bytes")), ErrorKind::Connection);
        let (mut client, _server) = connection();
        client.shutdown(Shutdown::Write).expect("a connection");
        assert_eq!(kind(&client.write(b"a").expect_err("shut down")), ErrorKind::Connection);
    }

    #[test]
    fn an_io_error_that_wraps_another_error_has_its_kind() {
        let wrapped = io::Error::other(io::Error::from(io::ErrorKind::ConnectionReset));
        assert_eq!(kind(&wrapped), ErrorKind::Connection);
        assert_eq!(kind(&io::Error::other("text")), ErrorKind::Internal);
    }
}
