use super::*;

#[test]
fn ordinary_texts_stay_as_they_are() {
    for text in [
        "no scenario 7",
        "bearer authentication failed",
        "the author's monkey: 7 bananas, issue_key=ABC-1",
        "at 10:30, see https://example.org/a?b=c",
        "cannot reach Make: error sending request",
        "max_tokens: 100",
        "mail ann@example.org",
        "a task-like sk-short",
        "Basic Understanding of options",
    ] {
        assert_eq!(mask(text), text);
    }
}

#[test]
fn each_form_of_a_secret_is_masked_and_what_only_looks_like_it_stays_readable() {
    let stripe = format!("sk_{}_{}", "live", "4eC39HqLyjWDarjtT1zdp7dc");
    let slack = format!("xox{}-{}", "b", "123456789012-abcdefghijkl");
    let google = format!("AI{}{}", "za", "SyA1234567890abcdefghijklmnopqrstuv");
    for (text, masked, near) in [
        ("AccountKey=q+1/z==;x", "AccountKey=***;x", "AccountName=shop"),
        ("SharedAccessKey=abc", "SharedAccessKey=***", "SharedAccessKeyless=1"),
        ("/b?sig=a%2Fb&sv=1", "/b?sig=***&sv=1", "signal=7 design=flat"),
        ("X-Amz-Signature=af01&a=1", "X-Amz-Signature=***&a=1", "X-Amz-SignedHeaders=host"),
        ("access_key: abc", "access_key: ***", "access_level: abc"),
        ("pwd=hunter2", "pwd=***", "cwd=/srv OLDPWD=/tmp"),
        ("MYSQL_PWD=a", "MYSQL_PWD=***", "MYSQL_HOST=a"),
        ("PGPASSWORD=a", "PGPASSWORD=***", "PGPASSFILE=a"),
        ("DB_PASS=a", "DB_PASS=***", "compass=a bypass=a"),
        ("passphrase: a", "passphrase: ***", "phrase: a"),
        ("dbpassword=a clientsecret=b", "dbpassword=*** clientsecret=***", "secretary=a passwordless=b"),
        ("accesstoken=a", "accesstoken=***", "tokenizer=a betoken=b"),
        ("X-Auth: a", "X-Auth: ***", "X-Author: a"),
        ("Ocp-Apim-Subscription-Key: a", "Ocp-Apim-Subscription-Key: ***", "Subscription: a"),
        ("x-functions-key: a", "x-functions-key: ***", "x-functions: a, monkey=b"),
        (&*stripe, "sk_live_***", "sk_live_ alone, sk_live_short"),
        ("ghp_16C7e42F292c6912E7710c838347Ae178B4a", "ghp_***", "ghp_short"),
        ("github_pat_11ABCDEFG0_abcdefghijklmnop", "github_pat_***", "github_pat_ begins them"),
        ("glpat-abcdefghij1234567890", "glpat-***", "glpat-short"),
        (&*slack, "xoxb-***", "xoxb-ab"),
        (&*google, "AIza***", "AIza is a beginning"),
        ("AKIAIOSFODNN7EXAMPLE", "AKIA***", "AKIA as a word, AKIAN"),
        (
            "a -----BEGIN RSA PRIVATE KEY-----\nMIIE\nabc=\n-----END RSA PRIVATE KEY-----\nb",
            "a ***\nb",
            "-----BEGIN of the report-----\nabc\n-----END-----",
        ),
        ("-----BEGIN PRIVATE KEY-----\nMIIE\nab", "***", "----- BEGIN -----"),
        ("https://ann:p/w@host/x", "https://***@host/x", "https://host:8080/p/@ann"),
        ("redis://:p#w@host", "redis://***@host", "https://host/a#b@c"),
        ("postgres://ann:my pass@db/x", "postgres://***@db/x", "see https://host:80 or ann@host"),
        ("amqp://ann:p?w@q", "amqp://***@q", "urn://isbn:abc is what to ask ann@host for"),
        ("redis://:1#w@host/0", "redis://***@host/0", "https://host:1/#w@host"),
        ("redis://:12/abc@host", "redis://***@host", "redis://host:12/0, no password"),
        ("https://:12/abc@host", "https://***@host", "wss://host:12/abc@host"),
        ("postgres://ann:7/x@db/y", "postgres://***@db/y", "HTTP://host:7/x@db/y"),
        ("postgres://ann:7 x@db/y", "postgres://***@db/y", "ftp://host:7 x@db/y"),
        ("(\"x-api-key\", \"v\")", "(\"x-api-key\", \"***\")", "(\"x-api-version\", \"v\")"),
        ("[(\"token\", \"a b\"), (\"id\", \"7\")]", "[(\"token\", \"***\"), (\"id\", \"7\")]", "(\"a\", \"b\")"),
        (
            "{\"name\": \"x-api-key\", \"value\": \"v\"}",
            "{\"name\": \"x-api-key\", \"value\": \"***\"}",
            "{\"name\": \"x-api-version\", \"value\": \"v\"}",
        ),
        (
            "{\"value\":\"v\",\"name\":\"x-api-key\"}",
            "{\"value\":\"***\",\"name\":\"x-api-key\"}",
            "{\"value\":\"v\",\"name\":\"accept\"}",
        ),
        (
            "Header { name: \"x-api-key\", value: \"v\" }",
            "Header { name: \"x-api-key\", value: \"***\" }",
            "Header { name: \"accept\", value: \"v\" }",
        ),
        ("credentials: {\"a\": \"v w\"}, id: 7", "credentials: ***, id: 7", "credentials: {}, id: 7"),
        (
            "{\"credentials\": {\"a\": [\"}\", \"x\\\"}y\"], \"b\": {}}, \"id\": 7}",
            "{\"credentials\": \"***\", \"id\": 7}",
            "{\"passwords\": [], \"token_count\": {\"a\": 1}}",
        ),
        (
            r#"{\"session\":{\"a\":\"x\\\"}y\"},\"id\":7}"#,
            r#"{\"session\":\"***\",\"id\":7}"#,
            r#"{\"sessions_count\":{\"a\":\"x\"}}"#,
        ),
        ("\"passwords\": [\"a\", \"bcdef\"], 7", "\"passwords\": \"***\", 7", "\"words\": [\"a\", \"bcdef\"], 7"),
        ("{'tokens_secret': ['a', '}b'], 'id': 7}", "{'tokens_secret': '***', 'id': 7}", "{'ids': ['a', '}b']}"),
        ("credentials: Login { a: \"v\" } at 7", "credentials: ***", "login: Login { a: \"v\" } at 7"),
        ("session: Session { a: \"v\" } at 7", "session: *** at 7", "place: Place { a: \"v\" } at 7"),
        ("api_key: Some(Key(\"v\")), id: 7", "api_key: Some(***), id: 7", "issue_key: Some(Key(\"v\")), id: 7"),
        ("passwords: [\"a\", \"bcd", "passwords: ***", "passwords: []"),
        (
            "[\"curl\", \"--token\", \"v\", \"-v\"]",
            "[\"curl\", \"--token\", \"***\", \"-v\"]",
            "[\"curl\", \"--token-count\", \"7\", \"--id\", \"v\"]",
        ),
        ("credentials: user v, id: 7", "credentials: ***, id: 7", "credentialed: user v"),
        ("upstreamAuthorization: Token v", "upstreamAuthorization: ***", "upstream: Token v"),
        ("X-Auth: Token v", "X-Auth: ***", "X-Kind: Token v"),
        ("token=a token_count=7", "token=*** token_count=7", "token_count=7 next_page_token=CAUQAA max_tokens=9"),
    ] {
        assert_eq!(mask(text), masked, "{text}");
        assert_eq!(mask(near), near);
    }
}

