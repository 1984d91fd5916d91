//! Generates items below `#[resilient]`.

use proc_macro2::Delimiter;
use proptest::collection::vec;
use proptest::prelude::*;
use quote::quote;

use super::attribute::{attribute, of_method};
use super::tokens::{Tokens, in_group, joined, maybe, mostly, one_of, some_of, soup, soups, tokens};

pub(super) fn function() -> BoxedStrategy<Tokens> {
    let attr = prop_oneof![
        12 => one_of(&[
            "#[tool]", "#[rmcp::tool]", "#[tool(annotations(read_only_hint = true))]", "#[tool(name = \"x\", annotations(idempotent_hint = true))]",
            "#[prompt]", "#[doc = \"z\"]", "#[cfg(all())]", "#[allow(unused)]",
        ]),
        2 => one_of(&[
            "#[tool(annotations(destructive_hint))]", "#[tool(annotations)]", "#[tool = 1]", "#[prompt(name = \"y\")]", "#[resilient]",
            "#[resilient = 1]", "#[resilient(skip)]", "#[resilient(timeout = \"1s\",)]",
        ]),
        2 => attribute().prop_map(|list| Tokens(quote!(#[resilient(#list)]))),
        1 => soups(4).prop_map(|list| Tokens(quote!(#[tool(#list)]))),
    ];
    let attrs = vec(attr, 0..3).prop_map(joined);
    let before = mostly(
        &["async", "pub async", "pub(in a::b) async", "async unsafe"],
        &[
            "",
            "pub",
            "const",
            "unsafe",
            "const async",
            "extern \"C\"",
            "async unsafe extern",
            "default async",
            "crate async",
            "pub pub",
            "async async",
        ],
    );
    let name = mostly(&["f", "r#match", "_f", "__resilient_f_site", "größe"], &["self", "fn", "7"]);
    let generics = maybe(mostly(&["<T>", "<'a, T: 'a + Copy, const N: usize>", "<>"], &["<T = u8>", "<", "<T,,>"]));
    let receiver = maybe(mostly(
        &["&self,", "&'a self,", "self: &Self,"],
        &["&mut self,", "self,", "mut self,", "self: Arc<Self>,", "self: &mut Self,"],
    ));
    let right = some_of(
        &[
            "id: u64",
            "mut count: u64",
            "_: u8",
            "_id: u8",
            "r#type: u8",
            "__argument_0: u8",
            "(a, b): (u8, u8)",
            "x: &'a str",
            "ref y: u8",
            "Parameters(Req { c, .. }): Parameters<Req>",
            "z @ 1..=3: u8",
            "&e: &u8",
            "f: impl Fn(u8) -> u8",
            "g: Vec<impl Copy>",
            "h: fn(u8)",
            "#[cfg(any())] gone: Gone",
            "#[allow(unused)] more: u8",
            "d: &(dyn T + Sync)",
            "[s, ..]: [u8; N]",
        ],
        4,
    );
    let wrong = prop_oneof![
        4 => one_of(&["x: &mut u8", "a | b: u8", "x: dyn T", "x: _", "x: !", "x", "x: u8 = 1", "...", "Self", "&self", "x:", ": u8"]),
        1 => soup(),
    ];
    let parameters =
        (receiver, right, prop_oneof![9 => Just(tokens("")), 1 => wrong]).prop_map(|(a, b, c)| joined([a, b, c]));
    let output = prop_oneof![
        12 => one_of(&[
            "-> Result<u64, E>", "-> Result<Json<T>, E>", "-> rmcp::model::CallToolResult", "-> CallToolResponse", "-> io::Result<()>",
            "-> Result<Cow<'a, str>, E<T>>", "-> <T as U>::Result", "-> Result<impl Copy, E>",
        ]),
        3 => one_of(&[
            "-> InputRequiredResult", "-> impl Future<Output = u8>", "-> Pin<Box<dyn Future<Output = u8>>>", "-> ()", "-> !", "-> String",
            "-> &'a str", "-> (Result<u8, E>)", "-> [u8; { 1 }]", "-> _", "", "->", "-> -> u8",
        ]),
        1 => soups(3).prop_map(|output| Tokens(quote!(-> #output))),
    ];
    let clause =
        maybe(mostly(&["where T: Copy", "where", "where Self: Sized, for<'b> &'b T: Into<u8>,"], &["where where"]));
    let body = prop_oneof![
        12 => one_of(&["{ Ok(1) }", "{}", "{ return; }", "{ #![allow(unused)] 1 }"]),
        2 => one_of(&["{ self.; let x = ; }", "{ $x }", ";", "", "= 1;", "{ } { }"]),
        2 => soups(5).prop_map(|body| in_group(Delimiter::Brace, body)),
        1 => one_of(&["{ 1 }"]).prop_map(|body| in_group(Delimiter::None, body)),
        1 => soup(),
    ];
    let signature = (before, name, generics, parameters, output, clause);
    (attrs, signature, body)
        .prop_map(|(attrs, (before, name, generics, parameters, output, clause), body)| {
            Tokens(quote!(#attrs #before fn #name #generics (#parameters) #output #clause #body))
        })
        .boxed()
}

pub(super) fn block() -> BoxedStrategy<Tokens> {
    let router = prop_oneof![
        12 => one_of(&[
            "#[tool_router]", "#[rmcp::tool_router]", "#[tool_router(server_handler)]", "#[tool_router(router = r#use, vis = \"pub\")]",
            "#[tool_router(allow_empty, x(y))] #[allow(unused)]", "#[doc = \"x\"] #[tool_router(server_handler = false)] #[prompt_router]",
        ]),
        2 => one_of(&[
            "#[tool_router(router = \"a b\")]", "#[tool_router(router)]", "#[tool_router(vis = 3, server_handler = maybe)]", "#[tool_router = 1]",
            "#[tool_handler]", "#[prompt_router]", "",
        ]),
        1 => soups(4).prop_map(|list| Tokens(quote!(#[tool_router(#list)]))),
    ];
    let handler = prop_oneof![
        12 => one_of(&[
            "#[tool_handler]", "#[tool_handler(router = self.router)]", "#[tool_handler(router = Self::a() + Self::b(), name = \"x\")]",
            "#[prompt_handler] #[rmcp::tool_handler(router = A)]",
        ]),
        2 => one_of(&["#[tool_handler(router)]", "#[tool_handler = 1]", "#[tool_handler(router =)]", "#[tool_router]", ""]),
        1 => soups(4).prop_map(|list| Tokens(quote!(#[tool_handler(#list)]))),
    ];
    let own = mostly(
        &["impl S", "impl<T> S<T> where T: Copy", "impl<'a, const N: usize> S<'a, N>", "unsafe impl S", "impl dyn T"],
        &["impl", "impl S where where", "impl<", "impl S for", "default impl S"],
    );
    let of_trait = mostly(
        &["impl ServerHandler for S", "impl<T> rmcp::ServerHandler for S<T> where T: Copy"],
        &["impl !Send for S", "impl for", "impl const T for S", "default impl T for S", "unsafe impl T for"],
    );
    let header = prop_oneof![3 => (router, own), 1 => (handler, of_trait)];
    let member = prop_oneof![
        9 => function(),
        2 => one_of(&["const X: u8 = 1;", "type T = u8;", "x!{}", "x!();", "fn helper(&self) {}"]),
        1 => one_of(&[";", "pub", "#[a]", "#![a]", "fn f()"]),
        1 => soups(4),
    ];
    let behind = prop_oneof![15 => Just(tokens("")), 1 => soup()];
    (header, vec(member, 0..4).prop_map(joined), behind)
        .prop_map(|((attrs, header), members, behind)| Tokens(quote!(#attrs #header { #members } #behind)))
        .boxed()
}

/// A method of a handler.
fn method() -> BoxedStrategy<Tokens> {
    let own = maybe(of_method().prop_map(|list| Tokens(quote!(#[resilient(#list)]))));
    let attrs = mostly(&["", "#[doc = \"z\"]", "#[cfg(all())]"], &["#[resilient]", "#[resilient = 1]", "#[tool]"]);
    let of_request = (
        mostly(&["async fn", "fn"], &["unsafe fn", "const fn", "async"]),
        mostly(
            &["read_resource", "list_resources", "get_prompt", "complete", "call_tool", "set_level", "r#initialize"],
            &["helper", "get_info", "on_initialized", "listen", "fn"],
        ),
        mostly(
            &[
                "(&self, request: Req, context: RequestContext<RoleServer>)",
                "(&self, Req { uri, .. }: Req, _: RequestContext<RoleServer>)",
                "(&self, _: Option<Req>, _context: RequestContext<RoleServer>)",
                "(&self, #[allow(unused)] mut request: Req, (a, b): Context)",
            ],
            &["()", "(&self)", "(&self, a: A, b: B, c: C)", "(self: Arc<Self>, a: A, b: B)", "(a: A, b: B)"],
        ),
        mostly(
            &[
                "-> Result<Res, ErrorData>",
                "-> Result<ReadResourceResponse, rmcp::ErrorData>",
                "-> impl Future<Output = Result<Res, ErrorData>> + Send + '_",
                "-> Pin<Box<dyn Future<Output = Result<Res, ErrorData>> + Send + '_>>",
                "-> std::future::Ready<Result<Res, ErrorData>>",
            ],
            &["", "-> ()", "-> Self", "-> _"],
        ),
    );
    let of_request = of_request.prop_map(|(a, b, c, d)| joined([a, b, c, d]));
    let others = one_of(&[
        "async fn on_initialized(&self, context: NotificationContext<RoleServer>)",
        "async fn on_progress(&self, progress: Param, _: NotificationContext<RoleServer>)",
        "async fn listen(&self, context: SubscriptionContext) -> Result<(), ErrorData>",
        "async fn ping(&self, _: RequestContext<RoleServer>) -> Result<(), ErrorData>",
        "fn get_info(&self) -> ServerConfig",
    ]);
    let head = prop_oneof![4 => of_request, 1 => others];
    let body = mostly(&["{ Ok(f(request).await?) }", "{ todo!() }", "{}"], &["{ let x = }", ";", "{ a b c ~ }"]);
    (attrs, own, head, body).prop_map(|(attrs, own, head, body)| joined([attrs, own, head, body])).boxed()
}

/// A handler: `impl ServerHandler`, with rmcp's macros or without.
pub(super) fn handler() -> BoxedStrategy<Tokens> {
    let attrs = mostly(
        &["", "#[tool_handler]", "#[prompt_handler] #[rmcp::tool_handler(router = self.router)]", "#[allow(unused)]"],
        &["#[tool_handler(router)]", "#[resilient]", "#[tool_router]"],
    );
    let header = mostly(
        &[
            "impl ServerHandler for S",
            "impl<T: Copy> rmcp::ServerHandler for S<T> where T: Send",
            "impl ServerHandler for &S",
        ],
        &["impl Other for S", "impl ServerHandler for", "unsafe impl ServerHandler for S", "impl !ServerHandler for S"],
    );
    let member = prop_oneof![
        9 => method(),
        1 => one_of(&["const X: u8 = 1;", "type T = u8;", "x!();", "fn helper(&self) {}"]),
        1 => function(),
    ];
    (attrs, header, vec(member, 0..4).prop_map(joined))
        .prop_map(|(attrs, header, members)| Tokens(quote!(#attrs #header { #members })))
        .boxed()
}

pub(super) fn other() -> BoxedStrategy<Tokens> {
    let other = one_of(&[
        "struct S;",
        "enum E {}",
        "mod m {}",
        "mod m;",
        "trait T { async fn f(&self); }",
        "use a::b;",
        "static X: u8 = 1;",
        "const X: u8 = 1;",
        "macro_rules! m { () => {} }",
        "x!{}",
        "extern \"C\" {}",
        "extern crate a;",
        "type T = u8;",
        "let x = 1;",
        "async {}",
        "async move {}",
        "#[a]",
        "#",
        "pub",
        "",
    ]);
    prop_oneof![1 => other, 1 => soups(8)].boxed()
}
