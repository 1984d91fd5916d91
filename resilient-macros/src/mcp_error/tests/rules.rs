//! Rules 50 to 61.

use quote::quote;

use super::{in_variant, is_fine, message, messages};

#[test]
fn rule_50_a_variant_says_exactly_once_where_its_kind_comes_from() {
    let said = in_variant(quote! { V });
    assert!(said.starts_with("`V` does not say which kind of error it is; expected one of\n"), "{said}");
    assert!(said.ends_with("`internal`"), "{said}");
    let said = in_variant(quote! { #[mcp(kind = internal)] V( #[mcp(status)] u16 ) });
    assert_eq!(said, "`kind` already says the kind of `V`; `status` would say it again, keep one");
    let said = in_variant(quote! { V( #[mcp(classify, status)] u16 ) });
    assert_eq!(said, "`classify` already says the kind of `V`; `status` would say it again, keep one");
    let said = in_variant(quote! { #[mcp(transparent, kind = internal)] V(u16) });
    assert_eq!(said, "`transparent` already says the kind of `V`; `kind` would say it again, keep one");
    let said = in_variant(quote! { #[mcp(kind = internal, transparent)] V(u16) });
    assert_eq!(said, "`kind` already says the kind of `V`; `transparent` would say it again, keep one");
    let said = message(quote! { #[mcp(prefix = "X")] struct S; });
    assert!(said.starts_with("`S` does not say which kind"), "{said}");
}

#[test]
fn rule_51_an_unknown_kind_gets_a_suggestion() {
    for (written, said) in [
        (quote! { not_fond }, "unknown kind `not_fond`; did you mean `not_found`?"),
        (quote! { NotFound }, "unknown kind `NotFound`; write `not_found`"),
        (quote! { "not_found" }, "a kind is one word without quotes; write `not_found`"),
        (quote! { ErrorKind::NotFound }, "a kind is one word without quotes; write `not_found`"),
        (quote! { bad_request }, "unknown kind `bad_request`; did you mean `invalid_input`?"),
        (quote! { Forbidden }, "unknown kind `Forbidden`; did you mean `permission_denied`?"),
        (quote! { 5 }, "expected the name of a kind: `kind = not_found`"),
    ] {
        assert_eq!(in_variant(quote! { #[mcp(kind = #written)] V }), said);
    }
    assert!(
        in_variant(quote! { #[mcp(kind = zzz)] V }).starts_with("unknown kind `zzz`; expected one of `invalid_input`")
    );
    assert!(in_variant(quote! { #[mcp(kind = "zzz")] V }).starts_with("expected a bare word: unknown kind `zzz`"));
}

#[test]
fn rule_52_codes_are_unique_and_well_formed() {
    assert_eq!(
        messages(quote! { enum E { #[mcp(kind = internal)] Late, #[mcp(kind = internal, code = "LATE")] Other, } }),
        ["`LATE` is the code of `Late` and of `Other`; each needs its own"]
    );
    assert_eq!(
        messages(quote! { enum E { #[mcp(kind = internal)] HTTPError, #[mcp(kind = internal)] HttpError, } }),
        ["`HTTP_ERROR` is the code of `HTTPError` and of `HttpError`; each needs its own"]
    );
    let said = in_variant(quote! { #[mcp(kind = internal, code = "make-late")] V });
    assert!(said.ends_with("did you mean `MAKE_LATE`?"), "{said}");
    let long = "X".repeat(65);
    let said = in_variant(quote! { #[mcp(kind = internal, code = #long)] V });
    assert!(said.contains("at most 64"), "{said}");
    let said = message(quote! { #[mcp(prefix = "make")] enum E { #[mcp(kind = internal)] V, } });
    assert!(said.ends_with("did you mean `MAKE`?"), "{said}");
    let said = message(quote! { #[mcp(prefix = "MAKE_")] enum E { #[mcp(kind = internal)] V, } });
    assert_eq!(said, "`prefix` is joined with `_`; write `\"MAKE\"`");
    let said = in_variant(quote! { #[mcp(kind = internal)] Größe });
    assert_eq!(said, "`Größe` makes the code `GRÖSSE`, which is not allowed; say `code = \"..\"`");
}

#[test]
fn rule_53_reserved_protocol_codes_are_refused() {
    let said = in_variant(quote! { #[mcp(kind = internal, protocol = -32001)] V });
    assert!(said.starts_with("`-32001` is reserved"), "{said}");
    assert!(in_variant(quote! { #[mcp(kind = internal, protocol = -32002)] V }).contains("resource not found"));
    assert!(in_variant(quote! { #[mcp(kind = internal, protocol = -32042)] V }).contains("URL elicitation"));
    assert!(in_variant(quote! { #[mcp(kind = internal, protocol = 4000000000)] V }).contains("32 bits"));
    assert!(in_variant(quote! { #[mcp(kind = internal, protocol = 5u8)] V }).contains("write `5`"));
    assert!(in_variant(quote! { #[mcp(kind = internal, protocol = 3000000000u32)] V }).contains("32 bits"));
    assert!(in_variant(quote! { #[mcp(kind = internal, protocol = "x")] V }).contains("an integer"));
    is_fine(
        quote! { enum E { #[mcp(kind = internal, protocol = -32603)] V, #[mcp(kind = internal, protocol = 7)] W, } },
    );
}

#[test]
fn rule_54_texts_name_fields_that_exist_and_are_no_secrets() {
    let said = in_variant(quote! { #[mcp(kind = internal, hint = "see {idd}")] V { id: u8 } });
    assert_eq!(said, "`hint` names `idd`, which is no field of `V`; did you mean `id`?");
    let said = in_variant(quote! { #[mcp(kind = internal, message = "see {0}")] V });
    assert_eq!(said, "`message` names `0`, but `V` has no fields");
    let said = in_variant(quote! { #[mcp(kind = internal, message = "see {}")] V(u8) });
    assert_eq!(said, "`{}` in `message` names no field; a field is named, as in `{0}`");
    let said = in_variant(quote! { #[mcp(kind = internal, hint = "see {id")] V { id: u8 } });
    assert!(said.starts_with("`{` without a `}`"), "{said}");
    let said = in_variant(quote! { #[mcp(kind = internal, hint = "see {id:w$}")] V { id: u8, w: usize } });
    assert!(said.starts_with("a width from another field"), "{said}");
    let said = in_variant(quote! { #[mcp(kind = internal, hint = "see {id}")] V { #[mcp(secret)] id: u8 } });
    assert_eq!(said, "`hint` goes to the client and names `id`, which is marked `secret`");
    for variant in [
        quote! { #[mcp(kind = internal)] #[error("bad {token}")] V { #[mcp(secret)] token: String } },
        quote! { #[mcp(kind = internal)] #[error("bad {}", .token)] V { #[mcp(secret)] token: String } },
    ] {
        let said = in_variant(variant);
        assert_eq!(said, "this text prints `token`, which is marked `secret` and must not reach a log");
    }
}

#[test]
fn rule_55_one_field_says_how_long_to_wait() {
    let said =
        in_variant(quote! { #[mcp(kind = internal)] V( #[mcp(retry_after)] Duration, #[mcp(retry_after)] Duration ) });
    assert_eq!(said, "`0` is already the `retry_after` of `V`; keep one of the two");
}

#[test]
fn rule_56_a_secret_is_no_detail() {
    let said = in_variant(quote! { #[mcp(kind = internal)] V { #[mcp(detail, secret)] id: u8 } });
    assert_eq!(said, "`id` cannot be `secret` and a `detail` that the client reads; keep one");
}

#[test]
fn rule_57_what_the_client_reads_is_said_once() {
    for variant in [
        quote! { #[mcp(kind = internal, public, private)] V },
        quote! { #[mcp(kind = internal, message = "m", private)] V },
        quote! { #[mcp(kind = internal, message = "m", public)] V },
    ] {
        let said = in_variant(variant);
        assert!(said.contains("the client reads either"), "{said}");
    }
}

#[test]
fn rule_58_a_source_is_public_only_where_the_author_says_so() {
    for variant in [
        quote! { #[mcp(kind = not_found)] #[error("no: {0}")] V( #[from] Io ) },
        quote! { #[mcp(kind = not_found)] #[error("no: {source}")] V { source: Io } },
        quote! { #[mcp(kind = not_found)] #[error("no: {}", .cause)] V { #[source] cause: Io } },
        quote! { #[mcp(kind = not_found)] #[error(transparent)] V( #[from] Io ) },
    ] {
        let said = in_variant(variant);
        assert!(said.starts_with("the client would read the source `"), "{said}");
    }
    for variant in [
        quote! { #[mcp(kind = not_found)] #[error(fmt = show)] V { source: Io } },
        quote! { #[mcp(kind = not_found)] #[error(fmt = show)] V( #[from] Io ) },
        quote! { #[mcp(kind = not_found)] V( #[source] Io ) },
    ] {
        let said = in_variant(variant);
        assert!(said.starts_with("the client may read the source `"), "{said}");
    }
    let inherited = message(quote! { #[error("no: {0}")] enum E { #[mcp(kind = not_found)] V(#[source] Io), } });
    assert!(inherited.starts_with("the client would read the source `0`"), "{inherited}");
    is_fine(quote! {
        enum E {
            #[mcp(kind = not_found, private)] #[error("a: {0}")] A(#[from] Io),
            #[mcp(kind = not_found, public)] #[error("b: {0}")] B(#[source] Io),
            #[mcp(kind = not_found, message = "c")] #[error("c: {0}")] C(#[source] Io),
            #[mcp(kind = unavailable)] #[error("d: {0}")] D(#[source] Io),
            #[mcp(kind = not_found)] #[error("e")] E(#[source] Io),
            #[mcp(kind = not_found)] #[error(fmt = show)] Without { id: u8 },
            #[mcp(kind = not_found, private)] #[error(fmt = show)] Private(#[source] Io),
            #[mcp(kind = unavailable)] #[error(fmt = show)] Unavailable(#[source] Io),
            #[error("f: {0}")] F(#[source] #[mcp(classify)] Io),
            #[mcp(kind = not_found)] #[error("g: {other}")] G { source: Io, other: u8 },
        }
    });
}

#[test]
fn rule_59_a_callers_mistake_is_not_retried() {
    let said = in_variant(quote! { #[mcp(kind = not_found, retryable = true)] V });
    assert_eq!(said, "a caller's mistake stays one when it is repeated: `not_found` cannot be `retryable = true`");
    let said = in_variant(quote! { #[mcp(kind = cancelled, retryable = false)] V });
    assert_eq!(said, "a cancelled call is never retried; remove `retryable`");
    is_fine(quote! {
        enum E { #[mcp(kind = conflict, retryable = true)] V, #[mcp(kind = not_found, retryable = false)] W }
    });
}

#[test]
fn rule_60_transparent_means_one_field_that_answers_everything() {
    let said = in_variant(quote! { #[mcp(transparent)] V });
    assert_eq!(said, "`transparent` needs exactly one field, which answers everything; `V` has 0");
    let said = in_variant(quote! { #[mcp(transparent)] V(u8, u8) });
    assert_eq!(said, "`transparent` needs exactly one field, which answers everything; `V` has 2");
    let said = in_variant(quote! { #[mcp(transparent, hint = "h")] V(u8) });
    assert_eq!(said, "`hint` has no meaning beside `transparent`: the field answers everything; remove it");
    let said = in_variant(quote! { #[mcp(transparent)] V( #[mcp(detail)] u8 ) });
    assert_eq!(said, "`detail` has no meaning beside `transparent`: the field answers everything; remove it");
}

#[test]
fn rule_61_a_union_is_refused() {
    assert!(message(quote! { union U { a: u8 } }).starts_with("expected an enum or a struct"));
}
