#[test]
fn ui() { let t = trybuild::TestCases::new(); t.compile_fail("ui/mcp_error/fail/*.rs"); t.pass("ui/mcp_error/pass/*.rs"); }
