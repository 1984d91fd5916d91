//! A link to a server over streamable HTTP.

use std::sync::Arc;

use crate::link::{Receive, SendError};
use crate::message::Message;

/// Where a server is.
#[derive(Debug, Clone)]
pub struct Endpoint;

pub(crate) struct HttpLink<R>(Arc<R>);

impl<R: Receive> HttpLink<R> {
    pub(crate) fn open(_: &Endpoint, receiver: Arc<R>) -> Result<Self, SendError> {
        Ok(Self(receiver))
    }
    pub(crate) async fn send(&self, _: &Message) -> Result<(), SendError> {
        Ok(())
    }
    pub(crate) async fn close(&self) {}
}
