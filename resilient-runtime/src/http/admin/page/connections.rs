//! The connections to other servers. Each cell says what it shows, since there may be no head of the table.

use maud::{Markup, html};

use super::Page;
use super::head::word;
use super::text::{long, name};
use super::time::{ago, lasting};
use crate::connections::{ConnectionSnapshot, ConnectionState};

/// The columns.
const COLUMNS: [&str; 6] = ["Server", "State", "Since", "Restarts", "Junk lines", "Last error"];

/// Renders the connections, if there are any.
pub(super) fn section(page: &Page<'_>, connections: &[ConnectionSnapshot]) -> Markup {
    if connections.is_empty() {
        return html! {};
    }
    html! {
        section #connections aria-labelledby="connections-h" {
            h2 #connections-h { "Connections" }
            div.scroll {
                table {
                    thead { tr { @for column in COLUMNS { th scope="col" { (column) } } } }
                    tbody { @for connection in connections { (row(page, connection)) } }
                }
            }
        }
    }
}

fn row(page: &Page<'_>, connection: &ConnectionSnapshot) -> Markup {
    let look = match connection.state {
        ConnectionState::Up => "good",
        ConnectionState::Connecting => "warn",
        ConnectionState::Down => "bad",
    };
    html! {
        tr {
            th scope="row" { (name(&connection.server)) }
            td { (word(look, connection.state.as_str())) }
            td { (lasting(connection.since, page.now)) }
            td { (connection.restarts) " restarts" }
            td { (connection.junk_lines) " junk lines" }
            td {
                @match connection.errors.first() {
                    Some(error) => { (long(&error.text, 0)) ", " (ago(error.at, page.now)) }
                    None => "no error",
                }
            }
        }
    }
}
