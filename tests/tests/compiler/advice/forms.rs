//! Messages whose advice cannot be applied as an exact text.

/// Messages whose advice has another form, and the reason why no exact text can replace the span. `*` is any text. A
/// form must match the whole message.
pub(crate) const OTHER_FORMS: &[(&str, &[&str])] = &[
    (
        "any value of the form or range, of which only the author knows which",
        &[
            "expected 0 to 100 %, found *",
            "expected 1 to * results, found 0",
            "expected 1 to *, found *",
            "* not part of the key; say what tells answers apart with `key = ..`",
            "expected a finite number of at least 1",
            "expected a number from 1 to 10",
            "expected a number from 1 to 1023",
            "expected a period of at most 24h, found *",
            "expected a share above 0 and at most 1, found *",
            "expected at least 1, found 0",
            "expected at least 1KiB, found *",
            "expected between * and *, found *",
            "a burst of 0 lets nothing through; expected at least 1, or remove `burst`",
            "there is no `key` whose values could be told apart; add `key = ..`, or remove `max_keys`",
            "a window of * cannot hold two attempts of *; write at least *",
            "one call alone opens this breaker: *; expected at least *",
            "retry * can never start: *: expected a `timeout` above *, or a shorter `base` in `retry(..)`",
        ],
    ),
    (
        "any value of the type, of which the message shows one",
        &[
            "expected `cached`, a function's path, `value(expr)`, `deferred`, or a list of these",
            "expected a duration such as `\"30s\"`, found *",
            "expected a name: `breaker = \"make\"`*",
            "expected a share such as `\"20%\"`, or `none`",
            "expected a size such as `\"64MiB\"`*",
            "`*` is no unit; expected a size in quotes such as `\"64MiB\"`",
            "expected a text in quotes",
            "expected a whole number of calls before the `/`, as in *, found *",
            "expected calls and a duration such as `\"100/1s\"`, found *",
            "expected an integer of 32 bits: `protocol = -33001`",
            "expected something of a parameter: *",
            "expected the function's path without a call: it is given the parameters and the error",
            "expected the function's path without a call: the runtime calls it",
            "expected the function's path without a call: it is given the request and its arguments",
            "expected the path of a function: `*`",
            "expected a limit: `timeout = \"120s\"`",
            "expected the name of a kind, such as `timeout`",
            "`*` is no unit; expected a duration in quotes such as `\"30s\"`",
            "*; expected a duration behind the `/`, as in *",
            "`*` is reserved by JSON-RPC and MCP; expected a code outside *",
            "`* ` is not allowed in a name; expected letters, digits, `_`, `.` or `-`",
            "expected an upper-case letter, then upper-case letters, digits and `_`",
            "`none` stands for no breaker, so nothing could refer to one of that name; expected another name",
            "a text is the same key for every call; expected an expression of the parameters",
            "this key is the same for all arguments, and *; expected an expression of the parameters",
            "a width from another field is not possible in `message`; expected a number, as in *",
            "`*` means something else in another module; expected a path from `crate::` or `::` on",
        ],
    ),
    (
        "one of several words, none of which is like what was found",
        &["*; expected one of `*`", "`*` does not say which kind of error it is; expected one of"],
    ),
    (
        "the span is a key, and the value that is missing follows it",
        &[
            "expected `true` or `false`: `retryable = false`",
            "expected a list: `#[mcp(..)]`",
            "expected a number: `*",
            "expected a string: `*`",
            "expected a text in quotes after `=`",
            "expected an expression after `=`",
            "expected arguments in brackets: *",
            "expected at least one *",
            "expected how many * may *",
            "expected settings in brackets: *",
        ],
    ),
    (
        "the span is a part of what has to be written anew",
        &[
            "`%` is no part of a number; expected a share such as *",
            "a share in per cent stands in quotes; expected *",
            "`public` takes no value; expected `public` alone",
            "expected the key alone, without a value",
            "a number is no text; remove the suffix `*`, and write the text in quotes",
            "expected quotes around the rate: *",
            "expected the name of the kind alone: *",
            "`{` without a `}` after it; a brace itself is `{{`",
            "`}` without a `{` before it; a brace itself is `}}`",
            "`{}` in `message` names no field; a field is named, as in `{0}`",
        ],
    ),
    (
        "half-typed code, of which only the author knows the rest",
        &[
            "expected `,` after the value of *",
            "expected `=`, `(..)` or `,` after *",
            "expected a * before this `,`",
            "expected a field or a method after this `.`",
            "expected a name after this `::`",
            "expected a value after *",
            "expected something after this *",
        ],
    ),
    (
        "rustc's own message about half-typed code, or that of rmcp, which are there without the attribute too",
        &[
            "expected `:`",
            "expected * found `*`",
            "unexpected token: *",
            "`#[tool_router]` found no `#[tool]` fn in this impl block*",
        ],
    ),
    (
        "a token, a key or an attribute goes, and the span is a part of it or nothing is to stand there",
        &[
            "expected `=` alone; remove this `*`",
            "`*` is the name of a secret, which no log may show; remove it, or put *",
            "`failures` counts failures in a row, `rate` takes their share; remove one of them",
            "the breakers of a `key` are local, so replicas cannot share them; remove `key` or `distributed`",
            "`*` says that the tool only reads, `retry_unsafe` that it writes; remove one",
            "the answers of a prompt are not cached, *; remove `cache`",
            "`deferred` stores a write and delivers it later, *; remove it",
            "`deferred` is for writes, and this tool only reads: *; remove it",
            "only a tool that writes makes cached answers outdated, and this one only reads; remove `invalidates`",
            "no tool of this block is called `*`; expected one with `cache(fresh = ..)`, or remove `invalidates`",
            "`hint` has no meaning beside `transparent`: the field answers everything; remove it",
            "`skip` is for a tool of a block, and this is no tool; remove the attribute",
            "`skip` refuses *; remove *",
            "a cache of no entries keeps nothing; remove it",
            "`from` needs a return type *: remove `from`",
            "a cancelled call is never retried; remove `retryable`",
            "the function can be repeated anyway; remove `retry_unsafe`",
            "the function has no parameters to log; remove `log_args`",
            "* refuses an inherited one, otherwise remove it",
            "the tool's annotations say *; remove *, or correct the annotations",
            "*; keep one",
            "*; keep one of the two",
            "*, keep one",
        ],
    ),
    (
        "a key stands beside the span, on the item or in another attribute",
        &[
            "`*` makes the code `*`, which is not allowed; say `code = \"..\"`",
            "`retry` may run `*` again, and *: *refuse it with `retry = none`",
            "no call counts as slow; add `slow = \"2s\"`, or remove this",
            "nobody waits where the queue has no places; set `queue` to how many may wait, or remove `wait`",
            "`stale_while_revalidate` begins where `fresh` ends; add `fresh`, or remove `stale_while_revalidate`",
            "nothing reads this cache; add `fallback = cached`, or `fresh` in the brackets, or remove `cache`",
            "nothing is deferred; add `fallback = deferred`, or remove `deferred`",
            "`deferred` delivers at least once, *: *name what identifies a call in its arguments with `deferred(key = ..)`",
            "the last try would begin after the time to live: *; expected a longer `ttl`, or fewer `tries`",
            "only `fallback = cached` serves an answer after an error; add it, or remove `stale_if_error`",
            "`*` serves no cached answer before its body runs; add `cache(fresh = \"30s\")` to it, or remove its name here",
            "an error of kind `unauthenticated` fails again *; renew them in *, or remove the kind",
            "`before` gets the error of the attempt, and a `*` has none; return *",
            "the cap (*) is shorter than the first delay (*); set a `base` of at most * too, as in *",
            "the client * read the source `*` of this error*; say `#[mcp(message = \"..\")]` for another text, *",
            "there is no rate to take; add `rate` or `slow`, or remove this",
            "replicas find the limit that they share by its name; add `name = \"search\"`, or remove the word",
        ],
    ),
    (
        "only the author knows the text",
        &["say why it may be repeated: `retry_unsafe = \"reason\"`", "*; each needs its own"],
    ),
    (
        "a key or an attribute moves to another place",
        &[
            "`deferred` delivers a write through the router of its server, *; remove it, or write it above the `#[tool]` *",
            "`deferred` is not the last fallback: *; move it to the end of the list, or remove the others after it",
            "`*` needs the hook, which only tools have; remove the key, or write it above the `#[tool]` that it is about",
            "`*` needs the hook, and this tool has none; place `#[resilient]` above the `#[tool_router]` of its block",
            "`*` is about one tool; write it in the `#[resilient(..)]` above that tool",
            "`from` looks at one tool's parameters; place it in the `#[resilient(..)]` above that tool",
            "`before` gets the error of one tool; place it in the `#[resilient(..)]` above that tool",
            "`key` looks at one tool's parameters; write the limit in the `#[resilient(..)]` above that tool",
            "`#[resilient]` on an `impl` block goes above its `#[tool_router]` or `#[prompt_router]`; there is none below it",
            "`key` looks at one method's parameters; write the limit in the `#[resilient(..)]` above that method",
            "`*` has no meaning for the requests of a handler; above its `impl` stand *",
            "`*` has no meaning for a request; above a method of a handler stand *",
            "`*` has no meaning for a notification, which has no answer; remove it",
            "`*` has no meaning for a subscription, which lasts; remove it",
            "`*` on `call_tool` would run the tools again beside their own retries; write it above the tools",
            "the key of this cache is the parameters of the request, all of them; remove `key`",
            "`cache` has no meaning for this request: *; remove the key",
            "a refresh has no request, *; remove `stale_while_revalidate`, or call a function that has the key itself",
            "`stale_if_error` needs `fallback = cached`, which methods of a handler do not have; remove it",
            "nothing reads this cache; add `fresh` in the brackets, or remove `cache`",
            "`*` serves no request, so that nothing can guard it; remove the attribute",
            "`*` needs the hook, which prompts do not have; remove the key",
            "`*` needs the hook, which the prompts of this block do not have; move them to another block",
            "a tool cannot refuse the `authorize` of its block, *; remove this key, or move the tool to a block without *",
            "`#[resilient]` stands here a second time; write all keys in one",
            "`#[async_trait]` has already made *; move the body into an `async fn` *",
            "on an `impl` of a trait, `#[resilient]` goes above `impl ServerHandler`, and this is another trait",
            "place `#[resilient]` above `#[tool]` or `#[prompt]`: *",
            "the breaker `*` has other settings above: *; write them in one place, and *",
            "`*` sees the parameters by reference, and *; move the `*` into the body",
        ],
    ),
    (
        "the item itself changes, and what its code does",
        &[
            "* cannot be guarded; expected an `async fn`",
            "a `const fn` cannot wait for anything; expected an `async fn`",
            "expected an `async fn`",
            "expected an `async fn` or an `impl` block above `#[tool_router]`, found *",
            "expected an enum or a struct: `#[derive(McpError)]` cannot tell what a union holds",
            "an error of kind `*` cannot be retried; expected one of *",
            "`retry` may call the body again, *, or refuse the retries with `retry = none`",
        ],
    ),
];

/// Returns whether the whole message has this form.
pub(crate) fn has_form(message: &str, form: &str) -> bool {
    let mut parts = form.split('*');
    let Some(mut rest) = message.strip_prefix(parts.next().unwrap_or_default()) else { return false };
    let mut parts: Vec<_> = parts.collect();
    let Some(last) = parts.pop() else { return rest.is_empty() };
    for part in parts {
        let Some((_, after)) = rest.split_once(part) else { return false };
        rest = after;
    }
    rest.ends_with(last)
}

#[test]
fn a_form_is_the_whole_of_a_message() {
    for (message, form, expected) in [
        ("remove it", "remove it", true),
        ("please remove it", "remove it", false),
        ("remove it now", "remove it", false),
        ("expected 1, found 2", "expected *, found *", true),
        ("expected 1 and found 2", "expected *, found *", false),
        ("a b b", "*b", true),
    ] {
        assert_eq!(has_form(message, form), expected, "{message}: {form}");
    }
}
