//! Snapshots of expansions.

use quote::quote;

use super::derive;

#[test]
fn the_expansion_of_an_enum_is_readable() {
    let tokens = derive(quote! {
        #[mcp(prefix = "MAKE")]
        pub enum MakeError {
            #[error("no scenario {id}")]
            #[mcp(kind = not_found, hint = "List the scenarios near {id}.")]
            NoSuchScenario { #[mcp(detail)] id: u64 },
            #[mcp(kind = unavailable, message = "Make is down", retryable = false, severity = critical)]
            #[mcp(protocol = -33001)]
            Down { #[mcp(retry_after)] wait: Option<Duration> },
            #[error(transparent)]
            #[mcp(transparent)]
            Resilience(#[from] ResilienceError),
        }
    });
    insta::assert_snapshot!(prettyplease::unparse(&syn::parse2(tokens).expect("items")));
}

#[test]
fn the_expansion_of_a_generic_struct_is_readable() {
    let tokens = derive(quote! {
        #[error("upstream answered {status}")]
        #[mcp(crate = ::renamed, hint = "See {id:?}.")]
        struct Upstream<'a, T: Clone> where T: Send {
            #[mcp(status)]
            status: u16,
            #[mcp(detail)]
            id: &'a T,
        }
    });
    insta::assert_snapshot!(prettyplease::unparse(&syn::parse2(tokens).expect("items")));
}

#[test]
fn a_renamed_runtime_is_the_only_one_that_is_named() {
    let fine = derive(quote! {
        #[mcp(crate = ::renamed)]
        enum E { #[mcp(kind = internal, hint = "{0}")] A(#[mcp(detail, retry_after)] u8), #[mcp(transparent)] B(u8) }
    });
    let wrong = derive(quote! { #[mcp(crate = ::renamed)] enum E { A, } });
    for tokens in [fine.to_string(), wrong.to_string()] {
        assert!(tokens.contains(":: renamed") && !tokens.contains("resilient_runtime"), "{tokens}");
    }
}
