//! Who may use the routes: the middleware around all of them.

use std::collections::VecDeque;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::header::{
    AUTHORIZATION, CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderName, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::time::Instant;

use super::body::Fields;
#[cfg(feature = "status-page")]
use super::page::Reader;
use super::refusal::Refusal;
use super::{Shared, Token};
use crate::access_token::AccessToken;
use crate::statistics::AdminRefusal;

/// The number of wrong tokens within [`WINDOW`] after which no token is compared for [`LOCKED`].
const MOST_WRONG: usize = 10;
const WINDOW: Duration = Duration::from_secs(60);
const LOCKED: Duration = Duration::from_secs(60);

/// The headers of every response.
const HEADERS: [(HeaderName, HeaderValue); 4] = [
    (
        CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'none'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"),
    ),
    (REFERRER_POLICY, HeaderValue::from_static("same-origin")),
    (CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
];

/// Returns whether a parameter of a URL is meant to be the token.
fn is_token(name: &str) -> bool {
    ["token", "access_token", "admin_token"].iter().any(|token| name.eq_ignore_ascii_case(token))
}

/// Admits or refuses a request, and completes the headers of the response.
pub(super) async fn check(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    #[cfg(feature = "status-page")]
    let reader = Reader::of(&request);
    let mut response = match shared.admit(request).await {
        Ok(request) => next.run(request).await,
        Err(refusal) => refusal.respond(shared.registry()),
    };
    #[cfg(feature = "status-page")]
    if let Some(reader) = reader {
        response = reader.show(response);
    }
    for (name, value) in HEADERS {
        // The status page has a style, which its policy admits.
        response.headers_mut().entry(name).or_insert(value);
    }
    response
}

impl Shared {
    async fn admit(&self, mut request: Request) -> Result<Request, Refusal> {
        self.hosts.check(request.uri(), request.headers())?;
        let query = request.uri().query().unwrap_or_default();
        if form_urlencoded::parse(query.as_bytes()).any(|(name, _)| is_token(&name)) {
            let text = "the token belongs in the header `Authorization`, never in a URL";
            return Err(Refusal::new(AdminRefusal::TokenInUrl, StatusCode::BAD_REQUEST, text));
        }
        let token = match self.token() {
            Token::Is(token) => token,
            // There are no routes that change anything then.
            Token::Unset => return Ok(request),
            Token::Invalid => {
                let text = "the token in the settings of this server is invalid, so no request can present it";
                return Err(Refusal::new(AdminRefusal::InvalidToken, StatusCode::SERVICE_UNAVAILABLE, text));
            }
        };
        self.unlocked()?;
        let reads = matches!(*request.method(), Method::GET | Method::HEAD);
        match Credentials::of(request.headers()) {
            Credentials::Bearer(presented) => self.compare(token, &presented, reads)?,
            Credentials::Basic(password) if reads => {
                let password = password.ok_or_else(|| Refusal::unauthorized(AdminRefusal::NoToken, true))?;
                self.compare(token, &password, reads)?;
            }
            other => {
                let is_basic = matches!(other, Credentials::Basic(_));
                let reason = if is_basic { AdminRefusal::Basic } else { AdminRefusal::NoToken };
                if reads || !Fields::may_be_form(request.headers()) {
                    return Err(Refusal::unauthorized(reason, reads));
                }
                let mut fields = Fields::read(&mut request).await?;
                let presented = fields.take_token().ok_or_else(|| Refusal::unauthorized(reason, reads))?;
                self.compare(token, &presented, reads)?;
                request.extensions_mut().insert(fields);
            }
        }
        if *request.method() == Method::POST {
            let mut fields = match request.extensions_mut().remove::<Fields>() {
                Some(fields) => fields,
                None => Fields::read(&mut request).await?,
            };
            fields.take_by(token)?;
            request.extensions_mut().insert(fields);
        }
        Ok(request)
    }

    /// Refuses all requests after too many wrong tokens.
    fn unlocked(&self) -> Result<(), Refusal> {
        let mut wrong = self.wrong_tokens.lock().unwrap_or_else(PoisonError::into_inner);
        wrong.left(Instant::now()).map_or(Ok(()), |left| Err(Refusal::too_many(left)))
    }

    /// Compares a token, unless there were too many wrong ones meanwhile.
    fn compare(&self, token: &AccessToken, presented: &str, reads: bool) -> Result<(), Refusal> {
        let now = Instant::now();
        // Held while comparing, so that concurrent requests cannot try more.
        let mut wrong = self.wrong_tokens.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(left) = wrong.left(now) {
            return Err(Refusal::too_many(left));
        }
        if token.is(presented) {
            return Ok(());
        }
        wrong.add(now);
        Err(Refusal::unauthorized(AdminRefusal::WrongToken, reads))
    }
}

/// The times of the last wrong tokens.
#[derive(Default)]
pub(super) struct WrongTokens {
    at: VecDeque<Instant>,
    locked_until: Option<Instant>,
}

impl WrongTokens {
    /// Returns for how long no token is compared any more.
    fn left(&mut self, now: Instant) -> Option<Duration> {
        self.locked_until = self.locked_until.filter(|until| now < *until);
        self.locked_until.map(|until| until.duration_since(now))
    }

    fn add(&mut self, now: Instant) {
        self.at.retain(|at| now.duration_since(*at) < WINDOW);
        self.at.push_back(now);
        if self.at.len() >= MOST_WRONG {
            self.at.clear();
            self.locked_until = now.checked_add(LOCKED);
        }
    }
}

/// The credentials in `Authorization`.
enum Credentials {
    None,
    Bearer(String),
    /// The password, or `None` if the credentials are malformed.
    Basic(Option<String>),
}

impl Credentials {
    fn of(headers: &HeaderMap) -> Self {
        let mut all = headers.get_all(AUTHORIZATION).iter();
        let (Some(only), None) = (all.next(), all.next()) else { return Self::None };
        let Some((scheme, value)) = only.to_str().ok().and_then(|text| text.split_once(' ')) else { return Self::None };
        let value = value.trim();
        if scheme.eq_ignore_ascii_case("bearer") {
            Self::Bearer(value.to_owned())
        } else if scheme.eq_ignore_ascii_case("basic") {
            let pair = STANDARD.decode(value).ok().and_then(|bytes| String::from_utf8(bytes).ok());
            Self::Basic(pair.and_then(|pair| pair.split_once(':').map(|(_, password)| password.to_owned())))
        } else {
            Self::None
        }
    }
}