proptest::proptest! {
    #[test]
    fn a_masked_text_stays_as_it_is_whatever_forms_meet(
        pieces in proptest::collection::vec(proptest::sample::select(PIECES), 0..12),
    ) {
        let text = pieces.concat();
        let masked = mask(&text);
        proptest::prop_assert!(masked.len() <= 4 * text.len() + 8, "{} -> {}", text, masked);
        proptest::prop_assert_eq!(mask(&masked), masked);
    }
}

const PIECES: &[&str] = &[
    "a",
    "://",
    "ann",
    ":",
    "@",
    "/",
    "#",
    " ",
    "\"",
    "'",
    "token",
    "=",
    "{",
    "}",
    "(",
    "[",
    ",",
    "name",
    "value",
    "credentials",
    "authorization",
    "Bearer ",
    "Token ",
    "ghp_16C7e42F292c6912E7710c8",
    "AKIAIOSFODNN7EXAMPLE",
    "-----BEGIN KEY-----",
    "-----END KEY-----",
    "\n",
    "\\",
    "sk-abcdefghijkl",
    "eyJabcd.efgh.ijk",
    "7",
    "é",
    "_",
    "&",
    "Some(",
    "***",
    ";",
];

#[test]
fn a_text_that_is_made_to_be_slow_or_deep_is_neither() {
    for evil in [
        "a:",
        "a=\"",
        "key:",
        "token=\"",
        "a:'",
        "cookie:",
        "eyJa.",
        "://@",
        "Some(",
        "://a:b",
        "-----BEGIN A",
        "-----BEGIN A-----",
        "(\"token\",",
        "name: \"key\", ",
        "value:\"",
        "ghp_",
        "AKIA",
        "credentials",
        "authorization",
        "a://b:c d@",
        "token: a{",
        "token: [",
        "token: Some(",
        "\"--token\", ",
    ] {
        let text = evil.repeat(20_000);
        let started = std::time::Instant::now();
        let small = std::thread::Builder::new().stack_size(128 * 1024);
        let masked = small.spawn(move || mask(&text)).expect("a thread").join();
        assert!(masked.is_ok(), "{evil}");
        assert!(started.elapsed().as_secs() < 10, "{evil}: {:?}", started.elapsed());
    }
}

