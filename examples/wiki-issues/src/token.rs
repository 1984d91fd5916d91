//! The token of the account: fixed, or in a file that a secret manager renews.

use std::{
    fmt, fs, io,
    path::PathBuf,
    sync::{Mutex, PoisonError},
};

/// A token that `{:?}` does not print.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Token(String);

impl Token {
    pub(super) fn secret(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// The token that requests use, and the file that it is from, if any.
#[derive(Debug)]
pub(super) struct Credential {
    token: Mutex<Token>,
    file: Option<PathBuf>,
}

impl Credential {
    /// A token that never changes.
    pub(super) fn fixed(secret: String) -> Self {
        Self { token: Mutex::new(Token(secret)), file: None }
    }

    /// The token in a file.
    pub(super) fn in_file(file: PathBuf) -> io::Result<Self> {
        let token = Token(parse(&fs::read_to_string(&file)?)?);
        Ok(Self { token: Mutex::new(token), file: Some(file) })
    }

    pub(super) fn token(&self) -> Token {
        self.token.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether the file is still there. An operator withdraws the access by deleting it. A fixed token is always
    /// granted.
    pub(super) async fn is_granted(&self) -> bool {
        match &self.file {
            None => true,
            Some(file) => tokio::fs::try_exists(file).await.unwrap_or(false),
        }
    }

    /// Replaces a refused token by another one, and returns whether there is one. Several calls may do so at the same
    /// time: each compares with the token that its request used.
    pub(super) async fn renew(&self, refused: &Token) -> bool {
        if self.token() != *refused {
            return true;
        }
        let Some(file) = &self.file else { return false };
        match tokio::fs::read_to_string(file).await.and_then(|content| parse(&content)) {
            Ok(secret) if secret != refused.0 => {
                *self.token.lock().unwrap_or_else(PoisonError::into_inner) = Token(secret);
                tracing::info!(event = "token.renewed");
                true
            }
            Ok(_) => false,
            Err(error) => {
                tracing::warn!(event = "token.unreadable", %error);
                false
            }
        }
    }
}

/// The content of the file without the newline that editors add.
fn parse(content: &str) -> io::Result<String> {
    let secret = content.trim();
    if secret.is_empty() {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "the file is empty"));
    }
    Ok(secret.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str) -> PathBuf {
        std::env::temp_dir().join(format!("wiki-issues-{name}-{}", std::process::id()))
    }

    #[tokio::test]
    async fn only_another_token_replaces_a_refused_one() {
        let path = file("renew");
        fs::write(&path, "old\n").unwrap();
        let credential = Credential::in_file(path.clone()).unwrap();
        let old = credential.token();
        assert_eq!(old.secret(), "old");
        assert!(!credential.renew(&old).await, "the file has the same token");
        fs::write(&path, " ").unwrap();
        assert!(!credential.renew(&old).await, "the file is empty");
        fs::write(&path, "new").unwrap();
        assert!(credential.renew(&old).await);
        assert_eq!(credential.token().secret(), "new");
        fs::remove_file(&path).unwrap();
        assert!(credential.renew(&old).await, "another call has renewed it");
        assert!(!Credential::fixed("old".to_owned()).renew(&old).await);
    }

    #[tokio::test]
    async fn access_ends_with_the_file() {
        let path = file("granted");
        fs::write(&path, "token").unwrap();
        let credential = Credential::in_file(path.clone()).unwrap();
        assert!(credential.is_granted().await);
        fs::remove_file(&path).unwrap();
        assert!(!credential.is_granted().await);
        assert!(Credential::fixed("token".to_owned()).is_granted().await);
        assert!(Credential::in_file(path).is_err());
    }

    #[test]
    fn a_token_is_not_printed() {
        assert_eq!(format!("{:?}", Token("super-secret".to_owned())), "***");
        assert!(!format!("{:?}", Credential::fixed("super-secret".to_owned())).contains("secret"));
    }
}
