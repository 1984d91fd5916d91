//! The connections on the page.

use super::fixture::Server;

#[tokio::test]
async fn the_page_shows_connections_with_their_texts_escaped_and_nothing_without_any() {
    let server = Server::new();
    let without = server.page("/status").await.body;
    assert!(!without.contains("Connections"), "{without}");
    let files = server.registry.add_connection("<files>");
    files.connecting();
    files.down("<script>alert(1)</script>");
    files.junk();
    let page = server.page("/status").await.body;
    for part in [
        "<a href=\"#connections\">Connections</a>",
        "&lt;files&gt;",
        "&lt;script&gt;alert(1)&lt;/script&gt;",
        "0 restarts",
        "1 junk lines",
        ">down<",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    assert!(!page.contains("<script"));
    drop(files);
}