#[test]
fn secrets_are_masked_in_their_place() {
    for (text, masked) in [
        ("index out of range while password=hunter2-x", "index out of range while password=***"),
        ("{\"token\":\"abc\",\"id\":7}", "{\"token\":\"***\",\"id\":7}"),
        ("password: 'a b c' then", "password: '***' then"),
        ("Cookie: a=b; c=d", "Cookie: ***"),
        ("key = 12345678", "key = ***"),
        ("url=https://host/?token=abc", "url=https://host/?token=***"),
        ("sk-abcdefgh12345678", "sk-***"),
        ("basic dXNlcjpwYXNzd29yZA==", "basic ***"),
        ("error: token: abcdef123", "error: token: ***"),
        ("config error: api_key = abc", "config error: api_key = ***"),
        ("note: \"password\": \"hunter2\"", "note: \"password\": \"***\""),
        ("token: Some(\"abc\")", "token: Some(\"***\")"),
        (r#"{"password":"a\"bcdef"}"#, r#"{"password":"***"}"#),
        (r#"{\"password\":\"hunter2\"}"#, r#"{\"password\":\"***\"}"#),
        ("Cookie: a=\"s3cr3tval\"; b=c", "Cookie: ***"),
        ("Authorization: Digest username=\"ann\", response=\"s3cr3t\"", "Authorization: ***"),
        ("{\"authorization\":\"Bearer x\",\"id\":7}", "{\"authorization\":\"***\",\"id\":7}"),
        ("my_eyJhbGciOiJI.eyJzdWIiOiIx.c2ln", "my***"),
        ("cookie: a\nid: 7", "cookie: ***\nid: 7"),
    ] {
        assert_eq!(mask(text), masked, "{text}");
    }
}
